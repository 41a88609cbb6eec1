"""A disk that is slow, full, gone or dead: the child goes on, the counting is exact, and what is missing is told."""

import asyncio
import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits, WorkerEnd, WorkerStatus
from nova_async.worker.log import writer as log_writer
from nova_async.worker.log.writer import LogWriter
from tests.children import program, ready

FLOOD = 24 * 1024 * 1024  # bytes: three times what may wait for the disk


@pytest.fixture(scope="module")
def usage_lines() -> int:
    """Return how many whole usage lines there are in the flood."""
    flood = subprocess.check_output(program("flood", str(FLOOD)))
    return flood.count(b"Token usage: input=1, output=2, cache_read=3, cache_creation=4\n")


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Make a log that is a FIFO: it takes 64 KiB, and more only as somebody reads."""
    path = tmp_path / "F1.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def read_all(descriptor: int, into: bytearray) -> None:
    """Read a pipe to its end."""
    os.set_blocking(descriptor, True)
    while chunk := os.read(descriptor, 65536):
        into += chunk


def logged_and_missing(log: bytes) -> tuple[int, int]:
    """Return how many bytes of output a log holds, and how many its marks say are missing."""
    mark = re.compile(rb"\n\[nova: (\d+) bytes not logged\]\n")
    return len(mark.sub(b"", log)), sum(map(int, mark.findall(log)))


async def test_a_full_disk(usage_lines: int) -> None:
    """On a full disk the child ends well, the counting is exact, and the error says how much is missing (G7)."""
    worker = AsyncWorker("F1")
    worker.log_path = Path("/dev/full")
    await worker.start(program("flood", str(FLOOD)))
    assert await worker.wait() == 0
    assert worker.status is WorkerStatus.COMPLETED
    assert worker.get_token_usage()["input_tokens"] == usage_lines
    assert worker.get_status_dict()["log_error"] == f"No space left on device ({FLOOD} bytes not logged)"


async def test_waiting_for_our_disk_is_no_silence(fifo: tuple[Path, int]) -> None:
    """A child that could not be heard because the disk was slow has not stalled."""
    path, reader = fifo
    worker = AsyncWorker("F1", limits=Limits(idle_timeout=0.5))
    worker.log_path = path
    await worker.start(program("flood", str(FLOOD)))
    with pytest.raises(TimeoutError):
        await worker.wait(1.5)
    log = bytearray()
    reading = threading.Thread(target=read_all, args=(reader, log))
    reading.start()
    assert await worker.wait(60) == 0
    reading.join()
    assert len(log) == FLOOD
    assert worker.end is WorkerEnd.EXITED


async def test_a_file_that_may_not_grow(tmp_path: Path, usage_lines: int) -> None:
    """At a file size limit the log keeps what fitted, and the rest is counted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    worker = AsyncWorker("F1", log_dir=tmp_path)
    # The limit is ours alone: the child writes into a pipe.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        await worker.start(program("flood", str(FLOOD)))
        assert await worker.wait() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert worker.log_path.stat().st_size == 1_000_000
    assert worker.get_token_usage()["input_tokens"] == usage_lines
    assert worker.get_status_dict()["log_error"] == f"File too large ({FLOOD - 1_000_000} bytes not logged)"


async def test_our_own_marks_are_no_output(tmp_path: Path) -> None:
    """Where the disk takes the rest of what it had begun but not the mark, only the child's bytes are missing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = await LogWriter.open(tmp_path / "F1.log")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        writer.put(b"a" * 2000)
        while writer.error is None:
            await asyncio.sleep(0.01)
        writer.put(b"b" * (log_writer.TAIL_BYTES + 500))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        await writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "F1.log").read_bytes() == b"a" * 2000
    assert writer.lost == log_writer.TAIL_BYTES + 500


async def test_a_disk_that_has_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk works again, a mark says how many bytes are missing, and the log goes on with the latest."""
    monkeypatch.setattr(log_writer, "RETRY_SECONDS", (0.05, 0.05))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    worker = AsyncWorker("F1", log_dir=tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        script = " ".join(program("flood", str(FLOOD))) + "; echo ready; while [ ! -e go ]; do sleep 0.01; done; echo x"
        await worker.start(["sh", "-c", script], cwd=tmp_path)
        async with asyncio.timeout(20):
            while worker.get_status_dict()["log_error"] is None or worker._record.log.lost < FLOOD / 2:  # type: ignore[union-attr]
                await asyncio.sleep(0.01)  # the writer tells nobody but its status
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    log = worker.log_path.read_bytes()
    kept, missing = logged_and_missing(log)
    assert missing > FLOOD / 2
    assert kept + missing == FLOOD + len("ready\nx\n")
    assert log.endswith(b"x\n")
    assert worker.get_status_dict()["log_error"] == f"File too large ({missing} bytes not logged)"


async def test_a_disk_that_fails_again_is_soon_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause between two tries grows while the disk fails, and begins anew once it has worked."""
    monkeypatch.setattr(log_writer, "RETRY_SECONDS", (0.05, 60.0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = await LogWriter.open(tmp_path / "F1.log")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        writer.put(b"a" * 2000)
        async with asyncio.timeout(20):
            while writer._retry_seconds < 0.4:
                await asyncio.sleep(0.01)  # told to nobody
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await writer.more(1999)
        assert writer._retry_seconds == 0.05
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await writer.close()


async def test_a_slow_disk_slows_the_child(fifo: tuple[Path, int]) -> None:
    """A disk that is merely slow loses nothing: the child waits for it (G6)."""
    path, reader = fifo
    worker = AsyncWorker("F1")
    worker.log_path = path
    await worker.start(program("flood", str(FLOOD)))
    async with asyncio.timeout(20):
        while not worker._life._streams.pump.is_paused:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)  # pausing is told to nobody
    assert worker.is_alive()
    content = bytearray()
    thread = threading.Thread(target=read_all, args=(reader, content))
    thread.start()
    assert await worker.wait() == 0
    thread.join()
    assert len(content) == FLOOD
    assert worker.get_status_dict()["log_error"] is None


async def test_a_dead_disk_does_not_stop_the_child(
    fifo: tuple[Path, int], usage_lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes nothing counts as failed: the child ends, memory stays bounded, the loss is told (G6)."""
    monkeypatch.setattr(log_writer, "STALL_SECONDS", 0.5)
    path, reader = fifo
    worker = AsyncWorker("F1")
    worker.log_path = path
    await worker.start(program("flood", str(FLOOD)))
    assert await worker.wait(30) == 0
    assert worker.get_token_usage()["input_tokens"] == usage_lines
    log = worker._record.log
    assert log is not None
    assert log.error == "the disk accepted no data for 0.5 s"
    assert log._queued == 0
    assert FLOOD - 2 * 1024 * 1024 < log.lost <= FLOOD
    # Free the thread that hangs in its write, so that it can close the file.
    content = bytearray()
    read_all(reader, content)


async def test_a_dead_disk_that_comes_back(fifo: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a stalled disk could not take is marked when it takes again: mark and log add up to the output."""
    monkeypatch.setattr(log_writer, "STALL_SECONDS", 0.3)
    path, reader = fifo
    worker = AsyncWorker("F1")
    worker.log_path = path
    script = " ".join(program("flood", str(FLOOD))) + "; touch flooded; while [ ! -e go ]; do sleep 0.01; done; echo x"
    await worker.start(["sh", "-c", script], cwd=path.parent)
    async with asyncio.timeout(20):
        while not (path.parent / "flooded").exists():
            await asyncio.sleep(0.01)  # the child has no other way to speak: its pipe is what is tested
    content = bytearray()
    thread = threading.Thread(target=read_all, args=(reader, content))
    thread.start()
    (path.parent / "go").touch()
    assert await worker.wait() == 0
    thread.join()
    kept, missing = logged_and_missing(bytes(content))
    assert missing > FLOOD / 2
    assert kept + missing == FLOOD + len("x\n")
    assert content.endswith(b"x\n")


async def test_a_deleted_log(tmp_path: Path) -> None:
    """A log that is deleted while the child runs is written again at the same place, from its beginning."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"], cwd=tmp_path)
    await ready(worker)
    worker.log_path.unlink()
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    assert worker.log_path.read_text() == "ready\nafter\n"


async def test_a_renamed_log(tmp_path: Path) -> None:
    """A log that is moved away by a rotation loses no byte: the rest is in a new file."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"], cwd=tmp_path)
    await ready(worker)
    worker.log_path.rename(tmp_path / "rotated")
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    assert (tmp_path / "rotated").read_text() + worker.log_path.read_text() == "ready\nafter\n"


async def test_never_onto_somebody_elses_file(tmp_path: Path) -> None:
    """Where something else stands in the log's place by now, it is left alone."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"], cwd=tmp_path)
    await ready(worker)
    worker.log_path.rename(tmp_path / "moved")
    worker.log_path.write_text("somebody else's")
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    assert worker.log_path.read_text() == "somebody else's"
    assert (tmp_path / "moved").read_text() == "ready\nafter\n"


async def test_a_log_that_nobody_reads(tmp_path: Path) -> None:
    """A FIFO without a reader is an error at the start, not a start that hangs."""
    os.mkfifo(tmp_path / "F1.log")
    with pytest.raises(OSError, match="No such device or address"):
        await AsyncWorker("F1", log_dir=tmp_path).start(["true"])


def test_a_dead_disk_at_the_end_of_asyncio_run(fifo: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio.run ends although a write hangs in its thread when every task is cancelled."""
    monkeypatch.setattr(log_writer, "STALL_SECONDS", 0.3)
    path, reader = fifo
    worker = AsyncWorker("F1")
    worker.log_path = path

    async def main() -> None:
        await worker.start(["yes"])
        while not worker._life._streams.pump.is_paused:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)  # pausing is told to nobody

    asyncio.run(main())
    assert worker.get_status_dict()["log_error"].startswith("the disk accepted no data for 0.3 s")
    # Free the thread that hangs in its write, so that it can close the file: nothing was handed over twice.
    content = bytearray()
    read_all(reader, content)
    assert len(content) <= log_writer.WRITE_BYTES + 65536


async def test_standing_still_is_not_the_disks_fault(fifo: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a stop of the whole program (Ctrl-Z) the disk gets its time before it counts as failed."""
    monkeypatch.setattr(log_writer, "STALL_SECONDS", 1.0)
    path, reader = fifo
    worker = AsyncWorker("F1")
    worker.log_path = path
    await worker.start(program("flood", str(FLOOD)))
    async with asyncio.timeout(20):
        while not worker._life._streams.pump.is_paused:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)  # pausing is told to nobody
    time.sleep(1.2)  # noqa: ASYNC251 - standing still is what is tested
    content = bytearray()
    thread = threading.Thread(target=read_all, args=(reader, content))
    thread.start()
    assert await worker.wait() == 0
    thread.join()
    assert len(content) == FLOOD
    assert worker.get_status_dict()["log_error"] is None


async def test_whoever_pauses_is_always_told_to_go_on(fifo: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the queue was full for a moment only, because its first bytes went into the write that hangs."""
    monkeypatch.setattr(log_writer, "STALL_SECONDS", 0.2)
    path, reader = fifo
    log = await log_writer.LogWriter.open(path)
    room = asyncio.Event()
    log.on_room = room.set
    chunk = bytes(log_writer.WRITE_BYTES)
    while not log.is_full:
        log.put(chunk)
    async with asyncio.timeout(10):
        await room.wait()
    await log.close()
    assert log.closed
    read_all(reader, bytearray())  # frees the thread that hangs
