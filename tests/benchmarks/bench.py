"""Measuring several ways to do one thing in turn: what every row is written with."""

import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.benchmarks.figures import Figure, Skipped, Target, ratios
from tests.benchmarks.peers import Peer, PeerFailed

__all__ = ["Bench", "Way", "cpu_seconds"]

Way = Callable[[], float | None]
"""Does the work once, and returns what it has measured; None if its seconds are to be measured."""


@dataclass
class Bench:
    """One row: how often and how much it measures, and what it has found.

    ``rounds`` is how often each way is taken, ``quick`` whether everything is small and nothing is judged.
    """

    row: str
    rounds: int = 5
    quick: bool = False
    found: list[Figure | Skipped] = field(default_factory=list)

    def size(self, full: int, quick: int) -> int:
        """Return how much work to do."""
        return quick if self.quick else full

    def in_turn(self, ways: dict[str, Way], *, most: int | None = None) -> dict[str, tuple[float, ...]]:
        """Take each way once to warm up, and then in rounds; return the samples of each.

        A round takes every way once, and the next one takes them in the other order, so that none always follows the
        same other. ``most`` bounds the rounds of what takes long. A peer that fails is left out and said to be so.
        """
        rounds = self.rounds if most is None else min(most, self.rounds)
        samples: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(0 if rounds > 1 else 1, rounds + 1):  # of one round alone, nothing is believed anyway
            for name in list(samples)[:: 1 if number % 2 else -1]:
                self.tell(f"{f'round {number} of {rounds}' if number else 'warming up'}: {name}")
                begin = time.perf_counter()
                try:
                    measured = ways[name]()
                except PeerFailed as error:
                    self.skip(name, f"failed: {error}")
                    del samples[name]
                    continue
                seconds = time.perf_counter() - begin
                if number:
                    samples[name].append(seconds if measured is None else measured)
        return {name: tuple(values) for name, values in samples.items()}

    def figure(
        self,
        what: str,
        samples: Iterable[float],
        unit: str,
        target: Target | None = None,
        *,
        more_is_better: bool = False,
    ) -> None:
        """Keep a figure."""
        self.found.append(Figure(self.row, what, unit, tuple(samples), target, not self.quick, more_is_better))

    def ratio(
        self,
        what: str,
        above: Iterable[float],
        below: Iterable[float],
        target: Target | None = None,
        *,
        more_is_better: bool = False,
    ) -> None:
        """Keep the ratio of two figures, round by round."""
        self.figure(what, ratios(tuple(above), tuple(below)), "x", target, more_is_better=more_is_better)

    def peers(self, peers: Iterable[Peer]) -> list[Peer]:
        """Return those that are here; keep why the others are not."""
        found = []
        for peer in peers:
            if (reason := peer.missing()) is None:
                found.append(peer)
            else:
                self.skip(peer.name, reason)
        return found

    def skip(self, what: str, reason: str) -> None:
        """Keep that something was not measured, and why."""
        self.found.append(Skipped(self.row, what, reason))

    def tell(self, text: str) -> None:
        """Say on stderr where we are."""
        ending = "\x1b[K\r" if sys.stderr.isatty() else "\n"
        print(f"{self.row}: {text}", end=ending, file=sys.stderr, flush=True)


def cpu_seconds() -> float:
    """Return the CPU time of this process so far, without its children, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
