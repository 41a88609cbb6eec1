"""Hundreds of stormy agents under the workers of one program, each with a fate drawn by lot.

``python -m tests.storm.under_workers FOLDER SEED WORKERS`` prints its figures as one line of JSON.
"""

import asyncio
import gc
import json
import os
import random
import sys
import threading
import time
import warnings
from collections import Counter
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from nova_async import AsyncWorker, Limits, Worker, WorkerEnd, WorkerStatus
from nova_async.worker.life import LIVES
from tests.storm.agents import NAMES, command_of, install
from tests.storm.ledger import Account, alive_of, log_at

BEHAVIOURS = (
    "burst", "huge", "drip", "rubble", "noisy", "failing", "signalled", "cut", "closed", "polite", "holder", "breeder",
    "escapee", "cloaked", "deaf", "stopped",
)  # fmt: skip
ENDLESS = ("deaf", "stopped")
# Known by its parent link alone, which nobody may see if it is born between the look at a family and the first signal:
# these are ended only once they have printed something (G56).
LATE = ("cloaked",)
FATES = ("wait", "terminate", "terminate", "cancel", "leave", "drop", "time", "silence", "tokens", "suspend", "thread")
ENDING_FATES = ("terminate", "cancel", "leave", "drop", "time", "thread")
AT_ONCE = 100
POOLS = ("nova-", "asyncio_", "AnyIO worker")  # threads that come and go with the load, in bounded numbers
WARM_UP = 0.3  # of all workers; by then all threads, caches and pools are there
MORE_MEMORY = 64 << 20  # bytes that the rest may add: allocators keep what the largest lines took


@dataclass
class Storm:
    """One storm: what is drawn, what is counted, what was wrong."""

    folder: Path
    seed: int
    complaints: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.programs = install(self.folder / "bin")
        self.ledgers = self.folder / "ledgers"
        self.logs = self.folder / "logs"

    async def one(self, number: int) -> None:
        """Run one agent to its fate, and look at what is left."""
        dice = random.Random(self.seed * 1_000_003 + number)
        name, behaviour = dice.choice(NAMES), dice.choice(BEHAVIOURS)
        fate = dice.choice(ENDING_FATES if behaviour in (*ENDLESS, *LATE) else FATES)
        if behaviour in LATE and fate == "time":
            fate = "terminate"
        task_id = f"{number}-{name}-{behaviour}-{fate}"
        command = command_of(name, self.programs, f"storm: {behaviour} {dice.getrandbits(32)} {self.ledgers}")
        moment, grace = dice.random() ** 2 * 0.7, dice.choice([0.0, 0.1, 0.5])
        if fate == "thread":
            worker: Worker | AsyncWorker = await asyncio.to_thread(
                self.in_a_thread, task_id, command, moment, grace, dice
            )
        else:
            worker = AsyncWorker(task_id, log_dir=self.logs, limits=limits_for(fate, moment))
            if fate == "drop":
                await begin(worker, command)
                await asyncio.sleep(moment)
                self.dropped.append((task_id, str(worker.log_path)))
                return
            await getattr(self, f"to_{fate}", self.to_wait)(worker, command, moment, grace)
        self.figures["workers"] += 1
        if worker.end is not None and worker.end is not WorkerEnd.NOT_STARTED:
            await asyncio.to_thread(self.examine, worker, task_id, fate)

    async def to_wait(self, worker: AsyncWorker, command: list[str], moment: float, grace: float) -> None:
        """Let it end by itself, or by its limit."""
        await worker.start(command)
        await worker.wait()

    async def to_terminate(self, worker: AsyncWorker, command: list[str], moment: float, grace: float) -> None:
        """Terminate it from two sides at once, one of which gives up."""
        await begin(worker, command)
        await asyncio.sleep(moment)
        impatient = asyncio.create_task(worker.terminate(grace))
        if moment < 0.1:
            await asyncio.sleep(moment / 2)
            impatient.cancel()
        await asyncio.gather(worker.terminate(grace), impatient, return_exceptions=True)

    async def to_leave(self, worker: AsyncWorker, command: list[str], moment: float, grace: float) -> None:
        """Leave the block with an error."""
        with suppress(LookupError):
            async with worker:
                await begin(worker, command)
                await asyncio.sleep(moment)
                raise LookupError

    async def to_cancel(self, worker: AsyncWorker, command: list[str], moment: float, grace: float) -> None:
        """Cancel whoever starts it and waits for it, perhaps while it starts."""

        async def use() -> None:
            async with worker:
                await begin(worker, command)
                begun.set()
                await worker.wait()

        begun = asyncio.Event()
        user = asyncio.create_task(use())
        if is_late(worker):
            await begun.wait()
        await asyncio.sleep(moment if moment > 0.1 else moment / 20)
        user.cancel()
        with suppress(asyncio.CancelledError):
            await user

    async def to_suspend(self, worker: AsyncWorker, command: list[str], moment: float, grace: float) -> None:
        """Stop it for a while, and let it end."""
        await worker.start(command)
        await asyncio.sleep(moment)
        await worker.suspend()
        await asyncio.sleep(moment)
        worker.resume()
        await worker.wait()

    def in_a_thread(self, task_id: str, command: list[str], moment: float, grace: float, dice: random.Random) -> Worker:
        """Do the same with the blocking face."""
        with Worker(task_id, log_dir=self.logs) as worker:
            worker.start(command)
            if is_late(worker):
                with closing(worker.lines()) as lines:
                    next(lines)
            with suppress(TimeoutError):
                worker.wait(moment)
            worker.terminate(grace)
        return worker

    def examine(self, worker: AsyncWorker | Worker, task_id: str, fate: str) -> None:
        """Hold a worker that has ended to its agent's ledger."""
        account = self.account_of(task_id, worker.pid)
        log = log_at(worker.log_path)
        itself = worker.end in (WorkerEnd.EXITED, WorkerEnd.SIGNALED)
        wrong: list[str] = []
        if account is None:
            if itself or log:
                wrong.append(f"it has no ledger, but ended as {worker.end} with {len(log)} bytes")
        else:
            wrong += account.complaints_about(log, whole=itself)
            wrong += alive_of([account])
            counts, verdict = account.known_at(log)
            if tuple(worker.get_token_usage().values())[:4] != counts:
                wrong.append(f"counted {worker.get_token_usage()}, printed {counts}")
            if (said := {None: None, False: "success", True: "failure"}[worker.report.is_error]) != verdict:
                wrong.append(f"its verdict is {said}, printed {verdict}")
            if itself and worker.get_exit_code() != account.exit_code:
                wrong.append(f"exit code {worker.get_exit_code()}, ended with {account.exit_code}")
            self.note(account, counts, len(log))
        if fate in ("wait", "suspend") and not itself:
            wrong.append(f"ended as {worker.end}: {worker.error}")
        lingered = worker.end is WorkerEnd.LINGERED and worker.report.is_error is False
        if (worker.status is WorkerStatus.COMPLETED) != (lingered or (itself and worker.get_exit_code() == 0)):
            wrong.append(f"status {worker.status} with exit code {worker.get_exit_code()}, {worker.end}")
        if worker.is_alive():
            wrong.append("it says that it is alive")
        self.figures[f"workers {worker.end}"] += 1
        self.complaints += [f"{task_id}: {text}" for text in wrong]

    def account_of(self, task_id: str, pid: int | None) -> Account | None:
        """Read the ledger of a worker's agent; None if it was ended before it wrote one."""
        steps = self.ledgers / f"{task_id}.1.{pid}.steps"
        return Account.read(steps) if steps.exists() else None

    def note(self, account: Account, counts: tuple[int, ...], size: int) -> None:
        """Add to the figures."""
        self.figures["processes"] += len(account.born)
        self.figures["bytes"] += size
        self.figures["tokens"] += sum(counts)

    def examine_dropped(self) -> None:
        """Look at those whom nobody waited for; their loop is over."""
        for task_id, log_path in self.dropped:
            for steps in self.ledgers.glob(f"{task_id}.*.steps"):
                account, log = Account.read(steps), log_at(Path(log_path))
                whole = account.exit_code is not None
                wrong = [*account.complaints_about(log, whole=whole), *alive_of([account])]
                self.complaints += [f"{task_id}: {text}" for text in wrong]
                self.note(account, account.known_at(log)[0], len(log))
            self.figures["workers"] += 1

    async def rage(self, workers: int) -> None:
        """Run so many, many at once; compare what this process has after it with what it had after the first ones."""
        warm_up = round(workers * WARM_UP)
        await self.run_all(range(1, warm_up + 1))
        before = await self.at_rest()
        await self.run_all(range(warm_up + 1, workers + 1))
        after = await self.at_rest()
        for what, most in (("descriptors", 0), ("threads", 1), ("memory", MORE_MEMORY)):
            if after[what] > before[what] + most:
                self.complaints.append(f"{what} grew from {before[what]:,} to {after[what]:,}")
        self.figures.update({f"more {what}": after[what] - before[what] for what in before})

    async def run_all(self, numbers: range) -> None:
        """Run these agents."""
        left = iter(numbers)

        async def crew() -> None:
            for number in left:
                await self.one(number)

        await asyncio.gather(*(crew() for _ in range(AT_ONCE)))

    async def at_rest(self) -> dict[str, int]:
        """Wait until every worker has ended; return what this process has then."""
        gc.collect()
        async with asyncio.timeout(30):
            while LIVES:
                await asyncio.wait(LIVES)
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        threads = [thread for thread in threading.enumerate() if not thread.name.startswith(POOLS)]
        return {"descriptors": descriptors, "threads": len(threads), "memory": resident}


async def begin(worker: AsyncWorker, command: list[str]) -> None:
    """Start a worker and, where that matters, wait for its first words."""
    await worker.start(command)
    if is_late(worker):
        async with aclosing(worker.lines()) as lines:
            await anext(lines)


def is_late(worker: AsyncWorker | Worker) -> bool:
    """Tell whether it is to be ended only once it has printed something."""
    return any(f"-{behaviour}-" in worker.task_id for behaviour in LATE)


def limits_for(fate: str, moment: float) -> Limits:
    """Return the limit that is this worker's fate."""
    match fate:
        case "time":
            return Limits(timeout=moment + 0.01)
        case "silence":
            return Limits(idle_timeout=moment + 0.05)
        case "tokens":
            return Limits(max_tokens=round(moment * 30_000))
    return Limits()


def main(folder: str, seed: str, workers: str) -> None:
    """Run a storm, and print its figures."""
    warnings.simplefilter("ignore", ResourceWarning)  # some are dropped
    storm = Storm(Path(folder), int(seed))
    begun = time.monotonic()
    asyncio.run(storm.rage(int(workers)))
    storm.examine_dropped()
    storm.figures["seconds"] = round(time.monotonic() - begun)
    print(json.dumps({"figures": storm.figures, "complaints": storm.complaints}))


if __name__ == "__main__":
    main(*sys.argv[1:])
