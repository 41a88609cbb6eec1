"""Runs as their files tell of them."""

import json
from pathlib import Path

from nova_async.journal.state_file import StateFile
from nova_async.journal.store import Journal
from nova_async.records import Event, LogRef
from nova_async.views import RunView, TaskView
from nova_async.words import EventKind, Outcome, RunEnd, TaskState
from tests.journal.making import moment, run, start
from tests.views import attempt, by_id, log_at, run_view

HOSTILE = "</script><script>alert(1)</script>\x1b]0;owned\x07\u202e\x00"

RESULT = b'{"type":"result","subtype":"success","is_error":false,"result":"Done."}\n'


def said(text: str) -> bytes:
    """Return a line in which Claude says something."""
    message = {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": text}]}}
    return json.dumps(message).encode() + b"\n"


def log_in(folder: Path, name: str, content: bytes) -> LogRef:
    """Write a log, and return which one it is."""
    (folder / "logs").mkdir(exist_ok=True)
    path = folder / "logs" / name
    path.write_bytes(content)
    return log_at(path)


async def publish(folder: Path, view: RunView, tasks: dict[str, TaskView]) -> None:
    """Replace the state file, as a run does."""
    path = folder / "cascade_state.json"
    file = StateFile(path, tasks=tasks, view=tasks.__getitem__, run=lambda: view, scratch=folder / ".nova")
    file.touch()
    await file.close()
    assert file.error is None


async def write_run(folder: Path, end: RunEnd | None = RunEnd.FAILED) -> dict[str, TaskView]:
    """Write the files of a run: T1 completed in two attempts, T2 failed, T3 is blocked by it."""
    first = log_in(folder, "T1~1.log", said("I try."))
    second = log_in(folder, "T1.log", said("I work.") + RESULT)
    failed = log_in(folder, "T2.log", said(HOSTILE))
    tasks = by_id(
        TaskView(
            id="T1", name="First", state=TaskState.COMPLETED, attempt=2, log=second, branch="App", group="Base",
            attempts=(attempt("T1", 1, Outcome.EXIT, log=first), attempt("T1", 2, log=second)), result="Done.",
        ),
        TaskView(
            id="T2", name=HOSTILE, state=TaskState.FAILED, attempt=1, log=failed, branch="App", group="Base",
            attempts=(attempt("T2", 1, Outcome.AGENT_ERROR, log=failed, error=HOSTILE),), error=HOSTILE,
        ),
        TaskView(id="T3", name="Third", state=TaskState.BLOCKED, blocked_by=("T2",), depends_on=("T2",)),
    )  # fmt: skip
    await publish(folder, run_view(end=end, completed_at=moment(9) if end else None), tasks)
    journal = await Journal.open(folder / ".nova" / "journal.db")
    await journal.begin_run(run())
    await journal.begin_attempt(start("T1"))
    for kind, task_id in ((EventKind.RUN_STARTED, None), (EventKind.TASK_FAILED, "T2")):
        journal.record(Event(kind=kind, at=moment(1), task_id=task_id, run_id="r1"))
    await journal.close()
    return tasks
