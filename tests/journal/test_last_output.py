"""When a running agent last printed something, by the time of its log."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nova_async.journal.last_output import with_last_output
from nova_async.records import LogRef
from nova_async.views import TaskView
from nova_async.words import Phase, TaskState
from tests.views import NOON, log_at

LATER = NOON + timedelta(seconds=90)


@pytest.fixture
def running(tmp_path: Path) -> TaskView:
    """Return a task that runs since noon, and has last printed something 90 s later."""
    log = tmp_path / "logs/F1.log"
    log.parent.mkdir()
    log.write_text("Hello\n")
    os.utime(log, (0, LATER.timestamp()))
    ref = replace(log_at(log), path="logs/F1.log")
    return TaskView(id="F1", state=TaskState.IN_PROGRESS, phase=Phase.RUN, phase_since=NOON, log=ref)


def test_it_is_when_its_log_was_written(tmp_path: Path, running: TaskView) -> None:
    """By a path from the folder of the run, or from anywhere; before the first byte, it is when the agent began."""
    assert with_last_output(running, tmp_path).last_output_at == LATER
    assert running.log is not None
    there = replace(running, log=replace(running.log, path=str(tmp_path / "logs/F1.log")))
    assert with_last_output(there, Path("/elsewhere")).last_output_at == LATER
    begun = replace(running, phase_since=LATER + timedelta(seconds=1))
    assert with_last_output(begun, tmp_path).last_output_at == begun.phase_since


def test_where_no_agent_prints_it_is_not_known(tmp_path: Path, running: TaskView) -> None:
    """It does not run, or its check does; its log is on another machine, gone, or another one's."""
    assert running.log is not None
    others = [
        replace(running, state=TaskState.COMPLETED),
        replace(running, phase=Phase.VERIFY),
        replace(running, phase_since=None),
        replace(running, log=None),
        replace(running, log=LogRef(path="logs/F1.log")),
        replace(running, log=replace(running.log, path="logs/F2.log")),
        replace(running, log=replace(running.log, path="logs/\0")),
        replace(running, log=replace(running.log, inode=1)),
    ]
    assert [with_last_output(each, tmp_path) for each in others] == others


def test_a_time_that_is_none_is_not_known(tmp_path: Path, running: TaskView) -> None:
    """A disk may tell anything."""
    os.utime(tmp_path / "logs/F1.log", (0, 2**40))
    with_last_output(running, tmp_path)
    os.utime(tmp_path / "logs/F1.log", (0, datetime(2031, 1, 1, tzinfo=UTC).timestamp()))
    assert with_last_output(running, tmp_path).last_output_at == datetime(2031, 1, 1, tzinfo=UTC)
