"""Runs of the past over the API: the same documents as of the current run, read from the journal."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.found_run import find_run
from nova_async.control.shown import looks_of
from nova_async.journal.state_document import run_document, task_document
from tests.web.past import FIRST, SECOND, two_runs
from tests.web.runs import said
from tests.web.serving import Served, serving

THEN = f"/api/v1/runs/{FIRST}"


@pytest.fixture
async def past(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve a folder of two runs."""
    await two_runs(tmp_path)
    async with serving(tmp_path) as served:
        yield served


async def refused(served: Served, path: str) -> str:
    """Return the one sentence that says why there is nothing to tell."""
    answer = await served.client.get(path)
    assert answer.status_code == 404
    told: dict[str, str] = answer.json()
    assert list(told) == ["error"]
    return told["error"]


async def test_a_past_run_is_the_document_of_a_run(past: Served) -> None:
    """It has all that the current one has, of that run alone; any beginning of its id that means one run will do."""
    now, then = await past.json("run"), await past.json(f"runs/{FIRST}")
    assert then.keys() == now.keys()
    assert then["board"].keys() == now["board"].keys()
    assert (then["condition"], then["is_over"], then["nova"]["run_id"]) == ("failed", True, FIRST)
    assert (now["condition"], now["nova"]["run_id"]) == ("completed", SECOND)
    assert {task_id: task["status"] for task_id, task in then["tasks"].items()} == {"T1": "completed", "T2": "failed"}
    assert [need["why"] for need in then["board"]["needs"]] == ["failed"]
    assert then["board"]["total"]["cost_usd"] == 0.75
    assert await past.json(f"runs/{FIRST[:5]}") == then


async def test_a_past_run_is_what_the_commands_tell(past: Served) -> None:
    """What `nova show --run` and `nova report --run` read stands in it: there is one way to read a run."""
    places = past.source.places
    board = find_run(FIRST, journal=places.journal, state=places.state).board
    then = await past.json(f"runs/{FIRST}")
    assert {part: then[part] for part in ("project", "nova")} == run_document(board.run)
    assert then["tasks"] == {task.id: task_document(task) for task in board.tasks.values()}
    assert then["looks"] == {task_id: {**look} for task_id, look in looks_of(board, board.tasks).items()}


async def test_a_task_as_it_was(past: Served) -> None:
    """With the attempts, phases, cost and state of that run; now it is another."""
    then, now = await past.json(f"runs/{FIRST}/tasks/T2"), await past.json("tasks/T2")
    assert ([each["number"] for each in then["attempts"]], then["now"]["status"]) == ([1], "failed")
    assert ([each["number"] for each in now["attempts"]], now["now"]["status"]) == ([1, 2], "completed")
    assert then["error"] == "it could not"
    assert then["log_path"].endswith("logs/T2~1.log"), "where it lies by now"


async def test_what_was_said_then(past: Served) -> None:
    """Its logs, by their identity and by part, and what the agents said, though their names have passed to others."""
    log = f"{THEN}/tasks/T2/attempts/1/log"
    assert (await past.client.get(log)).content == said("I fail.")
    part = await past.client.get(log, headers={"range": "bytes=-5"})
    assert (part.status_code, part.content) == (206, said("I fail.")[-5:])
    told = await past.json(f"runs/{FIRST}/tasks/T2/attempts/1/conversation")
    assert [entry["text"] for entry in told["entries"]] == ["I fail."]
    assert told["is_over"]


async def test_drawings_and_cost_are_of_that_run(past: Served) -> None:
    """What depends on what, what happened when, and what it cost, without what came later."""
    assert [node["task"] for node in (await past.json(f"runs/{FIRST}/graph"))["nodes"]] == ["T1", "T2"]
    rows = (await past.json(f"runs/{FIRST}/timeline"))["rows"]
    assert [{each["attempt"] for each in row["segments"]} - {0} for row in rows] == [{1}, {1}]
    assert sum(row["cost_usd"] for row in (await past.json(f"runs/{FIRST}/cost"))["rows"]) == 0.75
    assert sum(row["cost_usd"] for row in (await past.json("cost"))["rows"]) == 2.75


async def test_what_is_not_there_is_said(past: Served) -> None:
    """No such run, several, no such task or attempt: one sentence, as the commands have it."""
    for path, why in (
        ("zzz", "no run zzz in "),
        ("run-", "several runs begin with run-: run-two, run-one; name more of its id"),
        ("%20", "no run "),
        ("z" * 9000, f"no run {'z' * 99}… in "),
        ("zzz/tasks/T1", "no run zzz in "),
        ("zzz/cost", "no run zzz in "),
        ("zzz/graph", "no run zzz in "),
        (f"{FIRST}/tasks/T9", "there is no task T9"),
        (f"{FIRST}/tasks/T9/attempts/1/log", "there is no task T9"),
        (f"{FIRST}/tasks/T2/attempts/2/log", "T2 has no attempt 2, only 1"),
        (f"{FIRST}/tasks/T2/attempts/2/conversation", "T2 has no attempt 2, only 1"),
        (f"{FIRST}/plan", "there is nothing here"),
    ):
        assert (await refused(past, f"/api/v1/runs/{path}")).startswith(why), path


async def test_a_log_that_is_gone_is_said_to_be_gone(past: Served) -> None:
    """Deleted, or in its place another file, which is not shown: as `nova logs --run` says it."""
    log = past.folder / "logs" / "T2~1.log"
    log.rename(past.folder / "kept")
    for what in ("log", "conversation"):
        why = await refused(past, f"{THEN}/tasks/T2/attempts/1/{what}")
        assert why.startswith("the log of attempt 1 of T2 is no longer in ")
        assert why.endswith("T2.log is another file, or a copy of it")
    log.write_bytes(said("I fail."))
    assert "no longer" in await refused(past, f"{THEN}/tasks/T2/attempts/1/log")
    (past.folder / "logs" / "T2.log").unlink()
    assert (await refused(past, f"{THEN}/tasks/T2/attempts/1/log")).endswith("/logs/")


async def test_a_page_that_opens_reads_a_run_once(past: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it asks for one after the other comes from one reading of the journal; another run is read anew."""
    await past.json(f"runs/{FIRST}")
    monkeypatch.setattr("nova_async.cli.page_documents.find_run", lambda *_, **__: pytest.fail("read again"))
    for part in ("", "/graph", "/timeline", "/cost", "/tasks/T2", "/tasks/T2/attempts/1/conversation"):
        await past.json(f"runs/{FIRST}{part}")
    monkeypatch.undo()
    assert (await past.json(f"runs/{SECOND}"))["condition"] == "completed"


async def test_nothing_can_be_done_with_it(past: Served) -> None:
    """Nothing that a page or a program sends to the address of a past run reaches the current one."""
    for action in ("stop", "retry", "tasks/T2/stop", "tasks/T2/retry", "pause"):
        answer = await past.client.post(f"{THEN}/{action}", json={})
        assert answer.status_code in (404, 405), action


async def test_without_a_journal_there_are_no_runs(tmp_path: Path) -> None:
    """A folder in which nothing has been run has none, and one run without a state file is there all the same."""
    async with serving(tmp_path) as served:
        assert "nothing has been run here yet" in await refused(served, THEN)
    await two_runs(tmp_path)
    (tmp_path / "cascade_state.json").unlink()
    async with serving(tmp_path) as served:
        then: Any = await served.json(f"runs/{FIRST}")
        assert list(then["tasks"]) == ["T1", "T2"]
