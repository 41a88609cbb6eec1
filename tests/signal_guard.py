"""No test signals a process that it does not own: every signal is looked at before the system sees it.

The hook sits below `os.kill` and `os.killpg`, whoever calls them (we, the library, asyncio), and once it is there it
cannot be taken away. `signal.pidfd_send_signal` tells no hook, so that one is wrapped.
"""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from nova_async.process.cookie import COOKIE_VARIABLE, supervisor_id, workers_of

__all__ = ["MARK", "begin", "mark", "take_refusals"]

MARK = "NOVA_TEST"  # the environment of all that tests start: PID.NUMBER, who runs the tests and which test it was
MOMENT = 0.2  # seconds; a process that ends or execs has no environment for less
HOME = os.getpid()  # a fork of a test is a descendant, not another home
UNTOLD: list[str] = []


def mark(number: int = 0) -> str:
    """Return the mark of one test's processes; 0 is for what serves all tests."""
    return f"{HOME}.{number}"


def take_refusals() -> list[str]:
    """Return the signals refused since the last time: whoever sent them may have caught the failure."""
    refused = UNTOLD.copy()
    UNTOLD.clear()
    return refused


def begin() -> None:
    """From now on refuse, and fail the test for, each signal to a group or a process that is none of ours."""
    sys.addaudithook(_hook)
    if not hasattr(signal, "pidfd_send_signal"):
        return
    send = signal.pidfd_send_signal

    def send_to_ours(pidfd: int, number: int, *more: object) -> None:
        pid = _pid_behind(pidfd)
        if number and pid > 0:
            _check_process(pid, number, f"pidfd_send_signal to {pid}")
        send(pidfd, number, *more)  # type: ignore[arg-type]

    signal.pidfd_send_signal = send_to_ours  # type: ignore[assignment]


def _hook(event: str, arguments: tuple[int, int]) -> None:
    if event == "os.kill":
        pid, number = arguments
        if pid > 0 and number:
            _check_process(pid, number, f"os.kill({pid}, {number})")
        elif pid <= 0:
            _check_group(-pid if pid < -1 else 0, f"os.kill({pid}, {number})")
    elif event == "os.killpg":
        _check_group(arguments[0], f"os.killpg{arguments}")


def _check_process(pid: int, number: int, call: str) -> None:
    """Refuse a signal to whoever is neither a descendant nor marked; ourselves we may signal where that is handled."""
    if pid == HOME:
        if not callable(signal.getsignal(number)):
            _refuse(call, "it would end the tests")
    elif not _is_ours(pid):
        _refuse(call, "not a process of this test")


def _check_group(group: int, call: str) -> None:
    """Refuse a signal to our own group (0 and -1 mean it, too) or to one in which nobody is ours."""
    if group in (0, os.getpgrp(), os.getpgid(HOME)):
        _refuse(call, "it would end the tests with all that started them")
    if psutil.pid_exists(group):
        if not _is_ours(group):
            _refuse(call, "not a group of this test")
        return
    members = [pid for pid in psutil.pids() if _group_of(pid) == group]  # its leader has been reaped
    if not all(map(_is_ours, members)):
        _refuse(call, "not a group of this test")


def _refuse(call: str, why: str) -> None:
    UNTOLD.append(f"{call}: {why}")
    pytest.fail(f"refused {call}: {why}")


def _is_ours(pid: int) -> bool:
    """Tell whether a process descends from the tests, bears their mark, or is a worker's; the dead are nobody's."""
    deadline = time.monotonic() + MOMENT
    while True:
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE or any(parent.pid == HOME for parent in process.parents()):
                return True
            if environment := process.environ():
                path = environment.get(COOKIE_VARIABLE, "")
                return environment.get(MARK, "").startswith(f"{HOME}.") or bool(workers_of(path, supervisor_id()))
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            pass
        except OSError:  # no descriptor left to look with, which is what that test is about
            return True
        if time.monotonic() > deadline:
            return False


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _pid_behind(pidfd: int) -> int:
    """Return the pid that a pidfd stands for: 0 or less if it is dead, or no pidfd at all."""
    try:
        information = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in information.splitlines() if line.startswith("Pid:")), 0)
