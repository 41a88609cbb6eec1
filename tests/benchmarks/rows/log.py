"""What a huge log costs whoever follows it."""

import os
import tempfile
from pathlib import Path

from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.programs import NOVA, Taken, run
from tests.benchmarks.rows.tasks import run_plan


def measure(bench: Bench) -> None:
    """Follow a log of 10 GB to its end, through a pipe; it is one line, and a hole in the file: no disk is needed."""
    gigabytes = bench.size(10, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_plan(folder, 1)
        os.truncate(folder / "logs/T1.log", gigabytes * 1_000_000_000)
        taken: list[Taken] = []

        def follow() -> float:
            taken.append(run([*NOVA, "logs", "--follow", "T1"], folder, sink=True))
            return taken[-1].seconds

        def by(command: tuple[str, ...]) -> Way:
            return lambda: run(command, folder, sink=True).seconds

        times = bench.in_turn({"nova": follow, "cat": by(("cat", "logs/T1.log"))}, most=3)
    bench.ratio(f"speed of nova logs -f, {gigabytes} GB, of cat", times["cat"], times["nova"], more_is_better=True)
    bench.figure("peak memory of nova logs -f", (each.peak_bytes / 1e6 for each in taken[-len(times["nova"]) :]), "MB")
