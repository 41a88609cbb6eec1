"""A look at all processes that many families share: each is told of those alone who could be its members."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from nova_async.process.cookie import belongs_to
from nova_async.process.kinship import Kin, ProcessEntry, find_family
from nova_async.process.snapshot import Snapshot
from nova_async.process.table import ProcessTable

PATHS = [None, "", "/s.1", "/s.1/t.1", "/s.10", "/t.1", "/t.1/s.1", "s.1", "//s.1", "/s.1/"]
NUMBERS = st.integers(1, 12)
ENTRIES = st.builds(
    ProcessEntry, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 3).map(float), st.just("p"), st.booleans()
)


class Listed:
    """A table with these processes and family paths."""

    def __init__(self, entries: list[ProcessEntry], paths: dict[int, str | None]) -> None:
        self._entries, self._paths = entries, paths

    def last_pid(self) -> None:
        """Tell nothing."""

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return those that started since then."""
        return [entry for entry in self._entries if entry.start_time >= since]

    def path_of(self, pid: int) -> str | None:
        """Return the path of a process."""
        return self._paths.get(pid)


def look_at(entries: list[ProcessEntry], paths: dict[int, str | None], since: float = 0) -> Snapshot:
    """Look at a table with these processes."""
    return Snapshot(cast(ProcessTable, Listed(entries, paths)), since)


@given(
    st.lists(ENTRIES, max_size=12, unique_by=lambda entry: entry.pid),
    st.dictionaries(NUMBERS, st.sampled_from(PATHS)),
    st.dictionaries(NUMBERS, st.integers(0, 3).map(float), max_size=2),
    st.dictionaries(NUMBERS, st.integers(0, 3).map(float), max_size=2),
    st.sampled_from(["/s.1", "/t.1", "/s.1/t.1"]),
    st.integers(0, 3).map(float),
)
def test_those_near_a_family_are_all_that_matter(
    entries: list[ProcessEntry],
    paths: dict[int, str | None],
    seen: dict[int, float],
    sessions: dict[int, float],
    cookie: str,
    since: float,
) -> None:
    """Among them the same members are found, and the same strangers noticed, as among all processes."""

    def members_in(found: list[ProcessEntry], kin: Kin) -> dict[int, Any]:
        kin.notice_strangers(found)
        return find_family(
            found,
            is_known=lambda entry: kin.knows(entry, {4}, lambda pid: False),
            carries_cookie=lambda pid: belongs_to(paths.get(pid), cookie),
            never={1},
        )

    kin, kin_of_near = Kin(), Kin()
    for each in (kin, kin_of_near):
        each.seen, each.sessions = dict(seen), dict(sessions)
    near = look_at(entries, paths).near({4, *seen, *sessions}, sessions, cookie, since)
    everyone = [entry for entry in entries if entry.start_time >= since]
    assert members_in(near, kin_of_near).keys() == members_in(everyone, kin).keys()
    assert kin_of_near.sessions == kin.sessions


def test_a_family_is_told_of_nobody_elses_members() -> None:
    """With a thousand families in one look, each has two processes to look at: the end of all takes no square of it."""
    leaders = [ProcessEntry(pid, 1, pid, pid, 1.0, "agent", True) for pid in range(1000, 3000, 2)]
    tools = [ProcessEntry(each.pid + 1, each.pid, 1, 1, 1.0, "tool", True) for each in leaders]
    look = look_at([*leaders, *tools], {each.pid: f"/s.{each.pid}" for each in leaders})
    for leader in leaders:
        near = look.near({leader.pid}, {leader.pid}, f"/s.{leader.pid}", since=0)
        assert {entry.pid for entry in near} == {leader.pid, leader.pid + 1}
