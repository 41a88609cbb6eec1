"""``nova run --detach``: the run goes on without the terminal that started it, and nothing of that is kept."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.detach import MOST_OUTPUT, keep_short
from tests.children import is_alive
from tests.cli.command import HAS_SETSID, NOVA, in_a_terminal, nova, read_until

PLAN = """+++
command = ["sh", "-c", "{prompt}"]
+++
# Shop
| ID | What |
|---|---|
| A1 | echo at work; read x < fifo |
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a plan whose task waits; a run that is left is ended."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    os.mkfifo(tmp_path / "fifo")
    yield tmp_path
    nova("stop", "--kill", cwd=tmp_path)


def detach(folder: Path, *more: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``nova run --detach``."""
    return subprocess.run(
        [*NOVA, "run", "--detach", *more], cwd=folder, capture_output=True, text=True, timeout=30, **options
    )


def ends(pid: int) -> bool:
    """Tell whether a process ends soon, which has told everybody that its run is over."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], 20)[0])
    finally:
        os.close(pidfd)


@contextmanager
def detached(folder: Path, *more: str, **options: Any) -> Iterator[dict[str, Any]]:
    """Detach a run, give what is said about it, and end it."""
    done = detach(folder, "--json", *more, **options)
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    try:
        yield said
    finally:
        stopped = nova("stop", cwd=folder)
        assert (stopped.returncode, stopped.stdout) == (0, "the run is over: stopped\n"), stopped.stderr
        assert ends(said["pid"])


def test_a_run_goes_on_without_its_terminal(folder: Path) -> None:
    """It has begun when the prompt is back, has nothing of its starter, and its output is in a file."""
    ours, theirs = os.pipe()
    with detached(folder, pass_fds=[theirs]) as said:
        os.close(theirs)
        assert os.read(ours, 1) == b""  # somebody's lock file, say: nobody has it open any more
        os.close(ours)
        pid = said["pid"]
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4] == "0"  # no terminal
        open_files = [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)]  # noqa: PTH115
        assert open_files == [os.devnull, said["output"], said["output"]]
        assert said["journal"] == str(folder / ".nova/journal.db")
        assert Path(said["control"]).is_socket()
        assert "1 running" in nova("status", cwd=folder).stdout
        output = Path(said["output"]).read_text()
        with Path(said["output"]).open("a") as file:
            file.write("printed\n" * (MOST_OUTPUT // 8))
    assert Path(said["output"]).stat().st_size < MOST_OUTPUT * 3 // 4
    assert [json.loads(line).get("event") for line in output.splitlines()][:2] == ["run_started", "attempt_started"]
    assert sorted(path.name for path in (folder / ".nova").iterdir()) == [
        ".gitignore", "journal.db", "journal.db.lock", "journal.db.out"
    ]  # fmt: skip


def test_the_output_is_kept_short(tmp_path: Path) -> None:
    """Of many lines the latest stay, each whole, and what is printed later comes after them."""
    output = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        os.write(output, b"first\n")
        keep_short(output)
        assert os.fstat(output).st_size == len(b"first\n")
        os.write(output, b"the next one\n" * (MOST_OUTPUT // 13) + b"last\n")
        keep_short(output)
        os.write(output, b"new\n")
    finally:
        os.close(output)
    *lines, last, new = (tmp_path / "out").read_text().splitlines()
    assert ({*lines}, last, new) == ({"the next one"}, "last", "new")
    assert MOST_OUTPUT // 3 < (tmp_path / "out").stat().st_size <= MOST_OUTPUT // 2 + len(b"new\n")


def test_people_are_told_what_to_do(folder: Path) -> None:
    """Which process it is, how it is stopped, and where its output goes."""
    done = detach(folder)
    assert (done.returncode, done.stderr) == (0, "")
    begun, rest = done.stdout.splitlines()
    assert begun.startswith("the run has begun (pid ")
    assert "nova watch · " in rest
    assert "nova stop · " in rest
    assert ".nova/journal.db.out" in rest


def test_what_is_wrong_is_said_before_the_prompt_is_back(folder: Path) -> None:
    """Of a plan, of a missing program, and of a run that is there already: reasons and exit code are the run's own."""
    (folder / "wrong.md").write_text("| ID | What | Deps |\n|---|---|---|\n| A1 | x | B9 |\n| A2 | y | B8 |\n")
    wrong = detach(folder, "wrong.md")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "B9" in wrong.stderr
    assert "B8" in wrong.stderr
    missing = detach(folder, "--command", "no-such-program {prompt}")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "no-such-program" in missing.stderr
    assert not list(folder.glob(".nova/*.out"))
    with detached(folder) as said:
        second = detach(folder)
        assert (second.returncode, second.stdout) == (2, "")
        assert f"another nova run (pid {said['pid']}) is using this journal" in second.stderr
        assert Path(said["output"]).exists()
        assert len(list(folder.glob(".nova/*.out"))) == 1


@pytest.mark.skipif(not HAS_SETSID, reason="needs setsid, to make a terminal that can be closed")
def test_the_terminal_is_closed(folder: Path) -> None:
    """What a closed terminal sends to its programs does not reach the run."""
    with in_a_terminal("run", "--detach", cwd=folder) as (process, terminal):
        read_until(terminal, b"goes on without this terminal")
        process.wait(20)
    pid = json.loads(nova("status", "--json", cwd=folder).stdout)["nova"]["supervisor"]["pid"]
    assert is_alive(pid)
    nova("stop", cwd=folder)
    assert ends(pid)


def test_who_is_interrupted_while_it_begins(folder: Path) -> None:
    """Ctrl-C before the prompt is back ends the run that has not begun."""
    (folder / ".nova").mkdir()
    program = (
        "import os, signal, sys, threading; from pathlib import Path; from nova_async.cli import detach\n"
        "detach.os.setsid = lambda: (os.kill(os.getppid(), signal.SIGINT), signal.pause())\n"
        "sys.exit(detach.detach(Path('.nova/journal.db'), as_json=False))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, timeout=20, check=False)
    assert done.returncode == 128 + signal.SIGINT
