"""shellous: pipelines of commands in asyncio."""

import asyncio
from pathlib import Path

from tests.benchmarks.peers.peer import USAGE, Peer, no_module


async def read(source: Path, log: Path) -> None:
    """Read line by line, and write through a buffer."""
    from shellous import sh

    with log.open("wb") as out:
        async for text in sh("cat", str(source)):
            line = text.encode()
            out.write(line)
            USAGE.search(line)


async def live(count: int) -> None:
    """Start and wait."""
    from shellous import sh

    for _ in range(count):
        await sh("/bin/true")


PEER = Peer(
    "shellous",
    no_module("shellous"),
    capture=lambda source, log: asyncio.run(read(source, log)),
    lives=lambda count: asyncio.run(live(count)),
)
