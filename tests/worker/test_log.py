"""The log is the output, byte for byte, whatever the bytes are and however they come."""

import asyncio
import itertools
import os
import select
import stat
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async import AsyncWorker
from nova_async.worker.log.file import LogFile, without
from nova_async.worker.log.writer import LogWriter
from tests.children import program, ready


async def logged(tmp_path: Path, command: list[str], **options: object) -> bytes:
    """Run a command to its successful end and return its log."""
    worker = AsyncWorker("F1", log_dir=tmp_path / "logs")
    await worker.start(command)
    assert await worker.wait() == 0
    assert worker.get_status_dict()["log_error"] is None
    return worker.log_path.read_bytes()


async def test_stdout_and_stderr_in_the_order_they_were_written(tmp_path: Path) -> None:
    """Both streams are one pipe, so their order is the child's own."""
    script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done"
    lines = (await logged(tmp_path, ["sh", "-c", script])).splitlines()
    assert lines == [b"%s %d" % (which, number) for number in range(1, 6) for which in (b"out", b"err")]


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_300_000, 64 * 1024 * 1024])
async def test_a_single_line_of_any_length(size: int, tmp_path: Path) -> None:
    """No line is too long: 64 MiB without a line end arrive whole (G5)."""
    log = await logged(tmp_path, ["sh", "-c", f"head -c {size} /dev/zero; echo; echo end"])
    assert len(log) == size + 5
    assert log.count(0) == size
    assert log.endswith(b"\nend\n")


async def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Invalid UTF-8, NULs, carriage returns and a missing last line end are logged as they are (G8)."""
    recorded = tmp_path / "odd"
    recorded.write_bytes(b"\xff\xfe\0\r50%\r100%\n" + "💥".encode() * 20_000 + b"\xf0\x9f\n\xe2\x80\xa8 no end")
    assert await logged(tmp_path, program("replay", "burst", recorded)) == recorded.read_bytes()


async def test_one_byte_at_a_time(tmp_path: Path) -> None:
    """Output that trickles in single bytes is the same output."""
    recorded = tmp_path / "slow"
    recorded.write_bytes(os.urandom(3000))
    assert await logged(tmp_path, program("replay", "bytes", recorded)) == recorded.read_bytes()


async def test_a_burst_of_two_megabytes_and_an_exit(tmp_path: Path) -> None:
    """Whatever was in the pipe at the exit is logged."""
    recorded = tmp_path / "burst"
    recorded.write_bytes(os.urandom(2_000_000))
    assert await logged(tmp_path, program("replay", "burst", recorded)) == recorded.read_bytes()


async def test_a_hundred_megabytes(tmp_path: Path) -> None:
    """A flood arrives whole, in order and counted."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("flood", "100000000"))
    assert await worker.wait() == 0
    log = worker.log_path.read_bytes()
    assert len(log) == 100_000_000
    assert worker.get_token_usage()["output_tokens"] == 2 * log.count(b"Token usage:")
    numbers = [int(line[:7]) for line in log.splitlines()[:-1] if not line.startswith(b"Token")]
    assert all((later - number) % 10_000 in (1, 2) for number, later in itertools.pairwise(numbers))


@given(st.lists(st.binary(max_size=200), max_size=20))
@settings(max_examples=15, deadline=None)
def test_any_output_is_logged_as_it_is(pieces: list[bytes]) -> None:
    """Whatever bytes a child prints in whatever pieces, the log is their sum."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for number, piece in enumerate(pieces):
            (path / str(number)).write_bytes(piece)
        names = [str(path / str(number)) for number in range(len(pieces))] or ["/dev/null"]
        assert asyncio.run(logged(path, ["cat", *names])) == b"".join(pieces)


async def test_output_is_in_the_log_while_the_child_runs(tmp_path: Path) -> None:
    """What a child has said can be read from its log at once."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(program("silent"))
        await ready(worker)
        assert worker.log_path.read_text() == "ready\n"
        assert worker.is_alive()


async def test_earlier_logs_are_kept(tmp_path: Path) -> None:
    """The newest attempt is F1.log, earlier ones are F1~1.log, F1~2.log …, oldest first (G27)."""
    for attempt in range(1, 13):
        worker = AsyncWorker("F1", log_dir=tmp_path)
        await worker.start(["echo", f"attempt {attempt}"])
        await worker.wait()
    found = {path.name: path.read_text() for path in tmp_path.glob("*.log")}
    assert found.pop("F1.log") == "attempt 12\n"
    assert found == {f"F1~{number}.log": f"attempt {number}\n" for number in range(1, 12)}


async def test_similar_names_do_not_count(tmp_path: Path) -> None:
    """Only this task's kept logs give the next number, and a gap is not filled."""
    for name in ("F1.log", "F1~7.log", "F10~9.log", "F1~x.log", "XF1~8.log"):
        (tmp_path / name).write_text(name)
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["echo", "new"])
    await worker.wait()
    assert (tmp_path / "F1~8.log").read_text() == "F1.log"


async def test_logs_are_private(tmp_path: Path) -> None:
    """A log is for its owner's eyes only: agents print secrets."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["echo", "hi"])
    await worker.wait()
    assert stat.S_IMODE(worker.log_path.stat().st_mode) == 0o600


async def test_two_workers_with_one_log(tmp_path: Path) -> None:
    """A second worker of the same id moves the first one's log aside; each keeps its own bytes."""
    async with AsyncWorker("F1", log_dir=tmp_path) as first, AsyncWorker("F1", log_dir=tmp_path) as second:
        await first.start(["sh", "-c", "echo first; while [ ! -e go ]; do sleep 0.01; done; echo last"], cwd=tmp_path)
        async for _ in first.lines():
            break
        await second.start(["echo", "second"])
        await second.wait()
        (tmp_path / "go").touch()
        await first.wait()
    assert (tmp_path / "F1.log").read_text() == "second\n"
    assert (tmp_path / "F1~1.log").read_text() == "first\nlast\n"


async def test_an_impatient_child_loses_nothing(tmp_path: Path) -> None:
    """A child that drops what the pipe does not take at once finds us reading (G33)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("impatient", "2400000"))
    assert await worker.wait() == 0
    assert worker.log_path.stat().st_size == 2_400_000 + len("ready\n")


async def test_the_program_may_change_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative log stays where it was opened."""
    monkeypatch.chdir(tmp_path)
    worker = AsyncWorker("F1")
    await worker.start(["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"])
    await ready(worker)
    monkeypatch.chdir("/")
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    assert worker.get_status_dict()["log_error"] is None
    assert (tmp_path / "logs/F1.log").read_text() == "ready\nafter\n"


def test_bytes_that_are_handed_over_twice(tmp_path: Path) -> None:
    """A write that was cancelled and handed over again is written once, whichever thread comes first."""
    with LogFile(tmp_path / "F1.log") as file:
        for _ in range(2):
            assert file.write(b"once ", 0) == 5
        file.write(b"and more", 5)
        file.write(b"once ", 0)
    assert (tmp_path / "F1.log").read_bytes() == b"once and more"


@given(st.lists(st.binary(max_size=5), max_size=8), st.integers(0, 50))
def test_what_is_left_of_a_write(chunks: list[bytes], taken: int) -> None:
    """Whatever a disk takes of several chunks, the rest is what follows, and no chunk is empty for want of room."""
    left = without(taken, chunks)
    assert b"".join(left) == b"".join(chunks)[taken:]
    assert not left or left[0]


async def test_a_log_is_known_by_more_than_its_name(tmp_path: Path) -> None:
    """Of several workers with one id, one after another, each shows and names its own output."""
    workers = [AsyncWorker("F1", log_dir=tmp_path) for _ in range(3)]
    for number, worker in enumerate(workers):
        await worker.start(["echo", f"attempt {number}"])
        await worker.wait()
    for number, worker in enumerate(workers):
        assert [line async for line in worker.lines()] == [f"attempt {number}"]
        assert worker.log_path.read_text() == f"attempt {number}\n"
        assert worker.get_status_dict()["log_path"] == str(worker.log_path)
    assert [worker.log_path.name for worker in workers] == ["F1~1.log", "F1~2.log", "F1.log"]


async def test_a_log_that_another_process_moved_aside_is_found(tmp_path: Path) -> None:
    """The lines of a worker are its own, also when a worker of another program has taken the log's name."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["echo", "mine"])
    await worker.wait()
    script = "from nova_async import Worker; w = Worker('F1', log_dir='.'); w.start(['echo', 'theirs']); w.wait()"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=tmp_path)
    assert await other.wait() == 0
    assert (tmp_path / "F1.log").read_text() == "theirs\n"
    assert [line async for line in worker.lines()] == ["mine"]


async def test_two_at_once_each_follow_their_own(tmp_path: Path) -> None:
    """While two workers of one id run, neither shows the other's output."""
    script = "echo {0}; while [ ! -e go ]; do sleep 0.01; done; echo {0}"
    async with AsyncWorker("F1", log_dir=tmp_path) as first, AsyncWorker("F1", log_dir=tmp_path) as second:
        await first.start(["sh", "-c", script.format("first")], cwd=tmp_path)
        following = first.lines()
        seen = [await anext(following)]
        await second.start(["sh", "-c", script.format("second")], cwd=tmp_path)
        (tmp_path / "go").touch()
        seen += [line async for line in following]
        assert seen == ["first", "first"]
        assert [line async for line in second.lines()] == ["second", "second"]


async def test_a_wake_up_is_no_news(tmp_path: Path) -> None:
    """A follower that has read bytes before the loop heard of them goes on waiting for the next ones."""
    writer = await LogWriter.open(tmp_path / "F1.log")
    writer.put(b"one\n")
    await asyncio.sleep(0)  # the write is handed to its thread
    while writer.written < 4:
        time.sleep(0.001)  # noqa: ASYNC251 - the loop must not hear of it yet
    waiting = asyncio.create_task(writer.more(4))
    while writer._flushing is not None:
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    writer.put(b"two\n")
    await waiting
    assert writer.written == 8
    await writer.close()


async def test_lines_end_with_the_last_one(tmp_path: Path) -> None:
    """However the reader and the writer of a log interleave, no follower ends in the middle."""
    script = "import time\nfor n in range(150): print(n, flush=True); time.sleep(0.0005)"
    for attempt in range(10):
        async with AsyncWorker(f"F{attempt}", log_dir=tmp_path) as worker:
            await worker.start([sys.executable, "-c", script])
            assert [int(line) async for line in worker.lines()] == list(range(150))


def timers() -> list[asyncio.TimerHandle]:
    """Return what the loop still means to call."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [handle for handle in scheduled if not handle.cancelled()]


async def test_nothing_of_a_writer_stays_in_the_loop(tmp_path: Path) -> None:
    """No look at the disk is due once the log is closed, and nobody who waited for more is remembered."""
    writer = await LogWriter.open(tmp_path / "F1.log")
    waiting = asyncio.create_task(writer.more(0))
    given_up = asyncio.create_task(writer.more(0))
    await asyncio.sleep(0)
    given_up.cancel()
    writer.put(b"x")
    await waiting
    assert not writer._followers
    writer.put(b"y")
    await writer.close()
    assert timers() == []


async def test_a_loop_that_ends_at_once_loses_nothing(tmp_path: Path) -> None:
    """All its tasks are cancelled before what was put down is being written: closing writes it."""
    writer = await LogWriter.open(tmp_path / "F1.log")
    writer.put(b"all of it")
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await writer.close()
    assert (tmp_path / "F1.log").read_bytes() == b"all of it"


def test_a_log_that_is_opened_again_stays_our_own(tmp_path: Path) -> None:
    """No child inherits it; and where only a link lies by then, it is not followed."""
    log = LogFile(tmp_path / "F1.log")
    (tmp_path / "F1.log").unlink()
    log.write(b"one")
    assert (tmp_path / "F1.log").read_bytes() == b"one"
    assert not os.get_inheritable(log.fileno())
    (tmp_path / "F1.log").unlink()
    (tmp_path / "F1.log").symlink_to(tmp_path / "elsewhere")
    log.write(b"two")
    log.close()
    assert not (tmp_path / "elsewhere").exists()


def test_closing_waits_for_the_write_under_way(tmp_path: Path) -> None:
    """A disk that is slow to take it gets it whole, and never into another file that has the number by then."""
    path = tmp_path / "F1.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = LogFile(path)
    writing = threading.Thread(target=log.write, args=(b"x" * 200_000,))
    writing.start()
    assert select.select([reader], [], [], 20)[0]  # the first part is there, the rest finds no room
    closing = threading.Thread(target=log.close)
    closing.start()
    closing.join(0.2)
    was_waiting = closing.is_alive()
    received = 0
    os.set_blocking(reader, True)
    while chunk := os.read(reader, 65_536):
        received += len(chunk)
    writing.join()
    closing.join()
    os.close(reader)
    assert (was_waiting, received) == (True, 200_000)
