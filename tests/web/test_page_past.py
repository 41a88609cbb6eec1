"""Runs of the past in the browser: opened from the list, looked at as the current one is, and left again."""

from pathlib import Path

from tests.web.conftest import Window
from tests.web.past import FIRST, two_runs
from tests.web.serving import serving

AXE = (Path(__file__).parent / "axe/axe.min.js").read_text()
FAULTS = """async only => (await axe.run(document, { resultTypes: ["violations"], ...only })).violations
    .map(fault => [fault.id, fault.nodes[0].html])"""
OF_ACTIONS = ".controls, .need button, .running button, header.top button"
THEN = f"runs/{FIRST}"


async def test_a_past_run_is_opened_and_left_again(tmp_path: Path, window: Window) -> None:
    """From the list by its link; its address survives a reload and going back; nothing can be done with it."""
    await two_runs(tmp_path)
    async with serving(tmp_path) as served:
        page = await window(served)
        await page.see("#row-T2", "completed")
        await page.go("runs")
        await page.see("tr:has-text('run-two')", "current")
        await page.click("tr:has-text('run-one') a")
        await page.see(".banner.past", ", failed.")
        await page.see("#row-T2", "failed")
        await page.until("() => document.getElementById('said').textContent.includes('failed')")
        assert await page.ask("() => document.activeElement.id") == "main"
        assert "Run of" in await page.ask("() => document.title")
        assert not await page.ask(f"() => document.querySelectorAll('{OF_ACTIONS}').length")
        await page.see(".timeline .line", "T2")
        await page.click("#row-T2 a")
        await page.see(".entry", "I fail.")
        assert await page.ask("() => location.hash") == f"#/{THEN}/task/T2"
        await page.do(lambda shown: shown.reload())
        await page.see(".entry", "I fail.")
        await page.see(".banner.past", ", failed.")
        await page.press("s")
        await page.see(".notice", "a run of the past")
        await page.press("l")
        await page.see(".raw pre", "I fail.")
        await page.press("Escape")
        await page.see("#row-T1", "completed")
        await page.press("j", "Enter")
        await page.see(".task h1", "First")
        await page.press("g")
        await page.until("() => document.querySelector('.node title')")
        await page.do(lambda shown: shown.go_back())
        await page.see(".task h1", "First")
        await page.click("nav a:has-text('Cost')")
        await page.see("tfoot", "$0.75")
        await page.go("runs/run-t/task/T1")
        await page.until("() => location.hash === '#/runs/run-two/task/T1'")
        await page.miss(".banner.past")
        await page.do(lambda shown: shown.go_back())
        await page.click(".banner.past a")
        await page.see("#row-T2", "completed")
        assert await page.ask("() => document.querySelector('.banner')") is None
        await page.do(lambda shown: shown.go_back())
        await page.see("tfoot", "$0.75")


async def test_of_a_past_run_it_is_said_what_is_not_there(tmp_path: Path, window: Window) -> None:
    """A run that nobody knows, and a log that is gone; and axe finds no fault in any part of it."""
    await two_runs(tmp_path)
    (tmp_path / "logs" / "T2~1.log").unlink()
    async with serving(tmp_path) as served:
        page = await window(served)
        await page.see("#tasks")
        await page.ask(AXE)
        for width, path, text in (
            (1280, "runs", "Runs"), (1280, THEN, "Shop"), (1280, f"{THEN}/graph", "Graph"),
            (1280, f"{THEN}/task/T2", "no longer in"), (320, f"{THEN}/task/T2/raw", "no longer in"),
            (320, f"{THEN}/cost", "$0.75"), (320, THEN, "Shop"), (320, "runs/zzz", "no run zzz in"),
            (320, "runs", "Runs"),
        ):  # fmt: skip
            await page.do(lambda shown, width=width: shown.set_viewport_size({"width": width, "height": 700}))  # type: ignore[misc]
            await page.go(path)
            await page.see("main", text)
            assert not await page.ask(FAULTS, {}), (path, width)
            assert await page.ask("() => document.documentElement.scrollWidth <= innerWidth"), (path, width)
        await page.do(lambda shown: shown.emulate_media(color_scheme="dark"))
        assert not await page.ask(FAULTS, {"runOnly": ["color-contrast"]})
