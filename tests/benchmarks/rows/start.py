"""What it costs to begin."""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_most
from tests.benchmarks.programs import NOVA, run
from tests.benchmarks.rows.tasks import run_plan


def measure(bench: Bench) -> None:
    """Import the library, and call commands that do little; bytecode and files are warm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = bench.size(1000, 100)
        bench.tell(f"running {tasks} tasks, for `nova status`")
        run_plan(folder, tasks)

        def call(*command: str) -> Way:
            return lambda: run(command, folder).seconds

        times = bench.in_turn(
            {
                "pass": call(sys.executable, "-c", "pass"),
                "asyncio": call(sys.executable, "-c", "import asyncio"),
                "nova": call(sys.executable, "-c", "from nova_async import AsyncWorker"),
                "version": call(*NOVA, "--version"),
                "status": call(*NOVA, "status"),
            }
        )
    bench.ratio("from nova_async import AsyncWorker, of import asyncio", times["nova"], times["asyncio"], at_most(2.5))
    bench.ratio("nova --version, of python -c pass", times["version"], times["pass"], at_most(4))
    bench.ratio(f"nova status ({tasks:,} tasks), of python -c pass", times["status"], times["pass"], at_most(12))
