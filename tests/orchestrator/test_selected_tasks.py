"""Runs of some tasks of a plan: these run, and nothing happens to the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.junit import junit_document
from nova_async.errors import SelectionError
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator.decide import decide
from nova_async.orchestrator.happenings import Begun
from nova_async.orchestrator.run_state import RunState
from nova_async.words import EventKind, RunEnd, TaskState
from tests.orchestrator.test_running import orchestrator, plan, run, states

CHAIN = """ID | What | Deps
    A | echo A >> ran | -
    B | echo B >> ran; test -e ok | A
    C | echo C >> ran | B
    X | echo X >> ran | -"""


def ran(folder: Path) -> str:
    """Return what has run, in order."""
    return "".join((folder / "ran").read_text().split())


async def test_only_these_run(tmp_path: Path) -> None:
    """The rest is as before, says that it was not selected, and counts for nothing; the next run goes on with it."""
    cascade = plan(CHAIN)
    report, events = await run(cascade, tmp_path, only={"A", "X"})
    assert sorted(ran(tmp_path)) == ["A", "X"]
    assert (report.ok, report.exit_code, list(report.selected)) == (True, 0, ["A", "X"])
    assert [(task.id, task.state, task.reason) for task in report.tasks.values() if not task.is_selected] == [
        ("B", TaskState.WAITING, "not selected"),
        ("C", TaskState.WAITING, "not selected"),
    ]
    assert (events[0].data["total"], events[0].data["selected"]) == (4, 2)
    told = json.loads((tmp_path / "state.json").read_text())["tasks"]["B"]
    assert (told["status"], told["current_step"], told["nova"]["selected"]) == ("pending", "not selected", False)
    assert JournalReader(tmp_path / ".nova/journal.db").runs()[0].end is RunEnd.COMPLETED
    (tmp_path / "ok").touch()
    report, events = await run(cascade, tmp_path)
    assert ran(tmp_path)[2:] == "BC"
    assert "selected" not in events[0].data


async def test_what_needs_more_than_is_selected_is_an_error(tmp_path: Path) -> None:
    """Before anything is begun or written down: it names what is missing, and what to write."""
    cascade = plan(CHAIN)
    with pytest.raises(SelectionError) as caught:
        await run(cascade, tmp_path, only=["A", "C"])
    assert caught.value.unmet == {"C": ("B",)}
    assert str(caught.value) == ("C needs B: not completed and not selected; select them too, as `--until C` does")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / ".nova").exists()
    (tmp_path / "ok").touch()
    await run(cascade, tmp_path, only=cascade.select(until=["B"]))
    report, _ = await run(cascade, tmp_path, only=["C"])
    assert report.ok
    assert ran(tmp_path) == "ABC"


async def test_a_failure_among_them_is_one(tmp_path: Path) -> None:
    """It fails the run; what was not selected does not, though a failed task blocks it."""
    report, _ = await run(plan(CHAIN), tmp_path, only={"A", "B"})
    assert states(report) == {
        "A": TaskState.COMPLETED, "B": TaskState.FAILED, "C": TaskState.BLOCKED, "X": TaskState.WAITING,
    }  # fmt: skip
    assert report.exit_code == 1
    report, _ = await run(plan(CHAIN), tmp_path, only={"X"})
    assert report.ok, "B's failure is no business of this run"
    assert report.tasks["B"].state is TaskState.FAILED
    document = junit_document(report).decode()
    assert document.count("<testcase ") == 1
    assert 'failures="0"' in document


@pytest.mark.parametrize("how", ["fresh", "retry_failed"])
async def test_only_theirs_is_tried_again(tmp_path: Path, how: str) -> None:
    """Starting over and trying again are about the selected tasks alone: their neighbours' results still count."""
    cascade = plan(CHAIN + "\n    Y | echo Y >> ran; false | -")
    await run(cascade, tmp_path)
    assert sorted(ran(tmp_path)) == ["A", "B", "X", "Y"]
    (tmp_path / "ok").touch()
    report, _ = await run(cascade, tmp_path, only={"B", "C"}, **{how: True})
    assert ran(tmp_path)[4:] == "BC"
    assert report.ok
    assert report.tasks["Y"].attempt == 1
    await run(cascade, tmp_path, only={"A"}, **{how: True})
    assert ran(tmp_path)[6:] == ("A" if how == "fresh" else "")


async def test_a_completed_task_is_not_run_again(tmp_path: Path) -> None:
    """Also if it is named; and it needs nothing."""
    cascade = plan(CHAIN)
    await run(cascade, tmp_path, only={"A"})
    report, events = await run(cascade, tmp_path, only={"A"})
    assert report.ok
    assert not [event for event in events if event.kind is EventKind.ATTEMPT_STARTED]


@pytest.mark.parametrize(
    ("only", "error", "told"),
    [
        ("A", TypeError, "only must be a collection of task ids"),
        ([], ValueError, "only names no task"),
        (["A", "Z"], ValueError, "no task is called 'Z'"),
        (7, TypeError, "only must be a collection of task ids"),
    ],
)
def test_bad_selections(tmp_path: Path, only: Any, error: type[Exception], told: str) -> None:
    """They are refused when the orchestrator is made."""
    with pytest.raises(error, match=told):
        orchestrator(plan(CHAIN), tmp_path, only=only)


def test_nothing_else_is_ever_decided() -> None:
    """What is not selected is not begun, whatever completes before it."""
    state = RunState.of(plan(CHAIN), max_workers=9, only={"B"}, completed=["A"])
    assert [action.task_id for action in decide(state, Begun(), 0.0)] == ["B"]  # type: ignore[union-attr]
