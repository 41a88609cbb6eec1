"""What each step of a chain of dependent tasks costs, inside a program that is running."""

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work


def measure(bench: Bench) -> None:
    """Run a chain with an ``Orchestrator``, journal and logs as ever, beside bare children one after the other."""
    steps = bench.size(100, 20)
    times = bench.in_turn(
        {
            "chain": lambda: work("chained_tasks", steps)["seconds"],
            "bare": lambda: work("lives_of_bare_children", steps)["seconds"],
        }
    )
    bench.ratio(f"{steps} steps, of as many bare children", times["chain"], times["bare"], at_most(2))
    bench.figure("a step", (seconds / steps * 1000 for seconds in times["chain"]), "ms")
