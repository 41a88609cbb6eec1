"""What a worker's whole life costs beside a bare process."""

import time

from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.figures import at_most
from tests.benchmarks.peers import LIVING
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.programs import work

BARE, RUN = "asyncio readline", "Popen and a thread"  # what a life costs has nothing to do with how output is read


def measure(bench: Bench) -> None:
    """Start ``/bin/true`` and wait for it, one after the other."""
    lives = bench.size(200, 20)

    def by(peer: Peer) -> Way:
        def way() -> float:
            begin = time.perf_counter()
            assert peer.lives is not None
            peer.lives(lives)
            return time.perf_counter() - begin

        return way

    ways: dict[str, Way] = {
        "worker": lambda: work("lives_of_workers", lives)["seconds"],
        "bare": lambda: work("lives_of_bare_children", lives)["seconds"],
        "blocking worker": lambda: work("lives_of_blocking_workers", lives)["seconds"],
    }
    ways |= {peer.name: by(peer) for peer in bench.peers(LIVING) if peer.name != BARE}
    times = bench.in_turn(ways)
    bench.ratio("a worker, of create_subprocess_exec and wait", times["worker"], times["bare"], at_most(1.5))
    bench.ratio("a blocking worker, of subprocess.run", times["blocking worker"], times[RUN], at_most(2))
    for name in times:
        if name in {peer.name for peer in LIVING} - {RUN}:
            bench.ratio(f"a worker, of {name}", times["worker"], times[name])
    bench.figure("a worker", (seconds / lives * 1000 for seconds in times["worker"]), "ms")
