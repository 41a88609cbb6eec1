"""The end of a task's log, and what is written to it meanwhile."""

import json
import os
import time
from pathlib import Path

from nova_async.cli.ink import Ink, Span, plain
from nova_async.cli.log_pane import LOOK_AT, LogPane
from nova_async.records import Attempt, AttemptId, AttemptStart
from nova_async.views import TaskView
from nova_async.words import Outcome, TaskState
from tests.views import NOON, attempt, log_at

LARGE = 200 * 1024 * 1024  # bytes


def running(log: Path, *, agent: str = "plain", number: int = 1) -> TaskView:
    """Return a task whose attempt writes that log."""
    start = AttemptStart(
        id=AttemptId("r1", "F1", number), plan="", started_at=NOON, agent=agent, prompt_digest="", log_path=str(log)
    )  # fmt: skip
    return TaskView(id="F1", state=TaskState.IN_PROGRESS, attempts=(Attempt(start=start),), log=log_at(log))


def lines_of(pane: LogPane, task: TaskView, *, columns: int = 80, lines: int = 5, offset: int = 0) -> list[str]:
    """Return the lines that are shown."""
    return [plain(line) for line in pane.rows(task, columns, lines, offset)[0]]


def pane_of(folder: Path) -> LogPane:
    """Return a pane for the logs of a run in that folder."""
    return LogPane(folder, folder / "logs")


def log_in(folder: Path, text: str = "") -> Path:
    """Write a log."""
    log = folder / "logs" / "F1.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(text)
    return log


def test_the_end_of_a_log_is_followed(tmp_path: Path) -> None:
    """What is written meanwhile is there at the next look; a line that has not ended comes once it has."""
    log, pane = log_in(tmp_path, "one\ntwo\n"), pane_of(tmp_path)
    assert lines_of(pane, running(log)) == ["one", "two"]
    with log.open("a") as more:
        more.write("three\nfo")
        more.flush()
        assert lines_of(pane, running(log))[-1] == "three"
        more.write("ur\n")
    assert lines_of(pane, running(log), lines=2) == ["three", "four"]
    pane.close()


def test_a_log_is_scrolled_back_to_its_first_line(tmp_path: Path) -> None:
    """Above that there is nothing: one is told how far up that is."""
    log, pane = log_in(tmp_path, "".join(f"{number}\n" for number in range(20))), pane_of(tmp_path)
    assert lines_of(pane, running(log), lines=3, offset=5) == ["12", "13", "14"]
    rows, offset = pane.rows(running(log), 80, 3, 1_000)
    assert ([plain(row) for row in rows], offset) == (["0", "1", "2"], 17)
    assert not pane.is_cut
    pane.close()


def test_only_the_end_of_a_large_log_is_read(tmp_path: Path) -> None:
    """A log of 200 MB is there at once, and its last line is whole."""
    log, pane = log_in(tmp_path), pane_of(tmp_path)
    with log.open("r+b") as file:
        file.truncate(LARGE)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"x" * 100 + b"\nthe end\n")
    began = time.process_time()
    assert lines_of(pane, running(log), lines=1) == ["the end"]
    assert time.process_time() - began < 1
    assert pane.is_cut
    with log.open("ab") as more:
        more.write(b"flood\n" * LOOK_AT + b"after the flood\n")
    assert lines_of(pane, running(log), lines=1) == ["after the flood"]
    pane.close()


def test_an_agents_events_are_shown_as_text(tmp_path: Path) -> None:
    """As `nova logs` shows them, in the inks of their pieces."""
    said = {"type": "assistant", "message": {"content": [{"type": "tool_use", "name": "Bash", "id": "1",
            "input": {"command": "ls"}}]}}  # fmt: skip
    log, pane = log_in(tmp_path, json.dumps(said) + "\n"), pane_of(tmp_path)
    rows, _ = pane.rows(running(log, agent="claude"), 80, 5)
    assert Ink.BLUE in [span.ink for row in rows for span in row if isinstance(span, Span)]
    assert any("ls" in plain(row) and "{" not in plain(row) for row in rows)
    pane.close()


def test_a_new_attempt_has_a_log_of_its_own(tmp_path: Path) -> None:
    """It is shown from its beginning, and not mixed with that of the earlier one."""
    log, pane = log_in(tmp_path, "first\n"), pane_of(tmp_path)
    assert lines_of(pane, running(log)) == ["first"]
    log.rename(log.with_name("F1~1.log"))
    again = log_in(tmp_path, "second\n")
    assert lines_of(pane, running(again, number=2)) == ["second"]
    pane.close()


def test_a_line_without_an_end_is_shown_once_the_attempt_is_over(tmp_path: Path) -> None:
    """Nothing more will come to it."""
    log, pane = log_in(tmp_path, "no end"), pane_of(tmp_path)
    task = TaskView(id="F1", state=TaskState.FAILED, attempts=(attempt(outcome=Outcome.EXIT, log=log_at(log)),))
    assert lines_of(pane, task) == ["no end"]
    pane.close()


def test_it_says_why_there_is_nothing_to_show(tmp_path: Path) -> None:
    """No attempt, no log, nothing printed, or a file that somebody has taken away."""
    pane = pane_of(tmp_path)
    assert lines_of(pane, TaskView(id="F1", reason="waits for F2")) == ["F1 has not run yet: waits for F2"]
    assert lines_of(pane, TaskView(id="F1", attempts=(attempt(outcome=None),))) == ["attempt 1 of F1 has no log yet"]
    assert lines_of(pane, TaskView(id="F1", attempts=(attempt(),))) == ["attempt 1 of F1 has no log"]
    log = log_in(tmp_path)
    assert lines_of(pane, running(log)) == ["attempt 1 of F1 has printed nothing yet"]
    pane.close()
    gone = running(log)
    log.unlink()
    assert lines_of(pane, gone) == [f"the log of attempt 1 of F1 is gone: {log}"]


def test_no_escape_of_a_log_reaches_the_terminal(tmp_path: Path) -> None:
    """Nor do the characters that we mark pieces with."""
    log, pane = log_in(tmp_path, "a\x1b[2Jb\x0ec\x18d\r\n" + "日本語 " * 50 + "\n"), pane_of(tmp_path)
    lines = lines_of(pane, running(log), columns=40, lines=50)
    assert lines[0] == "abcd"
    assert len(lines) > 5
    pane.close()
