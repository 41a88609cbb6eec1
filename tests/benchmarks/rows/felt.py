"""What a person waits for."""

import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import plans
from tests.benchmarks.bench import Bench
from tests.benchmarks.programs import NOVA, environment, run

PATIENCE = 60.0  # seconds


def measure(bench: Bench) -> None:
    """Check a plan, wait for the first table of a run on a terminal, and for what Ctrl-C does."""
    if shutil.which("setsid") is None:
        bench.skip("everything", "setsid is not on PATH")
        return
    tasks = bench.size(1000, 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plans.write(folder, plans.flat(tasks))
        waited: dict[str, list[float]] = {"painted": [], "obeyed": []}

        def watch() -> None:
            with tempfile.TemporaryDirectory() as inner:
                painted, obeyed = watch_a_run(Path(inner))
            waited["painted"].append(painted)
            waited["obeyed"].append(obeyed)

        times = bench.in_turn(
            {
                "pass": lambda: run([sys.executable, "-c", "pass"], folder).seconds,
                "version": lambda: run([*NOVA, "--version"], folder).seconds,
                "plan": lambda: run([*NOVA, "plan"], folder).seconds,
                "watched": watch,
            }
        )
    rounds = len(times["pass"])
    painted, obeyed = (values[-rounds:] for values in waited.values())
    bench.figure("nova --version", (seconds * 1000 for seconds in times["version"]), "ms")
    bench.ratio(f"nova plan ({tasks:,} tasks), of python -c pass", times["plan"], times["pass"])
    bench.figure(f"nova plan ({tasks:,} tasks)", (seconds * 1000 for seconds in times["plan"]), "ms")
    bench.ratio("nova run until its table is there, of python -c pass", painted, times["pass"])
    bench.figure("nova run until its table is there", (seconds * 1000 for seconds in painted), "ms")
    bench.figure('Ctrl-C until "stopping" is there', (seconds * 1000 for seconds in obeyed), "ms")


def watch_a_run(folder: Path) -> tuple[float, float]:
    """Run a plan on a terminal: how long until its table shows a task, and how long from Ctrl-C to "stopping"."""
    plans.write(folder, plans.flat(8))
    ours, theirs = pty.openpty()
    command = [*NOVA, "run", "-j", "4", "--command", "sh -c 'exec sleep 600' {prompt}"]
    shown = {**environment(), "TERM": "xterm-256color"}
    begin = time.perf_counter()
    # --ctty: the terminal is to send the signal for Ctrl-C
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], cwd=folder, env=shown, stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        try:
            painted = until(ours, b"T8") - begin  # the last row
            begin = time.perf_counter()
            os.write(ours, b"\x03")
            obeyed = until(ours, b"stopping") - begin
        finally:
            os.write(ours, b"\x03")  # the second one kills
            read_to_the_end(ours)
    os.close(ours)
    return painted, obeyed


def until(terminal: int, wanted: bytes) -> float:
    """Read until this is there, and return the moment."""
    seen, deadline = b"", time.perf_counter() + PATIENCE
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(deadline - time.perf_counter(), 0))
        if not ready:
            raise RuntimeError(f"no {wanted!r} within {PATIENCE:.0f} s; there was {seen[-300:]!r}")
        seen += os.read(terminal, 65536)
    return time.perf_counter()


def read_to_the_end(terminal: int) -> None:
    """Read until the last program has closed its side: Linux says that by an error."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass
