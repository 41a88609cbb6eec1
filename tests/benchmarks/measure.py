"""Timing several ways to do one thing in turn, and printing the ratios of their medians."""

import resource
import statistics
import time
from collections.abc import Callable


def in_turn(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Run each way once to warm up and then ``rounds`` times in turn; return the median seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if number:
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def show(what: str, value: float, unit: str, target: str) -> None:
    """Print one line of results."""
    print(f"  {what:<62} {value:>9.2f} {unit:<9} target {target}")


def cpu_seconds() -> float:
    """Return the CPU time of this process so far, without its children, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
