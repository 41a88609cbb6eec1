"""Work that is measured in a process of its own: ``python -m tests.benchmarks.workloads NAME COUNT``.

Each prints what it has measured as JSON. In a process of its own, memory and CPU are nobody else's, and the same work
can be counted in instructions (instructions.py).
"""

import asyncio
import fcntl
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path

from nova_async import AsyncWorker, Orchestrator, Worker, parse_cascade
from nova_async.cli.process_wide import prepare_process
from tests.benchmarks import plans
from tests.benchmarks.bench import cpu_seconds
from tests.benchmarks.peers.peer import USAGE

USAGE_LINE = b"Token usage: input=1234, output=567, cache_read=890, cache_creation=123".ljust(99) + b"\n"
BLOCK = USAGE_LINE + (b"y" * 99 + b"\n") * 999  # lines of 100 bytes, one usage line in a thousand

LINES_A_SECOND, SECONDS = 50, 5
TALKER = f"""
import fcntl, sys, time
fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH)  # until all are there
due = time.monotonic()
for number in range({LINES_A_SECOND * SECONDS}):
    due += {1 / LINES_A_SECOND}
    time.sleep(max(0, due - time.monotonic()))
    print("a line of output that an agent could have printed, with a number:", number, flush=True)
fcntl.flock(open(sys.argv[2]), fcntl.LOCK_SH)  # until what they said has been measured
"""
ENDER = "import fcntl, os, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH); os._exit(0)"
LONG_LIFE = 2.0  # seconds
IDLE_SECONDS = 3.0
EACH_START = 0.02  # seconds
LOOK_AGAIN = 0.2
LOOKED_AT = 20  # tasks that run meanwhile

Found = dict[str, float]


def write_input(path: Path, size: int) -> None:
    """Write so many bytes, in whole blocks."""
    with path.open("wb") as file:
        for _ in range(size // len(BLOCK)):
            file.write(BLOCK)


async def capture_by_worker(megabytes: int, folder: Path) -> Found:
    """Have a worker capture and count what ``cat`` prints; return the supervisor's CPU seconds."""
    source = folder / "source"
    if not source.exists():
        write_input(source, megabytes * 1_000_000)
    cpu, begin = cpu_seconds(), time.perf_counter()
    worker = AsyncWorker("F1", log_dir=folder / "logs")
    await worker.start(["cat", str(source)])
    await worker.wait()
    found = {"seconds": time.perf_counter() - begin, "cpu": cpu_seconds() - cpu}
    assert worker.get_token_usage()["input_tokens"] == 1234 * (source.stat().st_size // len(BLOCK))
    assert worker.log_path.stat().st_size >= source.stat().st_size
    worker.log_path.unlink()  # every round writes a new file
    return found


async def capture_by_readline(megabytes: int, folder: Path) -> Found:
    """Do the same with asyncio alone."""
    source = folder / "source"
    write_input(source, megabytes * 1_000_000)
    cpu = cpu_seconds()
    child = await asyncio.create_subprocess_exec("cat", str(source), stdout=PIPE)
    assert child.stdout is not None
    with (folder / "log").open("wb") as out:
        while line := await child.stdout.readline():
            out.write(line)
            USAGE.search(line)
    await child.wait()
    return {"cpu": cpu_seconds() - cpu}


async def lives_of_workers(count: int, folder: Path) -> Found:
    """Start ``/bin/true`` under a worker and wait for it, so often."""
    begin = time.perf_counter()
    for number in range(count):
        worker = AsyncWorker(f"T{number}", log_dir=folder)
        await worker.start(["/bin/true"])
        await worker.wait()
    return {"seconds": time.perf_counter() - begin}


async def lives_of_bare_children(count: int, folder: Path) -> Found:
    """Start ``/bin/true`` and wait for it, so often."""
    begin = time.perf_counter()
    for _ in range(count):
        child = await asyncio.create_subprocess_exec("/bin/true", stdout=DEVNULL)
        await child.wait()
    return {"seconds": time.perf_counter() - begin}


def lives_of_blocking_workers(count: int, folder: Path) -> Found:
    """Start ``/bin/true`` under a worker of the blocking kind and wait for it, so often."""
    begin = time.perf_counter()
    for number in range(count):
        worker = Worker(f"S{number}", log_dir=folder)
        worker.start(["/bin/true"])
        worker.wait()
    return {"seconds": time.perf_counter() - begin}


async def idle_workers(count: int, folder: Path) -> Found:
    """Have so many idle workers alive: bytes of each, CPU while nothing happens, and how long ending all takes."""
    before = resident()
    workers = [AsyncWorker(f"I{number}", log_dir=folder) for number in range(count)]
    for worker in workers:
        await worker.start(["sleep", "300"])
    bytes_each, cpu = (resident() - before) / count, cpu_seconds()
    await asyncio.sleep(IDLE_SECONDS)
    cpu = cpu_seconds() - cpu
    begin = time.perf_counter()
    await asyncio.gather(*(worker.terminate(grace=0) for worker in workers))
    return {"bytes_each": bytes_each, "cpu": cpu, "ending": time.perf_counter() - begin}


async def idle_bare_children(count: int, folder: Path) -> Found:
    """Have so many idle children of asyncio's own alive."""
    before = resident()
    children = [await asyncio.create_subprocess_exec("sleep", "300", stdout=DEVNULL) for _ in range(count)]
    bytes_each, cpu = (resident() - before) / count, cpu_seconds()
    await asyncio.sleep(IDLE_SECONDS)
    cpu = cpu_seconds() - cpu
    begin = time.perf_counter()
    for child in children:
        child.kill()
    await asyncio.gather(*(child.wait() for child in children))
    return {"bytes_each": bytes_each, "cpu": cpu, "ending": time.perf_counter() - begin}


async def talking_workers(count: int, folder: Path) -> Found:
    """Have so many workers that print a line 50 times a second: the supervisor's share of one core."""
    begin, end = Gate(folder / "begin"), Gate(folder / "end")
    workers = [AsyncWorker(f"T{number}", log_dir=folder) for number in range(count)]
    for worker in workers:
        await worker.start([sys.executable, "-I", "-S", "-c", TALKER, begin.path, end.path])
    share = await share_of_a_core(begin, [worker.log_path for worker in workers])
    end.open()
    await asyncio.gather(*(worker.wait() for worker in workers))
    return {"share": share}


async def talking_bare_children(count: int, folder: Path) -> Found:
    """Do the same with asyncio's readline and a log that is written line by line."""
    begin, end = Gate(folder / "begin"), Gate(folder / "end")
    command = [sys.executable, "-I", "-S", "-c", TALKER, begin.path, end.path]

    async def read(path: Path, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        with path.open("wb", buffering=0) as log:
            while line := await child.stdout.readline():
                log.write(line)
                USAGE.search(line)
        await child.wait()

    logs = [folder / f"{number}.log" for number in range(count)]
    async with asyncio.TaskGroup() as group:
        for log in logs:
            group.create_task(read(log, await asyncio.create_subprocess_exec(*command, stdout=PIPE)))
        share = await share_of_a_core(begin, logs)
        end.open()
    return {"share": share}


async def ending_together(count: int, folder: Path) -> Found:
    """Have so many children that end at the same moment: looks at the whole process table, and those in the loop."""
    gate = Gate(folder / "gate")
    workers = [AsyncWorker(f"E{number}", log_dir=folder) for number in range(count)]
    for worker in workers:
        await worker.start([sys.executable, "-I", "-S", "-c", ENDER, gate.path])
    await asyncio.sleep(LONG_LIFE + EACH_START * count)
    looks, loop = [], threading.get_ident()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("os.listdir", "os.scandir") and arguments and arguments[0] == "/proc":
            looks.append(threading.get_ident() == loop)

    sys.addaudithook(note)
    begin = time.perf_counter()
    gate.open()
    await asyncio.gather(*(worker.wait() for worker in workers))
    return {"seconds": time.perf_counter() - begin, "looks": len(looks), "in_the_loop": sum(looks)}


async def delays_of_a_worker(count: int, folder: Path) -> Found:
    """Time so many lines from the child's clock to ours, when each can be read from the log and is counted."""
    worker = AsyncWorker("F1", log_dir=folder)
    await worker.start([sys.executable, "-I", "-S", "-c", slow_talker(count)])
    delays: list[float] = []
    async for line in worker.lines():
        delays.append(since(line))
        assert worker.get_token_usage()["input_tokens"] >= len(delays)
    await worker.wait()
    return percentiles(delays)


async def delays_of_readline(count: int, folder: Path) -> Found:
    """Do the same with asyncio's readline and nothing else."""
    command = [sys.executable, "-I", "-S", "-c", slow_talker(count)]
    child = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert child.stdout is not None
    delays: list[float] = []
    while line := await child.stdout.readline():
        delays.append(since(line.decode()))
    await child.wait()
    return percentiles(delays)


async def chained_tasks(count: int, folder: Path) -> Found:
    """Run a chain of trivial tasks with everything kept: the journal, the state file, the logs."""
    runner = Orchestrator(
        parse_cascade(plans.chain(count)), command_for=lambda *_: ["/bin/true"], log_dir=folder / "logs",
        state_file=folder / "state.json", journal=folder / ".nova/journal.db", root=folder,
    )  # fmt: skip
    begin = time.perf_counter()
    report = await runner.run()
    assert report.ok
    return {"seconds": time.perf_counter() - begin}


async def look_at_views(count: int, folder: Path) -> Found:
    """Look at all tasks of a large run: at first, and whenever one of them has changed."""
    looks: list[float] = []

    def look(changed: str | None = None) -> None:
        begin = time.perf_counter()
        assert len(list(runner.views.values())) == count
        looks.append(time.perf_counter() - begin)

    runner = Orchestrator(
        parse_cascade(plans.flat(count)), command_for=lambda *_: ["/bin/true"], log_dir=folder / "logs",
        state_file=folder / "state.json", journal=folder / ".nova/journal.db", root=folder, max_workers=4,
        on_change=look, only=[f"T{number}" for number in range(1, LOOKED_AT + 1)],
    )  # fmt: skip
    look()
    await runner.run()
    return {"first": looks[0], "changed": statistics.median(looks[1:])}


def ask(count: int, folder: Path) -> Found:
    """Ask a worker, and a child of subprocess, what polling programs ask; seconds of each question."""
    import subprocess
    import timeit

    with Worker("F1", log_dir=folder) as worker:
        worker.start(["sleep", "60"])
        with subprocess.Popen(["sleep", "60"]) as child:
            ways = {"alive": worker.is_alive, "usage": worker.get_token_usage, "poll": child.poll}
            times = {name: min(timeit.repeat(way, number=count, repeat=3)) / count for name, way in ways.items()}
            child.kill()
        worker.terminate(grace=0)
    return times


def slow_talker(count: int) -> str:
    """Return a program that prints a usage line and its clock every five milliseconds."""
    said = "Token usage: input=1, output=0, cache_read=0, cache_creation=0"
    return (
        f"import time\nfor _ in range({count}):\n    time.sleep(0.005)\n"
        f"    print({said!r}, time.monotonic_ns(), flush=True)\n"
    )


def since(line: str) -> float:
    """Return the seconds since the moment that ends a line."""
    return (time.monotonic_ns() - int(line.split()[-1])) / 1e9


def percentiles(values: list[float]) -> Found:
    """Return the two that DESIGN asks for."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98]}


class Gate:
    """A file that children wait for until all of them have started: whoever comes later passes at once."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def open(self) -> None:
        """Let them all through."""
        os.close(self._descriptor)


async def share_of_a_core(gate: Gate, logs: list[Path]) -> float:
    """Let the children talk once all have started; return our CPU until all is in the logs, as a share of one core.

    The share is that of the time they talk: on a busy machine it takes longer, but the work is the same.
    """
    said = sum(len(f"a line of output that an agent could have printed, with a number: {number}\n")
               for number in range(LINES_A_SECOND * SECONDS))  # fmt: skip
    await asyncio.sleep(EACH_START * len(logs))
    gate.open()
    cpu = cpu_seconds()
    await asyncio.sleep(SECONDS)
    while any(log.stat().st_size < said for log in logs):
        await asyncio.sleep(LOOK_AGAIN)
    return (cpu_seconds() - cpu) / SECONDS


def resident() -> float:
    """Return our resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


WORK: dict[str, Callable[[int, Path], Awaitable[Found] | Found]] = {
    each.__name__: each
    for each in (
        capture_by_worker, capture_by_readline, lives_of_workers, lives_of_bare_children, lives_of_blocking_workers,
        idle_workers, idle_bare_children, talking_workers, talking_bare_children, ending_together, delays_of_a_worker,
        delays_of_readline, chained_tasks, look_at_views, ask,
    )
}  # fmt: skip

FLEETS = {
    each.__name__
    for each in (idle_workers, idle_bare_children, talking_workers, talking_bare_children, ending_together)
}


def main() -> None:
    """Do one of them in a folder of its own, and print what it has measured."""
    name, count = sys.argv[1:]
    if name in FLEETS:
        prepare_process(int(count))  # before there is a loop; as `nova` does
    with tempfile.TemporaryDirectory() as folder:
        found = WORK[name](int(count), Path(folder))
        if isinstance(found, Awaitable):

            async def done() -> Found:
                return await found

            found = asyncio.run(done())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
