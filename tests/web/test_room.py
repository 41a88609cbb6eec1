"""What has little room: texts stay in their place, and can still be read."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from nova_async.cli.report_page import report_page
from tests.cli.reported import done, failed, report_of
from tests.views import run_view
from tests.web.browser import Browser
from tests.web.conftest import Window
from tests.web.runs import publish, write_run
from tests.web.serving import serving

# Words in few columns: the narrowest cell of a table that has several letters in it, in pixels.
NARROWEST = """() => Math.min(...[...document.querySelectorAll("table:not(.timeline) td")]
    .filter((cell) => cell.innerText.trim().length > 8).map((cell) => cell.clientWidth))"""
TIMES = """() => [...document.querySelectorAll(".timeline tfoot text")].map((text) => text.getBoundingClientRect())
    .filter(({ width }) => width).map(({ left, right }) => [left, right])"""


async def test_names_in_the_graph_stay_in_their_boxes(tmp_path: Path, window: Window) -> None:
    """Of wide letters as of narrow ones."""
    tasks = await write_run(tmp_path)
    names = ("W" * 60, "i" * 60, "漢字" * 20)
    named = {task.id: replace(task, name=name) for task, name in zip(tasks.values(), names, strict=True)}
    await publish(tmp_path, run_view(), named)
    async with serving(tmp_path) as served:
        page = await window(served)
        await page.see("h1", "Shop")
        await page.go("graph")
        await page.until("() => document.querySelector('.node')")
        ends = await page.ask("""() => [...document.querySelectorAll(".node")].map((node) =>
            [...node.querySelectorAll("rect, text:last-child")].map((each) => each.getBoundingClientRect().right))""")
        assert len(ends) == 3
        for box, text in ends:
            assert box - 40 < text <= box - 4


async def test_a_report_can_be_read_on_a_telephone(tmp_path: Path, browser: Browser) -> None:
    """No word is broken into letters, no time of the timeline lies on another, and only tables scroll sideways."""
    long = "a name of a task which is as long as people write them"
    tasks = [done(f"T{number}", name=long) for number in range(3)]
    report = report_of(*tasks, failed("T3", "the error says at some length what has happened", name=long))
    path = tmp_path / "report.html"
    path.write_text(report_page(report))
    page = await browser.open(path.as_uri(), viewport={"width": 375, "height": 740})
    try:
        await page.see(".timeline")
        assert await page.ask(NARROWEST) > 80
        times = await page.ask(TIMES)
        assert len(times) > 1
        assert all(end < begin for (_, end), (begin, _) in pairwise(times))
        assert await page.ask("() => document.documentElement.scrollWidth <= innerWidth")
    finally:
        await page.close()
