"""What somebody does with a run in the browser: by mouse, and by keyboard alone."""

from pathlib import Path

from tests.control.runs import ready
from tests.web.conftest import Window
from tests.web.shown_run import GATED, shown_run


async def test_tasks_are_stopped_run_again_and_approved_by_click(tmp_path: Path, window: Window) -> None:
    """What needs somebody has the button for it; where work is lost, the page asks first."""
    async with shown_run(GATED, tmp_path) as (run, served):
        page = await window(served)
        await page.click(".need:has-text('C1') button:has-text('Approve')")
        await ready(run, lambda: run.runner.views["C1"].state == "completed")
        await page.see("#row-C1", "completed")
        await page.see(".need:has-text('B1') .blocks", "D1")
        await page.click(".need:has-text('B1') button:has-text('Run again')")
        await ready(run, lambda: run.runner.views["B1"].attempt == 2 and run.runner.views["B1"].state == "failed")
        await page.see("#row-B1 .again", "2")
        await page.click(".running li:has-text('A1') button")
        await page.see("dialog h2", "Stop A1?")
        await page.click("dialog button:has-text('Let it run')")
        await page.miss("dialog")
        assert run.runner.views["A1"].state == "in_progress"
        await page.click("button:has-text('Pause')")
        await page.see(".alive .pill", "paused")
        await page.click("button:has-text('Resume')")
        await page.see(".alive .pill", "running")
        await page.click("button[aria-label='One worker more']")
        await ready(run, lambda: run.runner.run_view.max_workers == 4)
        await page.see(".controls", "4 workers")
        await page.click(".running li:has-text('A1') button")
        await page.click("dialog button:has-text('Stop it')")
        await run.running
        await page.see(".alive .pill", "failed")


async def test_tasks_are_stopped_run_again_and_approved_by_keyboard(tmp_path: Path, window: Window) -> None:
    """With the keys of `nova watch`, and nothing else; the focus goes with the selection."""
    async with shown_run(GATED, tmp_path) as (run, served):
        page = await window(served)
        await page.see("#row-C1", "to approve")
        await page.press("/")
        await page.until("() => document.activeElement.id === 'filter'")
        await page.press("c", "1", "Enter")
        await page.see("tr.selected", "C1")
        await page.press("a")
        await ready(run, lambda: run.runner.views["C1"].state == "completed")
        await page.press("Escape")
        await page.see("#row-B1", "failed")
        await page.press("k")
        await page.see("tr.selected", "B1")
        await page.until("() => document.activeElement.closest('tr')?.id === 'row-B1'")
        await page.press("r")
        await ready(run, lambda: run.runner.views["B1"].attempt == 2)
        await page.press("Enter")
        await page.see(".task h1", "B1")
        await page.press("Escape")
        await page.see("tr.selected", "B1")
        await page.press("p")
        await page.see(".alive .pill", "paused")
        await page.press("p", "+")
        await ready(run, lambda: run.runner.run_view.max_workers == 4 and not run.runner.run_view.is_paused)
        await page.press("?")
        await page.see("dialog h2", "Keys")
        await page.press("Escape")
        await page.miss("dialog")
        await page.press("k", "s")
        await page.see("dialog h2", "Stop A1?")
        await page.until("() => document.activeElement.innerText === 'Let it run'")
        await page.press("y")
        await ready(run, lambda: run.runner.views["A1"].state == "waiting")
        await run.running
        await page.see(".alive .pill", "failed")
        await page.press("r")
        await page.see(".notice", "The run is over")
