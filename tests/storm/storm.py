"""One storm from one seed: under the workers of one program, or under ``nova run``."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.storm.ledger import accounts, alive_of, bearers_of, started
from tests.storm.long_plan import LongPlan
from tests.storm.under_nova import Run

__all__ = ["MARK", "Storm", "long_plan", "under_nova", "under_workers"]

MARK = "STORM"  # the variable by which everyone of a storm is found who has kept the environment
ROOT = Path(__file__).parents[2]
SECONDS = 300.0  # far more than a storm of a few hundred takes


@dataclass
class Storm:
    """What came of it; nothing is to complain about where nothing was lost."""

    again: str
    figures: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {what}" for what, count in sorted(self.figures.items()))
        lost = "\n".join(["", *self.complaints, f"again: {self.again}"]) if self.complaints else ""
        return f"{told}, {len(self.complaints)} lost{lost}"


def under_workers(folder: Path, seed: int, workers: int) -> Storm:
    """Run so many stormy agents in one program, which is a process of its own."""
    storm = Storm(f"python -m tests.storm --only workers --seed {seed} --workers {workers}")
    mark = f"workers-{seed}-{os.getpid()}"
    command = [sys.executable, "-W", "error", "-m", "tests.storm.under_workers", str(folder), str(seed), str(workers)]
    program = subprocess.run(
        command, cwd=ROOT, env={**os.environ, MARK: mark}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if program.returncode or program.stderr:
        storm.complaints.append(f"the program ended with {program.returncode}: {program.stderr}")
    else:
        told = json.loads(program.stdout)
        storm.figures.update(told["figures"])
        storm.complaints += told["complaints"]
    end_all(storm, folder / "ledgers", mark)
    return storm


def under_nova(folder: Path, seed: int, tasks: int, blows: int, watchers: int = 0) -> Storm:
    """Run a plan of so many stormy agents, dealing so many blows to its supervisor; so many clients come to it."""
    how = f"--seed {seed} --tasks {tasks} --blows {blows} --watchers {watchers}"
    storm = Storm(f"python -m tests.storm --only nova {how}")
    mark = f"nova-{seed}-{os.getpid()}"
    begun = time.monotonic()
    run = Run(folder, seed, tasks, blows, {**os.environ, MARK: mark}, watchers=watchers)
    run.rage()
    storm.figures.update(run.figures)
    storm.figures.update({f"blows of {blow}": count for blow, count in run.dealt.items()})
    storm.figures["seconds"] = round(time.monotonic() - begun)
    storm.complaints += run.complaints
    end_all(storm, folder / "ledgers", mark)
    return storm


def long_plan(folder: Path, tasks: int) -> Storm:
    """Run a plan of so many trivial tasks."""
    plan = LongPlan(folder, tasks)
    plan.rage()
    return Storm(f"python -m tests.storm --storms 0 --long {tasks}", plan.figures, plan.complaints)


def end_all(storm: Storm, ledgers: Path, mark: str) -> None:
    """Complain about everyone who is left, by the ledgers and by the mark, and end them."""
    found = accounts(ledgers)
    storm.complaints += [f"left behind: {who}" for who in alive_of(found, 3.0)]
    bearers = bearers_of(f"{MARK}={mark}")
    storm.complaints += [f"left behind: process {pid} bears the mark" for pid in bearers]
    listed = [pid for account in found for pid, start, _ in account.born if started(pid) == start]
    for pid in {*listed, *bearers}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
