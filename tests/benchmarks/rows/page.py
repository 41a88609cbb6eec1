"""How long a change in an agent's output takes to the browser."""

import asyncio
import tempfile
import time
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_most, quantile

NOTE_ENTRIES = """() => {
    window.seen = {};
    const note = () => {
        for (const each of document.querySelectorAll(".entry .said")) seen[each.innerText.trim()] ??= Date.now();
    };
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
ROWS = 'ID | What | Deps\n A1 | while read x; do echo "$x"; done < fifo | -'
APART = 0.2  # seconds between two lines: each comes to a page at rest


def measure(bench: Bench) -> None:
    """Have a task print lines, and note when each stands on the page, by the browser's clock, in milliseconds."""
    if (reason := missing()) is not None:
        bench.skip("a line of a task until it stands on the page", reason)
        return
    lines = bench.size(100, 10)
    delays: list[list[float]] = []

    def show() -> None:
        with tempfile.TemporaryDirectory() as folder:
            delays.append(asyncio.run(shown_lines(lines, Path(folder))))

    rounds = len(bench.in_turn({"page": show}, most=3)["page"])
    for share, target in ((0.5, None), (0.95, at_most(150))):
        samples = [quantile(each, share) for each in delays[-rounds:]]
        bench.figure(f"a line of a task until it stands on the page, p{share * 100:.0f}", samples, "ms", target)


def missing() -> str | None:
    """Say what is not here of what the page needs."""
    try:
        from tests.web.browser import found_chromium
        from tests.web.shown_run import shown_run  # noqa: F401
    except ImportError as error:
        return f"the Python package {error.name} is not installed"
    return None if found_chromium() else "Chromium is not on PATH"


async def shown_lines(count: int, folder: Path) -> list[float]:
    """Return the milliseconds that each line took."""
    from tests.web.browser import browser_running, found_chromium
    from tests.web.serving import TOKEN
    from tests.web.shown_run import say, shown_run, written_to

    chromium = found_chromium()
    assert chromium is not None
    said: dict[str, float] = {}
    with browser_running(chromium) as browser:
        async with shown_run(ROWS, folder) as (run, served):
            with await written_to(run, "A1") as speaking:
                await say(speaking, "first")
                page = await browser.open(f"http://127.0.0.1:{served.port}/#token={TOKEN}")
                await page.go("task/A1")
                await page.see(".conversation .entry", "first")
                await page.ask(NOTE_ENTRIES)
                for number in range(count):
                    said[f"line {number}"] = time.time() * 1000
                    await say(speaking, f"line {number}")
                    await asyncio.sleep(APART)
                await page.see(".conversation .entry", f"line {count - 1}")
                seen = await page.ask("() => window.seen")
                await page.close()
            await run.running
    return [seen[line] - begin for line, begin in said.items()]
