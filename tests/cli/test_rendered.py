"""Agents' output on a terminal is rendered, in `nova logs` and `nova exec`; a pipe and `--raw` get every byte."""

import io
import os
import re
import sys
from pathlib import Path

import pytest

from nova_async.agents import AGENTS, as_text
from nova_async.agents.unknown import UnknownRenderer
from nova_async.cli.rendered import Rendered
from nova_async.process.table import TABLE
from nova_async.views import TaskView
from nova_async.words import Outcome, RunEnd, TaskState
from tests.agents.recordings import KEPT_RECORDINGS, kept, pieces
from tests.cli.command import HAS_SETSID, PROGRAMS, in_a_terminal, nova, read_raw, read_to_the_end, read_until
from tests.views import attempt, by_id, log_at, run_view, write_state

TOOLS = kept("claude/tools.sjp.merged")
needs_setsid = pytest.mark.skipif(not HAS_SETSID, reason="needs setsid")


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """Return a folder in which Claude has run as F1."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "F1.log"
    log.write_bytes(TOOLS.output)
    ended = attempt(log=log_at(log))
    write_state(tmp_path, run_view(end=RunEnd.COMPLETED),
                by_id(TaskView(id="F1", state=TaskState.COMPLETED, attempt=1, attempts=(ended,))))  # fmt: skip
    return tmp_path


def on_a_terminal(*arguments: str, cwd: Path) -> str:
    """Return what a command shows on a terminal, without colours."""
    with in_a_terminal(*arguments, cwd=cwd) as (_, terminal):
        return read_to_the_end(terminal).decode().replace("\r\n", "\n")


@needs_setsid
def test_a_log_on_a_terminal_is_rendered(logged: Path) -> None:
    """A person reads text, calls and results; the words are those of the renderer."""
    assert on_a_terminal("logs", "F1", cwd=logged) == as_text(AGENTS["claude"].render(TOOLS.output))


def test_a_log_in_a_pipe_is_every_byte(logged: Path) -> None:
    """A program gets what the agent printed."""
    assert nova("logs", "F1", cwd=logged).stdout == TOOLS.output.decode()


def test_text_in_a_pipe(logged: Path) -> None:
    """--text is for a pager: the same text, without colours."""
    assert nova("logs", "F1", "--text", cwd=logged).stdout == as_text(AGENTS["claude"].render(TOOLS.output))
    assert "cannot be used together" in nova("logs", "F1", "--text", "--raw", cwd=logged).stderr


@needs_setsid
def test_raw_is_every_byte_on_a_terminal_too(logged: Path) -> None:
    """--raw changes nothing of it."""
    assert on_a_terminal("logs", "F1", "--raw", cwd=logged) == TOOLS.output.decode()


@needs_setsid
def test_what_a_tool_gave_keeps_its_bar(logged: Path) -> None:
    """A line of it that is wider than the terminal is cut there, and does not run on below its bar."""
    (logged / "logs" / "F1.log").write_bytes(kept("claude/refused-edit.sj.stdout").output)
    with in_a_terminal("logs", "F1", cwd=logged, columns=40) as (_, terminal):
        lines = read_to_the_end(terminal).decode().splitlines()
    assert "  │ File created successfully at: /home…" in lines
    assert all(len(line) <= 40 for line in lines if line.startswith("  │"))


@needs_setsid
def test_what_the_model_says_does_not_act_on_the_terminal(logged: Path) -> None:
    """Escapes in an answer do not reach it; the colours that do are ours."""
    (logged / "logs" / "F1.log").write_bytes(kept("claude/ansi.sj.stdout").output)
    with in_a_terminal("logs", "F1", cwd=logged) as (_, terminal):
        shown = read_raw(terminal).decode()
    assert "plain red café" in shown.replace("\x1b[0m", "")
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n").replace("\n", "").isprintable()


@needs_setsid
def test_a_log_that_no_run_knows(tmp_path: Path) -> None:
    """Its first event tells whose it is, and --agent says it where there is none."""
    (tmp_path / "logs").mkdir()
    codex = kept("codex/tools.json.merged")
    (tmp_path / "logs" / "X.log").write_bytes(codex.output)
    assert on_a_terminal("logs", "X", cwd=tmp_path) == as_text(AGENTS["codex"].render(codex.output))
    event = b'{"type":"item.completed","item":{"type":"agent_message","text":"Hello."}}\n'
    (tmp_path / "logs" / "X.log").write_bytes(event)
    assert on_a_terminal("logs", "X", cwd=tmp_path) == event.decode()
    assert on_a_terminal("logs", "X", "--agent", "codex", cwd=tmp_path) == "Hello.\n"
    assert "--agent: kodex is not one of" in nova("logs", "X", "--agent", "kodex", cwd=tmp_path).stderr


@needs_setsid
def test_following_on_a_terminal(tmp_path: Path) -> None:
    """The answer is shown while it is being written, and a second attempt begins under a line that says so."""
    (tmp_path / "logs").mkdir()
    entry = TABLE.look(os.getpid())
    assert entry is not None
    ours = {"pid": os.getpid(), "pid_start_time": entry.start_time}
    first, second = tmp_path / "logs" / "F1~1.log", tmp_path / "logs" / "F1.log"
    middle = TOOLS.output.index(b"\n", TOOLS.output.index(b'"text":"I wil"')) + 1
    first.write_bytes(TOOLS.output[:middle])
    ref = log_at(first)
    running = TaskView(id="F1", state=TaskState.IN_PROGRESS, attempts=(attempt(outcome=None),), log=ref, attempt=1)
    write_state(tmp_path, run_view(**ours), by_id(running))
    with in_a_terminal("logs", "F1", "-f", cwd=tmp_path) as (_, terminal):
        read_until(terminal, b"I wil")
        with first.open("ab") as log:
            log.write(TOOLS.output[middle:])
        assert b"l run echo." in read_until(terminal, b"completed")
        second.write_text("not an event\n")
        ended = attempt(outcome=Outcome.STALLED, log=ref)
        again = TaskView(id="F1", state=TaskState.IN_PROGRESS, attempts=(ended, attempt(number=2, outcome=None)),
                         log=log_at(second), attempt=2)  # fmt: skip
        write_state(tmp_path, run_view(**ours), by_id(again))
        assert b"== attempt 2" in read_until(terminal, b"not an event")
        write_state(tmp_path, run_view(**ours, end=RunEnd.FAILED), by_id(TaskView(id="F1", state=TaskState.FAILED)))
        read_to_the_end(terminal)


@needs_setsid
def test_the_last_event_of_a_running_attempt_is_not_torn(tmp_path: Path) -> None:
    """Without -f, the line that is being written is not shown as half of an event."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "F1.log"
    log.write_bytes(TOOLS.output[: TOOLS.output.index(b'"num_turns"')])
    running = TaskView(id="F1", state=TaskState.IN_PROGRESS, attempts=(attempt(outcome=None),), log=log_at(log))
    write_state(tmp_path, run_view(), by_id(running))
    assert on_a_terminal("logs", "F1", cwd=tmp_path).endswith("Final answer: all done (tools, step 2).\n")


@pytest.mark.parametrize("raw", [[], ["--raw"]], ids=["rendered", "raw"])
@needs_setsid
def test_exec_on_a_terminal(tmp_path: Path, raw: list[str]) -> None:
    """An agent's output is rendered for a person, unless every byte is asked for; the log has every byte."""
    replay = [sys.executable, str(PROGRAMS / "replay.py"), "lines", str(TOOLS.path)]
    shown = on_a_terminal("exec", "-q", "--task", "X", "--agent", "claude", *raw, "--", *replay, cwd=tmp_path)
    rendered = as_text(AGENTS["claude"].render(TOOLS.output))
    assert shown == (TOOLS.output.decode() if raw else rendered)
    assert (tmp_path / "logs" / "X.log").read_bytes() == TOOLS.output


@needs_setsid
def test_exec_leaves_a_plain_command_as_it_is(tmp_path: Path) -> None:
    """What is no agent keeps its colours and its progress bars."""
    printed = "\x1b[31mred\x1b[0m 10%\r20%"
    with in_a_terminal("exec", "-q", "--", "printf", "%s", printed, cwd=tmp_path) as (_, terminal):
        assert read_raw(terminal).decode() == printed


@pytest.mark.parametrize("recording", KEPT_RECORDINGS, ids=lambda recording: recording.name)
def test_the_first_event_tells_whose_output_it_is(recording) -> None:  # type: ignore[no-untyped-def]
    """Of a log that nobody knows, the agent is found for showing it, however the bytes were cut."""
    whole = UnknownRenderer()
    shown = [*whole.feed(recording.output), *whole.close()]
    cut = UnknownRenderer()
    assert [*(piece for chunk in pieces(recording.output, 997) for piece in cut.feed(chunk)), *cut.close()] == shown
    if recording.mode == "stream-json":
        assert shown == list(AGENTS[recording.agent].render(recording.output))


class Terminal(io.TextIOWrapper):
    """A terminal of an encoding that lacks most signs, in memory."""

    def isatty(self) -> bool:
        """Say that a person looks at it."""
        return True


def test_a_terminal_that_shows_only_ascii() -> None:
    """There are signs for it."""
    written = io.BytesIO()
    stream = Terminal(written, encoding="ascii", errors="backslashreplace")
    output = Rendered(stream, "claude")
    output.write(TOOLS.output)
    output.end(is_over=True)
    stream.flush()
    text = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue().decode())
    assert "\n* Bash: echo hi\n  | hi\n" in text
