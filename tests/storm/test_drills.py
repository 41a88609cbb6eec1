"""What may befall a run from outside, one thing a drill: its guard, its supervisor, and who works beside it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.command import nova
from tests.process.watching import all_dead_within
from tests.storm.under_nova import guard_of

# A lock that the kernel drops with its last holder tells whether another attempt of the task is alive at this moment.
SCRIPT = (
    "exec 9>>lock.$NOVA_TASK_ID; flock -n 9 || echo $NOVA_TASK_ID >>twice; echo $$ >>pids; "
    "echo Token usage: input=1, output=2, cache_read=3, cache_creation=4; {work}; echo done"
)
FRONT = """+++
command = ["bash", "-c", "{prompt}"]
max_workers = 4
{settings}
+++

| ID | What | Deps |
|---|---|---|
"""
TALK = "for i in $(seq 15); do echo $i; sleep 0.1; done"
HELD = "until [ -e go ]; do sleep 0.05; done"
DEADLINE = 60.0  # seconds; far more than any of this takes
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a guard is found by what /proc tells")


class Project:
    """A folder with a plan of that many short tasks, the last of which waits for the first."""

    def __init__(self, folder: Path, tasks: int, work: str, settings: str = "") -> None:
        self.folder, self.tasks = folder, tasks
        script = SCRIPT.replace("{work}", work).replace("|", "\\|")
        rows = [f"| T{number} | {script} | {'T0' if number == tasks - 1 else '-'} |" for number in range(tasks)]
        (folder / "CASCADE.md").write_text(FRONT.replace("{settings}", settings) + "\n".join(rows) + "\n")

    @contextmanager
    def run(self, begun: int = 1) -> Iterator["subprocess.Popen[bytes]"]:
        """Give a running nova, once so many tasks have begun."""
        command = [sys.executable, "-m", "nova_async", "run", "--plain"]
        with (self.folder / "nova.out").open("ab") as output:
            running = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output)
        try:
            before = len(self.pids())
            until(lambda: running.poll() is not None or len(self.pids()) >= before + begun)
            yield running
        finally:
            with suppress(ProcessLookupError):
                running.send_signal(signal.SIGCONT)
            running.kill()
            running.wait()

    def pids(self) -> list[int]:
        """Return the pids of all attempts so far."""
        path = self.folder / "pids"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def alive(self) -> list[int]:
        """Return which of them live; their numbers may be others' by now."""
        return [pid for pid in self.pids() if self.works_here(pid)]

    def works_here(self, pid: int) -> bool:
        """Tell whether a process works in this folder."""
        with suppress(OSError):
            return Path(f"/proc/{pid}/cwd").readlink() == self.folder
        return False

    def outcomes(self) -> list[str]:
        """Return how the attempts ended that the journal knows."""
        with closing(sqlite3.connect(self.folder / ".nova/journal.db")) as journal:
            return [outcome for (outcome,) in journal.execute("select outcome from attempts order by outcome")]

    def assert_done(self, lost: int = 0) -> None:
        """Check that each task has completed once, never twice at a time, and that nobody is left."""
        assert self.outcomes() == ["lost"] * lost + ["ok"] * self.tasks, (self.folder / "nova.out").read_text()
        assert not (self.folder / "twice").exists()
        assert all_dead_within(self.alive(), 3.0)


def until(what: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def guard_once_there(supervisor: int) -> int:
    """Wait until a supervisor's guard calls itself so; return its pid."""
    until(lambda: guard_of(supervisor))
    guard = guard_of(supervisor)
    assert guard is not None
    return guard


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_guard_that_is_killed_or_stopped_costs_nothing(tmp_path: Path, number: int) -> None:
    """The run goes on and completes, and its guard ends with it."""
    project = Project(tmp_path, 6, "sleep 0.2")
    with project.run() as running:
        guard = guard_once_there(running.pid)
        os.kill(guard, number)
        assert running.wait(DEADLINE) == 0
        assert all_dead_within([guard], 1.0)
    project.assert_done()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_next_run_ends_what_no_guard_has_ended(tmp_path: Path, number: int) -> None:
    """Supervisor and guard are gone at once, and agents live on: they are ended before their tasks begin anew."""
    work = "case $NOVA_TASK_ID.$NOVA_ATTEMPT in *.2|T2.1) ;; *) exec sleep 60 ;; esac"
    project = Project(tmp_path, 3, work)
    with project.run(begun=2) as running:
        guard = guard_once_there(running.pid)
        running.send_signal(signal.SIGSTOP)  # or it would start another guard
        os.kill(guard, number)
        running.kill()
        running.wait()
    assert len(project.alive()) == 2
    with project.run() as running:
        assert running.wait(DEADLINE) == 0
    if number == signal.SIGSTOP:
        subprocess.run(["kill", "-CONT", str(guard)], check=True)  # it is nobody's child by now
        assert all_dead_within([guard], 5.0)
    project.assert_done(lost=2)


def test_a_supervisor_that_stands_still_blames_nobody(tmp_path: Path) -> None:
    """For longer than its agents may be silent: those that talk on are not stalled, those that ended have succeeded."""
    project = Project(tmp_path, 4, TALK, 'idle_timeout = "0.8s"')
    with project.run(begun=3) as running:
        running.send_signal(signal.SIGSTOP)
        until(lambda: len(list(tmp_path.glob("logs/T*.log"))) == 3)
        time.sleep(1.0)  # the time itself is what is tested
        running.send_signal(signal.SIGCONT)
        assert running.wait(DEADLINE) == 0
    project.assert_done()
    for number in range(4):
        assert (tmp_path / f"logs/T{number}.log").read_text().splitlines()[-1] == "done"


def test_several_that_start_at_once(tmp_path: Path) -> None:
    """One of them runs the plan, the others say so and end; nothing runs twice."""
    project = Project(tmp_path, 6, HELD)
    with ExitStack() as stack:
        runs = [stack.enter_context(project.run(begun=0)) for _ in range(4)]
        until(lambda: sum(each.poll() is not None for each in runs) == 3)
        (tmp_path / "go").touch()
        codes = sorted(each.wait(DEADLINE) for each in runs)
    assert codes == [0, 2, 2, 2], (tmp_path / "nova.out").read_text()
    project.assert_done()


def test_whoever_looks_on_hinders_nothing(tmp_path: Path, warm_nova: None) -> None:
    """Views, a follower and retries, again and again beside a run: each is whole and none costs a task."""
    project = Project(tmp_path, 6, HELD)
    with project.run() as running:
        command = [sys.executable, "-m", "nova_async", "logs", "-f", "T0"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as follower:
            for _ in range(4):
                status = nova("status", "--json", cwd=tmp_path)
                assert len(json.loads(status.stdout)["tasks"]) == 6, status.stderr
                for words, codes in ((["show", "T0"], {0}), (["logs", "T1"], {0, 2}), (["retry", "T1"], {1, 2})):
                    told = nova(*words, cwd=tmp_path)
                    assert told.returncode in codes, told.stderr  # what runs is not tried again
                    assert "Traceback" not in told.stderr
            (tmp_path / "go").touch()
            printed, _ = follower.communicate(timeout=DEADLINE)
        assert running.wait(DEADLINE) == 0
    assert "done" in printed
    project.assert_done()
