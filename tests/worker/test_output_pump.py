"""Reading the pipe: all that was owed, and never so long that nobody else gets a turn."""

import asyncio
import fcntl
import os
import select
import subprocess
import time
from collections.abc import Iterator

import pytest

from nova_async.process.pipes import F_SETPIPE_SZ
from nova_async.worker.output_pump import OutputPump


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Make a pipe with a non-blocking read end."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


async def test_somebody_who_writes_faster_than_we_read(pipe: tuple[int, int]) -> None:
    """Reading what is there ends, also where more keeps coming: the loop has other work."""
    read_end, write_end = pipe
    received = 0

    def take(chunk: bytes) -> bool:
        nonlocal received
        received += len(chunk)
        assert select.select([read_end], [], [], 5)[0]  # whoever is slower than yes always finds more
        return received < 50_000_000

    pump = OutputPump({read_end: take})
    with subprocess.Popen(["yes"], stdout=write_end) as talker:  # noqa: ASYNC220 - a spawn of no interest
        while received == 0:
            await asyncio.sleep(0)
        pump.read_what_is_there()
        pump.close()
        talker.kill()
    assert received < 10_000_000


async def test_a_pause_costs_nothing_that_was_owed(pipe: tuple[int, int]) -> None:
    """What was in the pipe at the beginning of the drain is read, however long the pauses are."""
    read_end, write_end = pipe
    received = bytearray()

    def take(chunk: bytes) -> bool:
        received.extend(chunk)
        return False

    written = os.write(write_end, b"x" * 65_536)
    pump = OutputPump({read_end: take})
    pump._pipes[0]._size = 1000  # so that one read is not all
    draining = asyncio.create_task(pump.drain(0.0))
    while not pump.is_paused:
        await asyncio.sleep(0)
    done, _ = await asyncio.wait([draining], timeout=0.7)
    assert not done
    while not draining.done():
        pump.resume()
        await asyncio.sleep(0)
    assert len(received) == written
    pump.close()


async def test_after_a_pause_the_silence_begins_anew(pipe: tuple[int, int]) -> None:
    """Nobody can be heard during a pause, so it is no silence of the child's."""
    read_end, write_end = pipe
    pump = OutputPump({read_end: lambda _: False})
    os.write(write_end, b"x")
    while not pump.is_paused:
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    before = pump.last_byte_at
    while loop.time() == before:
        await asyncio.sleep(0)
    now = loop.time()
    pump.resume()
    assert pump.last_byte_at >= now
    pump.close()


async def test_what_is_slow_to_take_comes_in_small_parts(pipe: tuple[int, int]) -> None:
    """A reader that has much to do with each line leaves the loop to others in between, also where all is read."""
    read_end, write_end = pipe
    if F_SETPIPE_SZ is None:
        pytest.skip("pipes of this system have one size")
    fcntl.fcntl(write_end, F_SETPIPE_SZ, 1024 * 1024)
    sizes: list[int] = []

    def take(chunk: bytes) -> bool:
        until = time.monotonic() + len(chunk) / 200_000  # a megabyte would take five seconds
        while time.monotonic() < until:
            pass
        sizes.append(len(chunk))
        return True

    written = os.write(write_end, b"x" * 1024 * 1024)
    pump = OutputPump({read_end: take})
    begun, longest = time.monotonic(), 0.0
    pump.read_what_is_there()
    while sum(sizes) < 200_000:
        longest, begun = max(longest, time.monotonic() - begun), time.monotonic()
        await asyncio.sleep(0)
    pump.close()
    assert max(sizes) <= 16 * 1024
    assert written > 200_000
    assert longest < 1.0


async def test_a_pump_of_two_pipes_ends_with_the_last(pipe: tuple[int, int]) -> None:
    """One that has ended is left alone, and what is owed by the other is read to its end."""
    read_end, write_end = pipe
    other_end, gone = os.pipe()
    os.set_blocking(other_end, False)
    received = bytearray()

    def take(chunk: bytes) -> bool:
        received.extend(chunk)
        return True

    try:
        pump = OutputPump({read_end: take, other_end: take})
        os.close(gone)
        while not pump._pipes[1].at_end:
            await asyncio.sleep(0)
        assert not pump.at_end
        os.write(write_end, b"x" * 10_000)
        await pump.drain(5.0)
        assert (len(received), pump.is_paused, pump.at_end) == (10_000, False, False)
        pump.close()
    finally:
        os.close(other_end)


async def test_a_pause_is_for_both_pipes(pipe: tuple[int, int]) -> None:
    """A log that is full has no room for either stream, so neither is read before there is some again."""
    read_end, write_end = pipe
    other_end, other_write_end = os.pipe()
    os.set_blocking(other_end, False)
    received: list[bytes] = []

    def take(chunk: bytes) -> bool:
        received.append(chunk)
        return False

    try:
        pump = OutputPump({read_end: take, other_end: take})
        os.write(write_end, b"one")
        while not pump.is_paused:
            await asyncio.sleep(0)
        os.write(other_write_end, b"two")
        pump.read_what_is_there()
        await asyncio.sleep(0)
        assert received == [b"one"]
        pump.resume()
        while len(received) < 2:
            await asyncio.sleep(0)
        assert received == [b"one", b"two"]
        pump.close()
    finally:
        os.close(other_end)
        os.close(other_write_end)
