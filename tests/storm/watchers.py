"""Clients that come to a stormy run at random: they watch, sleep, talk nonsense, ask for things, and go."""

import json
import random
import socket
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

__all__ = ["watched"]

PATIENCE = 30.0  # seconds for a run to say something to who has asked; it is stopped for a second at most
NONSENSE = b"\x00\xff{\n[]\n" + b'{"do": "dance", "id": 1}\n'


@contextmanager
def watched(folder: Path, seed: int, watchers: int, complaints: list[str], figures: "Counter[str]") -> Iterator[None]:
    """Have so many clients come to whatever run is running in a folder, again and again, within this context."""
    over = threading.Event()
    threads = [
        threading.Thread(target=Watcher(folder, random.Random(f"{seed} {number}"), over, complaints, figures).come)
        for number in range(watchers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


class Watcher:
    """One of them."""

    def __init__(
        self, folder: Path, dice: random.Random, over: threading.Event, complaints: list[str], figures: "Counter[str]"
    ) -> None:
        self.folder = folder
        self.dice = dice
        self.over = over
        self.complaints = complaints
        self.figures = figures

    def come(self) -> None:
        """Come to the run that is running, until the storm is over."""
        while not self.over.wait(self.dice.random() / 5):
            with suppress(OSError, sqlite3.Error), socket.socket(socket.AF_UNIX) as client:  # it may be killed any time
                client.settimeout(PATIENCE)
                client.connect(self.address())
                try:
                    self.dice.choice((self.watch, self.watch, self.sleep, self.talk_nonsense, self.ask))(client)
                except TimeoutError:
                    self.complaints.append(f"a client waited for {PATIENCE:.0f} s")

    def address(self) -> str:
        """Return where the latest run listens, or has listened."""
        with closing(sqlite3.connect(f"file:{self.folder}/.nova/journal.db?mode=ro", uri=True)) as journal:
            (address,) = journal.execute("select control from runs order by rowid desc").fetchone() or ("",)
        if not address:
            raise FileNotFoundError
        return str(address)

    def watch(self, client: socket.socket) -> None:
        """Read for a while: first all, then what changes, in order."""
        client.sendall(b'{"nova": 1, "do": "watch", "from": 0}\n')
        number, left = -1, self.dice.randrange(1, 60)
        with client.makefile("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # the run was killed while it wrote
                message = json.loads(line)
                self.figures[f"{message['kind']}s seen"] += 1
                left -= 1
                if message["kind"] == "over" or not left:
                    return
                told = [event["number"] for event in message["events"]]
                if message["number"] < number or told != sorted(told) or (told and told[-1] > message["number"]):
                    self.complaints.append(f"after event {number} a client was told {told} and {message['number']}")
                number = message["number"]

    def sleep(self, client: socket.socket) -> None:
        """Watch, and read nothing."""
        client.sendall(b'{"nova": 1, "do": "watch"}\n' * 20)
        self.over.wait(self.dice.random() * 2)

    def talk_nonsense(self, client: socket.socket) -> None:
        """Say what is no command, and go in the middle of it, or with what is said about it unread."""
        client.sendall(NONSENSE * self.dice.randrange(1, 9))
        if self.dice.random() < 0.5:
            client.recv(100)

    def ask(self, client: socket.socket) -> None:
        """Have the run pause and go on, with another number of workers; each is answered, unless the run ends."""
        workers = b'{"do": "workers", "count": %d, "id": 2}\n' % self.dice.randrange(2, 8)
        client.sendall(b'{"do": "pause", "id": 1}\n' + workers + b'{"do": "resume", "id": 3}\n')
        with client.makefile("rb") as lines:
            answers = [json.loads(line)["id"] for _, line in zip(range(3), lines, strict=False) if line.endswith(b"\n")]
        self.figures["answers"] += len(answers)
        if not {*answers} <= {1, 2, 3} or len(answers) != len({*answers}):
            self.complaints.append(f"a client was answered {answers}")
