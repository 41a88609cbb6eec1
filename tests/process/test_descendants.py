"""Who descends from a process, noted in passing: cheap, complete, and never a stranger (G13, G14)."""

import os

from nova_async.process import procfs
from nova_async.process.descendants import MOST, descendants
from nova_async.process.kinship import FORGET_BEYOND, Kin, ProcessEntry
from nova_async.process.spawn import spawn
from nova_async.process.table import TABLE

from .watching import DEADLINE, all_dead_within, announced, is_alive, program, running


def entry(pid: int, parent: int, start_time: float = 5.0) -> ProcessEntry:
    """Make a living process."""
    return ProcessEntry(pid, parent, pid, pid, start_time, "p", alive=True)


class Changing:
    """A process table that changes from look to look: for each pid, what each look at it finds, the last for ever."""

    def __init__(self, children: dict[int, list[int]], looks: dict[int, list[ProcessEntry | None]]) -> None:
        self._children = children
        self._looks = looks

    def __getattr__(self, name: str) -> object:
        return getattr(procfs, name)

    def children_of(self, pid: int) -> list[int]:
        """Return the children as they were noted."""
        return self._children.get(pid, [])

    def look(self, pid: int) -> ProcessEntry | None:
        """Return what the next look finds."""
        looks = self._looks[pid]
        return looks.pop(0) if len(looks) > 1 else looks[0]


async def test_everyone_below_is_found_and_nobody_else() -> None:
    """Child and grandchild, in whatever session; not the leader, not we."""
    async with running("sh", "-c", "sh -c 'setsid sleep 60 & echo ready $!; wait' & wait") as child:
        [grandchild] = await announced(child)
        leader = procfs.look(child.pid)
        assert leader is not None
        found = {each.pid for each in descendants(TABLE, leader)}
        assert grandchild in found
        assert len(found) >= 2
        assert found.isdisjoint({child.pid, os.getpid()})


def test_a_parent_that_was_replaced_has_no_children_of_ours() -> None:
    """Its pid went to a stranger while we looked: so the children may be the stranger's."""
    leader, stranger = entry(100, 1), entry(100, 1, start_time=9.0)
    table = Changing({100: [101]}, {100: [stranger], 101: [entry(101, 100, start_time=9.5)]})
    assert descendants(table, leader) == []


def test_a_child_that_was_replaced_is_not_taken() -> None:
    """The list was out of date: that pid is somebody else's child by now, or nobody's."""
    table = Changing({100: [101, 102]}, {100: [entry(100, 1)], 101: [entry(101, 77)], 102: [None]})
    assert descendants(table, entry(100, 1)) == []


def test_a_fork_bomb_does_not_keep_us() -> None:
    """An endless chain of descendants is followed so far and no further."""

    class Endless(Changing):
        def children_of(self, pid: int) -> list[int]:
            return [pid + 1]

        def look(self, pid: int) -> ProcessEntry | None:
            return entry(pid, pid - 1)

    assert len(descendants(Endless({}, {}), entry(100, 99))) == MOST


def test_what_is_noted_stays_bounded() -> None:
    """The ended are forgotten when there are many; the living never are."""
    kin = Kin()
    for pid in range(10, 10 + 10 * FORGET_BEYOND):
        kin.note([(pid, 5.0)], lambda pid, start: pid % 100 == 0)
    assert len(kin.seen) < 2 * FORGET_BEYOND
    assert all(pid in kin.seen for pid in range(100, 10 * FORGET_BEYOND, 100))
    assert kin.sessions == {}


async def test_the_short_way_knows_who_was_noted() -> None:
    """A note does not make a short life's end expensive, nor does that forget whom it has shown."""
    async with running(*program("escapee", "environment", "session", "stay")) as child:
        [runaway] = await announced(child)
        child.family.note_descendants()
        os.kill(child.pid, 9)
        await child.wait()
        assert [member.pid for member in await child.family.look_for_others()] == [runaway]


async def test_who_opts_out_is_not_kept_by_a_note() -> None:
    """A service that was seen while its parent lived stays free all the same, as documented."""
    script = "exec 3<&0; env -u NOVA_WORKER setsid sh -c 'echo ready $$; exec cat <&3' & wait"
    read_end, write_end = os.pipe()
    child = await spawn(["sh", "-c", script], env={**os.environ, "NOVA_TASK_ID": "F1"}, stdin=read_end)
    os.close(read_end)
    try:
        [service] = await announced(child)
        child.family.note_descendants()
        os.kill(child.pid, 9)
        await child.wait()
        assert is_alive(service)
        assert await child.family.look_for_others() == []
    finally:
        os.close(write_end)
        child.close_output()
    assert all_dead_within([service], DEADLINE)  # it ends with its input
