"""A running run on the page: seen from first to last as it changes, and told what to do."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from nova_async._core.threads import in_thread
from tests.control.runs import answering
from tests.control.test_answering import ROWS, let_go, make_fifo
from tests.views import run_view
from tests.web.runs import publish, write_run
from tests.web.serving import Events, Served, serving


async def until(events: Events, condition: Any) -> list[Any]:
    """Read events until one is so; return all."""
    seen = []
    while not seen or not condition(*seen[-1]):
        seen.append(await events.next())
    return seen


def live(folder: Path) -> Any:
    """Serve the folder of a run of the tests."""
    return serving(folder, state=folder / "state.json")


async def listened_to(served: Served) -> None:
    """Wait until the server listens to the run."""
    async with asyncio.timeout(20):
        while served.source._control is None:
            await asyncio.sleep(0.01)


async def test_a_run_is_seen_from_first_to_last(tmp_path: Path) -> None:
    """One stream shows every state of every task, and in the end what the state file says."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, live(tmp_path) as served, served.events() as events:
        *before, first = await until(events, lambda kind, *_: kind == "snapshot")
        assert {kind for kind, *_ in before} <= {"nothing"}  # as long as there is no state file
        assert first[2]["condition"] == "running"
        await listened_to(served)
        await let_go(run)
        seen = [first, *await until(events, lambda kind, *_: kind == "over")]
        await run.running
        states = {task: [data["tasks"][task]["nova"]["state"] for _, _, data in seen if task in data.get("tasks", {})]
                  for task in ("A1", "B1")}  # fmt: skip
        assert states["A1"][-1] == "completed"
        assert "in_progress" in states["A1"]
        assert states["B1"][-1] == "completed"
        numbers = [number for _, number, _ in seen if number is not None]
        assert numbers == sorted(numbers)
        told = [event["number"] for kind, _, data in seen if kind == "change" for event in data["events"]]
        assert told == sorted(set(told))
        assert seen[-1][2] == {"condition": "completed"}
        assert (await served.json("run"))["nova"]["end"] == "completed"


async def test_a_page_that_comes_back_is_told_what_it_missed(tmp_path: Path) -> None:
    """With the last number that it has seen, it gets what has changed since, and nothing else; from elsewhere, all."""
    make_fifo(tmp_path)
    rows = "ID | What | Deps\n A1 | read x < fifo | -\n C1 | read x < fifo | A1\n B1 | true | C1\n D1 | true | B1"
    async with answering(rows, tmp_path, max_workers=1) as run, live(tmp_path) as served:
        await listened_to(served)
        async with served.events() as events:
            await events.next()
            await let_go(run)
            seen = await until(events, lambda _, __, data: data["tasks"].get("A1", {}).get("status") == "completed")
        _, number, _ = seen[-1]
        known = seen[-1][2]["tasks"] | (await served.json("run"))["tasks"]
        await let_go_of(run, "C1")
        await run.running
        async with served.events() as events:
            await until(events, lambda _, __, data: data.get("condition") == "completed")
        async with served.events(last_event_id=str(number)) as events:
            kind, _, missed = await events.next()
            assert kind == "change"
            assert {**known, **missed["tasks"]} == (await served.json("run"))["tasks"]
            numbers = [event["number"] for event in missed["events"]]
            assert numbers == sorted(set(numbers))
            assert min(numbers) > number
        for unknown in ("999999", "0", "-1", "x", "9" * 40):
            async with served.events(last_event_id=unknown) as events:
                assert (await events.next())[0] == "snapshot", unknown


async def let_go_of(run: Any, task_id: str) -> None:
    """Let a task end that waits for the same."""
    from tests.control.runs import ready

    await ready(run, lambda: run.runner.views[task_id].pid is not None)
    await in_thread((run.folder / "fifo").write_text, "\n")


async def test_a_run_is_stopped_from_the_page(tmp_path: Path) -> None:
    """By one POST; afterwards the next one is told that nothing runs."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, live(tmp_path) as served:
        await listened_to(served)
        answer = await served.client.post("/api/v1/stop", json={"kill": True})
        assert answer.status_code == 200
        assert answer.json()["ok"] is True
        await run.running
        async with served.events() as events:
            await until(events, lambda kind, _, data: data.get("nova", {}).get("end") == "stopped")
        answer = await served.client.post("/api/v1/stop")
        assert answer.status_code == 409
        assert "no run is running" in answer.json()["error"]


async def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """With what is wrong, before the run is asked; or with the run's own reason."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path), live(tmp_path) as served:
        await listened_to(served)
        for path, said in (
            ("workers", {}), ("workers", {"count": 0}), ("workers", {"count": "many"}), ("budget", {"usd": -1}),
            ("retry", {}), ("retry", {"tasks": []}), ("retry", {"tasks": "A1"}), ("stop", {"kill": "yes"}),
        ):  # fmt: skip
            answer = await served.client.post(f"/api/v1/{path}", json=said)
            assert answer.status_code == 400, (path, said)
            assert answer.json()["error"].startswith("this cannot be done")
        assert (await served.client.post("/api/v1/tasks/Z9/stop")).status_code == 404
        assert (await served.client.get("/api/v1/stop")).status_code == 405


async def test_a_folder_in_which_nothing_has_run_yet(tmp_path: Path) -> None:
    """It says so, and shows the run as soon as one begins; and again when its files are gone."""
    async with serving(tmp_path) as served, served.events() as events:
        kind, _, data = await events.next()
        assert kind == "nothing"
        assert "no run here" in data["error"]
        answer = await served.client.get("/api/v1/run")
        assert (answer.status_code, answer.json()) == (404, data)
        tasks = await write_run(tmp_path)
        kind, _, data = await events.next()
        assert kind == "snapshot"
        assert list(data["tasks"]) == ["T1", "T2", "T3"]
        await publish(tmp_path, run_view(run_id="r2"), {"T1": tasks["T1"]})
        seen = await until(events, lambda kind, _, data: kind == "snapshot" and list(data["tasks"]) == ["T1"])
        assert len(seen) < 4
        (tmp_path / "cascade_state.json").unlink()
        await until(events, lambda kind, *_: kind == "nothing")


async def test_pages_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One page too many is refused with a sentence, and there is room again when one is closed."""
    monkeypatch.setattr("nova_async.web.app.MOST_FEEDS", 3)
    await write_run(tmp_path)
    async with serving(tmp_path) as served, AsyncExitStack() as pages:
        for _ in range(3):
            assert (await (await pages.enter_async_context(served.events())).next())[0] == "snapshot"
        refused = await served.client.get("/api/v1/events")
        assert refused.status_code == 503
        assert "close some" in refused.json()["error"]
        await pages.aclose()
        status = 503
        async with asyncio.timeout(20):
            while status == 503:
                async with served.client.stream("GET", "/api/v1/events") as answer:
                    status = answer.status_code
        assert status == 200


async def test_the_graph_and_the_timeline(served: Served) -> None:
    """Each task has a place in both, and what depends on another is beyond it."""
    graph = await served.json("graph")
    place = {node["task"]: node["x"] for node in graph["nodes"]}
    assert list(place) == ["T1", "T2", "T3"]
    assert [(edge["source"], edge["target"]) for edge in graph["edges"]] == [("T2", "T3")]
    assert place["T2"] < place["T3"] <= graph["width"]
    timeline = await served.json("timeline")
    assert [row["task"] for row in timeline["rows"]] == ["T1", "T2", "T3"]
    for segment in (segment for row in timeline["rows"] for segment in row["segments"]):
        assert 0 <= segment["begin"] <= segment["end"] <= 1
        assert segment["text"]
