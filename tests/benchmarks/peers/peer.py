"""What all adapters of peers have in common."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["USAGE", "Peer", "PeerFailed", "call", "no_module", "no_program"]

USAGE = re.compile(rb"Token usage: input=(\d+), output=(\d+), cache_read=(\d+), cache_creation=(\d+)")
LONGEST = 600  # seconds; what takes longer is stuck


class PeerFailed(Exception):
    """A peer is here, but does not do its work."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program or library that does the same work.

    ``capture(source, log)`` has ``cat`` print a file, and writes every line to a log and looks for usage in it;
    ``lives(count)`` starts ``/bin/true`` so often, one after the other, and waits for each; ``tasks(folder, count,
    at_once)`` runs so many ``/bin/true``, some at once, with its files in an empty folder.
    """

    name: str
    missing: Callable[[], str | None] = lambda: None
    capture: Callable[[Path, Path], None] | None = None
    lives: Callable[[int], None] | None = None
    tasks: Callable[[Path, int, int], None] | None = None


def no_module(name: str) -> Callable[[], str | None]:
    """Return what says that a Python package is not installed."""
    reason = f"the Python package {name} is not installed"
    # sh puts something in the place of its module that has no spec
    return lambda: None if name in sys.modules or importlib.util.find_spec(name) else reason


def no_program(*names: str) -> Callable[[], str | None]:
    """Return what says which of these programs is not on PATH."""

    def missing() -> str | None:
        absent = [name for name in names if shutil.which(name) is None]
        return f"{absent[0]} is not on PATH" if absent else None

    return missing


def call(
    command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, given: bytes | None = None
) -> bytes:
    """Run a program of a peer in a folder and return what it printed. Raises ``PeerFailed``."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, input=given, stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True, timeout=LONGEST, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerFailed(str(error)) from error
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise PeerFailed(f"{command[0]} exited with {done.returncode}: {told[-1] if told else 'no message'}")
    return done.stdout
