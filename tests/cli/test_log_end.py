"""A failed task is told by a few lines that a person can read, whatever its agent prints."""

from pathlib import Path

import pytest

from nova_async.cli.log_end import LOOK_AT, end_of_log, last_lines
from nova_async.views import TaskView
from nova_async.words import Outcome, TaskState
from tests.agents.recordings import KEPT_RECORDINGS, Recording, kept
from tests.views import attempt


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"a", ["a"]),
        (b"a\n\n  b\n", ["a", "  b"]),
        (b"x" * 400_000, ["x" * 299 + "…"]),
        (b"x" * 400_000 + b"\nlast\n", ["last"]),
        (b"first\n" + b"x" * (LOOK_AT - 6) + b"\n", ["x" * 299 + "…"]),
        (b"".join(b"%d\n" % number for number in range(20)), [str(number) for number in range(10, 20)]),
        (b'{"type":"result"}\n\x1b[31mred\n', ['{"type":"result"}', "red"]),
    ],
)
def test_the_last_lines_of_a_plain_log(tmp_path: Path, content: bytes, told: list[str]) -> None:
    """The end of a log is read, and of a line without an end no more than is shown."""
    (tmp_path / "log").write_bytes(content)
    assert last_lines(tmp_path / "log") == told
    assert last_lines(tmp_path / "nowhere") == []


def test_the_last_lines_of_an_agents_log(tmp_path: Path) -> None:
    """What it said, what its tools gave and what stderr told are there; the JSON, the session and the verdict not."""
    (tmp_path / "log").write_bytes(kept("claude/maxturns.sj.stdout").output + b"Error: on standard error\n")
    assert last_lines(tmp_path / "log", 4, agent="claude") == [
        "Turn 1.", "● Bash: echo turn-1", "  │ turn-1", "Error: on standard error"
    ]  # fmt: skip


EVENTS = [recording for recording in KEPT_RECORDINGS if recording.mode != "text" and "/ansi." not in recording.name]
"""Without those in which a model says what looks like an event."""


@pytest.mark.parametrize("recording", EVENTS, ids=lambda recording: recording.name)
def test_no_event_is_shown_as_it_is(tmp_path: Path, recording: Recording) -> None:
    """From wherever the end of a log is read, its events are text."""
    log = tmp_path / "log"
    for start in (0, 1000, 5000):
        log.write_bytes(recording.output[start:].partition(b"\n")[2] if start else recording.output)
        told = last_lines(log, 5, agent=recording.agent)
        assert len(told) <= 5
        assert not [line for line in told if line.startswith(('{"type"', '[{"'))]


def test_a_failed_check_is_told_by_its_own_log(tmp_path: Path) -> None:
    """Its agent succeeded; what the check printed is no agent's."""
    (tmp_path / "F1.log").write_bytes(kept("claude/tools.sj.stdout").output)
    (tmp_path / "F1~verify.log").write_text('{"type":"assistant","why":"2 tests failed"}\n')
    view = TaskView(id="F1", state=TaskState.FAILED, outcome=Outcome.VERIFY, log_path=str(tmp_path / "F1.log"),
                    attempts=(attempt(outcome=Outcome.VERIFY),))  # fmt: skip
    assert end_of_log(view) == ['{"type":"assistant","why":"2 tests failed"}']
    (tmp_path / "F1~verify.log").unlink()
    assert end_of_log(view)[-1] == "Final answer: all done (tools, step 2)."
    assert end_of_log(TaskView(id="F1", state=TaskState.FAILED)) == []
