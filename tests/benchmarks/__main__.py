"""Run the benchmarks: ``python -m tests.benchmarks [ROW…]``; ``--help`` tells the rest."""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import instructions, machine
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, Skipped
from tests.benchmarks.results import Results, markdown, parse, text, to_lines
from tests.benchmarks.rows import ROWS

QUICK_ROUNDS = 1


def arguments() -> argparse.Namespace:
    """Read the command line."""
    rows = "\n".join(f"  {name:<10} {first_line(name)}" for name in ROWS)
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure speed, beside what does the same work in the same run.", epilog=f"rows:\n{rows}",
    )  # fmt: skip
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure (default: all)")
    parser.add_argument("--quick", action="store_true", help="little work, one round, no verdicts: does it still run?")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often (default: 5; long rows take 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON lines")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="compare with the results of an earlier run")
    parser.add_argument("--markdown", action="store_true", help="write the tables as Markdown")
    parser.add_argument(
        "--instructions", action="store_true",
        help=f"count instructions and calls of the kernel instead of time ({', '.join(instructions.COUNTED)})",
    )  # fmt: skip
    options = parser.parse_args()
    known = instructions.COUNTED if options.instructions else ROWS
    options.rows = options.rows or list(known)
    if unknown := [name for name in options.rows if name not in known]:
        parser.error(f"no such row: {', '.join(unknown)} (there are {', '.join(known)})")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    options.earlier = None
    if options.compare is not None:
        try:
            options.earlier = parse(options.compare.read_text().splitlines())
        except (OSError, ValueError) as error:
            parser.error(f"cannot read {options.compare}: {error}")
    return options


def first_line(name: str) -> str:
    """Return what a row measures, in a sentence."""
    return (sys.modules[ROWS[name].__module__].__doc__ or "").splitlines()[0]


def measured(name: str, options: argparse.Namespace) -> list[Figure | Skipped]:
    """Measure one row; one that fails says so, and what it has found until then is kept."""
    bench = Bench(name, QUICK_ROUNDS if options.quick else options.rounds, options.quick)
    begin = time.monotonic()
    try:
        instructions.measure(bench) if options.instructions else ROWS[name](bench)
    except Exception as error:
        bench.found.append(Skipped(name, "the rest of the row", f"failed: {error}", is_failure=True))
    bench.tell(f"done in {time.monotonic() - begin:.0f} s")
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return bench.found


def main() -> int:
    """Measure, and write what was found. Return 1 if a row failed; a target that is not met is no failure."""
    options = arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `… &` in a script ignores it, and so would every nova
    results, code = Results(machine.facts()), 0
    if machine.is_busy(os.getloadavg()[0]) and not options.quick:
        print("This machine is busy: no verdict of this run is worth anything.", file=sys.stderr)
    try:
        for name in options.rows:
            with tempfile.TemporaryDirectory(prefix="nova_benchmarks.") as folder, contextlib.chdir(folder):
                results.found += measured(name, options)
            if options.json is not None:  # after each row: the next one may take minutes
                options.json.write_text("".join(f"{line}\n" for line in to_lines(results)))
    except KeyboardInterrupt:
        code = 130
    print((markdown if options.markdown else text)(results, options.earlier), end="")
    return code or int(any(isinstance(each, Skipped) and each.is_failure for each in results.found))


if __name__ == "__main__":
    sys.exit(main())
