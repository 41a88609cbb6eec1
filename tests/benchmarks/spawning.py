"""What a worker's whole life costs beside a bare process."""

import asyncio
import subprocess
import tempfile

from nova_async import AsyncWorker, Worker
from tests.benchmarks.measure import in_turn, show

LIVES = 100


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        number = 0

        async def worker() -> None:
            nonlocal number
            number += 1
            supervised = AsyncWorker(f"T{number}", log_dir=folder)
            await supervised.start(["/bin/true"])
            await supervised.wait()

        async def bare() -> None:
            child = await asyncio.create_subprocess_exec("/bin/true", stdout=subprocess.DEVNULL)
            await child.wait()

        def facade() -> None:
            nonlocal number
            for _ in range(LIVES):
                number += 1
                supervised = Worker(f"S{number}", log_dir=folder)
                supervised.start(["/bin/true"])
                supervised.wait()

        def run() -> None:
            for _ in range(LIVES):
                subprocess.run(["/bin/true"], stdout=subprocess.DEVNULL, check=True)

        with asyncio.Runner() as runner:

            async def repeat(life: object) -> None:
                for _ in range(LIVES):
                    await life()  # type: ignore[operator]

            times = in_turn(5, worker=lambda: runner.run(repeat(worker)), bare=lambda: runner.run(repeat(bare)))
        blocking = in_turn(5, facade=facade, run=run)
        show("a worker's life against create_subprocess_exec", times["worker"] / times["bare"], "times", "≤ 1.5")
        show("the blocking face against subprocess.run", blocking["facade"] / blocking["run"], "times", "≤ 2")
        show("a worker's life", times["worker"] / LIVES * 1000, "ms", "-")
        show("a blocking worker's life", blocking["facade"] / LIVES * 1000, "ms", "-")
