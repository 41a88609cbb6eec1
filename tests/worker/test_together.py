"""Logs that have something at the same time share a hop to a thread, and none of them waits for a disk that hangs."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nova_async import AsyncWorker
from nova_async._core.threads import DISK_THREADS
from nova_async.worker.log import together, writer
from nova_async.worker.log.together import Door, WritePace
from nova_async.worker.log.writer import LogWriter
from tests.worker.test_bad_disk import read_all

LOGS = 50


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the writes of this test alone."""
    monkeypatch.setattr(together, "PACE", WritePace())


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[list[LogWriter]]:
    """Open many logs."""
    opened = [await LogWriter.open(tmp_path / f"F{number}.log") for number in range(LOGS)]
    yield opened
    await asyncio.gather(*(log.close() for log in opened))


def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note what is handed to threads from now on."""
    noted: list[Any] = []
    submit = DISK_THREADS.submit

    def noting(call: Callable[..., Any], /, *args: Any) -> Any:
        noted.append(call)
        return submit(call, *args)

    monkeypatch.setattr(DISK_THREADS, "submit", noting)
    return noted


async def test_a_silent_life_takes_two_hops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log is opened and closed in a thread; nothing else of it is done there."""
    noted = submitted(monkeypatch)
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["true"])
    await worker.wait()
    assert len(noted) == 2


async def test_many_logs_share_a_hop(logs: list[LogWriter], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many have something: the first goes at once, and the others together."""
    monkeypatch.setattr(together, "SLOW_SECONDS", 10.0)  # on a busy machine too
    hops = submitted(monkeypatch)
    for _ in range(5):
        for log in logs:
            log.put(b"line\n")
        await asyncio.gather(*(log.more(log.written) for log in logs))
    assert len(hops) <= 10
    assert {log.path.read_bytes() for log in logs} == {b"line\n" * 5}


async def test_a_flood_is_written_in_few_hops(logs: list[LogWriter], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a large write comes no other for a moment: what gathers meanwhile goes together."""
    monkeypatch.setattr(writer, "GATHER_SECONDS", 0.2)
    log, chunk = logs[0], bytes(writer.FLOOD)
    hops = submitted(monkeypatch)
    for _ in range(3):
        log.put(chunk)
        before = log.written
        await log.more(before)
        log.put(chunk)
        await asyncio.sleep(0)
    assert len(hops) == 3
    await log.close()
    assert log.path.stat().st_size == 6 * writer.FLOOD


async def test_a_log_that_hangs_holds_up_no_other(logs: list[LogWriter], tmp_path: Path) -> None:
    """Neither those in the same hop nor those that come later; it goes alone until it is quick again."""
    path = tmp_path / "hangs.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    hanging = await LogWriter.open(path)
    door = hanging._file._executor
    hanging.put(bytes(100_000))  # more than the FIFO holds
    async with asyncio.timeout(20):
        for _ in range(3):
            for log in logs:
                log.put(b"line\n")
            await asyncio.gather(*(log.more(log.written) for log in logs))
    assert door.is_slow
    assert hanging.written < 100_000
    rest = bytearray()
    reading = threading.Thread(target=read_all, args=(reader, rest))
    reading.start()
    await hanging.more(99_999)
    for _ in range(2):  # the first goes alone
        before = hanging.written
        hanging.put(b"more\n")
        await hanging.more(before)
    assert not door.is_slow
    await hanging.close()
    reading.join()
    os.close(reader)
    assert bytes(rest) == bytes(100_000) + b"more\n" * 2


async def test_what_one_has_not_begun_is_done_by_another_thread() -> None:
    """Each call is made once, whoever makes it, and tells its own result or error."""
    gate = threading.Event()
    doors = [Door() for _ in range(4)]
    first = doors[0].submit(gate.wait)
    stuck = doors[1].submit(gate.wait)  # these three wait for the first, and go together
    quick = [doors[2].submit(divmod, 7, 2), doors[3].submit(divmod, 7, 0)]
    async with asyncio.timeout(20):
        results = await asyncio.gather(*quick, return_exceptions=True)
    assert results[0] == (3, 1)
    assert isinstance(results[1], ZeroDivisionError)
    assert not first.done()
    assert not stuck.done()
    gate.set()
    assert await asyncio.gather(first, stuck) == [True, True]


async def test_without_a_thread_each_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses is an error of the write, as one of the disk is."""

    def refuse(*_: Any) -> Any:
        raise OSError("no thread")

    monkeypatch.setattr(DISK_THREADS, "submit", refuse)
    with pytest.raises(OSError, match="no thread"):
        await Door().submit(abs, -1)


async def test_a_busy_fleet_is_paced(logs: list[LogWriter], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many writes a second, lines gather: fewer writes, and every byte in them."""
    monkeypatch.setattr(together, "WRITES_PER_SECOND", 500)
    hops = submitted(monkeypatch)
    for _ in range(100):
        for log in logs:
            log.put(b"line\n")
        await asyncio.sleep(0)
    while any(log.written < 500 for log in logs):
        await asyncio.gather(*(log.more(499) for log in logs))
    assert len(hops) < 50
    assert {log.path.read_bytes() for log in logs} == {b"line\n" * 100}
