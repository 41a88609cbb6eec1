"""What a look at the process table can miss, and whom it can take for a member: neither does any harm."""

import asyncio
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_async._core.threads import DISK_THREADS
from nova_async.process import procfs
from nova_async.process.exits import until_exited
from nova_async.process.family import Family
from nova_async.process.kinship import ProcessEntry
from nova_async.process.snapshot import look_together
from nova_async.process.spawn import spawn
from nova_async.process.sweep import Orphans
from nova_async.process.table import ProcessTable

from .watching import all_dead_within, announced, everyone_of_ours, is_alive, running, text_until

pytestmark = pytest.mark.skipif(not procfs.usable(), reason="stands before Linux's reader of the process table")

TWO = ("sh", "-c", "setsid sleep 60 & echo ready $!; exec sleep 60")


class StandIn:
    """Linux's process table, with something between it and whoever asks."""

    def __getattr__(self, name: str) -> object:
        return getattr(procfs, name)


class Blinking(StandIn):
    """A table that sees nobody in so many looks as its eyes are shut."""

    shut = 0

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return everyone, or nobody as long as the eyes are shut."""
        self.shut -= 1
        return [] if self.shut >= 0 else procfs.everyone(since)


class Slow(StandIn):
    """A table in which something happens after a look has passed the later numbers, and before it comes to the end."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return those who were there at the beginning and are still there at the end."""
        listed = procfs.everyone(since)
        self.meanwhile()
        return [entry for entry in listed if is_alive(entry.pid)]


class EarlierLife(StandIn):
    """A table that says of every process, until it is over, that it started long before."""

    over = False

    def look(self, pid: int) -> ProcessEntry | None:
        """Return one process, an earlier one with its number at first."""
        entry = procfs.look(pid)
        if entry is not None and not self.over:
            entry.start_time -= 1000
        return entry


class Halting(StandIn):
    """A table whose looks take until they may go on."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return nobody, in the end."""
        self.begun.release()
        self.go_on.wait()
        return []


class Blind(StandIn):
    """A table that can list nobody, as where no descriptor is left, until it sees again."""

    sees = False

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Raise what the system says then."""
        if self.sees:
            return procfs.everyone(since)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class Crowded(StandIn):
    """A table that shows a crowd in one session, all of whom have exited when they are signalled."""

    pids = range(1 << 23, (1 << 23) + 6000)  # beyond what the kernel can allocate

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return the crowd."""
        return [ProcessEntry(pid, 1, pid, pid, since, "crowd", alive=True) for pid in self.pids]

    def path_of(self, pid: int) -> str | None:
        """Return the path of the one family."""
        return "/crowd.1"


class Backwards(StandIn):
    """A table that lists the youngest first."""

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return everyone."""
        return procfs.everyone(since)[::-1]


@pytest.fixture
def blinking(monkeypatch: pytest.MonkeyPatch) -> Blinking:
    """Have all families of this test look through such eyes."""
    table = Blinking()
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    return table


async def test_a_kill_does_not_believe_one_look_that_misses_everybody(blinking: Blinking) -> None:
    """Whoever is between fork and exec shows no cookie for a moment: only the second empty look counts."""
    async with running(*TWO) as child:
        [runaway] = await announced(child)
        blinking.shut = 1
        assert await child.family.kill() == []
        assert not is_alive(runaway)


async def test_a_kill_without_a_loop_does_not_believe_it_either(blinking: Blinking) -> None:
    """The same at the interpreter's exit."""
    async with running(*TWO) as child:
        [runaway] = await announced(child)
        blinking.shut = 1
        child.family.kill_now()
        assert not is_alive(child.pid)
        assert not is_alive(runaway)


async def test_a_family_that_had_others_is_gone_after_two_looks(blinking: Blinking) -> None:
    """One look that misses them is no proof, where there were any."""
    async with running("sh", "-c", "setsid sleep 60 & echo ready $!") as child:
        [runaway] = await announced(child)
        await child.wait()
        assert [member.pid for member in child.family.others()] == [runaway]
        blinking.shut = 1
        assert not await child.family.gone(0.3)


async def test_who_forks_and_exits_during_a_look_is_found_by_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look has passed the child's number before it was born, and comes by when its parent is gone."""
    table, gate = Slow(), tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    async with running("sh", "-c", 'echo ready; read word < "$1"; setsid sleep 60 & exit 0', "sh", str(gate)) as child:
        await text_until(child)

        def let_it_go() -> None:
            table.meanwhile = lambda: None
            gate.write_text("go\n")
            assert all_dead_within([child.pid], 5)

        table.meanwhile = let_it_go
        [found] = child.family.members()
        assert found.pid != child.pid


@pytest.fixture
def strangers() -> Iterator[tuple[int, int]]:
    """Start a leader of a session with one child, neither of them anybody's family; give both numbers."""
    command = ["sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        yield process.pid, child
        os.killpg(process.pid, signal.SIGKILL)


async def nobody() -> None:
    """Stand in for the exit of a leader that is gone."""


def test_a_number_that_is_a_strangers_by_now_means_nobody(strangers: tuple[int, int]) -> None:
    """Neither he nor his session nor his group is signalled: the leader whose number it was is gone (G14)."""
    table = EarlierLife()
    family = Family(strangers[0], "/nobody.1", born=0, since=0, leader_exit=nobody, table=table)
    table.over = True
    assert family.members() == []
    family.signal_group(signal.SIGKILL)
    family.kill_now()
    assert all(map(is_alive, strangers))


def test_a_leader_that_is_not_our_child_is_no_leader(strangers: tuple[int, int]) -> None:
    """It was reaped so quickly that its number was given away before the first look."""
    family = Family(strangers[1], "/nobody.1", born=0, since=0, leader_exit=nobody)
    assert family.leader_start_time is None
    assert family.members() == []
    family.signal_group(signal.SIGKILL)
    assert all(map(is_alive, strangers))


async def test_a_killed_family_is_reported_when_its_leader_is_reaped() -> None:
    """Not before its exit is known: whoever asks for the code next must get it."""
    process = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    reaped = asyncio.Event()
    family = Family(process.pid, "/nobody.1", born=0, since=0, leader_exit=reaped.wait)
    killing = asyncio.create_task(family.kill())
    assert await process.wait() == -signal.SIGKILL
    await asyncio.wait([killing], timeout=0.2)
    assert not killing.done()
    reaped.set()
    assert await killing == []


async def test_waiting_for_several_ends_with_the_last() -> None:
    """Not with the first of them."""
    async with running("sleep", "60") as first, running("sleep", "60") as last:
        members = [*first.family.members(), *last.family.members()]
        waiting = asyncio.create_task(until_exited(procfs, members))
        await asyncio.sleep(0)  # now it waits for both
        first.family.signal(signal.SIGKILL)
        await first.wait()
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        last.family.signal(signal.SIGKILL)
        await waiting


@pytest.mark.parametrize("table", [procfs, Backwards()], ids=["oldest first", "youngest first"])
async def test_the_leader_comes_first_then_the_older(table: ProcessTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the system lists them: a shell must not see its child die before its own signal."""
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    async with running("sh", "-c", "sleep 60 & first=$!; sleep 60 & echo ready $first $!; wait") as child:
        children = await announced(child)
        assert [member.pid for member in child.family.members()] == [child.pid, *children]


async def test_families_that_share_a_look_each_see_their_own() -> None:
    """The look goes back as far as the oldest of them needs it."""
    async with running("sleep", "60") as older:
        started = older.family.leader_start_time
        while procfs.now() <= (started or 0):
            await asyncio.sleep(0)
        async with running("sleep", "60") as younger:
            found = await asyncio.gather(older.family.look(), younger.family.look())
            assert [[member.pid for member in members] for members in found] == [[older.pid], [younger.pid]]


async def test_looks_of_one_loop_do_not_overlap() -> None:
    """Who asks during a look gets the next one, once this one has ended."""
    table = Halting()
    first = asyncio.create_task(look_together(table, 0))
    await asyncio.get_running_loop().run_in_executor(DISK_THREADS, table.begun.acquire)
    second = asyncio.create_task(look_together(table, 0))
    await asyncio.wait([first, second], timeout=0.2)
    overlapping = table.begun.acquire(blocking=False)
    table.go_on.set()
    await asyncio.gather(first, second)
    assert not overlapping


async def test_those_who_ask_during_a_look_share_the_next_with_those_who_ask_after_it() -> None:
    """Where many end at about the same time, one look after the first serves them all."""
    table = Halting()
    first = asyncio.create_task(look_together(table, 0))
    await asyncio.get_running_loop().run_in_executor(DISK_THREADS, table.begun.acquire)
    during = asyncio.create_task(look_together(table, 0))
    await asyncio.sleep(0)
    table.go_on.set()
    snapshot = await first
    assert await look_together(table, 0) is await during is not snapshot


def test_the_guard_does_not_believe_one_look_that_misses_everybody(blinking: Blinking) -> None:
    """Nor is it content when its first look finds nobody at all."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "NOVA_WORKER": "/feed.1"}) as orphan:
        blinking.shut = 2
        Orphans("feed", os.getpid(), blinking).end(set())
        assert orphan.wait() == -signal.SIGKILL


async def test_a_crowd_costs_a_look_linear_time() -> None:
    """Thousands of members stop, go on and are killed without comparing each of them with all others."""
    family = Family(0, "/crowd.1", born=0, since=0, leader_exit=nobody, table=Crowded())
    start = time.process_time()
    await family.suspend()
    family.resume()
    family.kill_now(timeout=0.1)
    assert time.process_time() - start < 2  # seconds; each comparison of all with all takes more


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blind]:
    """Have all families of this test see nobody but their leaders."""
    table = Blind()
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    yield table
    table.sees = True


async def test_a_leader_is_killed_where_no_look_is_possible(blind: Blind) -> None:
    """Without a loop there is no second chance: whoever is known is killed at once."""
    async with running("sleep", "60") as child:
        child.family.kill_now(timeout=0.1)
        async with asyncio.timeout(5):
            assert await child.wait() == -signal.SIGKILL
        blind.sees = True


@pytest.mark.usefixtures("blind")
async def test_a_spawn_cancelled_where_no_look_is_possible() -> None:
    """It leaves nobody running."""
    starting = asyncio.create_task(spawn(["sleep", "60"], env=dict(os.environ)))
    for _ in range(3):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert everyone_of_ours() == []
