"""What the questions cost that a polling program asks."""

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work


def measure(bench: Bench) -> None:
    """Ask a worker and a child of subprocess alike, both alive."""
    samples: list[dict[str, float]] = []

    def ask() -> None:
        samples.append(work("ask", bench.size(100_000, 10_000)))

    rounds = len(bench.in_turn({"all": ask})["all"])
    kept = {name: [sample[name] for sample in samples[-rounds:]] for name in samples[0]}
    bench.ratio("is_alive(), of Popen.poll()", kept["alive"], kept["poll"], at_most(1))
    bench.ratio("get_token_usage(), of Popen.poll()", kept["usage"], kept["poll"], at_most(2))
