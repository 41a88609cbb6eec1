"""What work costs whatever else the machine does: instructions and calls of the kernel, of our own process alone.

Instructions are counted by callgrind, which runs the program itself: it needs no counters of the processor, which
virtual machines seldom have, follows every thread and leaves the children out (``perf stat`` counts both or neither).
Calls of the kernel are counted from what strace writes, without those of the children.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import plans
from tests.benchmarks.bench import Bench
from tests.benchmarks.programs import NOVA, environment

__all__ = ["COUNTED", "calls_of", "measure"]

COLLECTED = re.compile(rb"Collected : (\d+)")
CALL = re.compile(r"^(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()")
BORN = re.compile(r"\) += (\d+)")


@dataclass(frozen=True, slots=True)
class Counted:
    """Work of two sizes: what the larger one costs more is the work alone, without start and end."""

    what: str
    unit: str
    few: int
    many: int
    command: Callable[[int], list[str]]


def workload(name: str) -> Callable[[int], list[str]]:
    """Return what calls something of workloads.py."""
    return lambda count: [sys.executable, "-m", "tests.benchmarks.workloads", name, str(count)]


def nova_run(count: int) -> list[str]:
    """Return what runs a plan of that many tasks, which has to be in the folder."""
    Path(f"{count}.md").write_text(plans.flat(count))
    files = ("--journal", f"{count}/journal.db", "--state", f"{count}/state.json", "--log-dir", f"{count}/logs")
    return [*NOVA, "run", f"{count}.md", "--fresh", "--plain", "-j", "8", *files, *plans.COMMAND]


COUNTED = {
    "life": (
        Counted("a worker's life", "life", 10, 40, workload("lives_of_workers")),
        Counted("a bare child's life", "life", 10, 40, workload("lives_of_bare_children")),
    ),
    "capture": (
        Counted("capture by a worker", "MB", 5, 25, workload("capture_by_worker")),
        Counted("capture by asyncio readline", "MB", 1, 3, workload("capture_by_readline")),
    ),
    "tasks": (Counted("a task of nova run", "task", 10, 40, nova_run),),
    "chain": (Counted("a step of a chain", "step", 10, 40, workload("chained_tasks")),),
}  # fmt: skip


def measure(bench: Bench) -> None:
    """Count the work of one row."""
    ways = {"instructions": (count_instructions, "valgrind"), "calls of the kernel": (count_calls, "strace")}
    for counted in COUNTED[bench.row]:
        for what, (count, program) in ways.items():
            if shutil.which(program) is None:
                bench.skip(f"{counted.what}: {what}", f"{program} is not on PATH")
                continue
            bench.tell(f"{counted.what}: {what}")
            few, many = (count(counted.command(size)) for size in (counted.few, counted.many))
            each = (many - few) / (counted.many - counted.few)
            bench.figure(f"{counted.what}: {what}", [each], f"/ {counted.unit}")


def count_instructions(command: list[str]) -> int:
    """Return how many instructions a program takes in user space, without its children."""
    options = ("--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=no")
    done = call(["valgrind", *options, *command])
    if (found := COLLECTED.search(done.stderr)) is None:
        raise RuntimeError(f"valgrind counted nothing: {done.stderr[-300:]!r}")
    return int(found[1])


def count_calls(command: list[str]) -> int:
    """Return how often a program calls the kernel, without its children."""
    with tempfile.NamedTemporaryFile("r", errors="replace") as trace:
        call(["strace", "-f", "-o", trace.name, *command])
        return calls_of(trace)


def calls_of(trace: Iterable[str]) -> int:
    """Count the calls of the first process in what ``strace -f -o`` wrote, and of its threads: pure."""
    calls, threads, starting = Counter[str](), set[str](), set[str]()
    for line in trace:
        if (found := CALL.match(line)) is None:
            continue
        thread, begun = found["thread"], found["name"]
        threads = threads or {thread}
        calls[thread] += begun is not None
        if begun is not None and "CLONE_THREAD" in line and begun.startswith("clone"):
            starting.add(thread)
        if thread in starting and (born := BORN.search(line)) is not None:
            starting.discard(thread)
            threads.add(born[1])
    return sum(calls[thread] for thread in threads)


def call(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    """Run it here. Raises ``RuntimeError`` if it fails."""
    done = subprocess.run(command, env=environment(), capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} exited with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done
