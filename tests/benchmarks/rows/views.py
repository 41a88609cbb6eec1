"""What it costs to look at every task of a large run."""

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work


def measure(bench: Bench) -> None:
    """Look at 10,000 tasks while some of them run, in the run's own event loop."""
    tasks = bench.size(10_000, 1000)
    samples: list[dict[str, float]] = []

    def look() -> None:
        samples.append(work("look_at_views", tasks))

    rounds = len(bench.in_turn({"look": look})["look"])
    changed, first = ([sample[name] * 1000 for sample in samples[-rounds:]] for name in ("changed", "first"))
    bench.figure(f"a look at {tasks:,} tasks when one has changed", changed, "ms", at_most(5))
    bench.figure(f"the first look at {tasks:,} tasks", first, "ms")
