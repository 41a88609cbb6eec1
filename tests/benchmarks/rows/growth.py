"""How time and memory grow with a plan: more tasks, wider, deeper."""

import tempfile
from pathlib import Path

from tests.benchmarks import plans
from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import Taken
from tests.benchmarks.rows.tasks import run_plan


def measure(bench: Bench) -> None:
    """Run plans of several shapes as a whole program, and take its peak memory besides."""
    few, wide, deep = bench.size(1000, 30), bench.size(1000, 30), bench.size(500, 20)
    many = few * 10
    shapes = {
        f"{few:,} tasks": (few, plans.flat(few)),
        f"{many:,} tasks": (many, plans.flat(many)),
        f"{wide:,} wide": (wide, plans.wide(wide)),
        f"{deep:,} deep": (deep, plans.chain(deep)),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in shapes}

    def by(name: str) -> Way:
        def way() -> float:
            tasks, plan = shapes[name]
            with tempfile.TemporaryDirectory() as folder:
                taken[name].append(run_plan(Path(folder), tasks, plan))
            return taken[name][-1].seconds

        return way

    times = bench.in_turn({name: by(name) for name in shapes}, most=3)
    small, large, broad, long = shapes
    memory = {name: [each.peak_bytes / 1e6 for each in taken[name][-len(times[small]) :]] for name in shapes}
    bench.ratio(f"time of {large}, of {small}", times[large], times[small], at_most(12))
    bench.ratio(f"time of {broad}, of {small} that wait for nobody", times[broad], times[small])
    per_step = [seconds / deep * few for seconds in times[long]]
    bench.ratio(f"time of a step, {long}, of a task of {small}", per_step, times[small])
    for name in shapes:
        bench.figure(f"peak memory, {name}", memory[name], "MB")
    more = [(big - little) * 1000 / (many - few) for big, little in zip(memory[large], memory[small], strict=True)]
    bench.figure("memory of each task more", more, "kB")
