"""Tests that misbehave, each in one way, and some that do not: `tests/test_guards.py` runs them and looks on."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_async.process.spawn import spawn
from tests import signal_guard

KEPT: list[object] = []
FREE = threading.Event()


@pytest.fixture(scope="module", autouse=True)
def let_threads_end() -> Iterator[None]:
    """Leave nothing behind for good."""
    yield
    FREE.set()


async def test_leaves_a_task() -> None:
    """A task that nobody waits for."""
    KEPT.append(asyncio.create_task(asyncio.sleep(60)))


def test_leaves_a_thread() -> None:
    """A thread that nobody joins."""
    threading.Thread(target=FREE.wait, name="forgotten").start()


def test_leaves_a_descriptor() -> None:
    """An end of a pipe."""
    read_end, _ = os.pipe()
    os.close(read_end)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_leaves_a_pidfd() -> None:
    """A descriptor that is no file."""
    os.pidfd_open(os.getpid())


def test_leaves_a_child() -> None:
    """A child, alive."""
    KEPT.append(subprocess.Popen(["sleep", "61"]))


def test_leaves_a_zombie() -> None:
    """A child that has ended and was not waited for."""
    process = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        output.read()
    KEPT.append(process)


def test_leaves_a_grandchild() -> None:
    """A process whose parent has ended, in a session of its own."""
    subprocess.run(["sh", "-c", "setsid sleep 62 &"], check=True)


async def test_leaves_a_family() -> None:
    """A worker's descendant without any other variable than the cookie, and without its leader."""
    child = await spawn(["sh", "-c", "sleep 63 >/dev/null & exec echo $!"], env={"PATH": os.environ["PATH"]})
    await child.wait()
    child.close_output()


def test_signals_its_own_group() -> None:
    """What `os.kill(pid or 0)` does where there is no pid."""
    os.kill(0, signal.SIGTERM)


def test_signals_its_own_group_by_number() -> None:
    """The same, by killpg."""
    os.killpg(os.getpgrp(), signal.SIGTERM)


def test_signals_everyone() -> None:
    """The worst of all."""
    os.kill(-1, signal.SIGTERM)


def test_signals_a_stranger() -> None:
    """A process that the tests have not started."""
    os.kill(int(os.environ["STRANGER"]), signal.SIGTERM)


def test_signals_a_strangers_group() -> None:
    """Its group."""
    os.killpg(int(os.environ["STRANGER"]), signal.SIGTERM)


@pytest.mark.skipif(not hasattr(signal, "pidfd_send_signal"), reason="needs Linux")
def test_signals_a_stranger_by_pidfd() -> None:
    """A way that no audit hook hears of."""
    pidfd = os.pidfd_open(int(os.environ["STRANGER"]))
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    finally:
        os.close(pidfd)


def test_signals_itself() -> None:
    """A signal that would end the tests."""
    os.kill(os.getpid(), signal.SIGUSR1)


def test_catches_the_refusal() -> None:
    """Some code between the call and the test takes everything for harmless."""
    with contextlib.suppress(BaseException):
        os.kill(0, signal.SIGTERM)


def test_behaves() -> None:
    """Signals to what it has started, by every way, and to the dead; and leaves nothing."""
    for send in (os.kill, os.killpg, lambda pid, number: os.kill(-pid, number)):
        process = subprocess.Popen(["sleep", "64"], start_new_session=True)
        send(process.pid, signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            send(process.pid, signal.SIGTERM)
    os.kill(int(os.environ["STRANGER"]), 0)  # only asks


def test_its_orphans_are_its_own() -> None:
    """A process that has lost its parent bears the mark of the test, and so may be ended by it."""
    told = subprocess.run(
        ["sh", "-c", "setsid sleep 65 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True
    )
    os.kill(int(told.stdout), signal.SIGKILL)


def test_its_children_can_be_interrupted() -> None:
    """Whatever the tests have inherited, a child begins with no signal ignored and none blocked."""
    code = (
        "import signal as s; print([n.name for n in (s.SIGINT, s.SIGTERM, s.SIGHUP, s.SIGQUIT)"
        " if s.getsignal(n) is s.SIG_IGN or n in s.pthread_sigmask(s.SIG_BLOCK, [])])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_mark_is_this_tests() -> None:
    """What the next test starts is told apart from what this one has started."""
    assert os.environ[signal_guard.MARK].startswith(f"{os.getpid()}.")
    assert Path(__file__).name == "misbehaving.py"
