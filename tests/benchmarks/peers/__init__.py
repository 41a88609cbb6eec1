"""Other programs and libraries that do some of the same work; each is left out, with the reason, where it is absent."""

from tests.benchmarks.peers import (
    anyio_process,
    asyncio_alone,
    asyncio_readline,
    doit,
    gnu_parallel,
    make,
    pueue,
    sh_library,
    shellous_library,
    task_spooler,
    threads,
    xargs,
)
from tests.benchmarks.peers.peer import Peer, PeerFailed

__all__ = ["CAPTURING", "LIVING", "RUNNING", "Peer", "PeerFailed"]

ALL = (
    asyncio_readline.PEER, threads.PEER, anyio_process.PEER, shellous_library.PEER, sh_library.PEER,
    asyncio_alone.PEER, xargs.PEER, make.PEER, gnu_parallel.PEER, doit.PEER, task_spooler.PEER, pueue.PEER,
)  # fmt: skip
CAPTURING = tuple(peer for peer in ALL if peer.capture is not None)
LIVING = tuple(peer for peer in ALL if peer.lives is not None)
RUNNING = tuple(peer for peer in ALL if peer.tasks is not None)
