"""A worker in a program with an odd state of its own: signals blocked or ignored, streams closed, children reaped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nova_async import WorkerEnd
from nova_async.process.exit_status import exit_code_of_reaped
from tests.children import program


def kernel_keeps_exit_codes() -> bool:
    """Tell whether a pidfd tells how a process ended that was reaped already (Linux 6.15)."""
    if not hasattr(os, "pidfd_open"):
        return False
    process = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(process.pid)
    try:
        process.wait()
        return exit_code_of_reaped(pidfd) is not None
    finally:
        os.close(pidfd)


def run_in_a_host(folder: Path, state: str, *scripts: str) -> list[dict[str, Any]]:
    """Run each script as a worker of one program in that state, and return how they ended."""
    done = subprocess.run(program("odd_host", folder, state, *scripts), timeout=30, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    ended: list[dict[str, Any]] = json.loads((folder / "ended.json").read_text())
    return ended


@pytest.mark.parametrize("state", ["sigchld-ignored", "reaps-everyone"])
def test_a_status_that_was_taken_is_asked_of_the_kernel(tmp_path: Path, state: str) -> None:
    """SIGCHLD ignored or every child reaped by another thread: the exit code is true, or said to be unknown (G23)."""
    codes = [0, 3, 255, -9]
    scripts = [f"exit {code}" if code >= 0 else f"kill {code} $$" for code in codes]
    ended = run_in_a_host(tmp_path, state, *(f"sleep 0.5; {script}" for script in scripts))
    if kernel_keeps_exit_codes():
        assert [(each["exit_code"], each["end"]) for each in ended] == [
            (code, "exited" if code >= 0 else "signaled") for code in codes
        ]
    elif state == "sigchld-ignored":
        assert {each["end"] for each in ended} == {WorkerEnd.EXIT_UNKNOWN}
        assert all("SIGCHLD" in each["error"] for each in ended)


@pytest.mark.parametrize("state", ["sigchld-ignored", "reaps-everyone"])
def test_a_status_that_was_taken_at_once(tmp_path: Path, state: str) -> None:
    """A command may be gone before anybody can watch it: it has run, and its code is true or said to be unknown."""
    for each in run_in_a_host(tmp_path, state, *["exit 0"] * 8):
        if each["exit_code"] != 0 or each["end"] != "exited":
            assert each["exit_code"] == 255
            assert each["end"] == "exit_unknown" or (state, each["error"]) == ("reaps-everyone", "exit code 255")


def test_a_handler_of_the_hosts_own(tmp_path: Path) -> None:
    """A program that listens for SIGCHLD itself disturbs nothing."""
    [ended] = run_in_a_host(tmp_path, "sigchld-handled", "exit 3")
    assert (ended["exit_code"], ended["end"]) == (3, "exited")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read a signal mask")
@pytest.mark.parametrize(("state", "waiting"), [("blocks", set()), ("blocks-and-is-asked", {signal.SIGUSR1})])
def test_no_signal_is_blocked_in_a_child(tmp_path: Path, state: str, waiting: set[signal.Signals]) -> None:
    """SIGTERM reaches a child whose parent blocks it; what waits behind the parent's mask is not delivered to it."""
    show = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
    [ended] = run_in_a_host(tmp_path, state, f'exec {sys.executable} -c "{show}"')  # a shell may clear the mask
    assert (tmp_path / "W0.log").read_text() == f"{sorted(waiting)}\n"
    assert ended["blocked"] == sorted([signal.SIGINT, signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD])


@pytest.mark.parametrize("numbers", ["01", "12", "012"])
def test_standard_streams_that_the_host_has_closed(tmp_path: Path, numbers: str) -> None:
    """No descriptor of ours takes the number of one: the guard lives, and the output is whole."""
    script = "sleep 0.2; echo out; echo err >&2"  # a guard that believes us dead ends the child at once
    [ended] = run_in_a_host(tmp_path, f"closed-{numbers}", script)
    assert (ended["exit_code"], ended["error"]) == (0, None)
    assert (tmp_path / "W0.log").read_text() == "out\nerr\n"


def test_what_the_host_prints_is_not_in_our_files(tmp_path: Path) -> None:
    """A program without a standard output prints nowhere, not into the log that was opened after it."""
    host = (
        "import os, sys, asyncio; from nova_async import AsyncWorker\n"
        "async def main():\n"
        "    os.close(1)\n"
        f"    worker = AsyncWorker('W', log_dir={str(tmp_path)!r})\n"
        "    await worker.start(['sh', '-c', 'echo mine'])\n"
        "    try: os.write(1, b'yours')\n"
        "    except OSError: pass\n"
        "    await worker.wait()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", host], timeout=30, check=True)
    assert (tmp_path / "W.log").read_text() == "mine\n"
