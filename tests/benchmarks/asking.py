"""What the questions cost that a polling program asks."""

import subprocess
import tempfile
import timeit

from nova_async import Worker
from tests.benchmarks.measure import show


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Worker("F1", log_dir=folder) as worker:
        worker.start(["sleep", "60"])
        with subprocess.Popen(["sleep", "60"]) as child:
            ways = {"alive": worker.is_alive, "usage": worker.get_token_usage, "poll": child.poll}
            times = {name: min(timeit.repeat(way, number=100_000, repeat=5)) for name, way in ways.items()}
            child.kill()
    show("is_alive() against Popen.poll()", times["alive"] / times["poll"], "times", "≤ 1")
    show("get_token_usage() against Popen.poll()", times["usage"] / times["poll"], "times", "≤ 2")
