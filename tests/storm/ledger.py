"""What stormy agents wrote down about themselves, and whether a log, a count and a verdict agree with it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.process.watching import all_dead_within

__all__ = ["Account", "accounts", "alive_of", "bearers_of", "log_at", "started"]

STDERR_MARK = b"#noise "
# What Python itself prints where it is interrupted before the agent has begun; an agent never says that word.
INTERRUPTED, DEAD, CHATTER = b"KeyboardInterrupt", b"Fatal Python error", 8192
CUT_SHORT = (b"Traceback (most recent call last):", DEAD)  # how that begins, if it was killed before it had said it all
Counts = tuple[int, int, int, int]


@dataclass(slots=True)
class Account:
    """What one agent wrote down: one process, one attempt."""

    path: Path
    task_id: str
    attempt: int
    pid: int
    born: list[tuple[int, int, str]] = field(default_factory=list)
    wrote: dict[str, int] = field(default_factory=lambda: {"out": 0, "err": 0})
    tokens: list[tuple[int, Counts]] = field(default_factory=list)
    verdicts: list[tuple[int, str]] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    exit_code: int | None = None

    @classmethod
    def read(cls, steps: Path) -> "Account":
        """Read a ledger; its last line may be missing, for its writer may have been killed at any moment."""
        task_id, attempt, pid = steps.name.removesuffix(".steps").rsplit(".", 2)
        account = cls(steps.with_suffix(""), task_id, int(attempt), int(pid))
        for line in steps.read_text().splitlines():
            match line.split():
                case ["born", pid, start, who]:
                    account.born.append((int(pid), int(start), who))
                case ["wrote", stream, size]:
                    account.wrote[stream] = int(size)
                case ["tokens", size, *counts]:
                    fresh, output, read, created = map(int, counts)
                    account.tokens.append((int(size), (fresh, output, read, created)))
                case ["verdict", size, word]:
                    account.verdicts.append((int(size), word))
                case ["beside", *who]:
                    account.beside.append(" ".join(who))
                case ["exit", code]:
                    account.exit_code = int(code)
        return account

    def written(self, stream: str) -> bytes:
        """Return what it printed, or was about to print."""
        return self.path.with_name(f"{self.path.name}.{stream}").read_bytes()

    def complaints_about(self, log: bytes, *, whole: bool, durable: bool = True) -> Iterator[str]:
        """Compare a log with what was printed.

        ``whole``: it has ended by itself, so each byte must be there. Otherwise all that it had printed must be there,
        unless it is not ``durable``: its supervisor was killed while some of it was in the pipe.
        """
        for stream, there in zip(("out", "err"), parted(log), strict=True):
            printed = self.written(stream)
            least = len(printed) if whole else self.wrote[stream] if durable else 0
            if not printed.startswith(there):
                at = next((i for i, (a, b) in enumerate(zip(printed, there, strict=False)) if a != b), len(printed))
                yield f"std{stream} in the log differs from what was printed, from byte {at} of {len(printed)}"
            elif len(there) < least:
                yield f"{least - len(there)} of {least} bytes of std{stream} are lost"

    def known_at(self, log: bytes) -> tuple[Counts, str | None]:
        """Return the totals and the verdict that are known to whoever has read this log."""
        size = len(parted(log)[0])
        counts = [counts for known_at, counts in self.tokens if known_at <= size]
        verdicts = [word for known_at, word in self.verdicts if known_at <= size]
        return counts[-1] if counts else (0, 0, 0, 0), verdicts[-1] if verdicts else None


def log_at(path: Path) -> bytes:
    """Return a log without what Python itself has printed."""
    log = path.read_bytes()
    if (at := log.rfind(INTERRUPTED, 0, CHATTER)) < 0:
        return b"" if log.startswith(CUT_SHORT) else log
    return b"" if DEAD in log[:CHATTER] else log[at:].partition(b"\n")[2]


def parted(log: bytes) -> tuple[bytes, bytes]:
    """Part a log into what came from standard output and what came from standard error, by the latter's mark."""
    if STDERR_MARK not in log:
        return log, b""
    streams: tuple[list[bytes], list[bytes]] = [], []
    for line in split_lines(log):
        streams[line.startswith(STDERR_MARK)].append(line)
    return b"".join(streams[0]), b"".join(streams[1])


def split_lines(text: bytes) -> list[bytes]:
    r"""Split after each ``\n`` only."""
    *lines, rest = text.split(b"\n")
    return [line + b"\n" for line in lines] + ([rest] if rest else [])


def accounts(folder: Path) -> list[Account]:
    """Read all ledgers of a folder, in order of task and attempt."""
    found = [Account.read(path) for path in folder.glob("*.steps")]
    return sorted(found, key=lambda account: (account.task_id, account.attempt, account.born[:1]))


def started(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot; None if it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def alive_of(found: list[Account], seconds: float = 0.0, but_for: tuple[str, ...] = ()) -> list[str]:
    """Return who of these families is alive after so many seconds, by pid and start time."""
    deadline = time.monotonic() + seconds
    left = []
    for account in found:
        for pid, start, who in account.born:
            if who in but_for or started(pid) != start:
                continue
            if not all_dead_within([pid], max(0.0, deadline - time.monotonic())) and started(pid) == start:
                left.append(f"{who} {pid} of {account.task_id}, attempt {account.attempt}")
    return left


def bearers_of(mark: str) -> list[int]:
    """Return everyone alive whose environment holds this text."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environment = Path(entry.path, "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in environment:
                found.append(int(entry.name))
    return found
