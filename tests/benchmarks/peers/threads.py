"""What one writes with subprocess and a thread that reads."""

import subprocess
import threading
from pathlib import Path

from tests.benchmarks.peers.peer import USAGE, Peer


def capture(source: Path, log: Path) -> None:
    """Read line by line in a thread, and write through a buffer."""

    def read() -> None:
        assert child.stdout is not None
        with log.open("wb") as out:
            for line in child.stdout:
                out.write(line)
                USAGE.search(line)

    with subprocess.Popen(["cat", str(source)], stdout=subprocess.PIPE) as child:
        reader = threading.Thread(target=read)
        reader.start()
        reader.join()


def lives(count: int) -> None:
    """Start and wait."""
    for _ in range(count):
        subprocess.run(["/bin/true"], stdout=subprocess.DEVNULL, check=True)


PEER = Peer("Popen and a thread", capture=capture, lives=lives)
