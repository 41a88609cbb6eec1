"""What many workers cost that are alive and say nothing."""

from pathlib import Path

from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import work


def measure(bench: Bench) -> None:
    """Have 1,000 workers alive at once, and 1,000 children of asyncio."""
    if not Path("/proc/self/statm").exists():
        bench.skip("everything", "there is no /proc")
        return
    count = bench.size(1000, 50)
    samples: dict[str, list[dict[str, float]]] = {"idle_workers": [], "idle_bare_children": []}

    def by(name: str) -> Way:
        return lambda: samples[name].append(work(name, count))

    rounds = len(bench.in_turn({name: by(name) for name in samples}, most=3)["idle_workers"])
    ours, bare = ([*kept[-rounds:]] for kept in samples.values())
    more = [(one["bytes_each"] - other["bytes_each"]) / 1024 for one, other in zip(ours, bare, strict=True)]
    bench.figure(f"memory of each of {count:,} workers beyond a bare child", more, "KiB", at_most(40))
    bench.figure(f"CPU of {count:,} workers in 3 s", (each["cpu"] * 1000 for each in ours), "ms", at_most(10))
    bench.figure(f"CPU of {count:,} bare children in 3 s", (each["cpu"] * 1000 for each in bare), "ms")
    ends = [[each["ending"] for each in kept] for kept in (ours, bare)]
    bench.ratio(f"killing {count:,} workers, of killing bare children", *ends)
