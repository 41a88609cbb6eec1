"""What lives on although its supervisor and the guard are dead: the next run ends it before anything runs again."""

import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.children import is_alive
from tests.cli.command import NOVA, nova

# Its lock is free as soon as nobody of the attempt's family is alive.
AT_WORK = (
    "exec 9>> lock; flock -n 9 \\|\\| touch twice; echo $$ > begun.part; mv begun.part begun; [ -e go ] \\|\\| sleep 60"
)
LEFT = "[ -e go ] \\|\\| { sleep 60 9>&- & echo $! > left; }"


@pytest.mark.parametrize("leftovers", ["kill", "leave"])
def test_the_guard_was_killed_too(tmp_path: Path, leftovers: str) -> None:
    """An agent at work is ended before its task runs again; what a completed task was allowed to leave may stay."""
    (tmp_path / "CASCADE.md").write_text(
        f"+++\nleftovers = '{leftovers}'\ncommand = ['bash', '-c', '{{prompt}}']\n+++\n\n"
        f"| ID | What | Deps |\n|---|---|---|\n| A1 | {LEFT} | - |\n| B1 | {AT_WORK} | A1 |\n"
    )
    run = subprocess.Popen([*NOVA, "run", "--plain"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        wait_for(tmp_path / "begun")
        agent = int((tmp_path / "begun").read_text())
        wait_for_pid_in_journal(tmp_path)
        run.send_signal(signal.SIGSTOP)  # or it would start another guard
        guards = [child for child in psutil.Process(run.pid).children() if child.pid != agent]
        assert len(guards) == 1
        guards[0].kill()
    finally:
        run.kill()
        run.wait()
    assert is_alive(agent)
    (tmp_path / "go").touch()
    assert nova("run", "--plain", cwd=tmp_path).returncode == 0
    assert not is_alive(agent)
    assert not (tmp_path / "twice").exists()
    if leftovers == "leave":
        left = int((tmp_path / "left").read_text())
        assert is_alive(left)
        psutil.Process(left).kill()


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def wait_for_pid_in_journal(folder: Path) -> None:
    """Wait until the journal names the running agent's process."""
    deadline = time.monotonic() + 20
    while True:
        book = sqlite3.connect(folder / ".nova/journal.db")
        found = book.execute("select pid from attempts where task_id = 'B1'").fetchall()
        book.close()
        if found and found[0][0] is not None:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)
