"""What happens between two looks at a family: births, strangers with an old number, and members that were not seen."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_async._core.threads import DISK_THREADS
from nova_async.process import procfs
from nova_async.process.cookie import supervisor_id
from nova_async.process.family import Family
from nova_async.process.kinship import ProcessEntry
from nova_async.process.sweep import Orphans

from .watching import announced, is_alive, running

pytestmark = pytest.mark.skipif(not procfs.usable(), reason="stands before Linux's reader of the process table")


class ChangedTable:
    """The process table, with something done to each look at everyone."""

    def __init__(self, change: Callable[[list[ProcessEntry]], list[ProcessEntry]]) -> None:
        self._change = change

    def __getattr__(self, name: str) -> object:
        return getattr(procfs, name)

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return what a look finds, changed."""
        return self._change(procfs.everyone(since))


@pytest.fixture
def look_through(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Callable[[list[ProcessEntry]], list[ProcessEntry]]], None]:
    """Have families look at everyone through a change."""
    return lambda change: monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", ChangedTable(change))


def stopped(pid: int) -> bool:
    """Tell whether a process stands still, or is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZX"
    except FileNotFoundError:
        return True


async def test_nobody_is_born_while_a_family_is_killed(look_through: Callable[..., None], tmp_path: Path) -> None:
    """A member that forks at each look stands still after the first: its last child would outlive it unseen."""
    os.mkfifo(tmp_path / "fork")
    orders = os.open(tmp_path / "fork", os.O_RDWR)
    born, ready = tmp_path / "born", asyncio.Event()

    def birth(found: list[ProcessEntry]) -> list[ProcessEntry]:
        """Order a birth after the look, and wait until it has happened or cannot happen any more."""
        if ready.is_set():
            before = born.read_text()
            os.write(orders, b"\n")
            while born.read_text() == before and not stopped(leader):
                time.sleep(0.001)
        return found

    look_through(birth)
    script = "while read x; do env -i setsid sleep 10 & echo $! >> born; done < fork & echo ready $!; wait"
    try:
        async with running("sh", "-c", script, cwd=tmp_path) as child:
            born.touch()
            [leader] = await announced(child)
            ready.set()
            assert await child.family.kill() == []
            pids = [int(pid) for pid in born.read_text().split()]
            assert pids
            assert not any(map(is_alive, pids))
    finally:
        os.close(orders)


async def test_a_look_that_misses_a_member_is_not_believed(look_through: Callable[..., None]) -> None:
    """One that is between fork and exec shows nothing of itself: who had others looks twice before all are gone."""
    blinks: list[bool] = []

    def blink(found: list[ProcessEntry]) -> list[ProcessEntry]:
        return [] if blinks and blinks.pop() else found

    look_through(blink)
    async with running("sh", "-c", "setsid sleep 60 & echo ready $!; exit 0") as child:
        [left] = await announced(child)
        await child.wait()
        assert [member.pid for member in child.family.others()] == [left]
        blinks.append(True)
        assert not await child.family.gone(0.3)
        assert blinks == []
        assert is_alive(left)


async def test_a_stranger_with_the_number_of_an_ended_session_is_none_of_the_family(
    look_through: Callable[..., None],
) -> None:
    """The system gives a number out again once nobody has it."""
    strangers: list[ProcessEntry] = []
    look_through(lambda found: [*found, *strangers])
    async with running("sh", "-c", "setsid sleep 60 & echo ready $!; exec sleep 60") as child:
        [session] = await announced(child)
        assert session in [member.pid for member in child.family.members()]
        os.kill(session, signal.SIGKILL)
        while not stopped(session):
            await asyncio.sleep(0.001)
        own = procfs.look(os.getpid())
        assert own is not None
        strangers.append(ProcessEntry(session, 1, session, session, own.start_time + 10**9, "stranger", alive=True))
        assert session not in [member.pid for member in child.family.members()]
        strangers.clear()


async def test_the_guard_looks_twice_before_it_goes(look_through: Callable[..., None]) -> None:
    """Two looks in a row must find nobody: one that is between fork and exec shows no cookie."""
    missed = [True, True]
    async with running("sleep", "60") as child:
        table = ChangedTable(lambda found: [] if missed and missed.pop() else found)
        orphans = Orphans(supervisor_id(), os.getpid(), table)  # type: ignore[arg-type]
        await asyncio.wrap_future(DISK_THREADS.submit(orphans.end, set()))
        assert await child.wait() == -signal.SIGKILL
