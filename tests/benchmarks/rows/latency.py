"""How long it takes from a child's write until it is in the log and counted."""

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work

TARGETS = {"p50": at_most(1), "p99": at_most(10)}


def measure(bench: Bench) -> None:
    """Read lines that a child prints every five milliseconds; the machine must be quiet."""
    lines = bench.size(300, 100)
    delays: dict[str, list[dict[str, float]]] = {"delays_of_a_worker": [], "delays_of_readline": []}

    def by(name: str) -> None:
        delays[name].append(work(name, lines))

    rounds = len(bench.in_turn({name: lambda name=name: by(name) for name in delays})["delays_of_a_worker"])  # type: ignore[misc]
    for share, target in TARGETS.items():
        ours, bare = ([sample[share] for sample in samples[-rounds:]] for samples in delays.values())
        bench.figure(f"{share} to a reader of the log", (seconds * 1000 for seconds in ours), "ms", target)
        bench.ratio(f"{share}, of asyncio readline without a log", ours, bare)
