"""A plan of thousands of trivial tasks: it completes, and what nova holds for each task stays small."""

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

__all__ = ["LongPlan"]

FRONT = """+++
command = ["true"]
max_workers = 8
+++

| ID | What |
|---|---|
"""
# Bytes for each task: what is known of its attempts stands in memory, from which a journal that was taken away is
# written anew, and so does its part of the state file.
MORE_MEMORY_PER_TASK = 12 << 10
MORE_MEMORY = 8 << 20  # bytes; what the state file of a small plan needs to be written comes on top


class LongPlan:
    """One run of it."""

    def __init__(self, folder: Path, tasks: int) -> None:
        self.folder, self.tasks = folder, tasks
        self.complaints: list[str] = []
        self.figures: Counter[str] = Counter()

    def rage(self) -> None:
        """Run it, and look at what it took."""
        rows = "\n".join(f"| T{number} | nothing |" for number in range(self.tasks))
        (self.folder / "CASCADE.md").write_text(FRONT + rows + "\n")
        begun = time.monotonic()
        with (self.folder / "nova.out").open("ab") as output:
            command = [sys.executable, "-m", "nova_async", "run", "--plain"]
            nova = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output)
        try:
            early = self.look(nova, self.tasks // 4)
            late = self.look(nova, self.tasks * 9 // 10)
            code = nova.wait()
        finally:
            nova.kill()
            nova.wait()
        self.figures["milliseconds per task"] = round((time.monotonic() - begun) * 1000 / self.tasks)
        self.figures["tasks"] = self.tasks
        done = late["tasks"] - early["tasks"]
        self.figures["more bytes per task"] = round((late["memory"] - early["memory"]) / max(1, done))
        self.figures["bytes at the end"] = late["memory"]
        if late["memory"] > early["memory"] + MORE_MEMORY + done * MORE_MEMORY_PER_TASK:
            self.complaints.append(f"memory grew from {early} to {late}")
        if late["descriptors"] > early["descriptors"] + 64:  # eight tasks are at work, each at another point
            self.complaints.append(f"descriptors grew from {early} to {late}")
        with closing(sqlite3.connect(self.folder / ".nova/journal.db")) as journal:
            (ok,) = journal.execute("select count(distinct task_id) from attempts where outcome = 'ok'").fetchone()
        if (code, ok) != (0, self.tasks):
            self.complaints.append(f"nova exited with {code} and {ok} of {self.tasks} tasks are completed")

    def look(self, nova: "subprocess.Popen[bytes]", completed: int) -> dict[str, int]:
        """Wait until so many tasks are completed; return what nova has then."""
        found = {"tasks": 0, "memory": 0, "descriptors": 0}
        while found["tasks"] < completed and nova.poll() is None:
            time.sleep(0.05)
            try:
                pages = int(Path(f"/proc/{nova.pid}/statm").read_text().split()[1])
                descriptors = len(os.listdir(f"/proc/{nova.pid}/fd"))  # noqa: PTH208
            except (OSError, IndexError):  # it has just ended
                break
            if pages:
                tasks = (self.folder / "nova.out").read_bytes().count(b" completed in ")
                found = {"tasks": tasks, "memory": pages * os.sysconf("SC_PAGE_SIZE"), "descriptors": descriptors}
        return found
