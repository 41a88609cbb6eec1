"""What many trivial tasks cost, each durable and with a log, beside programs that keep less."""

import tempfile
import time
from pathlib import Path

from tests.benchmarks import plans
from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_least, at_most
from tests.benchmarks.peers import RUNNING
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.programs import NOVA, Taken, run

AT_ONCE = 8


def run_plan(folder: Path, tasks: int, plan: str | None = None) -> Taken:
    """Have ``nova run`` run a plan of trivial tasks in a folder, from its start to its exit."""
    plans.write(folder, plan or plans.flat(tasks))
    return run([*NOVA, "run", "--plain", "-j", str(AT_ONCE), *plans.COMMAND], folder)


def measure(bench: Bench) -> None:
    """Run ``/bin/true`` many times, eight at once, as a whole program each."""
    tasks = bench.size(1000, 50)

    def nova() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return run_plan(Path(folder), tasks).seconds

    def by(peer: Peer) -> Way:
        def way() -> float:
            with tempfile.TemporaryDirectory() as folder:
                begin = time.perf_counter()
                assert peer.tasks is not None
                peer.tasks(Path(folder), tasks, AT_ONCE)
                return time.perf_counter() - begin

        return way

    ways: dict[str, Way] = {"nova run": nova, **{peer.name: by(peer) for peer in bench.peers(RUNNING)}}
    times = bench.in_turn(ways, most=5)
    for peer in RUNNING:
        if peer.name not in times:
            continue
        if peer.name in ("parallel --joblog --results", "doit -n"):
            bench.ratio(f"speed, of {peer.name}", times[peer.name], times["nova run"], at_least(1))
        else:
            target = at_most(2) if peer.name == "make -j" else None
            bench.ratio(f"time, of {peer.name}", times["nova run"], times[peer.name], target)
    bench.figure("a task", (seconds / tasks * 1000 for seconds in times["nova run"]), "ms")
