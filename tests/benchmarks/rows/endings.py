"""What it costs when many workers end together."""

from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work


def measure(bench: Bench) -> None:
    """Count looks at the whole process table while 100 workers end at the same moment, after a life of seconds."""
    if not Path("/proc/self/statm").exists():
        bench.skip("everything", "there is no /proc")
        return
    workers = bench.size(100, 20)
    samples: list[dict[str, float]] = []

    def end() -> None:
        samples.append(work("ending_together", workers))

    rounds = len(bench.in_turn({"end": end}, most=5)["end"])
    kept = samples[-rounds:]
    bench.figure(f"looks at all processes when {workers} end", (each["looks"] for each in kept), "looks", at_most(4))
    bench.figure("of them in the event loop", (each["in_the_loop"] for each in kept), "looks", at_most(0))
    bench.figure(f"until all {workers} have ended", (each["seconds"] * 1000 for each in kept), "ms")
