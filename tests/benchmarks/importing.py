"""What it costs to begin."""

import subprocess
import sys

from tests.benchmarks.measure import in_turn, show


def main() -> None:
    """Measure and print."""

    def python(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)

    times = in_turn(
        15,
        nothing=lambda: python("-c", "pass"),
        asyncio=lambda: python("-c", "import asyncio"),
        nova=lambda: python("-c", "from nova_async import AsyncWorker, Worker"),
        version=lambda: python("-m", "nova_async", "--version"),
    )
    show(
        "from nova_async import AsyncWorker, Worker against import asyncio",
        times["nova"] / times["asyncio"],
        "times",
        "≤ 2.5",
    )
    show("nova --version against python -c pass", times["version"] / times["nothing"], "times", "≤ 8")
