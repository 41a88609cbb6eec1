"""The line each minute that says what runs: in a log of CI, silence looks like a hang."""

import asyncio
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from nova_async.cli import heartbeat
from nova_async.cli.heartbeat import EVERY, Heartbeat, heartbeat_line
from nova_async.cli.painter import Painter
from nova_async.cli.run_lines import RunLines
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind, Phase, TaskState

SINCE = datetime(2026, 1, 2, 3, 4, 5).astimezone()


def running(task_id: str, activity: str = "") -> TaskView:
    """Return a task at work."""
    return TaskView(
        id=task_id, state=TaskState.IN_PROGRESS, phase=Phase.RUN, attempt=1, started_at=SINCE, activity=activity
    )


def views(*tasks: TaskView) -> Mapping[str, TaskView]:
    """Return tasks by their ids."""
    return {task.id: task for task in tasks}


def test_a_run_that_waits_for_a_usage_limit() -> None:
    """The line says that it waits, for what and until when."""
    soon = datetime.now(UTC) + timedelta(hours=2)
    reason = "waits for the usage limit of claude"
    line = heartbeat_line([TaskView(id="T1", state=TaskState.WAITING, reason=reason, retry_at=soon)])
    assert line.startswith(f"{reason} until ")


def test_what_the_line_says() -> None:
    """Each running task with its beginning and what it does, and how far the run is."""
    tasks = [
        running("S1", "Bash: pytest -q"),
        running("S2", "x" * 200),
        TaskView(id="F1", state=TaskState.COMPLETED),
        TaskView(id="F2", state=TaskState.FAILED),
        TaskView(id="F3", state=TaskState.BLOCKED),
        TaskView(id="F4", state=TaskState.BLOCKED),
    ]
    line = heartbeat_line(tasks)
    assert line.startswith("still running: S1 since 03:04:05 (Bash: pytest -q), S2 since 03:04:05 (xxx")
    assert line.endswith("…) · 1 of 6 completed, 1 failed, 2 blocked")
    assert len(line) < 250


def test_many_tasks_are_one_line() -> None:
    """However many run, a few are named and the others counted; what an agent prints cannot begin a line."""
    line = heartbeat_line([running(f"T{number}", "a\n::error::b\x1b[31m") for number in range(500)])
    assert line.count(" since ") == 5
    assert ", 495 more · 0 of 500 completed" in line
    assert "\n" not in line
    assert "\x1b" not in line


def test_nothing_runs() -> None:
    """Between two attempts it says what is waited for."""
    task = TaskView(id="S2", state=TaskState.RETRYING, retry_at=datetime.now(UTC), attempt=1)
    assert heartbeat_line([task]).startswith("still running: S2 (")
    assert heartbeat_line([TaskView(id="S2")]) == "still running: nothing · 0 of 1 completed"
    assert heartbeat_line([]) == ""


def test_each_minute() -> None:
    """Nothing before a minute is over, then a line, and the next one a minute later, whatever happens in between."""
    now = 0.0
    output = io.StringIO()
    display = Heartbeat(RunLines(output), output, clock=lambda: now)
    assert not display.wants_views
    display.show(views(running("S1")))
    for now in (1.0, EVERY - 1, EVERY, EVERY + 1, 2 * EVERY - 1, 2 * EVERY, 3 * EVERY + 30):
        display.say(Event(kind=EventKind.MILESTONE, at=SINCE, data={"message": f"at {now}"}))
        display.draw()
    lines = [line.split(" ", 1)[1] for line in output.getvalue().splitlines()]
    beats = [number for number, line in enumerate(lines) if line.startswith("still running: S1")]
    assert len(lines) == 7 + len(beats)
    assert beats == [3, 7, 9]
    assert display.rest() == EVERY


async def test_it_comes_without_anything_happening(monkeypatch: pytest.MonkeyPatch) -> None:
    """The painter draws when the display wants it, and looks at the tasks only then."""
    monkeypatch.setattr(heartbeat, "EVERY", 0.05)
    output = io.StringIO()
    looked = 0

    def look() -> Mapping[str, TaskView]:
        nonlocal looked
        looked += 1
        return views(running("S1"))

    painter = Painter(Heartbeat(RunLines(output), output), look, lambda error: None)
    painting = asyncio.create_task(painter.paint())
    while output.getvalue().count("still running: S1") < 2:
        await asyncio.sleep(0.01)
    painter.close()
    await painting
    assert looked <= output.getvalue().count("\n") + 1


def test_a_run_that_waits_for_approval() -> None:
    """While nothing runs, it says whom it waits for."""
    gates = [TaskView(id=f"T{number}", state=TaskState.WAITING, needs_approval=True) for number in range(1, 3)]
    assert heartbeat_line(gates[:1]) == "T1 waits for approval · 0 of 1 completed"
    assert heartbeat_line(gates) == "T1, T2 wait for approval · 0 of 2 completed"
    assert heartbeat_line([*gates, running("S1", "")]).startswith("still running: S1")
