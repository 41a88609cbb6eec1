"""The pure modules of the page, asked in the browser that runs them."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nova_async.control.figures import describe_cost, describe_duration, short_count, stopwatch, until
from nova_async.views import TaskView
from nova_async.words import RunEnd, TaskState
from tests.views import attempt, by_id, run_view
from tests.web.browser import Shown
from tests.web.conftest import Window
from tests.web.runs import HOSTILE, log_in, publish, said
from tests.web.serving import Served, serving

SECONDS = [0, 0.04, 0.96, 5.27, 9.94, 9.96, 10, 59.4, 59.6, 60, 754, 3599, 3600, 7265.3, 360_000]
COUNTS = [0, 7, 999, 1000, 1049, 99_949, 99_950, 999_499, 999_500, 4_512_345, 99_950_000, 10**10, 5 * 10**12]
COSTS = [
    (0.0, None),
    (None, None),
    (1.234, None),
    (None, 0.45),
    (1.23, 0.45),
    (0.00423, None),
    (1234.5, None),
    (0.0, 0.2),
]
RUN = """async ([name, calls]) => {
    const module = await import(`/static/${name}.js`);
    return calls.map(([call, ...said]) => module[call](...said));
}"""


async def told(page: Shown, name: str, *calls: Any) -> list[Any]:
    """Return what functions of a module give."""
    return await page.ask(RUN, [name, [list(call) for call in calls]])


async def test_numbers_are_written_as_on_a_terminal(served: Served, window: Window) -> None:
    """Times, counts and money: the same figures in the page and in `nova status`."""
    page = await window(served)
    assert await told(page, "format", *(("stopwatch", each) for each in SECONDS)) == [*map(stopwatch, SECONDS)]
    assert await told(page, "format", *(("duration", each) for each in SECONDS)) == [*map(describe_duration, SECONDS)]
    assert await told(page, "format", *(("count", each) for each in COUNTS)) == [*map(short_count, COUNTS)]
    now = datetime.now(UTC).replace(microsecond=0)
    moments = [now + timedelta(seconds=each) for each in (-5, 0, *SECONDS[5:])]
    calls = (("whenToCome", each.isoformat(), now.timestamp() * 1000) for each in moments)
    assert await told(page, "format", *calls) == [until(each, now).removeprefix("until ") for each in moments]
    costs = [{"cost_usd": usd, "estimated_usd": estimated} for usd, estimated in COSTS]
    assert await told(page, "format", *(("cost", each) for each in costs)) == [describe_cost(*each) for each in COSTS]


async def test_a_cost_of_several_models_is_whole_where_it_is_added_up(served: Served, window: Window) -> None:
    """It stands beside the tokens of each of them, whose own costs nobody knows; one that is missing stays missing."""
    used = dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"), 1)
    one = {"run": "r", "task": "T1", "attempt": 1, "estimated_usd": None, "cost_usd": None, **used}
    rows = [
        {**one, "model": "a", "cost_is_complete": False},
        {**one, "model": "b", "cost_is_complete": False},
        {**one, "model": "several models", "cost_usd": 2.0, "cost_is_complete": True},
        {**one, "task": "T2", "model": "a", "cost_is_complete": False},
    ]
    page = await window(served)
    by_task, by_model = await told(page, "cost", ("summed", rows, ["task"]), ("summed", rows, ["model"]))
    assert [(row["cost_usd"], row["cost_is_complete"]) for row in by_task] == [(2.0, True), (None, False)]
    assert [row["cost_is_complete"] for row in by_model] == [False, False, True]
    [[every]] = await told(page, "cost", ("summed", rows[:3], []))
    assert (every["cost_usd"], every["input_tokens"], every["cost_is_complete"]) == (2.0, 3, True)


async def test_text_is_cleaned_as_on_a_terminal(served: Served, window: Window) -> None:
    """What cannot be seen is gone, whole escape sequences with it; lines, tabs and letters of all scripts stay."""
    from nova_async._core.text import clean

    texts = [
        HOSTILE,
        "a\tb\nc\r\nd",
        "\x1b[31mred\x1b[0m",
        "é 漢字 \u05d0",
        "\u200bx\u2066y\ufeff",
        "\x1b]8;;http://x\x07link\x1b\\",
    ]
    page = await window(served)
    assert await told(page, "format", *(("clean", each) for each in texts)) == [clean(each) for each in texts]


async def test_events_may_come_in_any_pieces(served: Served, window: Window) -> None:
    """However a stream is cut, its events are the same."""
    events = (
        'event: snapshot\nid: 7\ndata: {"a":1}',
        ": ",
        'event: change\nid: 8\ndata: {"b":"é"}',
        "event: log\ndata: {}",
    )
    stream = "".join(f"{event}\n\n" for event in events)
    page = await window(served)
    found = await page.ask(
        """async (stream) => {
        const { Events } = await import("/static/feed.js");
        return [1, 2, 3, 7, 1000].map((size) => {
            const events = new Events(), found = [];
            for (let at = 0; at < stream.length; at += size) found.push(...events.feed(stream.slice(at, at + size)));
            return found.map(({ kind, id, data }) => [kind, id, data]);
        });
    }""",
        stream,
    )
    assert found == [[["snapshot", 7, '{"a":1}'], ["change", 8, '{"b":"é"}'], ["log", None, "{}"]]] * 5


async def test_a_snapshot_and_its_changes_are_the_later_snapshot(served: Served, window: Window) -> None:
    """Told twice or once, each event is there once, and each task as it was told last."""
    page = await window(served)
    first = await served.json("run")
    change = json.loads(json.dumps(first))
    change["tasks"] = {"T3": {**first["tasks"]["T3"], "status": "completed"}}
    change["looks"] = {"T3": {**first["looks"]["T3"], "word": "completed"}}
    change["number"] += 2
    change["events"] = [{"number": change["number"] - 1, "event": "x"}, {"number": change["number"], "event": "y"}]
    state = await page.ask(
        """async ([first, change]) => {
        const { NOTHING, withSnapshot, withChange } = await import("/static/state.js");
        const state = [change, change].reduce(withChange, withSnapshot(NOTHING, first));
        return { ...state, tasks: [...state.tasks.values()].map(({ id, look }) => [id, look.word]) };
    }""",
        [first, change],
    )
    assert state["tasks"] == [["T1", "completed"], ["T2", "failed"], ["T3", "completed"]]
    assert [event["number"] for event in state["news"]] == [change["number"] - 1, change["number"]]
    assert state["number"] == change["number"]


@contextlib.asynccontextmanager
async def many(tasks: int, lines: int, folder: Path, window: Window) -> AsyncIterator[Shown]:
    """Show a run of so many tasks, of which the first has a log of so many lines."""
    log = log_in(folder, "T0.log", b"".join(said(f"line {number}") for number in range(lines)))
    views = by_id(*(
        TaskView(id=f"T{number}", name=f"Task number {number}", state=TaskState.COMPLETED, group=f"G{number // 100}",
                 attempt=1, attempts=(attempt(f"T{number}", 1, log=log if not number else None),),
                 log=log if not number else None)
        for number in range(tasks)
    ))  # fmt: skip
    await publish(folder, run_view(end=RunEnd.COMPLETED), views)
    async with serving(folder) as served:
        yield await window(served)


async def test_of_a_long_list_only_what_can_be_seen_is_drawn(tmp_path: Path, window: Window) -> None:
    """Two thousand tasks: some dozen rows, wherever one scrolls, searches or goes by keyboard."""
    async with many(2000, 1, tmp_path, window) as large:
        await large.see("#row-T0")
        rows = "document.querySelectorAll('.tasks tbody tr').length"
        assert await large.ask(f"() => {rows}") < 150
        await large.ask("() => scrollTo(0, document.body.scrollHeight)")
        await large.see("#row-T1999")
        assert await large.ask(f"() => {rows}") < 150
        await large.press("j")
        await large.until("() => document.activeElement.closest('tr')?.id === 'row-T0'")
        await large.press("/", "1", "9", "8", "7", "Enter")
        await large.until("() => document.activeElement.closest('tr')?.id === 'row-T1987'")
        assert await large.ask(f"() => {rows}") == 1
        await large.go("graph")
        await large.until("() => document.querySelector('.node')")
        assert await large.ask("() => document.querySelectorAll('.node').length") < 1000


async def test_of_a_long_conversation_a_part_is_kept(tmp_path: Path, window: Window) -> None:
    """It begins at its end; going back loads what came before, in order, and lets go of the latest."""
    async with many(1, 5000, tmp_path, window) as large:
        await large.go("task/T0")
        await large.see(".entry", "line 4999")
        entries = "document.querySelectorAll('.entry').length"
        for _ in range(4):
            first = await large.ask("() => document.querySelector('.entry').innerText")
            await large.click("button:has-text('Earlier')")
            await large.until("first => document.querySelector('.entry').innerText !== first", first)
            assert await large.ask(f"() => {entries}") <= 2600
        said_there = await large.ask("() => [...document.querySelectorAll('.entry')].map((each) => each.innerText)")
        lines = [int(text.split("line ")[1]) for text in said_there]
        assert lines == [*range(lines[0], lines[0] + len(lines))]
        assert lines[-1] < 4999
        await large.click("button:has-text('Latest')")
        await large.see(".entry", "line 4999")
