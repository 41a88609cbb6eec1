"""Reading /proc: odd names, odd states, and who carries a cookie."""

import os
import signal
import subprocess
import sys
import time

import pytest

from nova_async.process import procfs

from .watching import DEADLINE, popen

pytestmark = pytest.mark.skipif(not procfs.usable(), reason="there is no /proc here")


def test_a_name_may_hold_spaces_and_parentheses() -> None:
    """Fields are counted from the last parenthesis."""
    script = "from pathlib import Path; Path('/proc/self/comm').write_text('a) S 1 (b'); print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        entry = procfs.look(process.pid)
        assert entry is not None
        assert (entry.name, entry.parent, entry.alive) == ("a) S 1 (b", os.getpid(), True)
    finally:
        process.communicate(b"\n")


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"NOVA_WORKER": "/a.1/b.2", "A": "1"}, "/a.1/b.2"),
        ({"A": "1", "NOVA_WORKER": "/a.1"}, "/a.1"),
        ({"A_NOVA_WORKER": "/a.1"}, None),
        ({"A": "NOVA_WORKER=/a.1"}, None),
        ({"BIG": "x" * 100_000, "NOVA_WORKER": "/a.1"}, "/a.1"),
        ({}, None),
    ],
)
def test_the_path_is_read_from_the_environment(environment: dict[str, str], path: str | None) -> None:
    """Wherever the variable stands; a longer name or another's value is not it."""
    process = subprocess.Popen(["sleep", "60"], env=environment, executable="/bin/sleep")
    try:
        assert procfs.path_of(process.pid) == path
    finally:
        process.kill()
        process.wait()


def test_a_process_whose_first_thread_has_ended_is_alive() -> None:
    """The system calls it a zombie, but its other threads go on, and its environment still tells."""
    script = (
        "import ctypes, os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "print(flush=True)\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env={"NOVA_WORKER": "/a.1"}, stdout=subprocess.PIPE)
    try:
        with open(f"/proc/{process.pid}/stat") as stat:  # noqa: PTH123 (read again and again)
            deadline = time.monotonic() + DEADLINE
            while ") Z " not in stat.read():
                assert time.monotonic() < deadline
                stat.seek(0)
        entry = procfs.look(process.pid)
        assert entry is not None
        assert entry.alive
        assert procfs.path_of(process.pid) == "/a.1"
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_the_path_is_read_in_the_middle_of_an_exec_too() -> None:
    """It has no environment for a moment, and must not be taken for a stranger just then."""
    script = 'i=$1; [ $i -gt 0 ] && exec sh -c "$0" "$0" $((i - 1)); exec sleep 60'
    environment = {"NOVA_WORKER": "/a.1", "PATH": os.environ["PATH"]}
    process = subprocess.Popen(["sh", "-c", script, script, "400"], env=environment)
    try:
        paths = set()
        deadline = time.monotonic() + DEADLINE
        while (entry := procfs.look(process.pid)) and entry.name != "sleep" and time.monotonic() < deadline:
            paths.add(procfs.path_of(process.pid))
        assert paths == {"/a.1"}
    finally:
        process.kill()
        process.wait()


def test_zombies_and_nobody() -> None:
    """A zombie is found but not alive; a pid that nobody has is None; a thread is no process."""
    process = popen("true")
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        entry = procfs.look(process.pid)
        assert entry is not None
        assert not entry.alive
        assert procfs.path_of(process.pid) is None
    finally:
        process.communicate()
    assert procfs.look(process.pid) is None
    assert procfs.is_process(os.getpid())
    assert not procfs.is_process(process.pid)


def test_nobody_older_is_listed() -> None:
    """With a start time, the table holds only those who started since; we are older."""
    since = procfs.now()
    process = subprocess.Popen(["sleep", "60"])
    try:
        pids = [entry.pid for entry in procfs.everyone(since)]
        assert process.pid in pids
        assert 1 not in pids
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
