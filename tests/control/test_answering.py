"""A run answers: clients see it from first to last, steer it, and harm neither it nor each other."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from nova_async._core.threads import in_thread
from nova_async.control.address import Listener
from nova_async.control.client import connected, running_run
from nova_async.control.protocol import Message, Stop
from nova_async.control.server import MOST_CLIENTS
from nova_async.errors import ControlError, NoRunError
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.words import RunEnd
from tests.control.runs import Answering, answering, ask_raw, connect, ready, said
from tests.leak_guard import descriptors

ROWS = "ID | What | Deps\n A1 | read x < fifo | -\n B1 | true | A1"


def make_fifo(folder: Path) -> Path:
    """Make what holds the first task back, until the test writes to it."""
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


async def let_go(run: Answering) -> None:
    """Let the first task end."""
    await ready(run, lambda: run.runner.views["A1"].pid is not None)
    await in_thread((run.folder / "fifo").write_text, "\n")


def merged(messages: list[Message]) -> Message:
    """Put a snapshot and the changes after it together."""
    tasks, parts = dict(messages[0]["tasks"]), {}
    for message in messages:
        assert message["tasks"].keys() <= tasks.keys()
        tasks.update(message["tasks"])
        parts.update({name: message[name] for name in ("project", "nova") if name in message})
    return {"tasks": tasks, **parts}


async def test_a_client_sees_the_run_to_its_end(tmp_path: Path) -> None:
    """Snapshot and changes together are what the state file says in the end, with every event once, in order."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:
        assert control.run == running_run(run.journal)
        assert (control.run.run_id, control.run.address) == (run.runner.run_view.run_id, run.address)
        messages = []
        async with aclosing(control.watch(since=0)) as watched:
            async for message in watched:
                messages.append(message)
                if len(messages) == 1:
                    await let_go(run)
        assert messages.pop() == {"kind": "over", "end": RunEnd.COMPLETED}
        assert (control.is_over, control.end) == (True, RunEnd.COMPLETED)
        await run.running
    assert {message["kind"] for message in messages[1:]} == {"change"}
    assert merged(messages) == json.loads((tmp_path / "state.json").read_text())
    told = [(event["number"], event["event"]) for message in messages for event in message["events"]]
    journal = JournalReader(run.journal)
    assert told == [(event.number, event.kind) for event in journal.changes(0)]
    assert messages[-1]["number"] == journal.last_number()
    assert journal.runs()[0].control == str(run.address)


async def test_two_clients_see_the_same(tmp_path: Path) -> None:
    """One that comes later gets a snapshot of its own, and then the same lines; one that goes harms nobody."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as first, connected(run.journal) as second:
        watched = first.watch()
        begin = await anext(watched)
        async with connected(run.journal) as third:
            assert (await anext(third.watch()))["tasks"].keys() == begin["tasks"].keys()
        others = second.watch(begin["number"])
        snapshot = await anext(others)
        assert all(event["number"] > begin["number"] for event in snapshot["events"])
        await let_go(run)
        seen = [[message async for message in messages] for messages in (watched, others)]
        assert merged([begin, *seen[0][:-1]]) == merged([snapshot, *seen[1][:-1]])
        assert seen[0][-1] == seen[1][-1] == {"kind": "over", "end": RunEnd.COMPLETED}
        await watched.aclose()
        await others.aclose()


async def test_a_stop_from_elsewhere(tmp_path: Path) -> None:
    """As one Ctrl-C: the agents are asked to end, and what has not begun stays for the next run."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:
        assert (await control.ask(Stop()))["ok"]
        await control.wait()
        assert (control.is_over, control.end) == (True, RunEnd.STOPPED)
        assert (await run.running).tasks["B1"].attempt == 0
    with pytest.raises(NoRunError, match="no run is running here"):
        running_run(run.journal)
    assert not run.address.exists()


async def test_a_run_that_was_killed_is_none(tmp_path: Path) -> None:
    """A socket that a dead run has left is no run to a client, and the next run takes its place."""
    make_fifo(tmp_path)
    with pytest.raises(NoRunError, match=r"does not exist"):
        running_run(tmp_path / ".nova/journal.db")
    (tmp_path / ".nova").mkdir()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / ".nova/journal.db.sock"))
    dead.close()
    async with answering(ROWS, tmp_path) as run:
        assert run.address == tmp_path / ".nova/journal.db.sock"
        assert run.address.stat().st_mode & 0o777 == 0o600
        with connect(run.address):
            pass


async def test_what_is_not_a_socket_is_left_alone(tmp_path: Path) -> None:
    """Somebody's file in the socket's place is not touched: the run answers elsewhere, in a folder of its user."""
    make_fifo(tmp_path)
    (tmp_path / ".nova").mkdir()
    (tmp_path / ".nova/journal.db.sock").write_text("mine")
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:
        assert (await control.ask(Stop()))["ok"]
        assert run.address.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".nova/journal.db.sock").read_text() == "mine"
    assert not run.address.exists()


async def test_a_folder_with_a_long_path(tmp_path: Path) -> None:
    """Where a socket's path would be too long, the socket is in a folder of its user, and found all the same."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    make_fifo(folder)
    async with answering(ROWS, folder) as run, connected(run.journal) as control:
        assert (await control.ask(Stop()))["ok"]
        assert run.warnings() == []


def dead_socket(path: Path, *, age: float = 3600.0) -> Path:
    """Make a socket on which nobody listens, as a killed run leaves it."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


async def test_what_killed_runs_have_left_elsewhere_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any next run of the user removes dead sockets: none that listens, or is new, and nothing that is none of ours."""
    folders = [(tmp_path, "mine"), (tmp_path, "open to all"), (tmp_path, "nowhere")]
    monkeypatch.setattr("nova_async.control.address.runtime_folders", lambda: folders)
    mine, others = tmp_path / "mine", tmp_path / "open to all"
    mine.mkdir(mode=0o700)
    others.mkdir(mode=0o755)
    dead = dead_socket(mine / "dead.sock")
    kept = [dead_socket(mine / "new.sock", age=1.0), dead_socket(mine / "other"), dead_socket(others / "dead.sock")]
    kept += [mine / "file.sock", mine / "link.sock", mine / "alive.sock"]
    kept[-3].touch()
    kept[-2].symlink_to(kept[-1])
    os.utime(kept[-3], (0, 0))
    with contextlib.closing(Listener(mine / "alive.sock", replaces=False)):
        os.utime(mine / "alive.sock", (0, 0))
        make_fifo(tmp_path)
        async with answering(ROWS, tmp_path) as run, connected(run.journal):
            assert not dead.exists()
            assert all(path.exists() for path in kept)


def endless_line(address: Path) -> str:
    """Send a line without an end, and return what is said about it."""
    with connect(address) as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"x" * (10 * 1024 * 1024))
        return client.recv(1000).decode()


async def test_strangers_lines_harm_nobody(tmp_path: Path) -> None:
    """Garbage, a line without an end, half a command: each is answered or dropped, and the run goes on."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:
        watched = control.watch()
        await anext(watched)
        garbage = await ask_raw(run.address, b"\x00\xff{\n" * 100)
        assert [message["ok"] for message in garbage] == [False] * 10  # then it is hung up on
        assert "a line may have 1,048,576 bytes at most" in await in_thread(endless_line, run.address)
        assert await ask_raw(run.address, b'{"do": "stop"') == []  # killed in the middle of it
        odd = await ask_raw(run.address, b'{"do": "stop", "kill": 7, "id": 3}\n{"nova": 9, "do": "stop", "id": 4}\n')
        assert [(message["id"], message["ok"]) for message in odd] == [(3, False), (4, False)]
        assert not run.running.done()
        await let_go(run)
        assert [message async for message in watched][-1]["end"] == RunEnd.COMPLETED
        await watched.aclose()


def sockets() -> list[int]:
    """Return the sockets that this process has open."""
    return [number for number, what in descriptors().items() if what.startswith("socket:")]


def crowd(address: Path, size: int) -> tuple[list[socket.socket], int]:
    """Connect so often; return who is served, and how many were told that there is no room."""
    served, refused = [], 0
    for _ in range(size):
        client = connect(address)
        if len(served) < MOST_CLIENTS:
            served.append(client)
            continue
        with client:
            refused += "clients already" in said(client)["error"]
    return served, refused


async def test_a_thousand_connections(tmp_path: Path) -> None:
    """So many clients are served, the others are told that there is no room; when they go, others can come."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run:
        before = len(sockets())
        clients, refused = await in_thread(crowd, run.address, 1000)
        assert (len(clients), refused) == (MOST_CLIENTS, 1000 - MOST_CLIENTS)
        assert len(sockets()) == before + 2 * MOST_CLIENTS  # both ends are ours
        with pytest.raises(ControlError, match="64 clients already"):
            async with connected(run.journal) as control:
                await control.ask(Stop())
        for client in clients:
            client.close()
        async with asyncio.timeout(20):
            while len(sockets()) > before:
                await asyncio.sleep(0)
        async with connected(run.journal) as control:
            await control.ask(Stop())


@pytest.mark.parametrize("remove", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("elsewhere"))])
async def test_the_folder_is_removed_under_the_run(tmp_path: Path, remove: Callable[[Path], object]) -> None:
    """Who is connected stays so, and others find the run again."""
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as early:
        watched = early.watch()
        await anext(watched)
        remove(tmp_path / ".nova")
        await ready(run, lambda: any("restored" in warning for warning in run.warnings()) and run.address.exists())
        async with connected(run.journal) as late:
            assert (await late.ask(Stop()))["ok"]
        assert [message async for message in watched][-1]["end"] == RunEnd.STOPPED
        await watched.aclose()


async def test_a_client_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has said nothing whole for a while is hung up on; who has may be silent as long as it likes."""
    monkeypatch.setattr("nova_async.control.server.FIRST_WORD", 0.2)
    make_fifo(tmp_path)
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:
        watched = control.watch()
        await anext(watched)
        with connect(run.address) as slow:
            slow.sendall(b'{"do"')
            assert await in_thread(slow.recv, 1) == b""
        await control.ask(Stop())
        assert [message async for message in watched][-1]["end"] == RunEnd.STOPPED
        await watched.aclose()


async def test_a_disk_without_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no socket can be made the run goes on, says so, and a client is told why it cannot reach it."""
    make_fifo(tmp_path)
    (tmp_path / ".nova").mkdir()
    (tmp_path / ".nova/journal.db.sock").mkdir()
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/nova").write_text("not a folder")
    monkeypatch.setattr("nova_async.control.address.runtime_folders", lambda: [(tmp_path / "runtime", "nova")])
    async with answering(ROWS, tmp_path) as run:
        [warning] = run.warnings()
        assert warning.startswith("nobody can watch or steer this run from elsewhere: ")
        with pytest.raises(ControlError, match="cannot be reached: it has no socket"):
            running_run(run.journal)
        await let_go(run)
        assert (await run.running).ok
    assert read_state(tmp_path / "state.json")[0].control is None


async def test_no_child_inherits_the_socket(tmp_path: Path) -> None:
    """An agent cannot keep the run's clients waiting once the run is dead."""
    rows = "ID | What\n A1 | ls -l /proc/self/fd; echo ready; exec sleep 60"
    async with answering(rows, tmp_path) as run, connected(run.journal):
        await ready(run, lambda: run.runner.views["A1"].log is not None)
        log = tmp_path / "logs/A1.log"
        async with asyncio.timeout(20):
            while "ready" not in (listed := log.read_text()):
                await asyncio.sleep(0.01)
    assert "socket:" not in listed


def test_no_fork_keeps_the_socket(tmp_path: Path) -> None:
    """A copy of this process does not listen: who connects after the run has died is told so at once."""
    listener = Listener(tmp_path / "s", replaces=True)
    if (pid := os.fork()) == 0:
        os._exit(listener.socket.fileno() == -1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    listener.close()
    assert not listener.path.exists()
