"""Run the tests in the cells that are named, or in all: ``python -m tests.matrix [NAME…] [--jobs N] [-- PYTEST…]``."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.cell import CELLS, FLAGS, Cell
from tests.matrix.environment import NotHere, prepare

# Four times what a cell takes on two busy cores: one that hangs must not take the other cells with it.
CELL_SECONDS = 1200.0
COUNTED = re.compile(r"(\d+) (passed|failed|error|skipped)")


@dataclass
class Row:
    """What came of one cell."""

    name: str
    verdict: str  # passed, FAILED, not run
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    remark: str = ""

    def __str__(self) -> str:
        counts = "  ".join(f"{self.counts.get(word, 0):>5} {word}" for word in ("passed", "failed", "error", "skipped"))
        return f"{self.name:<24} {self.verdict:<8} {self.seconds:>5.0f} s  {self.remark or counts}"


def run_cell(cell: Cell, more: list[str], folder: Path, echo: bool) -> Row:
    """Prepare a cell and run its tests; what they print goes to ``output.txt`` in its folder, and on as it comes."""
    began = time.monotonic()

    def row(verdict: str, counts: dict[str, int] | None = None, remark: str = "") -> Row:
        return Row(cell.name, verdict, time.monotonic() - began, counts or {}, remark)

    try:
        environment = prepare(cell, folder)
    except NotHere as missing:
        return row("not run", remark=str(missing))
    except subprocess.CalledProcessError as failed:
        print(failed.stderr, file=sys.stderr)
        return row("FAILED", remark=f"`{' '.join(failed.cmd[:4])} …` failed")
    command = [*environment.command, *cell.interpreter_options(), "-m", "pytest", *cell.pytest_arguments(), *more]
    last = ""
    with (folder / "output.txt").open("w") as kept, subprocess.Popen(
        command, cwd=environment.tree, env=environment.variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    ) as tests, killed_if_late(tests) as timer:  # fmt: skip
        assert tests.stdout is not None
        for line in tests.stdout:
            kept.write(line)
            last = line.strip() or last
            if echo:
                print(line, end="", flush=True)
        tests.wait()
        late = timer.finished.is_set()
    counts = {word: int(number) for number, word in COUNTED.findall(last)}
    if late:
        return row("FAILED", remark=f"still ran after {CELL_SECONDS:.0f} s, and was killed")
    return row("passed" if tests.returncode == 0 and counts.get("passed") else "FAILED", counts)


@contextmanager
def killed_if_late(tests: "subprocess.Popen[str]") -> Iterator[threading.Timer]:
    """Kill the tests and whatever is in their session when their time is over, or when we are interrupted."""

    def kill() -> None:
        os.killpg(tests.pid, signal.SIGKILL)

    timer = threading.Timer(CELL_SECONDS, kill)
    timer.start()
    try:
        yield timer
    except BaseException:
        kill()
        raise
    finally:
        timer.cancel()


def main() -> int:
    """Run the cells and print a table; return 1 if one failed."""
    flags = "\n".join(f"  +{flag:<8} {meaning}" for flag, meaning in FLAGS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run the tests in each cell: VERSION, or VERSION+FLAG+FLAG, as in 3.12+user+nodebug.\n\n" + flags,
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help="the cells to run (default: those of --list)")
    parser.add_argument("--list", action="store_true", help="print the names of the cells, and run none")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cells at once (default: 1)")
    parser.add_argument("--pytest", default="", metavar="WORDS", help="more arguments for pytest")
    arguments = parser.parse_args()
    try:
        cells = [Cell.named(name) for name in arguments.names or CELLS]
    except ValueError as wrong:
        parser.error(str(wrong))
    if arguments.list:
        print(*(cell.name for cell in cells), sep="\n")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="nova-matrix-"))
    folder.chmod(0o755)

    def run(cell: Cell) -> Row:
        own = folder / cell.name
        own.mkdir()
        row = run_cell(cell, arguments.pytest.split(), own, echo=arguments.jobs == 1)
        print(row, flush=True)
        if row.verdict != "FAILED":
            shutil.rmtree(own, ignore_errors=True)
        return row

    with ThreadPoolExecutor(arguments.jobs) as jobs:
        one_by_one = arguments.jobs == 1  # in this thread: an interrupt reaches no other, and the cell would go on
        rows = list((map if one_by_one else jobs.map)(run, cells))
    failed = [row for row in rows if row.verdict == "FAILED"]
    print("", *rows, sep="\n")
    if failed:
        print(f"\nWhat the failed cells printed is in {folder}/NAME/output.txt.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
