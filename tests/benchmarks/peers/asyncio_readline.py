"""What one writes with asyncio alone."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from tests.benchmarks.peers.peer import USAGE, Peer


async def read(source: Path, log: Path) -> None:
    """Read line by line, and write through a buffer."""
    child = await asyncio.create_subprocess_exec("cat", str(source), stdout=PIPE)
    assert child.stdout is not None
    with log.open("wb") as out:
        while line := await child.stdout.readline():
            out.write(line)
            USAGE.search(line)
    await child.wait()


async def live(count: int) -> None:
    """Start and wait."""
    for _ in range(count):
        child = await asyncio.create_subprocess_exec("/bin/true", stdout=DEVNULL)
        await child.wait()


PEER = Peer(
    "asyncio readline",
    capture=lambda source, log: asyncio.run(read(source, log)),
    lives=lambda count: asyncio.run(live(count)),
)
