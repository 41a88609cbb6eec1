"""What waits to be written: nothing of it is given up before there is really too much."""

from nova_async.journal.waiting import MOST_UNWRITTEN, Inbox, Record


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
