"""anyio's processes and its buffered stream."""

from pathlib import Path
from subprocess import DEVNULL

from tests.benchmarks.peers.peer import USAGE, Peer, no_module

LONGEST = 65_536  # bytes of a line


async def read(source: Path, log: Path) -> None:
    """Read line by line, and write through a buffer."""
    import anyio
    from anyio.streams.buffered import BufferedByteReceiveStream

    async with await anyio.open_process(["cat", str(source)]) as child:
        assert child.stdout is not None
        lines = BufferedByteReceiveStream(child.stdout)
        with log.open("wb") as out:
            while True:
                try:
                    line = await lines.receive_until(b"\n", LONGEST)
                except (anyio.IncompleteRead, anyio.EndOfStream):
                    break
                out.write(line + b"\n")
                USAGE.search(line)


async def live(count: int) -> None:
    """Start and wait."""
    import anyio

    for _ in range(count):
        await anyio.run_process(["/bin/true"], stdout=DEVNULL)


def capture(source: Path, log: Path) -> None:
    """Read in a loop of its own."""
    import anyio

    anyio.run(read, source, log)


def lives(count: int) -> None:
    """Live in a loop of its own."""
    import anyio

    anyio.run(live, count)


PEER = Peer("anyio", no_module("anyio"), capture=capture, lives=lives)
