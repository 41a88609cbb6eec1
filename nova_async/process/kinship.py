"""Pure functions: which processes in a list are related, and which pids can be new.

Shared with the orphan guard, so it imports nothing that the guard would have to load.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["FORGET_BEYOND", "UNKNOWN_START", "Kin", "ProcessEntry", "find_family", "pids_to_look_at", "same_start"]

# In the table's units: a start that nobody can have. It is later than all others, so no "born since" leaves it out.
UNKNOWN_START = float(2**62)
MAX_RANGE = 1000  # pids; beyond that, listing /proc is cheaper than asking for each
FORGET_BEYOND = 1000  # noted processes; an agent starts that many commands in a day, and most of them have ended
PIDS_PER_SECOND = 1_000_000  # more than any machine can allocate: a shorter time than limit / this cannot have wrapped


class ProcessEntry:
    """What the process table says about one process."""

    __slots__ = ("alive", "group", "name", "parent", "pid", "session", "start_time")

    def __init__(
        self, pid: int, parent: int, group: int, session: int, start_time: float, name: str, alive: bool
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session
        self.start_time = start_time  # in the table's units: clock ticks since boot, or seconds
        self.name = name
        self.alive = alive  # neither a zombie nor dead


def same_start(one: float, other: float) -> bool:
    """Tell whether two start times are the same (seconds may differ in the last digit, ticks may not)."""
    return abs(one - other) < 0.005


class Kin:
    """What counts as a member without further proof: all seen before, and the sessions that its members lead.

    A session's number counts until it may be a stranger's. The system gives no process the number of a session that
    still has a process in it. So as long as a look shows a member in the session, it is the same session; and if a look
    shows a process with that number which is not its leader, the session has ended and its number was given away.
    """

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}  # start time by pid: once a member, always a member
        self._too_many = FORGET_BEYOND
        self.sessions: dict[int, float] = {}  # start time of the leader by number; -1 where it was never seen

    def knows(self, entry: ProcessEntry, leaders: "Collection[int]", has_opted_out: "Callable[[int], bool]") -> bool:
        """Tell whether a process was seen before, or is in a session of the family, and has not opted out.

        Nobody in the session of one of the ``leaders`` has. ``has_opted_out`` takes a pid.
        """
        if entry.session in leaders and entry.session in self.sessions:
            return True
        seen = self.seen.get(entry.pid)
        is_kin = entry.session in self.sessions or (seen is not None and same_start(seen, entry.start_time))
        return is_kin and not has_opted_out(entry.pid)

    def notice_strangers(self, entries: "Iterable[ProcessEntry]") -> None:
        """Forget the sessions whose number is somebody else's by now."""
        for entry in entries:
            led = self.sessions.get(entry.pid)
            if led is not None and not same_start(led, entry.start_time):
                del self.sessions[entry.pid]

    def meet(self, found: "Collection[ProcessEntry]", is_still: "Callable[[int, float], bool]") -> None:
        """Note the processes that were found, and forget those that have ended.

        ``is_still`` takes a pid and a start time, and tells whether that process is alive though it was not found.
        """
        by_pid = {entry.pid: entry.start_time for entry in found}
        missed = {pid: start for pid, start in self.seen.items() if pid not in by_pid and is_still(pid, start)}
        self.seen = {**missed, **by_pid}
        if found and not missed:
            inhabited = {entry.session for entry in found}
            self.sessions = {number: led for number, led in self.sessions.items() if number in inhabited}
        for entry in found:
            if entry.session == entry.pid:
                self.sessions.setdefault(entry.pid, entry.start_time)

    def note(self, found: "Iterable[tuple[int, float]]", is_still: "Callable[[int, float], bool]") -> None:
        """Note some who were found in passing, by pid and start time, beside those seen before.

        Not their sessions: hours may go by until the next look at everyone, and a number whose leader has died in
        between may be a stranger's session by then.
        """
        self.seen.update(found)
        if len(self.seen) > self._too_many:
            self.seen = {pid: start for pid, start in self.seen.items() if is_still(pid, start)}
            self._too_many = max(FORGET_BEYOND, 2 * len(self.seen))


def pids_to_look_at(leader: int, last: int, elapsed: float, pid_limit: int) -> range | None:
    """Return the pids allocated since the leader's, or None if that takes a look at all processes.

    ``leader`` is the first pid of the family, ``last`` the pid that the system allocated last. ``elapsed`` is in
    seconds since before the leader was started, measured after ``last`` was read. ``pid_limit`` is how many pids there
    are before the counter starts over.
    """
    if elapsed * PIDS_PER_SECOND >= pid_limit or last < leader or last - leader > MAX_RANGE:
        return None
    return range(leader + 1, last + 1)


def find_family(
    entries: "Iterable[ProcessEntry]",
    *,
    is_known: "Callable[[ProcessEntry], bool]",
    carries_cookie: "Callable[[int], bool]",
    never: "Collection[int]",
) -> "dict[int, ProcessEntry]":
    """Return the living members by pid: the known ones, those that carry the cookie, and all their descendants.

    The cookie is checked only if nothing else decides, because reading an environment is the expensive part.

    ``entries`` is the process table, or the part of it that can matter. ``is_known`` returns True for a process that
    needs no further proof (the leader, its session, one seen before); ``carries_cookie`` takes a pid. ``never`` are
    pids that belong to no family (init, ourselves, the orphan guard).
    """
    candidates = [entry for entry in entries if entry.alive and entry.pid not in never]
    children: dict[int, list[ProcessEntry]] = {}
    for entry in candidates:
        children.setdefault(entry.parent, []).append(entry)
    family: dict[int, ProcessEntry] = {}

    def adopt(found: "Iterable[ProcessEntry]") -> None:
        waiting = list(found)
        while waiting:
            entry = waiting.pop()
            if entry.pid not in family:
                family[entry.pid] = entry
                waiting += children.get(entry.pid, ())

    adopt(entry for entry in candidates if is_known(entry))
    adopt([entry for entry in candidates if entry.pid not in family and carries_cookie(entry.pid)])
    return family
