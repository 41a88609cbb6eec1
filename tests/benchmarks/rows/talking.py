"""What a fleet costs whose members all say a little."""

from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work


def measure(bench: Bench) -> None:
    """Have 200 workers that each print 50 lines a second, and take the supervisor's own CPU."""
    count = bench.size(200, 20)

    def by(name: str) -> Way:
        return lambda: work(name, count)["share"] * 100

    names = ("talking_workers", "talking_bare_children")
    workers, bare = bench.in_turn({name: by(name) for name in names}, most=5).values()
    bench.figure(f"{count} workers, 50 lines a second each: of one core", workers, "%", at_most(30))
    bench.ratio("CPU, of asyncio readline with a log", workers, bare)
