"""Pure: relations in a list of processes, and how many pids a look has to cover."""

import pytest

from nova_async.process.cookie import belongs_to, new_cookie, supervisor_id, workers_of
from nova_async.process.kinship import Kin, ProcessEntry, find_family, pids_to_look_at


def entry(pid: int, parent: int = 1, session: int = 0, *, alive: bool = True) -> ProcessEntry:
    """Make one line of a process table."""
    return ProcessEntry(pid, parent, session, session, 100 + pid, f"p{pid}", alive)


def family(*entries: ProcessEntry, known: tuple[int, ...] = (), cookies: tuple[int, ...] = ()) -> set[int]:
    """Return the pids that are found."""
    found = find_family(
        entries, is_known=lambda e: e.pid in known, carries_cookie=lambda pid: pid in cookies, never={0, 1, 7}
    )
    return set(found)


def test_descendants_of_the_known_are_family() -> None:
    """Children and grandchildren belong, whatever order the table has them in; strangers do not."""
    assert family(entry(30, 20), entry(20, 10), entry(10), entry(40, 2), known=(10,)) == {10, 20, 30}


def test_descendants_of_a_cookie_bearer_are_family() -> None:
    """Whoever carries the cookie belongs, and so do its children without it."""
    assert family(entry(30, 20), entry(20), cookies=(20,)) == {20, 30}


def test_the_dead_and_the_forbidden_are_nobodys_family() -> None:
    """A zombie does not count; init, the guard and ourselves are never members, nor a way to others."""
    assert family(entry(20, alive=False), entry(7), entry(8, 7), entry(1), known=(7, 1), cookies=(20,)) == set()


def test_cookies_are_asked_for_only_where_nothing_else_tells() -> None:
    """Reading an environment is the dear part."""
    asked: list[int] = []
    find_family(
        [entry(10), entry(20, 10), entry(30)],
        is_known=lambda e: e.pid == 10,
        carries_cookie=lambda pid: bool(asked.append(pid)),
        never=(),
    )
    assert asked == [30]


@pytest.mark.parametrize(
    ("last", "elapsed", "limit", "expected"),
    [
        (100, 0.001, 32768, range(101, 101)),  # nothing was started after the leader: nobody to look at
        (103, 0.001, 32768, range(101, 104)),
        (103, 0.032, 32768, range(101, 104)),
        (103, 0.033, 32768, None),  # long enough for the counter to come round
        (103, 4.1, 4194304, range(101, 104)),
        (99, 0.001, 32768, None),  # it did come round
        (1101, 0.001, 32768, None),  # asking for each would be dearer than listing
        (103, 0.0, 0, None),  # nothing known about the counter
    ],
)
def test_pids_to_look_at(last: int, elapsed: float, limit: int, expected: range | None) -> None:
    """Only pids since the leader's are news, as long as the counter cannot have started over."""
    assert pids_to_look_at(100, last, elapsed, limit) == expected


def test_a_cookie_is_a_path_with_one_element_per_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested supervisor's workers carry the outer worker's path in front."""
    monkeypatch.setenv("NOVA_WORKER", "/outer.4")
    cookie = new_cookie()
    assert cookie.startswith(f"/outer.4/{supervisor_id()}.")
    assert belongs_to(cookie, "/outer.4")
    assert not belongs_to("/outer.41", "/outer.4")
    assert not belongs_to(None, "/outer.4")
    assert workers_of(cookie, "outer") == ["outer.4"]
    assert workers_of(None, "outer") == []


@pytest.mark.parametrize("nonsense", ["x", "/a.1\n", "/a.1\x1b[2J", "/" + "a" * 100_000, "/\udcff.1"])
def test_an_inherited_path_that_is_none(nonsense: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be a path of workers is not handed on: each of our children would carry it."""
    monkeypatch.setenv("NOVA_WORKER", nonsense)
    assert new_cookie().rpartition(".")[0] == f"/{supervisor_id()}"


def test_a_session_is_forgotten_only_after_a_look_that_missed_nobody() -> None:
    """While somebody known lives who was not found, whom it stands for is not known either."""
    kin = Kin()
    kin.meet([entry(20, session=20), entry(30, session=30)], lambda pid, start: False)
    kin.meet([entry(20, session=20)], lambda pid, start: True)
    assert set(kin.sessions) == {20, 30}
    kin.meet([entry(20, session=20)], lambda pid, start: False)
    assert set(kin.sessions) == {20}
