"""The little programs that tests supervise, and waiting for what they say, so that no test ever sleeps."""

import sys
from contextlib import aclosing, closing
from pathlib import Path

from nova_async import AsyncWorker, Worker

PROGRAMS = Path(__file__).parent / "programs"


def program(name: str, *arguments: str | Path) -> list[str]:
    """Return the command line of one of the programs in ``tests/programs``."""
    return [sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, arguments)]


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def ready(worker: AsyncWorker) -> str:
    """Return the line with which the child says that it is ready."""
    async with aclosing(worker.lines()) as lines:
        async for line in lines:
            if line.startswith("ready"):
                return line
    raise AssertionError(f"{worker!r} ended before it was ready: {worker.log_path.read_text()}")


def ready_now(worker: Worker) -> str:
    """Return the line with which the child says that it is ready."""
    with closing(worker.lines()) as lines:
        for line in lines:
            if line.startswith("ready"):
                return line
    raise AssertionError(f"{worker!r} ended before it was ready: {worker.log_path.read_text()}")
