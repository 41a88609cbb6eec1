"""What waits to be written: nothing of it is given up before there is really too much."""

import asyncio
import time

import pytest

from nova_async.journal import waiting
from nova_async.journal.waiting import COMPANY_SECONDS, MOST_UNWRITTEN, Inbox, Record


def record() -> Record:
    """Make a record that nobody waits for."""
    return Record(lambda connection: None)


def test_what_was_handed_over_waits_no_more() -> None:
    """Only those that are there at one moment count against the most that may be there."""
    losses: list[bool] = []
    inbox = Inbox(lambda: losses.append(True))
    for _ in range(2):
        for _ in range(MOST_UNWRITTEN):
            inbox.put(record())
        inbox.hurry()
        taken = inbox.take()
        assert taken is not None
        assert len(taken) == MOST_UNWRITTEN
    assert not losses


def test_the_oldest_are_given_up_first() -> None:
    """Beyond the most, also of those that are to be tried again, and that is told."""
    losses: list[bool] = []
    inbox = Inbox(lambda: losses.append(True))
    old, new = [record() for _ in range(MOST_UNWRITTEN)], [record() for _ in range(3)]
    for each in old:
        inbox.put(each)
    inbox.hurry()
    taken = inbox.take()
    assert taken == old
    for each in new:
        inbox.put(each)
    assert not losses
    inbox.put_back(old)
    assert losses
    inbox.hurry()
    assert inbox.take() == [*old[3:], *new]


def test_a_record_waits_a_moment_for_company_and_no_longer() -> None:
    """A twentieth of a second, on a machine that is busy perhaps two."""
    inbox = Inbox(lambda: None)
    inbox.put(record())
    began = time.monotonic()
    taken = inbox.take()
    assert taken is not None
    assert COMPANY_SECONDS / 2 < time.monotonic() - began < 0.5


def test_the_pause_after_a_failure_grows_until_something_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the next failure is the first again."""
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.1)
    inbox = Inbox(lambda: None)

    def pause() -> float:
        inbox.put_back([])
        began = time.monotonic()
        inbox.take()
        return time.monotonic() - began

    inbox.has_written()
    assert [pause() >= least for least in (0.1, 0.2, 0.4, 0.8)] == [True] * 4
    inbox.has_written()
    assert pause() < 0.8


def test_what_somebody_waits_for_is_never_given_up() -> None:
    """However old it is."""
    inbox = Inbox(lambda: None)
    loop = asyncio.new_event_loop()
    awaited = Record(lambda connection: None, loop.create_future())
    loop.close()
    inbox.put(awaited)
    for _ in range(MOST_UNWRITTEN + 3):
        inbox.put(record())
    inbox.hurry()
    taken = inbox.take()
    assert taken is not None
    assert taken[0] is awaited
    assert len(taken) == 1 + MOST_UNWRITTEN
