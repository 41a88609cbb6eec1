"""A fake agent that behaves as it is told, and keeps a ledger of what it really did, so that others can be held to it.

Called by an agent's name (``claude``, ``codex`` …) it prints that agent's format, by any other name plain text with the
documented usage line. Its prompt, anywhere among its arguments, says the rest: ``storm: BEHAVIOUR SEED FOLDER``.
A behaviour that ends in ``-once`` is that of a task's first attempt; later ones are well behaved.

The ledger is three files in FOLDER, named TASK.ATTEMPT.PID: ``.out`` and ``.err`` get every byte before it is printed;
``.steps`` gets a line before or after each step:

``born PID START WHO``    a process of the family, by itself; START is in clock ticks since boot
``wrote out SIZE``        so many bytes have been printed so far
``tokens SIZE I O R C``   the totals that are known once so many bytes have been read
``verdict SIZE WORD``     ``success`` or ``failure``: what the agent says of itself once so many bytes have been read
``beside PID``            at its birth, a process of another attempt was alive
``exit CODE``             it ends now; a negative code is a signal
"""

import os
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from stormy_speech import FORMATS, Line, speech_of, text_of

PROMPT = re.compile(r"storm: (\S+) (\d+) (\S+)")
SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV, signal.SIGPIPE)
RUBBLE = (b"\xff\xfe\x00\x80", b"\xc3(", b"\xed\xa0\x80", b"\r\r", b"\x1b[2J\x1b]0;owned\x07", "\u2028\u202e".encode())
BROKEN = (b"{" * 300, b'{"type":"assistant","message":{"usage":{"input_tokens":12', b'{"type":')
STDERR_MARK = b"#noise "  # by which a log that holds both streams can be parted again
LONGEST_LIFE = 300  # seconds; nobody of a storm lives on for longer, whatever is wrong


class Ledger:
    """Writes down what is done; every line in one write, so that several processes can share it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._task = folder, os.environ.get("NOVA_TASK_ID", "none")
        name = folder / f"{self._task}.{os.environ.get('NOVA_ATTEMPT', '1')}.{os.getpid()}"
        self._copies = {1: appended(f"{name}.out"), 2: appended(f"{name}.err")}
        self._steps = appended(f"{name}.steps")  # last: where it is, the others are
        self.sizes = {1: 0, 2: 0}

    def note(self, *words: object) -> None:
        """Write down one step."""
        os.write(self._steps, (" ".join(map(str, words)) + "\n").encode())

    def born(self, who: str) -> None:
        """Write down that this process exists."""
        self.note("born", os.getpid(), started(os.getpid()), who)

    def look_for_others(self) -> None:
        """Write down every living process of another attempt of this task."""
        for steps in self._folder.glob(f"{self._task}.*.steps"):
            for line in steps.read_text().splitlines():
                word, *about = line.split()
                if word == "born" and int(about[0]) != os.getpid() and started(int(about[0])) == int(about[1]):
                    self.note("beside", *about)

    def print(self, text: bytes, stream: int = 1) -> None:
        """Print bytes; they stand in the ledger first."""
        for descriptor in (self._copies[stream], stream):
            view = memoryview(text)
            while view:
                view = view[os.write(descriptor, view) :]
        self.sizes[stream] += len(text)
        self.note("wrote", "out" if stream == 1 else "err", self.sizes[stream])

    def exit(self, code: int) -> NoReturn:
        """End, by a signal if the code is negative."""
        self.note("exit", code)
        if code < 0:
            os.kill(os.getpid(), -code)
        os._exit(code)


class Agent:
    """One run: what it does before it speaks (``before_…``), in between (``during_…``) and at its end (``end_…``)."""

    def __init__(self, name: str, behaviour: str, seed: int, ledger: Ledger) -> None:
        self.is_plain = name not in FORMATS
        self.behaviour, self.ledger, self.dice = behaviour, ledger, random.Random(seed)
        self.succeeds = behaviour != "failing"
        self.is_asked_to_stop = self.is_mute = False
        self.lines = list(speech_of(name, self.dice, self.succeeds, self.sizes()))

    def run(self) -> NoReturn:
        """Behave."""
        self.own("before", lambda: None)()
        middle = self.dice.randrange(len(self.lines))
        for number, line in enumerate(self.lines):
            if number == middle:
                self.own("during", lambda: None)()
            if not self.is_mute:
                self.say(line)
            if self.is_asked_to_stop:
                self.ledger.exit(1)
            if self.behaviour not in ("burst", "huge"):
                time.sleep(self.dice.random() * 0.02)
        # Higher codes have meanings with some agents, such as an HTTP status.
        self.ledger.exit(self.own("end", lambda: 0 if self.succeeds else self.dice.randrange(1, 40))())

    def own(self, when: str, usual: Callable[[], int | None]) -> Callable[[], int]:
        """Return what is done at that time in this behaviour."""
        return getattr(self, f"{when}_{self.behaviour}", usual)  # type: ignore[no-any-return]

    def sizes(self) -> list[int]:
        """Return the sizes of the texts in what it says."""
        if self.behaviour == "huge":
            return [10, self.dice.randrange(70_000, 3_000_000)]
        most, largest = {"burst": (12, 60_000), "drip": (3, 300)}.get(self.behaviour, (5, 4000))
        return [self.dice.randrange(1, largest) for _ in range(self.dice.randrange(1, most + 1))]

    def say(self, line: Line) -> None:
        """Print one line in the way that is this one's; what it makes known is written down first."""
        known_at = self.ledger.sizes[1] + len(line.text) - 1  # at the end of the output the newline may be missing
        if line.totals is not None:
            self.ledger.note("tokens", known_at, *line.totals)
        if line.verdict is not None:
            self.ledger.note("verdict", known_at, line.verdict)
        text = line.text
        while self.behaviour == "drip" and text:
            piece = self.dice.randrange(1, 80)
            self.ledger.print(text[:piece])
            text = text[piece:]
            time.sleep(self.dice.random() * 0.002)
        if text:
            self.ledger.print(text)
        if self.behaviour == "noisy" and not self.is_plain and self.dice.random() < 0.7:  # in plain text it would count
            noise = text_of(self.dice, self.dice.randrange(1, 300)).encode()
            self.ledger.print(STDERR_MARK + noise + b"\n", 2)

    def before_deaf(self) -> None:
        """Hear no signal but KILL."""
        ignore_signals()

    def end_deaf(self) -> NoReturn:
        """Stay."""
        stay()

    def before_polite(self) -> None:
        """End after the next line when asked to."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.is_asked_to_stop = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)

    def before_cut(self) -> None:
        """Lose the end of its output, as several real ones do."""
        self.lines.pop()

    def during_stopped(self) -> None:
        """Stop like after a Ctrl-Z."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def during_rubble(self) -> None:
        """Print what is no text and what is no event."""
        noise = b"".join(self.dice.choices(RUBBLE, k=self.dice.randrange(1, 200)))
        for text in (noise, *BROKEN):
            self.ledger.print(text + b"\n")

    def during_closed(self) -> None:
        """Close its output, and work on."""
        self.is_mute = True
        leave_pipe(1, 2)

    def end_closed(self) -> int:
        """Work for a while without an output."""
        time.sleep(0.1)
        return 0

    def end_signalled(self) -> int:
        """End by a signal of its own."""
        return -self.dice.choice(SIGNALS)

    def during_holder(self) -> None:
        """Leave a child that holds the pipe."""
        self.child("holder")

    def during_escapee(self) -> None:
        """Leave a process with a session of its own and without a parent."""
        self.child("escapee", leaves_pipe=True, is_orphan=True, has_session=True)

    def before_cloaked(self) -> None:
        """Have a child with a session of its own and an empty environment: known by its parent link alone."""
        self.child("cloaked", leaves_pipe=True, has_session=True, is_cloaked=True)

    def end_cloaked(self) -> NoReturn:
        """Stay, for without its parent it could not be known."""
        stay()

    def during_daemon(self) -> None:
        """Leave a process that keeps nothing: no parent, a session of its own, and an empty environment."""
        self.child("daemon", leaves_pipe=True, is_orphan=True, has_session=True, is_cloaked=True)

    def during_breeder(self) -> None:
        """Have many short-lived children, and some that stay."""
        for number in range(20):
            if os.fork() == 0:
                self.ledger.born("short-lived")
                if number % 5 == 0:
                    stay()
                os._exit(0)
            time.sleep(0.001)

    def child(
        self, who: str, *, leaves_pipe: bool = False, has_session: bool = False, is_orphan: bool = False,
        is_cloaked: bool = False,
    ) -> None:  # fmt: skip
        """Leave a process that hears no signal but KILL, and return once it is there."""
        ready, tell = os.pipe()
        first = os.fork()
        if first == 0:
            if has_session:
                os.setsid()
            if is_orphan and os.fork() != 0:
                os._exit(0)
            ignore_signals()
            self.ledger.born(who)
            if leaves_pipe:
                leave_pipe(0, 1, 2)
            if is_cloaked:
                os.execve("/bin/sleep", ["sleep", str(LONGEST_LIFE)], {})  # which closes our end of the pipe
            os.close(tell)
            stay()
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        if is_orphan:
            os.waitpid(first, 0)


def appended(path: str) -> int:
    """Open a file of the ledger."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def started(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot; None if it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def leave_pipe(*streams: int) -> None:
    """Put nothing in place of these streams; were they closed, the next file to be opened would be one of them."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nothing, stream)


def ignore_signals() -> None:
    """Hear none that ask one to end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def stay() -> NoReturn:
    """Wait for a signal that ends this process."""
    signal.alarm(LONGEST_LIFE)
    while True:
        signal.pause()


def main() -> NoReturn:
    """Be the agent whose name this program bears."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGPIPE):  # Python handles these two, other programs do not
        signal.signal(number, signal.SIG_DFL)
    found = next(found for word in sys.argv if (found := PROMPT.search(word)))
    behaviour, folder = found[1], Path(found[3])
    # Each attempt has a session of its own: a session that comes again would have its earlier numbers taken off.
    seed = int(found[2]) * 1000 + int(os.environ.get("NOVA_ATTEMPT", "0"))
    if behaviour.endswith("-once"):
        behaviour = behaviour.removesuffix("-once") if os.environ["NOVA_ATTEMPT"] == "1" else "calm"
    folder.mkdir(exist_ok=True)
    ledger = Ledger(folder)
    ledger.born("agent")
    ledger.look_for_others()
    Agent(Path(sys.argv[0]).name, behaviour, seed, ledger).run()
