"""``nova run --detach``: the run leaves this terminal, once everything about it is right."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from nova_async._core.advice import HERE, Place
from nova_async._core.atomic_files import own_folder
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.say import say, tell, write_all
from nova_async.errors import JournalError
from nova_async.journal.places import own_path

__all__ = ["Begun", "detach", "keep_short"]

Begun: TypeAlias = Callable[[str | None], object]
"""Called when the run has begun, with the address of its socket."""

MOST_TOLD = 64 * 1024  # bytes of the reasons why a run has not begun
MOST_OUTPUT = 16 * 1024 * 1024  # bytes: the lines of some 50,000 attempts; all that they tell is in the journal, too
LINE = 3  # the descriptor of the line to the terminal: all above it are closed


def detach(journal: Path, *, place: Place = HERE, as_json: bool) -> Begun | int:
    """Go on in a process that has left the terminal; it calls what is returned when the run has begun, with its socket.

    In this process, wait for that and return 0; if the run does not begin, return its exit code, after the reasons that
    it gave. What it writes later is in a file beside the journal, which replaces that of the run before.
    """
    try:
        own = own_path(journal)
        own_folder(own.parent)
        output = own.with_name(f"{own.name}.{os.getpid()}.out")
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
        file = os.open(output, flags, 0o600)
    except (OSError, JournalError) as error:
        tell(f"cannot detach: {error}")
        return BAD_INPUT
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    # None is lost between the fork and the moment from which it is handed on.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setsid()  # no terminal's signals reach it from here on
        keep_only(file, theirs)
        return partial(tell_begun, output, own.with_name(f"{own.name}.out"), journal.absolute())
    os.close(theirs)
    try:
        with handing_on_signals(pid):
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            line = read_line(ours)
            if line:
                say_begun(json.loads(line), place, as_json=as_json)
                return 0
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output.unlink(missing_ok=True)
        say(os.pread(file, MOST_TOLD, 0).decode(errors="replace").rstrip("\n"), err=True)
        return code if code >= 0 else 128 - code
    finally:
        os.close(ours)
        os.close(file)


def tell_begun(output: Path, last_output: Path, journal: Path, address: str | None) -> None:
    """Tell the terminal, where somebody waits for it, that the run has begun."""
    with suppress(OSError):  # only now: until here another run may be writing to the last one
        output = output.replace(last_output)
    said = {"pid": os.getpid(), "journal": str(journal), "control": address, "output": str(output)}
    with suppress(OSError):  # nobody waits any more
        write_all(LINE, json.dumps(said).encode() + b"\n")
    os.close(LINE)


def keep_only(output: int, line: int) -> None:
    """Write to the output file from here on, read nothing, and keep no descriptor that anybody handed to us."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(line, LINE + 1)
    for descriptor, becomes in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, becomes)
    os.dup2(LINE + 1, LINE, inheritable=False)
    os.closerange(LINE + 1, os.sysconf("SC_OPEN_MAX"))


def keep_short(output: int = 1) -> None:
    """Keep the latest half of what a detached run has printed, in whole lines, where it is more than anybody reads."""
    size = os.fstat(output).st_size
    if size <= MOST_OUTPUT:
        return
    latest = os.pread(output, MOST_OUTPUT // 2, size - MOST_OUTPUT // 2)
    os.ftruncate(output, 0)  # whoever else has it open writes on at its end, as we do
    write_all(output, latest[latest.find(b"\n") + 1 :])


def read_line(descriptor: int) -> bytes:
    """Return the line that the run sends when it has begun; nothing if it ends before."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 4096)
        if not chunk:
            return b""
        line += chunk
    return line


@contextmanager
def handing_on_signals(pid: int) -> Iterator[None]:
    """Let who interrupts the waiting interrupt the run, which has not begun."""

    def hand_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
               if signal.getsignal(number) is not signal.SIG_IGN]  # fmt: skip
    before = {number: signal.signal(number, hand_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_begun(said: dict[str, Any], place: Place, *, as_json: bool) -> None:
    """Say where the run is, and how to look at it and stop it."""
    if as_json:
        say(json.dumps(said))
        return
    output = Path(said["output"])
    with suppress(ValueError):
        output = output.relative_to(Path.cwd())
    say(f"the run has begun (pid {said['pid']}) and goes on without this terminal")
    watch, stop = place.command("nova watch"), place.command("nova stop")
    say(f"  watch it: {watch} · stop it: {stop} · what it prints: {shlex.quote(str(output))}")
