"""What a benchmark found, and what may be said of it: pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Figure", "Skipped", "Spread", "Target", "Verdict", "at_least", "at_most", "quantile", "ratios"]

FEWEST = 3  # rounds; fewer say nothing of how much a figure varies


class Verdict(StrEnum):
    """Whether a figure meets its target."""

    MET = "met"
    NOT_MET = "not met"
    CANNOT_TELL = "cannot tell"
    NOT_JUDGED = "not judged"


class Spread(NamedTuple):
    """The middle of all samples, and the quartiles: half of all samples lie between ``low`` and ``high``."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Take quartiles, not the standard deviation: one round that the machine interrupted moves them little."""
        return cls(quantile(samples, 0.25), statistics.median(samples), quantile(samples, 0.75))


@dataclass(frozen=True, slots=True)
class Target:
    """The bound that a figure should keep."""

    bound: float
    more_is_better: bool

    def __str__(self) -> str:
        return f"{'≥' if self.more_is_better else '≤'} {self.bound:g}"

    def verdict(self, samples: Sequence[float]) -> Verdict:
        """Judge only what both quartiles agree on."""
        if len(samples) < FEWEST:
            return Verdict.CANNOT_TELL
        low, _, high = Spread.of(samples)
        kept = [bound >= self.bound if self.more_is_better else bound <= self.bound for bound in (low, high)]
        return Verdict.MET if all(kept) else Verdict.CANNOT_TELL if any(kept) else Verdict.NOT_MET


def at_least(bound: float) -> Target:
    """Return a target that is met from this bound on."""
    return Target(bound, more_is_better=True)


def at_most(bound: float) -> Target:
    """Return a target that is met up to this bound."""
    return Target(bound, more_is_better=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one row, measured in several rounds."""

    row: str
    what: str
    unit: str
    samples: tuple[float, ...]
    target: Target | None = None
    is_judged: bool = True
    more_is_better: bool = False
    """For figures without a target; those that have one follow it."""

    @property
    def spread(self) -> Spread:
        """Where the samples lie."""
        return Spread.of(self.samples)

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.target is None or not self.is_judged:
            return Verdict.NOT_JUDGED
        return self.target.verdict(self.samples)

    @property
    def can_be_judged(self) -> bool:
        """Whether there was enough work, and enough rounds of it."""
        return self.is_judged and len(self.samples) >= FEWEST

    @property
    def wants_more(self) -> bool:
        """Whether a greater number is a better one."""
        return self.more_is_better if self.target is None else self.target.more_is_better


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not measured, and why."""

    row: str
    what: str
    reason: str
    is_failure: bool = False


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the value below which this share of the samples lies, between two samples where it falls there."""
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, ...]:
    """Divide round by round: what slowed the machine down for a while slowed both."""
    return tuple(one / other for one, other in zip(above, below, strict=True))
