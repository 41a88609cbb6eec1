"""``nova watch``: a run from any terminal, while it runs and afterwards; and the same keys in the run's own."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nova_async.words import Outcome, RunEnd, TaskState
from tests.cli.command import HAS_SETSID, NOVA, SILENCE, nova
from tests.cli.screen import Shell
from tests.cli.test_status import task
from tests.views import by_id, run_view, write_state

pytestmark = pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")

PROMPT = "your turn $ "
PLAN = """+++
command = ["sh", "-c", "{prompt}"]
retries = 0
max_workers = 4
+++
# Shop

| ID | Name | Description | Depends on |
|---|---|---|---|
| F1 | Talk | echo hello from F1; cat go; echo goodbye from F1 | |
| F2 | Break | exit 3 | |
| F3 | Late | true | F1 |
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a plan whose first task waits for somebody to write to ``go``."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    os.mkfifo(tmp_path / "go")
    return tmp_path


@contextmanager
def shell(folder: Path, columns: int = 100, lines: int = 24, **environment: str) -> Iterator[Shell]:
    """Give a terminal in which somebody has a shell."""
    opened = Shell(folder, columns, lines, PS1=PROMPT, **environment)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Have the plan run somewhere, until F1 has begun and F2 has failed; it is killed at the end if it still runs."""
    with subprocess.Popen(
        [*NOVA, "run"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            while "F2 failed" not in process.stdout.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def last(screen: Shell, count: int = 24) -> str:
    """Return what stands on the lower part of the screen."""
    return "\n".join(screen.screen.shown[-count:])


def test_a_run_is_watched_from_another_terminal_to_its_end(folder: Path) -> None:
    """The table is live, the log grows while it is looked at, and the terminal is as it was when one leaves."""
    with running(folder) as process, shell(folder) as terminal:
        terminal.type("nova watch\n")
        terminal.until("exit code 3")
        terminal.until("1/4 busy")
        assert not terminal.echoes()
        assert not terminal.screen.has_cursor
        terminal.type("jl")
        terminal.until("log of attempt 1, its end")
        terminal.until("hello from F1")
        (folder / "go").write_text("go on\n")
        terminal.until("goodbye from F1")
        assert process.stdout is not None
        process.stdout.read()
        assert process.wait(SILENCE) == 1
        terminal.type("q")
        terminal.until("this run is over; q leaves")
        terminal.type("q")
        terminal.until(PROMPT, times=2)
        assert (terminal.echoes(), terminal.screen.has_cursor) == (True, True)
        assert re.search(r"F3 Late +✓ completed", last(terminal))


def test_to_leave_a_run_lets_it_go_on(folder: Path) -> None:
    """Ctrl-Z and fg, another size of the terminal, q, Ctrl-C: the run hears of none of it."""
    with running(folder) as process, shell(folder) as terminal:
        terminal.type("nova watch\n")
        terminal.until("1/4 busy")
        terminal.type("\x1a")
        terminal.until("Stopped")
        assert (terminal.echoes(), terminal.screen.has_cursor) == (True, True)
        terminal.type("bg\n")
        terminal.until(PROMPT, times=3)
        terminal.type("jobs\n")  # what is typed is the shell's, and does not stop us
        terminal.until("Running")
        terminal.type("fg\n")
        terminal.until("1/4 busy", times=2)
        assert not terminal.echoes()
        terminal.until("waits for F1", times=2)  # its last line: what is drawn as the size changes fits neither size
        terminal.resize(70, 20)
        terminal.type("j?")
        terminal.until("one worker more or less")
        terminal.type("xq")
        terminal.until(PROMPT, times=5)
        assert re.search(r"F1 Talk +▸ running", last(terminal))
        terminal.type("nova watch\n")
        terminal.until("1/4 busy", times=3)
        terminal.type("\x03")
        terminal.until(PROMPT, times=6)
        terminal.type("echo code-$?\n")
        terminal.until("code-130")
        assert terminal.echoes()
        assert process.poll() is None
        (folder / "go").write_text("go on\n")
        assert process.wait(SILENCE) == 1


def test_the_keys_of_a_runs_own_table(folder: Path) -> None:
    """One looks around as with nova watch; q does not end the run, and says what does."""
    with shell(folder) as terminal:
        terminal.type("nova run\n")
        terminal.until("exit code 3", times=2)
        terminal.type("q")
        terminal.until("Ctrl-C stops the run")
        terminal.type("jl")
        terminal.until("hello from F1")
        terminal.type("l/late\r")
        terminal.until("/late  (Esc ends the filter)")
        (folder / "go").write_text("go on\n")
        terminal.until("2 of 3 completed")
        terminal.until(PROMPT, times=2)
        assert (terminal.echoes(), terminal.screen.has_cursor) == (True, True)
        assert re.search(r"F1 Talk +✓ completed", "\n".join(terminal.screen.shown)), "the whole table stays"


def test_a_run_that_is_killed_is_said_to_be_dead(folder: Path) -> None:
    """Whoever watches is told, and sees how it stood."""
    with running(folder) as process, shell(folder) as terminal:
        terminal.type("nova watch\n")
        terminal.until("1/4 busy")
        process.kill()
        terminal.until("run dead")
        assert re.search(r"F1 Talk +✗ lost", last(terminal))
        terminal.type("q")
        terminal.until(PROMPT, times=2)
        terminal.type("echo code-$?\n")
        terminal.until("code-1")


def test_a_finished_run_is_looked_at(tmp_path: Path) -> None:
    """From what it has written down: it says so, and q leaves."""
    failed = task("F1", TaskState.FAILED, outcome=Outcome.EXIT)
    write_state(tmp_path, run_view(end=RunEnd.FAILED), by_id(failed, task("F2", TaskState.COMPLETED)))
    with shell(tmp_path) as terminal:
        terminal.type("nova watch .\n")
        terminal.until("this run is over; q leaves")
        terminal.until("run failed")
        terminal.type("s")
        terminal.until("`nova run` goes on with it")
        terminal.type("q")
        terminal.until(PROMPT, times=2)
        terminal.type("echo code-$?\n")
        terminal.until("code-1")
        assert terminal.echoes()


def test_into_a_pipe_it_writes_lines_until_the_run_is_over(folder: Path) -> None:
    """As nova run does, from then on; of a finished run it says how it ended."""
    with running(folder) as process, subprocess.Popen(
        [*NOVA, "watch"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as watching:  # fmt: skip
        assert watching.stdout is not None
        assert "still running: F1 since " in watching.stdout.readline()
        (folder / "go").write_text("go on\n")
        told = watching.stdout.read()
        assert (process.wait(SILENCE), watching.wait(SILENCE)) == (1, 1)
    assert re.search(r"F3 completed in .*\n.* ended: 2 completed, 1 failed in ", told)
    done = nova("watch", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "Shop: failed")


def test_there_is_nothing_to_watch(tmp_path: Path) -> None:
    """One is told, and the exit code is 2."""
    done = nova("watch", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nova: no run here: cascade_state.json does not exist; start one with `nova run`\n"
