"""How long it takes from a child's write until it is in the log, and counted."""

import asyncio
import statistics
import sys
import tempfile
import time

from nova_async import AsyncWorker
from tests.benchmarks.measure import show

TALKER = """
import time
for number in range(300):
    time.sleep(0.005)
    print("Token usage: input=1, output=0, cache_read=0, cache_creation=0", time.monotonic_ns(), flush=True)
"""


async def measure(folder: str) -> None:
    """Time each line from the child's clock to ours, when it can be read from the log."""
    worker = AsyncWorker("F1", log_dir=folder)
    await worker.start([sys.executable, "-c", TALKER])
    delays = []
    async for line in worker.lines():
        delays.append((time.monotonic_ns() - int(line.split()[-1])) / 1e6)
        assert worker.get_token_usage()["input_tokens"] >= len(delays)
    await worker.wait()
    cuts = statistics.quantiles(delays, n=100)
    show("a line from the child to a reader of the log, p50", cuts[49], "ms", "≤ 1")
    show("a line from the child to a reader of the log, p99", cuts[98], "ms", "≤ 10")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(folder))
