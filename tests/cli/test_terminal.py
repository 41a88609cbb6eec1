"""The terminal during a run: it is ours, nothing is left on it that should not be, and it is left as it was."""

import os
import pty
import re
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nova_async.cli.canvas import Canvas
from nova_async.cli.ink import Colours
from nova_async.cli.terminal import Terminal, can_draw
from tests.cli.command import HAS_SETSID, NOVA, nova
from tests.cli.screen import Screen, Shell

needs_setsid = pytest.mark.skipif(not HAS_SETSID, reason="needs setsid")

PLAN = """+++
command = ['sh', '-c', '{prompt}']
max_workers = 2
+++
# Shop

| ID | Task | What |
|---|---|---|
| A1 | Types | echo $$ > begun; cat go |
| A2 | Store | true |
| A3 | Docs | exit 3 |
"""
HEAD = "elapsed"  # stands once in every picture


@contextmanager
def shell_with_a_run(
    folder: Path, options: str = "", columns: int = 80, lines: int = 24
) -> Iterator[tuple[Shell, int]]:
    """Begin a run in a terminal; give the shell, and the agent that works until somebody opens ``go``."""
    (folder / "CASCADE.md").write_text(PLAN)
    os.mkfifo(folder / "begun")
    os.mkfifo(folder / "go")
    shell = Shell(folder, columns, lines)
    try:
        shell.type("nova run\n")
        agent = int((folder / "begun").read_text())
        shell.until("failed")
        shell.until("running")
        yield shell, agent
    finally:
        shell.close()


def finish(folder: Path, shell: Shell) -> None:
    """Let the agent end, and wait for the shell."""
    (folder / "go").write_text("")
    shell.until("Try again")
    shell.until("$ ", times=2)


def state_of(pid: int) -> str:
    """Return the letter of a process's state: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def pictures(shell: Shell) -> int:
    """Count the tables on the screen and above it."""
    return sum(HEAD in row for row in shell.screen.shown)


@needs_setsid
def test_what_is_typed_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    """Keys leave no trace in the table, and the shell does not get them as its next commands."""
    with shell_with_a_run(tmp_path) as (shell, _):
        assert not shell.echoes()
        assert not shell.screen.has_cursor
        shell.type("touch typed\n\x1b[A")
        finish(tmp_path, shell)
        assert shell.answer("echo hello").strip() == "hello"
        assert shell.echoes()
        assert shell.screen.has_cursor
        text = "\n".join(shell.screen.shown)
    assert "touch" not in text
    assert not (tmp_path / "typed").exists()


@needs_setsid
def test_the_table_that_stays(tmp_path: Path) -> None:
    """At the end there is one table with a line for each task, and no picture of the run is left."""
    with shell_with_a_run(tmp_path) as (shell, _):
        assert pictures(shell) == 1
        finish(tmp_path, shell)
        rows = [" ".join(row.split()) for row in shell.screen.shown]
    assert pictures(shell) == 0
    assert [re.sub(r" \d:\d\d$", "", row) for row in rows if re.match(r"A\d \w+ [^\w]", row)] == [
        "A1 Types ✓ completed", "A2 Store ✓ completed", "A3 Docs ✗ failed exit code 3",
    ]  # fmt: skip


@needs_setsid
def test_ctrl_c(tmp_path: Path) -> None:
    """The task is said to be stopping, what another Ctrl-C does is said once, and no ^C stands anywhere."""
    with shell_with_a_run(tmp_path) as (shell, _):
        shell.type("\x03")
        shell.until("unfinished")
        shell.until("$ ", times=2)
        rows = shell.screen.shown
        assert sum("press Ctrl-C again to kill them" in row for row in rows) == 1
        assert not any("^C" in row for row in rows)
        assert pictures(shell) == 0
        assert b"stopping" in shell.sent
        shell.type("echo code-$?\n")
        shell.until("code-130")
        assert shell.echoes()


@needs_setsid
def test_a_terminal_that_changes_its_size(tmp_path: Path) -> None:
    """Narrower, wider, lower: of each picture nothing is left behind, and no line is folded."""
    with shell_with_a_run(tmp_path, columns=100, lines=30) as (shell, _):
        for columns, lines in ((61, 30), (140, 30), (75, 24), (50, 18), (80, 24)):
            shell.resize(columns, lines)
            before = shell.sent.count(b"\x1b[?7h")
            while shell.sent.count(b"\x1b[?7h") < before + 2:  # two whole pictures later
                shell.read()
            assert pictures(shell) == 1, "\n".join(shell.screen.shown)
            assert not any(row.goes_on for row in shell.screen.rows if "A1 Types" in row.text)
            assert sum("A1" in row for row in shell.screen.shown) == 1
        finish(tmp_path, shell)


@needs_setsid
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_ctrl_z_and_fg(tmp_path: Path) -> None:
    """Ctrl-Z stops the agent as well and gives the terminal back; `fg` lets both go on, with a new table below."""
    with shell_with_a_run(tmp_path) as (shell, agent):
        shell.type("\x1a")
        shell.until("Stopped")
        while state_of(agent) != "T":  # SIGSTOP is on its way
            pass
        assert shell.echoes()
        assert shell.screen.has_cursor
        assert shell.answer("echo hello").strip() == "hello"
        shell.type("fg\n")
        while pictures(shell) < 2:
            shell.read()
        assert state_of(agent) != "T"
        assert not shell.echoes()
        (tmp_path / "go").write_text("")
        shell.until("2 of 3 completed")


@needs_setsid
def test_in_the_background(tmp_path: Path) -> None:
    """After `bg` nothing is drawn over what the shell shows; after `fg` the table is there again."""
    with shell_with_a_run(tmp_path) as (shell, agent):
        shell.type("\x1a")
        shell.until("Stopped")
        shell.type("bg\n")
        while state_of(agent) == "T":
            pass
        sent = len(shell.sent)
        assert shell.answer("echo hello").strip() == "hello"
        assert b"\x1b[?7l" not in shell.sent[sent:]
        assert shell.echoes()
        shell.type("fg\n")
        while pictures(shell) < 2:
            shell.read()
        assert not shell.echoes()
        (tmp_path / "go").write_text("")
        shell.until("2 of 3 completed")


@needs_setsid
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_ctrl_z_stops_what_exec_runs(tmp_path: Path) -> None:
    """A command that was started by `nova exec` is stopped with it, though it is in a session of its own."""
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "go")
    shell = Shell(tmp_path)
    # No `cat go`: until that has been started, a shell waits for it in state D, which no signal changes.
    shell.type("nova exec -- sh -c 'echo $$ > begun; read word < go || true'\n")
    command = int((tmp_path / "begun").read_text())
    shell.type("\x1a")
    shell.until("Stopped")
    while state_of(command) != "T":
        pass
    shell.type("fg\n")
    (tmp_path / "go").write_text("")
    shell.until("completed in")
    shell.close()


@needs_setsid
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_every_way_out_leaves_the_terminal_as_it_was(tmp_path: Path, number: int) -> None:
    """Whatever signal ends the run, what is typed is shown again and the cursor is there."""
    with shell_with_a_run(tmp_path) as (shell, agent):
        supervisor = int(Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(supervisor, number)
        shell.until("$ ", times=2)
        assert shell.answer("echo hello").strip() == "hello"
        assert shell.echoes()
        assert shell.screen.has_cursor


@needs_setsid
@pytest.mark.parametrize("setting", ["NOVA_PLAIN=1", "ACCESSIBLE=1", "TERM=dumb"])
def test_who_wants_lines_gets_lines(tmp_path: Path, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table is for a terminal that can, and for a person who can see it."""
    ours, theirs = pty.openpty()
    for name in ("NOVA_PLAIN", "ACCESSIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        assert can_draw(stream)
        monkeypatch.setenv(*setting.split("="))
        assert not can_draw(stream)
    os.close(ours)


def test_a_terminal_without_our_signs_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes in place of signs would be wider than their columns."""
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="ascii") as stream:
        assert not can_draw(stream)
    os.close(ours)
    assert not can_draw(None)


def test_a_pipe_is_no_terminal(tmp_path: Path) -> None:
    """FORCE_COLOR makes colours, and no table."""
    (tmp_path / "CASCADE.md").write_text("+++\ncommand = ['true']\n+++\n- [ ] A1 x\n")
    done = nova("run", cwd=tmp_path, env={**os.environ, "FORCE_COLOR": "1"})
    assert done.returncode == 0
    assert "A1 completed" in done.stdout
    assert "\x1b[?" not in done.stdout


@pytest.mark.parametrize("where", ["| head -n 1", "| true", ">&-", "2>&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("words", ["run --command true", "plan", "status"])
def test_a_reader_that_goes_away_changes_nothing(tmp_path: Path, words: str, where: str) -> None:
    """Neither the exit code nor the work depends on whether anybody reads it."""
    (tmp_path / "CASCADE.md").write_text("".join(f"- [ ] A{number} x\n" for number in range(1, 30)))
    if words == "status":
        assert nova("run", "--command", "true", cwd=tmp_path).returncode == 0
    command = ["bash", "-o", "pipefail", "-c", f'"$@" {where}', "bash", *NOVA, *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if words.startswith("run"):
        assert "29 of 29 completed" in nova("status", cwd=tmp_path).stdout


def test_a_locale_without_our_signs(tmp_path: Path) -> None:
    """In the POSIX locale what it lacks is written as an escape."""
    (tmp_path / "CASCADE.md").write_text("# Café ☃\n\n- [ ] A1 Größe\n", encoding="utf-8")
    locale = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for words in (["plan"], ["run", "--command", "false"], ["status"], ["plan", "café.md"], ["logs", "ä"]):
        done = nova(*words, cwd=tmp_path, env={**os.environ, **locale})
        assert "Traceback" not in done.stderr
        assert done.stdout.isascii()
        assert done.stderr.isascii()


@pytest.mark.parametrize("sizes", [[40, 20, 60], [10, 80], [33, 12, 7, 100]])
def test_a_canvas_leaves_no_remains(sizes: list[int]) -> None:
    """Pictures of any height and width: only the last one is there, below the lines that stay."""
    screen = Screen(50, 12)
    canvas = Canvas(lambda text: screen.feed(text.encode()), Colours.NONE)
    screen.feed(b"$ nova run\r\n")
    kept = []
    for turn, columns in enumerate([50, *sizes, *sizes]):
        screen.resize(columns, 12)
        for height in (3, 7, 11, 2):  # one of all the terminal but its last line, then below a line that stays
            above = [f"said {turn}.{height}"] if height in (7, 2) else []
            kept += above
            canvas.draw(["x" * columns, *(f"row {number}"[:columns] for number in range(height - 1))], columns, above)
    last = ["x" * columns, "row 0", ""]
    assert screen.shown == ["$ nova run", *kept, *last]


def test_an_interrupt_throws_nothing_away_that_is_still_to_be_shown() -> None:
    """Ctrl-C in the middle of a picture: the next one is drawn over all of it, so all of it must be there."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with os.fdopen(theirs, "w") as stream:
        with Terminal(stream):
            os.set_blocking(theirs, False)
            written = os.write(theirs, b"x" * 100_000)  # as much as the system holds until the terminal shows it
            os.write(ours, b"\x03")
            shown = b""
            while shown.count(b"x") < written:
                assert select.select([ours], [], [], 1.0)[0], f"{shown.count(b'x')} of {written} bytes are shown"
                shown += os.read(ours, 10_000)
        assert termios.tcgetattr(theirs) == before
    os.close(ours)
