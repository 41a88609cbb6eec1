"""sh: commands as Python functions; a thread of its own calls back for each line."""

from pathlib import Path

from tests.benchmarks.peers.peer import USAGE, Peer, no_module


def capture(source: Path, log: Path) -> None:
    """Be called for each line, and write through a buffer."""
    import sh

    with log.open("wb") as out:

        def take(text: str) -> None:
            line = text.encode()
            out.write(line)
            USAGE.search(line)

        sh.cat(str(source), _out=take, _no_out=True, _tty_out=False)


def lives(count: int) -> None:
    """Start and wait."""
    import sh

    true = sh.Command("/bin/true")
    for _ in range(count):
        true(_tty_out=False)


PEER = Peer("sh", no_module("sh"), capture=capture, lives=lives)
