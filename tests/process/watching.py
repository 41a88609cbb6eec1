"""How these tests watch real processes: by what they print, by pidfd, and always with a deadline."""

import asyncio
import os
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from nova_async.process import procfs
from nova_async.process.child import Child
from nova_async.process.cookie import supervisor_id, workers_of
from nova_async.process.spawn import spawn

PROGRAMS = Path(__file__).parents[1] / "programs"
DEADLINE = 10.0  # seconds; far more than anything here takes


def program(name: str, *arguments: str) -> list[str]:
    """Return the command line of one of the little programs."""
    if name.endswith(".sh"):
        return ["sh", str(PROGRAMS / name), *arguments]
    return [sys.executable, str(PROGRAMS / f"{name}.py"), *arguments]


@asynccontextmanager
async def running(
    *command: str, env: Mapping[str, str] = os.environ, cwd: str | Path | None = None
) -> AsyncIterator[Child]:
    """Start a command and, at the end, leave nothing of it."""
    child = await spawn(command, env=env, cwd=cwd)
    try:
        yield child
    finally:
        await child.family.kill()
        child.close_output()


async def text_until(child: Child, word: str = "\n") -> str:
    """Read the child's output until a word has come, and return all of it."""
    loop = asyncio.get_running_loop()
    text = ""
    async with asyncio.timeout(DEADLINE):
        while word not in text:
            readable = loop.create_future()
            loop.add_reader(child.output, lambda ready=readable: ready.done() or ready.set_result(None))
            try:
                await readable
            finally:
                loop.remove_reader(child.output)
            data = os.read(child.output, 65536)
            assert data, f"the output ended without {word!r}: {text!r}"
            text += data.decode()
    return text


async def announced(child: Child) -> list[int]:
    """Wait for the line "ready PID…" and return the pids in it."""
    return [int(word) for word in (await text_until(child)).splitlines()[0].split()[1:]]


def is_alive(pid: int) -> bool:
    """Tell whether a process with this pid is alive (not a zombie)."""
    entry = procfs.look(pid)
    return entry is not None and entry.alive


def descriptors() -> set[str]:
    """Return the numbers of our open descriptors."""
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def everyone_of_ours() -> list[str]:
    """Return the names of all living processes that carry a cookie of this very process."""
    bearers = [e for e in procfs.everyone() if e.alive and workers_of(procfs.path_of(e.pid), supervisor_id())]
    return [entry.name for entry in bearers]


def asleep(seconds: str) -> list[int]:
    """Return the pids of all ``sleep`` with these seconds, whoever started them."""
    wanted = ["sleep", seconds]
    return [process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == wanted]


def all_dead_within(pids: Iterable[int], seconds: float) -> bool:
    """Block until all those processes are dead; False if that takes longer."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            left = max(0.0, deadline - time.monotonic())
            if is_alive(pid) and not select.select([pidfd], [], [], left)[0]:
                return False
        finally:
            os.close(pidfd)
    return True


def popen(*command: str) -> "subprocess.Popen[str]":
    """Start a program of the tests outside of nova_async, its output in a pipe."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
