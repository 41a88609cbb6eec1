"""What clients are sent costs as much as what has changed, and a client that does not read costs nothing more."""

import asyncio
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nova_async._core.threads import in_thread
from nova_async.control import feed
from nova_async.control.client import Control, connected
from nova_async.control.protocol import Kind, Stop
from nova_async.control.subscriber import CHUNK, MOST_UNSENT, Subscriber
from tests.control.runs import answering, connect, ready

HELD = "ID | What | Deps\n A1 | read x < fifo | -\n B1 | true | A1\n C1 | true | -"


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Note which tasks are written, each time."""
    seen: list[list[str]] = []
    real = feed.written

    def noting(views: Any, run: Any) -> Any:
        seen.append([view.id for view in views])
        return real(views, run)

    monkeypatch.setattr(feed, "written", noting)
    return seen


async def test_a_change_is_written_once_for_all(tmp_path: Path, encodings: list[list[str]]) -> None:
    """Ten watchers cost as many encodings as one; tasks that have not changed are not written again."""
    os.mkfifo(tmp_path / "fifo")
    async with answering(HELD, tmp_path) as run:
        assert encodings == []  # nobody looks
        clients = [connect(run.address) for _ in range(10)]
        for client in clients:
            client.sendall(b'{"do": "watch"}\n')
        files = [client.makefile("rb") for client in clients]
        for file in files:
            assert json.loads(await in_thread(file.readline))["kind"] == Kind.SNAPSHOT
        await ready(run, lambda: run.runner.views["C1"].completed_at is not None)
        written = len(encodings)
        await in_thread((tmp_path / "fifo").write_text, "\n")
        await run.running
        last = [await in_thread(file.read) for file in files]
        assert all(said.endswith(min(last, key=len)) for said in last)  # who came first has seen more, and all the same
        rounds = encodings[written:-1]  # the last one writes how all tasks stand in the end
        assert len(rounds) <= max(last, key=len).count(b"\n") + 1
        for client, file in zip(clients, files, strict=True):
            file.close()
            client.close()


async def test_nobody_looks_and_nothing_is_kept(tmp_path: Path, encodings: list[list[str]]) -> None:
    """After the last watcher has gone nothing is written any more, and the next one gets a whole snapshot."""
    os.mkfifo(tmp_path / "fifo")
    async with answering(HELD, tmp_path) as run:
        async with connected(run.journal) as control:
            assert (await anext(control.watch()))["tasks"].keys() == {"A1", "B1", "C1"}
        async with connected(run.journal) as control:
            assert (await anext(control.watch()))["tasks"].keys() == {"A1", "B1", "C1"}
            await control.ask(Stop())
        assert [sorted(tasks) for tasks in encodings[:1]] == [["A1", "B1", "C1"]]


async def test_a_quiet_run_does_nothing_for_its_watchers(tmp_path: Path) -> None:
    """While nothing happens nothing is done, though somebody looks."""
    async with answering("ID | What\n A1 | exec sleep 60", tmp_path) as run, connected(run.journal) as control:
        watched = control.watch()
        await anext(watched)
        await ready(run, lambda: run.runner.views["A1"].pid is not None)
        async with asyncio.timeout(20):
            while await used_in_half_a_second(control) > 0.005:  # of a core: nothing is done in a loop, or by a timer
                pass
        await control.ask(Stop(kill=True))
        await watched.aclose()


async def used_in_half_a_second(control: Control) -> float:
    """Return how many seconds of a core this process used in half a second in which its run did nothing."""
    before = time.process_time()
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await control.wait()
    return time.process_time() - before


async def test_many_tasks_change_at_once(tmp_path: Path) -> None:
    """Of two thousand tasks a snapshot is written elsewhere: the event loop goes on meanwhile."""
    rows = HELD + "".join(f"\n T{number} | true | A1" for number in range(2000))
    os.mkfifo(tmp_path / "fifo")
    async with answering(rows, tmp_path) as run, connected(run.journal) as control:
        snapshot = await anext(control.watch())
        assert len(snapshot["tasks"]) == 2003
        await control.ask(Stop(kill=True))


class Pipe:
    """A client that reads when it is told to."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX)
        self.theirs.settimeout(20)
        self.behind: list[Subscriber] = []
        self.writer: asyncio.StreamWriter
        self.subscriber: Subscriber

    async def open(self) -> "Pipe":
        """Begin."""
        _, self.writer = await asyncio.open_unix_connection(sock=self.ours)
        self.subscriber = Subscriber(self.writer, self.behind.append)
        return self

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        data = b""
        while len(data) < size:
            data += self.theirs.recv(min(size - len(data), 1 << 20))
        return data

    async def close(self) -> None:
        """End."""
        self.subscriber.abort()
        await self.writer.wait_closed()
        self.theirs.close()


async def test_a_client_that_does_not_read_is_bounded() -> None:
    """Changes that it does not take are left out, its answers are not; once it has read it is caught up."""
    pipe = await Pipe().open()
    change = [b"x" * CHUNK]
    for _ in range(1000):
        pipe.subscriber.put(Kind.CHANGE, change)
        await asyncio.sleep(0)
    assert pipe.subscriber.is_behind
    assert pipe.writer.transport.get_write_buffer_size() <= 2 * CHUNK
    pipe.subscriber.put(Kind.ANSWER, [b"answer\n"])
    seen = b""
    while not seen.endswith(b"answer\n"):
        seen += await in_thread(pipe.theirs.recv, 1 << 20)
    assert len(seen) < MOST_UNSENT + 10 * CHUNK
    async with asyncio.timeout(20):
        while not pipe.behind:
            await asyncio.sleep(0)
    assert pipe.behind == [pipe.subscriber]
    assert pipe.subscriber.is_ready
    await pipe.close()


async def test_a_long_line_waits_in_pieces() -> None:
    """A snapshot of many tasks is handed over as it is read, and arrives whole."""
    pipe = await Pipe().open()
    pieces = [b"%06d," % number for number in range(1_000_000)]
    pipe.subscriber.put(Kind.SNAPSHOT, pieces)
    await asyncio.sleep(0)
    assert pipe.writer.transport.get_write_buffer_size() <= 2 * CHUNK
    assert await in_thread(pipe.read, 7_000_000) == b"".join(pieces)
    await pipe.close()


async def test_who_does_not_read_answers_gives_no_commands() -> None:
    """A client that only writes is not read any further, until it has read."""
    pipe = await Pipe().open()
    for _ in range(100):
        pipe.subscriber.put(Kind.ANSWER, [b"x" * CHUNK])
    waiting = asyncio.create_task(pipe.subscriber.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await in_thread(pipe.read, 99 * CHUNK)
    await asyncio.wait_for(waiting, 20)
    await pipe.close()
