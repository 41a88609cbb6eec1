"""pueue: a daemon with a queue, a log of each task, and a record of all."""

import json
from pathlib import Path

from tests.benchmarks.peers.peer import Peer, call, no_program


def tasks(folder: Path, count: int, at_once: int) -> None:
    """Queue so many, in a daemon of our own, and wait for all."""
    settings = folder / "pueue.yml"
    folders = {"pueue_directory": str(folder), "runtime_directory": str(folder), "use_unix_socket": True}
    settings.write_text(json.dumps({"shared": folders, "client": {}, "daemon": {}}))  # YAML is a superset of JSON
    ask = ["pueue", "--config", str(settings)]
    call(["pueued", "--config", str(settings), "--daemonize"], folder)
    try:
        call([*ask, "parallel", str(at_once)], folder)
        for _ in range(count):
            call([*ask, "add", "--", "/bin/true"], folder)
        call([*ask, "wait", "--all", "--quiet"], folder)
    finally:
        call([*ask, "shutdown"], folder)


PEER = Peer("pueue", no_program("pueue", "pueued"), tasks=tasks)
