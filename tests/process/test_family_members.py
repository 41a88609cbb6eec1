"""Who belongs to a family: found by each method alone, and nobody else is."""

import os
import signal
import subprocess

import pytest

from nova_async.process import procfs, psutil_processes
from nova_async.process.family import Family, Member
from nova_async.process.kinship import ProcessEntry
from nova_async.process.table import ProcessTable

from .watching import all_dead_within, announced, is_alive, program, running

TABLES: list[ProcessTable] = [procfs, psutil_processes] if procfs.usable() else [psutil_processes]


class CountingTable:
    """A process table that counts how often everyone was looked at."""

    def __init__(self, table: ProcessTable) -> None:
        self.table = table
        self.full_looks = 0
        self.pid_limit = table.pid_limit

    def __getattr__(self, name: str) -> object:
        return getattr(self.table, name)

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Count, and pass the question on."""
        self.full_looks += 1
        return self.table.everyone(since)


@pytest.fixture(params=TABLES, ids=lambda table: table.__name__.rpartition(".")[2])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    """Run the test with each reader of the process table that works here."""
    monkeypatch.setattr("nova_async.process.spawn.TABLE", request.param)
    monkeypatch.setattr("nova_async.process.family.TABLE", request.param)
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", request.param)
    return request.param


@pytest.mark.parametrize(
    ("options", "method"),
    [
        (["environment", "session", "stay"], "parent link"),
        (["environment", "orphan"], "session"),
        (["session", "orphan"], "cookie"),
    ],
)
async def test_each_method_alone_finds_a_runaway(table: ProcessTable, options: list[str], method: str) -> None:
    """By parent link, by session, by cookie: one is enough, and SIGKILL follows where SIGTERM is ignored (G13)."""
    async with running(*program("escapee", *options)) as child:
        [runaway] = await announced(child)
        if "stay" not in options:
            assert await child.wait() == 0
        assert runaway in [member.pid for member in child.family.others()], method
        child.family.signal(signal.SIGTERM)
        assert not await child.family.gone(0.1)
        assert await child.family.kill() == []
        assert not is_alive(runaway)


async def test_who_was_seen_once_stays_a_member(table: ProcessTable) -> None:
    """With environment and session gone, and its parent too, only memory is left; it is enough."""
    async with running(*program("escapee", "environment", "session", "stay")) as child:
        [runaway] = await announced(child)
        assert len(child.family.members()) == 2
        child.family.signal(signal.SIGKILL, [m for m in child.family.members() if m.pid == child.pid])
        await child.wait()
        assert [member.pid for member in child.family.others()] == [runaway]


async def test_members_are_the_leader_and_all_descendants(table: ProcessTable) -> None:
    """Shell, child and grandchild: three; the others are two."""
    async with running("sh", "-c", "sh -c 'sleep 60 & echo ready $!; wait' & wait") as child:
        await announced(child)
        assert len(child.family.members()) == 3
        others = child.family.others()
        assert len(others) == 2
        assert child.pid not in [member.pid for member in others]


async def test_two_families_are_strangers() -> None:
    """Neither the other's members nor ours are in it."""
    async with running("sleep", "60") as one, running("sleep", "60") as other:
        assert [member.pid for member in one.family.members()] == [one.pid]
        assert [member.pid for member in other.family.members()] == [other.pid]


def family_of_popen(process: "subprocess.Popen[bytes]", cookie: str = "/nobody.1") -> Family:
    """Make a family of a process that this test starts, and reaps, itself."""

    async def exited() -> None:
        """Stand in for a leader that this test reaps itself."""

    return Family(process.pid, cookie, born=0, since=0, leader_exit=exited)


def test_a_group_of_zombies_is_empty() -> None:
    """killpg(0) succeeds on it, which is why that is no test of emptiness (G12)."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        family = family_of_popen(process)
        assert [member.pid for member in family.members()] == [process.pid]
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now, and stays one
        os.killpg(process.pid, 0)
        assert family.members() == []
    finally:
        process.wait()


def test_a_stale_member_is_not_signalled() -> None:
    """The number is right, the start time is not: it is somebody else by now (G14)."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        family = family_of_popen(process)
        now = procfs.look(process.pid) or pytest.fail("it should run")
        family.signal(signal.SIGKILL, [Member(process.pid, now.start_time - 100, "sleep")])
        assert not all_dead_within([process.pid], 0.1)
        family.signal(signal.SIGKILL, [Member(process.pid, now.start_time, "sleep")])
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()


def test_we_ourselves_and_our_group_are_never_signalled() -> None:
    """Not as a member, not as a group, not after fork; init neither."""
    ours = procfs.look(os.getpid()) or pytest.fail("we should run")

    async def exited() -> None:
        """Stand in for nobody's exit."""

    family = Family(os.getpgrp(), "/nobody.1", born=0, since=0, leader_exit=exited)
    family.signal(signal.SIGKILL, [Member(os.getpid(), ours.start_time, "python"), Member(1, 0, "init")])
    family.signal_group(signal.SIGKILL)
    assert is_alive(os.getpid())


async def test_a_group_is_signalled_only_while_it_is_the_familys() -> None:
    """Once everyone was reaped the number may be a stranger's."""
    async with running(*program("tidy")) as child:
        await announced(child)
        child.family.signal_group(signal.SIGINT)
        assert await child.wait() == 4
        child.family.signal_group(signal.SIGKILL)
    async with running("sh", "-c", "sleep 60 & echo ready $!") as child:
        [left] = await announced(child)
        await child.wait()
        child.family.signal_group(signal.SIGTERM)  # its leader is gone, but a member holds the number
        assert all_dead_within([left], 5)


@pytest.mark.skipif(not procfs.usable(), reason="only Linux tells which pid it gave out last")
async def test_a_short_life_without_children_needs_no_look_at_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual case is nearly free. Where others start processes all the time, some tries meet one of theirs."""
    table = CountingTable(procfs)
    # As many as 64-bit systems have: where there are few, a busy machine takes longer than they last.
    table.pid_limit = lambda: 4_194_304
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    for _ in range(100):
        before = table.full_looks
        async with running("/bin/true") as child:
            await child.wait()
            assert child.family.others() == []
            if table.full_looks == before:
                return
    pytest.fail("each of them looked at everyone")


@pytest.mark.skipif(not procfs.usable(), reason="only Linux tells which pid it gave out last")
async def test_the_short_way_finds_who_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that exits at once, leaving a process in a session of its own: found every time."""
    for _ in range(20):
        async with running("sh", "-c", "setsid sleep 60 & exit 0") as child:
            await child.wait()
            assert len(child.family.others()) == 1
