"""Programs that are measured from outside, and our own work in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NOVA", "Taken", "environment", "run", "work"]

NOVA = (sys.executable, "-m", "nova_async")
ROOT = Path(__file__).parents[2]
LAUNCHER = Path(__file__).with_name("launcher.py")
# Without bytecode every start takes twice as long; the others have a program decide by itself how it looks.
UNWANTED = {"PYTHONDONTWRITEBYTECODE", "NO_COLOR", "FORCE_COLOR", "NOVA_PLAIN", "COLUMNS", "LINES"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a program took; ``cpu`` is that of its children too, as far as it has waited for them."""

    code: int
    seconds: float
    cpu: float
    peak_bytes: int


def environment() -> dict[str, str]:
    """Return what programs see: they find the library, and what changes their speed is not there."""
    inherited = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


def run(command: Sequence[str], folder: Path | str = ".", *, sink: bool = False, code: int = 0) -> Taken:
    """Run a program in a folder; with ``sink``, what it prints goes through a pipe into a ``cat``.

    Raises ``RuntimeError`` unless it exits with ``code``.
    """
    launched = [sys.executable, "-I", "-S", str(LAUNCHER), "sink" if sink else "null", *command]
    done = subprocess.run(
        launched, cwd=folder, env=environment(), capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise RuntimeError(f"could not start {command[0]}: {done.stderr.decode(errors='replace')[-500:]}")
    taken = Taken(**json.loads(done.stdout.splitlines()[-1]))
    if taken.code != code:
        said = done.stderr.decode(errors="replace")[-500:]
        raise RuntimeError(f"{' '.join(command[:4])} exited with {taken.code}, not {code}: {said}")
    return taken


def work(name: str, count: int) -> dict[str, float]:
    """Do something of workloads.py in a process of its own, and return what that measured."""
    command = [sys.executable, "-m", "tests.benchmarks.workloads", name, str(count)]
    done = subprocess.run(command, env=environment(), capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} exited with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return {key: float(value) for key, value in answer.items()}
