"""Run storms: ``python -m tests.storm --seconds 600 --workers 400``. Each has a seed of its own, from ``--seed`` on."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.storm.storm import Storm, long_plan, under_nova, under_workers


def main() -> int:
    """Run storms until the time is up or one has lost something; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first storm (default: 1)")
    parser.add_argument("--storms", type=int, default=1, help="how many, each with the next seed (default: 1)")
    parser.add_argument("--seconds", type=float, default=0.0, help="begin another storm until so many have passed")
    parser.add_argument("--workers", type=int, default=300, help="in a storm under workers (default: 300)")
    parser.add_argument("--tasks", type=int, default=40, help="in a storm under nova run (default: 40)")
    parser.add_argument("--blows", type=int, default=10, help="that its supervisor is dealt (default: 10)")
    parser.add_argument("--watchers", type=int, default=6, help="that come to a nova run and go (default: 6)")
    parser.add_argument("--only", choices=["workers", "nova"], help="of the two kinds of storm")
    parser.add_argument("--long", type=int, default=0, help="tasks of a plan that is only long, such as 10000")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it, and so would every nova
    begun, seed, code = time.monotonic(), asked.seed, 0
    while seed < asked.seed + asked.storms or time.monotonic() - begun < asked.seconds:
        if asked.only != "nova":
            code |= told(
                f"seed {seed} under workers", lambda folder, seed=seed: under_workers(folder, seed, asked.workers)
            )
        if asked.only != "workers":
            code |= told(
                f"seed {seed} under nova",
                lambda folder, seed=seed: under_nova(folder, seed, asked.tasks, asked.blows, asked.watchers),
            )
        seed += 1
    if asked.long:
        code |= told("a long plan", lambda folder: long_plan(folder, asked.long))
    return code


def told(what: str, run: Callable[[Path], Storm]) -> int:
    """Run a storm in a folder of its own and print what came of it; return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="nova-storm-"))
    storm = run(folder)
    print(f"{what}: {storm}", flush=True)
    if storm.complaints:
        print(f"it is all in {folder}", flush=True)
        return 1
    shutil.rmtree(folder)
    return 0


sys.exit(main())
