"""What the orphan guard is told about one family: its leader, and the members that have left the leader's session."""

from collections.abc import Callable, Iterable

from nova_async.process import orphan_guard
from nova_async.process.kinship import FORGET_BEYOND, ProcessEntry

__all__ = ["GuardNotes"]


class GuardNotes:
    """Tells the guard of one family: after our death nothing else may give some of them away (G57).

    ``pid`` and ``start_time`` are the leader's; None if it was never seen.
    """

    def __init__(self, cookie: str, pid: int, start_time: float | None) -> None:
        self.cookie = cookie
        self._leader = pid, -1.0 if start_time is None else start_time
        self._told: dict[int, float] = {}  # start time by pid
        self._too_many = FORGET_BEYOND

    def known(self) -> list[tuple[int, float]]:
        """Return pid and start time of the leader (-1 if it was never seen), then of members outside its session."""
        return [self._leader, *list(self._told.items())]

    def tell(self, found: Iterable[ProcessEntry], is_still: Callable[[int, float], bool]) -> None:
        """Tell the guard about those of these members that have left the leader's session, if they are new.

        ``is_still`` takes a pid and a start time: those who have ended are forgotten now and then.
        """
        leader, _ = self._leader
        strayed = (entry for entry in found if entry.session != leader)
        news = {each.pid: each.start_time for each in strayed if self._told.get(each.pid) != each.start_time}
        if not news or not leader:
            return
        self._told.update(news)
        if len(self._told) <= self._too_many:
            orphan_guard.note(self.cookie, news.items())
            return
        self._told = {pid: start for pid, start in self._told.items() if is_still(pid, start)}
        self._too_many = max(FORGET_BEYOND, 2 * len(self._told))
        orphan_guard.retell(self)
