"""How fast the output of one child gets into its log and is counted."""

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_least, at_most
from tests.benchmarks.peers import CAPTURING
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.workloads import capture_by_worker, write_input

TARGETS = {"asyncio readline": at_least(10), "Popen and a thread": at_least(6)}


def measure(bench: Bench) -> None:
    """Capture lines of 100 bytes, one usage line in a thousand; slow peers get fewer, and count per megabyte."""
    size, less = bench.size(200, 20), bench.size(10, 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, part, log = folder / "source", folder / "part", folder / "log"
        write_input(source, size * 1_000_000)
        write_input(part, less * 1_000_000)
        cpu: dict[str, list[float]] = {"worker": [], "cat": []}

        def worker() -> float:
            found = asyncio.run(capture_by_worker(size, folder))
            cpu["worker"].append(found["cpu"])
            return found["seconds"]

        def cat() -> float:
            begin = time.perf_counter()
            with log.open("wb") as out, subprocess.Popen(["cat", str(source)], stdout=subprocess.PIPE) as feeder:
                sink = subprocess.Popen(["cat"], stdin=feeder.stdout, stdout=out)
                _, _, usage = os.wait4(sink.pid, 0)
                sink.returncode = 0  # it has been waited for
            seconds = time.perf_counter() - begin
            cpu["cat"].append(usage.ru_utime + usage.ru_stime)
            log.unlink()  # as the worker's is: every round writes a new file
            return seconds

        def by(peer: Peer) -> Way:
            def way() -> float:
                begin = time.perf_counter()
                assert peer.capture is not None
                peer.capture(part, log)
                seconds = time.perf_counter() - begin
                assert log.stat().st_size == part.stat().st_size, f"{peer.name} lost something"
                log.unlink()
                return seconds * size / less

            return way

        ways: dict[str, Way] = {"worker": worker, "cat": cat}
        ways |= {peer.name: by(peer) for peer in bench.peers(CAPTURING)}
        times = bench.in_turn(ways)
    rounds = len(times["worker"])
    bench.ratio("speed, of `cat | cat`", times["cat"], times["worker"], at_least(0.9))
    for peer in CAPTURING:
        if peer.name in times:
            target = TARGETS.get(peer.name)
            bench.ratio(f"speed, of {peer.name}", times[peer.name], times["worker"], target, more_is_better=True)
    bench.ratio("CPU, of `cat` in the same place", cpu["worker"][-rounds:], cpu["cat"][-rounds:], at_most(2))
    bench.figure("megabytes a second", (size / seconds for seconds in times["worker"]), "MB/s", more_is_better=True)
