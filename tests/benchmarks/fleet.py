"""What many workers cost at once: idle ones, and talking ones."""

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nova_async import AsyncWorker
from nova_async.cli.process_wide import prepare_process
from tests.benchmarks.measure import cpu_seconds, show

IDLE = 1000
TALKING = 200
LINES_A_SECOND = 50
SECONDS = 5

TALKER = f"""
import time
due = time.monotonic()
for number in range({LINES_A_SECOND * SECONDS}):
    due += {1 / LINES_A_SECOND}
    time.sleep(max(0, due - time.monotonic()))
    print("a line of output that an agent could have printed, with a number:", number, flush=True)
"""


def memory() -> float:
    """Return our resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def idle_workers(folder: str) -> None:
    """Compare idle workers with idle bare processes."""
    start = memory()
    bare = [await asyncio.create_subprocess_exec("sleep", "600", stdout=subprocess.DEVNULL) for _ in range(IDLE)]
    bare_bytes = (memory() - start) / IDLE
    for child in bare:
        child.kill()
    for child in bare:
        await child.wait()
    del bare
    start = memory()
    workers = [AsyncWorker(f"I{number}", log_dir=folder) for number in range(IDLE)]
    for worker in workers:
        await worker.start(["sleep", "600"])
    worker_bytes = (memory() - start) / IDLE
    begin = cpu_seconds()
    await asyncio.sleep(3)
    cpu = cpu_seconds() - begin
    show(f"{IDLE} idle workers: memory of each beyond a bare one", (worker_bytes - bare_bytes) / 1024, "KB", "≤ 40")
    show(f"{IDLE} idle workers: CPU in 3 s", cpu * 1000, "ms", "0")
    begin = time.perf_counter()
    await asyncio.gather(*(worker.terminate(grace=0) for worker in workers))
    show(f"{IDLE} idle workers: all of them ended in", time.perf_counter() - begin, "s", "-")


async def talking_workers(folder: str) -> None:
    """Measure the CPU for a talking fleet."""
    workers = [AsyncWorker(f"T{number}", log_dir=folder) for number in range(TALKING)]
    for worker in workers:
        await worker.start([sys.executable, "-S", "-c", TALKER])
    begin, clock = cpu_seconds(), time.perf_counter()
    await asyncio.sleep(SECONDS - 2)
    share = (cpu_seconds() - begin) / (time.perf_counter() - clock)
    for worker in workers:
        await worker.wait()
        assert len(worker.log_path.read_bytes().splitlines()) == LINES_A_SECOND * SECONDS
    show(f"{TALKING} workers, {LINES_A_SECOND} lines a second each: of one core", share * 100, "%", "≤ 30")


def main() -> None:
    """Measure and print."""
    prepare_process(IDLE)
    for measure in (idle_workers, talking_workers):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(folder))
