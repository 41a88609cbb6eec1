"""What a long past costs: a journal of many attempts."""

import sqlite3
import tempfile
from pathlib import Path

from tests.benchmarks import plans
from tests.benchmarks.bench import Bench, Way
from tests.benchmarks.programs import NOVA, Taken, run
from tests.benchmarks.rows.tasks import AT_ONCE, run_plan

COMMANDS = {
    "nova status": ("status",),
    "nova runs": ("runs",),
    "nova cost": ("cost",),
    "nova show": ("show", "T1"),
    "nova run, nothing left to do": ("run", "--plain", "-j", str(AT_ONCE), *plans.COMMAND),
}


def measure(bench: Bench) -> None:
    """Call commands where a plan has been run once, and where its journal has a hundred times as many attempts."""
    tasks, times_more = bench.size(1000, 50), bench.size(100, 10)
    with tempfile.TemporaryDirectory() as name:
        short, long = Path(name) / "short", Path(name) / "long"
        for folder in (short, long):
            bench.tell(f"running {tasks} tasks")
            run_plan(folder, tasks)
        bench.tell("writing a long past")
        repeat_past(long / ".nova/journal.db", times_more)
        taken: dict[str, list[Taken]] = {}

        def by(command: str, folder: Path) -> Way:
            def way() -> float:
                done = run([*NOVA, *COMMANDS[command]], folder)
                taken.setdefault(f"{command} {folder.name}", []).append(done)
                return done.seconds

            return way

        ways = {f"{each} {folder.name}": by(each, folder) for each in COMMANDS for folder in (short, long)}
        times = bench.in_turn(ways, most=5)
    many = f"{tasks * times_more:,} attempts"
    for each in COMMANDS:
        bench.ratio(f"{each}: time with {many}, of {tasks:,}", times[f"{each} long"], times[f"{each} short"])
        peak = [done.peak_bytes / 1e6 for done in taken[f"{each} long"][-len(times[f"{each} long"]) :]]
        bench.figure(f"{each}: peak memory with {many}", peak, "MB")


def repeat_past(journal: Path, times: int) -> None:
    """Write the only run of a journal into it again as runs of their own, so that there are so many of them."""
    connection = sqlite3.connect(journal)
    with connection:
        (first,) = connection.execute("SELECT run_id FROM runs").fetchone()
        for number in range(1, times):
            again = {"run_id": f"'{number:012x}'", "number": f"number + {number}", "control": "NULL"}
            for table in ("runs", "boots", "attempts", "finished", "phases"):
                columns = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(again.get(column, column) for column in columns)
                # the names of tables and columns are our own
                connection.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE run_id = ?", (first,))
    connection.close()
