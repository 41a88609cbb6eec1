"""A plan of stormy agents under ``nova run``, which is interrupted, ended and killed until it is done."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.storm.agents import NAMES, install
from tests.storm.ledger import Account, accounts, log_at
from tests.storm.watchers import watched

__all__ = ["Run", "guard_of"]

BEHAVIOURS = (
    "calm", "calm", "burst", "huge", "drip", "rubble", "noisy", "polite", "holder", "breeder", "escapee", "escapee",
    "stopped-once", "signalled-once", "cut-once", "failing-once",
)  # fmt: skip
# What befalls the supervisor; "taken" is its journal's fate, "stopped" lasts a moment.
# Who clears its environment and leaves its parents is known to nova and its guard alone (G54): where both are killed
# at once, to nobody.
GUARDED_BLOWS = ("INT", "INT twice", "TERM", "HUP", "KILL", "KILL", "guard", "stopped", "taken")
GUARDED_BEHAVIOURS = (*BEHAVIOURS, "daemon", "daemon", "daemon")
BLOWS = (
    "INT", "INT twice", "TERM", "HUP", "KILL", "KILL", "KILL", "KILL with guard", "KILL with guard", "guard", "stopped",
    "taken",
)  # fmt: skip
# The signal itself ends it where it has not begun, or is about to exit.
CODES = {
    "INT": {130, -2}, "INT twice": {130, -2}, "TERM": {143, -15}, "HUP": {129, -1},
    "KILL": {-9}, "KILL with guard": {-9},
}  # fmt: skip
NOT_BEGUN = b"Could not import runpy module"  # Python itself, interrupted before there is any nova
STARTED = b" started (attempt "
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
FRONT = """+++
permissions = "own"
retries = 3
retry_on = ["signal", "timeout", "lost_tail", "exit", "agent_error"]
backoff = "0.1s..0.2s"
grace = "0.3s"
linger = "2s"
max_workers = {workers}
{command}+++

| ID | What | After | Agent | Timeout |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """An attempt as the journal has it."""

    task_id: str
    number: int
    outcome: str
    log: str | None
    counts: tuple[int, int, int, int]
    ended_by_us: int


@dataclass
class Run:
    """One plan, run until it is done."""

    folder: Path
    seed: int
    tasks: int
    blows: int
    environment: dict[str, str]
    workers: int = 6
    watchers: int = 0
    complaints: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    dealt: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.ledgers = self.folder / "ledgers"
        self.over = threading.Event()
        is_guarded = self.seed % 4 == 0
        self.behaviours = GUARDED_BEHAVIOURS if is_guarded else BEHAVIOURS
        self.kinds = GUARDED_BLOWS if is_guarded else BLOWS

    def rage(self) -> None:
        """Run it to its end, and look at what is left."""
        programs = install(self.folder / "bin")
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"
        self.write_plan()
        reader = threading.Thread(target=self.read_the_state)
        reader.start()
        try:
            with watched(self.folder, self.seed, self.watchers, self.complaints, self.figures):
                while not self.run_once():
                    pass
        finally:
            self.over.set()
            reader.join()
        self.examine()

    def write_plan(self) -> None:
        """Write a plan; a third of its tasks wait for others, and a third of the plans have a command of their own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        own = self.seed % 3 == 0
        command = f"command = ['{self.folder}/bin/stormy', '{{prompt}}']\n" if own else ""
        rows = []
        for number in range(self.tasks):
            behaviour = "deaf-once" if number == 0 else self.dice.choice(self.behaviours)
            agent = "custom" if own else self.dice.choice([name for name in NAMES if name != "stormy"])
            if own and behaviour == "cut-once":
                behaviour = "calm"  # in plain text nothing tells that the end is missing
            after = f"T{number - self.dice.randrange(1, 8)}" if number > 8 and self.dice.random() < 0.35 else "-"
            patience = "1s" if behaviour in ("deaf-once", "stopped-once") else "60s"
            prompt = f"storm: {behaviour} {self.dice.getrandbits(32)} {self.ledgers}"
            rows.append(f"| T{number} | {prompt} | {after} | {agent} | {patience} |")
        text = FRONT.format(workers=self.workers, command=command) + "\n".join(rows) + "\n"
        (self.folder / "CASCADE.md").write_text(text)

    def run_once(self) -> bool:
        """Run it once, until it ends or a blow ends it; tell whether it is complete."""
        command = [sys.executable, "-m", "nova_async", "run", "--plain"]
        self.output = self.folder / f"nova.{self.dealt.total()}.out"
        with self.output.open("ab") as output:
            nova = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=output, stderr=output)
        self.starts, blow = self.output.read_bytes().count(STARTED), ""
        try:
            while self.dealt.total() < self.blows:
                blow = self.dice.choice(self.kinds)
                if self.is_over_before(nova, early=blow != "taken" and self.dice.random() < 0.2):
                    break
                self.dealt[blow] += 1
                if self.deal(blow, nova):
                    break
            code = nova.wait(60)
        finally:
            nova.kill()
            nova.wait()
        if code == 1 and NOT_BEGUN in self.output.read_bytes():
            return False
        if code not in {0} | CODES.get(blow, set()):
            self.complaints.append(f"nova exited with {code} after {blow or 'nothing'}")
            return True
        return code == 0

    def is_over_before(self, nova: "subprocess.Popen[bytes]", *, early: bool) -> bool:
        """Wait for the next blow, unless it is to be ``early``; tell whether nova ends before it."""
        while not early and nova.poll() is None and self.output.read_bytes().count(STARTED) == self.starts:
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            nova.wait(self.dice.random() * 0.8)
            return True
        self.starts = self.output.read_bytes().count(STARTED)
        return False

    def deal(self, blow: str, nova: "subprocess.Popen[bytes]") -> bool:
        """Deal a blow; tell whether it ends the supervisor."""
        match blow:
            case "INT" | "TERM" | "HUP" | "KILL":
                nova.send_signal(getattr(signal, f"SIG{blow}"))
            case "INT twice":
                nova.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    nova.wait(self.dice.random() * 0.2)
                nova.send_signal(signal.SIGINT)
            case "KILL with guard":
                nova.send_signal(signal.SIGSTOP)  # or it would start another one
                kill_guard_of(nova.pid)
                nova.kill()
            case "guard":
                kill_guard_of(nova.pid)
                return False
            case "stopped":
                nova.send_signal(signal.SIGSTOP)
                time.sleep(self.dice.random())
                nova.send_signal(signal.SIGCONT)
                return False
            case "taken":
                journal = self.folder / ".nova"
                if not journal.exists() or self.is_closed():
                    return False
                shutil.rmtree(journal, ignore_errors=True)
                deadline = time.monotonic() + 10
                while not (journal / "journal.db").exists() and nova.poll() is None:
                    if time.monotonic() > deadline:
                        self.complaints.append("a journal that was taken away did not come back within 10 s")
                        return False
                    time.sleep(0.01)
                return False
        return True

    def is_closed(self) -> bool:
        """Tell whether the run has recorded its end: nobody puts a journal back that is taken away after that."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.folder / ".nova/journal.db")) as journal:
            return journal.execute("select ended_at from runs order by rowid desc").fetchone() not in (None, (None,))
        return False

    def read_the_state(self) -> None:
        """Read the state file as fast as a poller may; it must never be torn."""
        path = self.folder / "cascade_state.json"
        while not self.over.wait(0.005):
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                continue
            try:
                json.loads(text)
            except ValueError as error:
                self.complaints.append(f"the state file was torn: {error}: {text[:200]!r}")
                return
            self.figures["state read"] += 1

    def examine(self) -> None:
        """Hold the journal, the logs and the state file to the ledgers."""
        found = accounts(self.ledgers)
        rows = self.rows()
        by_task = defaultdict(list)
        for row in rows:
            by_task[row.task_id].append(row)
        if len(by_task) != self.tasks:
            self.complaints.append(f"{len(by_task)} of {self.tasks} tasks are in the journal")
        for task_id, attempts in by_task.items():
            outcomes = [row.outcome for row in attempts]
            if outcomes.count("ok") != 1 or outcomes[-1] != "ok":
                self.complaints.append(f"{task_id} ended as {outcomes}")
            if [row.number for row in attempts] != list(range(1, len(attempts) + 1)):
                self.complaints.append(f"{task_id} has the attempts {[row.number for row in attempts]}")
        self.complaints += self.wrong_attempts(rows, found)
        self.complaints += self.wrong_state(by_task)
        self.figures["tasks"] += self.tasks
        self.figures["attempts"] += len(rows)
        self.figures["processes"] += sum(len(account.born) for account in found)
        self.figures["tokens"] += sum(sum(row.counts) for row in rows)
        self.figures.update(f"attempts {row.outcome}" for row in rows)

    def wrong_attempts(self, rows: list[Row], found: list[Account]) -> Iterator[str]:
        """Give what is wrong between attempts, their agents' ledgers and their logs."""
        logs = {path.stat().st_ino: log_at(path) for path in (self.folder / "logs").glob("T*.log")}
        self.figures["bytes"] += sum(map(len, logs.values()))
        of_agents: dict[tuple[str, int], Account] = {}
        for account in found:
            who = f"{account.task_id}, attempt {account.attempt}"
            if account.beside:
                yield f"{who} ran beside {account.beside}"
            if of_agents.setdefault((account.task_id, account.attempt), account) is not account:
                yield f"{who} ran twice"
        claimed = set()
        for row in rows:
            who = f"{row.task_id}, attempt {row.number} ({row.outcome})"
            account = of_agents.pop((row.task_id, row.number), None)
            log = None
            if row.log is not None:
                inode = json.loads(row.log)["inode"]
                claimed.add(inode)
                log = logs.get(inode)
                if log is None:
                    yield f"{who}: its log is gone"
            if account is None:
                if row.outcome == "ok" or log or any(row.counts):
                    yield f"{who} has no ledger, but {len(log or b'')} bytes and {row.counts}"
                continue
            # One that is slower to leave than `linger` allows is ended after its success, on its way to any exit.
            if row.outcome == "ok" and account.exit_code != 0 and not row.ended_by_us:
                yield f"{who} ended with {account.exit_code}"
            if log is None:
                if row.outcome != "lost":
                    yield f"{who} has no log"
                continue
            itself = row.outcome != "lost" and not row.ended_by_us and row.outcome != "cancelled"
            for text in account.complaints_about(log, whole=itself, durable=row.outcome != "lost"):
                yield f"{who}: {text}"
            if row.counts != account.known_at(log)[0]:
                yield f"{who}: counted {row.counts}, printed {account.known_at(log)[0]} in {len(log)} bytes"
        for task_id, number in of_agents:
            yield f"{task_id}, attempt {number} is not in the journal"
        for inode in logs.keys() - claimed:
            if log := logs[inode]:
                self.figures["logs nobody claims"] += 1
                self.figures["bytes nobody claims"] += len(log)
                self.figures["tokens nobody claims"] += max(
                    sum(account.known_at(log)[0]) for account in found if account.written("out").startswith(log)
                )

    def wrong_state(self, by_task: dict[str, list[Row]]) -> Iterator[str]:
        """Give what is wrong in the state file's sums."""
        state = json.loads((self.folder / "cascade_state.json").read_text())
        for task_id, attempts in by_task.items():
            told = state["tasks"][task_id]
            sums = tuple(map(sum, zip(*(row.counts for row in attempts), strict=True)))
            if told["status"] != "completed" or tuple(told["token_usage"].values()) != sums:
                yield f"{task_id} in the state file: {told['status']}, {told['token_usage']}; in the journal: {sums}"

    def rows(self) -> list[Row]:
        """Read the attempts of the journal."""
        with closing(sqlite3.connect(self.folder / ".nova/journal.db")) as journal:
            columns = f"task_id, number, outcome, log, {', '.join(COUNTS)}, ended_by_us"
            found = journal.execute(f"select {columns} from attempts order by task_id, number").fetchall()
        return [
            Row(task, number, outcome, log, (fresh or 0, output or 0, read or 0, created or 0), ended_by_us or 0)
            for task, number, outcome, log, fresh, output, read, created, ended_by_us in found
        ]


def kill_guard_of(pid: int) -> None:
    """Kill the orphan guard of a supervisor, if it has one by now."""
    if (guard := guard_of(pid)) is not None:
        os.kill(guard, signal.SIGKILL)


def guard_of(pid: int) -> int | None:
    """Return the pid of a supervisor's orphan guard; None where there is none yet."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text() == "nova-guard\n":
                    return int(child)
    return None
