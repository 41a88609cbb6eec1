"""Reading a worker's output while it runs, by anyone, at any pace."""

import asyncio
import io
import os
import threading
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Worker
from nova_async._core.threads import DISK_THREADS, MOST_THREADS
from nova_async.worker.log.follower import follow_lines
from nova_async.worker.log.writer import LogWriter
from tests.children import program, ready


async def test_lines_from_the_first_to_the_last(tmp_path: Path) -> None:
    """A reader that comes at any time gets every line, and its iteration ends with the worker."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.02; done; printf 'no end'"])
    expected = ["line 1", "line 2", "line 3", "no end"]
    assert [line async for line in worker.lines()] == expected
    await worker.wait()
    assert [line async for line in worker.lines()] == expected
    assert b"".join([chunk async for chunk in worker.output()]) == worker.log_path.read_bytes()


async def test_a_line_comes_as_soon_as_it_is_printed(tmp_path: Path) -> None:
    """A line is there while its child still waits."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(program("silent"))
        assert await ready(worker) == "ready"
        assert worker.is_alive()


async def test_ten_readers(tmp_path: Path) -> None:
    """Any number of readers see the same."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["seq", "50000"])

    async def read() -> list[str]:
        return [line async for line in worker.lines()]

    seen = await asyncio.gather(*(read() for _ in range(10)))
    assert all(lines == [str(number) for number in range(1, 50_001)] for lines in seen)
    await worker.wait()


async def test_a_reader_that_stops_early(tmp_path: Path) -> None:
    """A reader may leave, and nothing of it stays."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(program("silent"))
        lines = worker.lines()
        assert await anext(lines) == "ready"
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_bytes_that_are_no_text_are_shown(tmp_path: Path) -> None:
    r"""Invalid UTF-8 is shown as \xff; U+2028, \r and others end no line (G8, G45)."""
    odd = tmp_path / "odd"
    odd.write_bytes(b"a\xffb\nu\xe2\x80\xa8v\x0b\x85\rw\n\xf0\x9f")
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("replay", "bytes", odd))
    assert [line async for line in worker.lines()] == ["a\\xffb", "u\u2028v\x0b\\x85\rw", "\\xf0\\x9f"]
    await worker.wait()


async def test_an_enormous_line_comes_in_pieces(tmp_path: Path) -> None:
    """A line of 40 MB does not have to fit into memory at once."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "head -c 40000000 /dev/zero; echo; echo end"])
    sizes = [len(line) async for line in worker.lines()]
    await worker.wait()
    assert sizes[-1] == 3
    assert sum(sizes) == 40_000_003
    assert max(sizes) <= 17 * 1024 * 1024


async def test_a_reader_follows_a_log_that_was_moved(tmp_path: Path) -> None:
    """A rotation in the middle of reading costs no line."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"], cwd=tmp_path)
    seen = []
    async for line in worker.lines():
        seen.append(line)
        if line == "ready":
            worker.log_path.rename(tmp_path / "rotated")
            (tmp_path / "go").touch()
    assert seen == ["ready", "after"]
    await worker.wait()


async def test_a_device_cannot_be_followed(tmp_path: Path) -> None:
    """A log that cannot be read back says so."""
    worker = AsyncWorker("F1")
    worker.log_path = Path(os.devnull)
    await worker.start(["echo", "hi"])
    with pytest.raises(io.UnsupportedOperation, match="not a regular file"):
        async for _ in worker.lines():
            pass
    await worker.wait()


def test_lines_of_the_blocking_face(tmp_path: Path) -> None:
    """The facade's lines are the same lines."""
    worker = Worker("F1", log_dir=tmp_path)
    worker.start(["seq", "1000"])
    assert list(worker.lines()) == [str(number) for number in range(1, 1001)]
    assert b"".join(worker.output()) == worker.log_path.read_bytes()
    worker.wait()


async def test_a_reader_that_comes_after_a_rotation(tmp_path: Path) -> None:
    """A reader gets what is at the log's place, once: not again and again for what was moved away."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"], cwd=tmp_path)
    await ready(worker)
    worker.log_path.rename(tmp_path / "rotated")
    (tmp_path / "go").touch()
    await worker.wait()
    assert [line async for line in worker.lines()] == ["after"]


async def test_a_log_that_was_cut_off(tmp_path: Path) -> None:
    """A reader goes on behind a cut, and one of an emptied log comes to an end."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo x"], cwd=tmp_path)
    seen = []
    async for line in worker.lines():
        seen.append(line)
        if line == "ready":
            os.truncate(worker.log_path, 0)
            (tmp_path / "go").touch()
    assert seen == ["ready", "x"]
    await worker.wait()
    os.truncate(worker.log_path, 0)
    async with asyncio.timeout(10):
        assert [line async for line in worker.lines()] == []


async def test_who_stops_reading_twice_leaves_no_file_open(tmp_path: Path) -> None:
    """A second cancellation, while all disk threads are busy, does not cancel the closing of the file."""
    writer = await LogWriter.open(tmp_path / "F1.log")
    writer.put(b"line\n")
    seen, released = asyncio.Event(), threading.Event()

    async def follow() -> None:
        async for _ in follow_lines(writer):
            seen.set()

    following = asyncio.create_task(follow())
    await seen.wait()
    busy = [DISK_THREADS.submit(released.wait) for _ in range(MOST_THREADS)]
    for _ in range(2):
        following.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([following])
    released.set()
    await asyncio.gather(*map(asyncio.wrap_future, busy))
    await writer.close()
