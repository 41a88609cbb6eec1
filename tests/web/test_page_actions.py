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
        await page.see("#row-B1:has-text('failed') .again", "2")
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


NOVA = "async () => { window.nova = (await import('/static/app.js')).nova }"  # what the page knows, for `until`


async def test_a_click_counts_although_the_page_changes_meanwhile(tmp_path: Path, window: Window) -> None:
    """What the mouse was pressed on stays under it until it is let go; what has changed is shown afterwards."""
    async with shown_run(GATED, tmp_path) as (run, served):
        page = await window(served, viewport={"width": 1280, "height": 2000})  # all of it is seen: nothing is scrolled
        await page.see(".need:has-text('B1')")
        await page.see(".need:has-text('C1')")
        await page.ask(NOVA)
        await page.click("#filter")  # what has the focus loses it as the mouse is pressed elsewhere
        await page.do(lambda shown: shown.hover(".running li:has-text('A1') button"))
        await page.do(lambda shown: shown.mouse.down())
        run.runner.approve(["C1"])  # what was above the button, and would let it move up
        await page.until("() => nova.state().head.board.needs.length === 1")
        await page.ask("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        await page.do(lambda shown: shown.mouse.up())
        await page.see("dialog h2", "Stop A1?")
        await page.see("#row-C1", "completed")


# What is pressed, one after the other, and what is seen then, on a run with A1 running, B1 failed, and C1 to approve.
KEYS = (
    ("j", "tr.selected", "A1"),
    ("j", "tr.selected", "B1"),
    ("k", "tr.selected", "A1"),
    ("ArrowDown", "tr.selected", "B1"),
    ("ArrowUp", "tr.selected", "A1"),
    ("l", "[aria-selected=true]", "Raw log"),
    ("j", ".task h1", "B1"),
    ("Escape", "tr.selected", "B1"),
    ("Enter", "[aria-selected=true]", "Conversation"),
    ("g", "h1", "Graph"),
    ("t", ".alive h1", ""),
    ("/", "#filter:focus", ""),
    ("Escape", "tr.selected", "B1"),
    ("b", "dialog h2", "The run's budget"),
    ("Escape", "body:not(:has(dialog))", ""),
    ("R", "dialog h2", "Run B1 and 1 task after it again?"),
    ("n", "body:not(:has(dialog))", ""),
    ("R", "dialog h2", "Run B1 and 1 task after it again?"),
    ("y", "#row-B1:has-text('failed') .again", "2"),
    ("r", "#row-B1:has-text('failed') .again", "3"),
    ("j", "tr.selected", "C1"),
    ("a", "#row-C1", "completed"),
    ("p", ".alive .pill", "paused"),
    ("p", ".alive .pill", "running"),
    ("+", ".controls", "4 workers"),
    ("-", ".controls", "3 workers"),
    ("Escape", "body:not(:has(tr.selected))", ""),
    ("s", "dialog h2", "Stop the run?"),
    ("y", ".alive .pill", "stopped"),
)
NAMED = {"esc": "Escape", "enter": "Enter", "↓": "ArrowDown", "↑": "ArrowUp"}


async def test_every_key_of_the_help_does_what_it_says(tmp_path: Path, window: Window) -> None:
    """Each is pressed once at least, in this order; a key that the help gets is missed here."""
    async with shown_run(GATED, tmp_path) as (_, served):
        page = await window(served)
        await page.see("#row-B1", "failed")
        await page.see("#row-C1", "to approve")
        await page.press("?")
        await page.see("dialog h2", "Keys")
        listed = await page.ask("() => [...document.querySelectorAll('.keys kbd')].map((key) => key.innerText)")
        assert {NAMED.get(key, key) for key in listed} == {"?", *(key for key, *_ in KEYS)}
        await page.press("Escape")
        await page.miss("dialog")
        for key, selector, text in KEYS:
            await page.press(key)
            await page.see(selector, text)


async def test_the_budget_is_set_in_a_dialog(tmp_path: Path, window: Window) -> None:
    """What is left empty stays, what is no amount is not sent, and the next time it begins with what is set."""
    async with shown_run("ID | What | Deps | Agent\n A1 | read x < fifo | - | claude", tmp_path) as (run, served):
        page = await window(served)
        await page.click("button:has-text('Budget')")
        await page.do(lambda shown: shown.fill("#field-usd", "much"))
        await page.press("Enter")
        await page.see("#field-usd:invalid")
        await page.do(lambda shown: shown.fill("#field-usd", "2.5"))
        await page.press("Enter")
        await page.miss("dialog")
        await page.see(".notice", "The budget is set")
        await page.ask(NOVA)
        await page.until("() => nova.state().head.nova.budgets.length === 1")
        await page.press("b")
        await page.until("() => document.querySelector('#field-usd')?.value === '2.5'")
        await page.do(lambda shown: shown.fill("#field-tokens", "5000"))
        await page.do(lambda shown: shown.fill("#field-usd", ""))
        await page.press("Enter")
        await page.miss("dialog")
        budgets = lambda: [(each.max_cost_usd, each.max_tokens) for each in run.runner.run_view.budgets]  # noqa: E731
        await ready(run, lambda: budgets() == [(2.5, 5000)])
