"""The commands that steer a running run, from another terminal and another folder."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_async.cli.stop import describe_ends
from nova_async.journal.reader import JournalReader
from nova_async.words import TaskState
from tests.cli.command import NOVA, nova

PLAN = """+++
command = ["sh", "-c", "{prompt}"]
max_workers = 3
+++
# Shop
| ID | What | Deps | Gate |
|---|---|---|---|
| A1 | exec sleep 60 | - | - |
| A2 | exec sleep 60 | - | - |
| B1 | true | - | - |
| B2 | true | B1 | - |
| C1 | exec sleep 60 | - | true |
"""
STEERING = (["stop"], ["stop", "A1"], ["pause"], ["resume"], ["jobs", "2"], ["approve", "A1"], ["retry", "A1"])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a run that goes on until it is stopped."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "CASCADE.md").write_text(PLAN)
    done = subprocess.run([*NOVA, "run", "--detach"], cwd=folder, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    yield folder
    nova("stop", "--kill", cwd=folder)


def state_of(folder: Path, task_id: str) -> str:
    """Return how a task stands."""
    tasks = json.loads(nova("status", "--json", cwd=folder).stdout)["tasks"]
    return str(tasks[task_id]["nova"]["state"])


def test_a_run_is_steered_from_another_folder(running: Path, tmp_path: Path) -> None:
    """Each command says what has happened, and it has happened."""
    said = nova("pause", running, cwd=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"paused: nothing new starts until `cd {running} && nova resume`; ")
    again = nova("pause", running, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"nova: the run is paused already; `cd {running} && nova resume` lets it go on\n"
    assert nova("resume", running, cwd=tmp_path).stdout == "the run goes on\n"
    journal = ("--journal", running / ".nova/journal.db")
    assert nova("jobs", "4", *journal, cwd=tmp_path).stdout == "up to 4 tasks run at once from now on\n"
    assert nova("approve", "C1", *journal, cwd=tmp_path).stdout == "approved: C1\n"
    refused = nova("approve", "A1", "--json", *journal, cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (1, "")
    assert json.loads(refused.stdout) == {"ok": False, "error": "A1 needs no approval: it has no gate"}
    assert nova("stop", f"{running}/", "A1", cwd=tmp_path).stdout == "stopped: A1\n"
    stopped = json.loads(nova("stop", "A2", "--json", "--kill", *journal, cwd=tmp_path).stdout)
    assert stopped.keys() == {"ok", "run_id", "pid", "running"}
    assert nova("retry", running, "A1", cwd=tmp_path).stdout == "A1 runs again\n"
    again_too = nova("retry", "B1", "--downstream", "--json", *journal, cwd=tmp_path)
    assert json.loads(again_too.stdout) == {"ok": True, "tasks": ["B1", "B2"]}
    asked = nova("stop", "--no-wait", running, cwd=tmp_path)
    assert asked.stdout.startswith("the run (pid ")
    assert asked.stdout.endswith(") was asked to stop\n")


def test_tasks_that_there_are_not(running: Path) -> None:
    """The command says so, with the task that was probably meant, and does nothing for the others either."""
    for command in (["stop", "A1", "a2"], ["approve", "C1", "a2"], ["retry", "A1", "a2"]):
        done = nova(*command, cwd=running)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "nova: no task 'a2' in this run; did you mean 'A2'?\n"
    assert state_of(running, "A1") == "in_progress"


@pytest.mark.parametrize("command", STEERING, ids=" ".join)
def test_no_run_is_running(tmp_path: Path, command: list[str]) -> None:
    """The exit code is 2; programs are told in JSON."""
    done = nova(*command, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    assert ".nova/journal.db does not exist" in json.loads(done.stdout)["error"]


def test_what_a_killed_run_has_left(running: Path) -> None:
    """Its socket leads to nobody: that is no run, and what can be done without one is done."""
    pid = json.loads(nova("status", "--json", cwd=running).stdout)["nova"]["supervisor"]["pid"]
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        pass
    assert Path(JournalReader(running / ".nova/journal.db").runs()[0].control or "").exists()
    done = nova("stop", cwd=running)
    assert done.returncode == 2
    assert done.stderr.startswith("nova: no run is running here")
    assert done.stderr.endswith("; start one with `nova run`, or name the folder of the run\n")
    advice = f"B1 will run again with the next `cd {running} && nova run`"
    assert nova("retry", running, "B1", cwd=running.parent).stdout.startswith(advice)


def test_two_runs_in_one_folder(running: Path) -> None:
    """They are told apart by their journals."""
    shutil.copy(running / "CASCADE.md", running / "other.md")
    other = ["--journal", "other.db"]
    more = ["--state", "other.json", "--log-dir", "other-logs"]
    done = subprocess.run(
        [*NOVA, "run", "other.md", "--detach", *other, *more], cwd=running, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "nova stop --journal other.db" in done.stdout
    assert nova("stop", *other, cwd=running).stdout == "the run is over: stopped\n"
    assert nova("stop", *other, cwd=running).returncode == 2
    assert state_of(running, "A1") == "in_progress"


def test_a_retry_without_a_run(tmp_path: Path) -> None:
    """A blocked task is retried by what blocks it; what is built on a task keeps its result unless it is told to go."""
    rows = "| ID | What | Deps |\n|-|-|-|\n| B1 | test -e ok | - |\n| B2 | true | B1 |\n"
    (tmp_path / "CASCADE.md").write_text(PLAN.partition("# Shop")[0] + rows)
    assert nova("run", cwd=tmp_path).returncode == 1
    assert nova("retry", "B2", cwd=tmp_path).stdout == "B1 will run again with the next `nova run`\n"
    (tmp_path / "ok").touch()
    assert nova("run", cwd=tmp_path).returncode == 0
    stays = "; what is built on it stays completed: B2 (--downstream runs it again)\n"
    assert nova("retry", "B1", cwd=tmp_path).stdout == f"B1 will run again with the next `nova run`{stays}"
    told = nova("retry", "B1", "--downstream", cwd=tmp_path).stdout
    assert told == "B1, B2 will run again with the next `nova run`\n"


def test_a_folder_is_no_task(tmp_path: Path) -> None:
    """Where only a folder is named, a task is missing."""
    for command in ("approve", "retry"):
        done = nova(command, "./", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Missing argument 'TASK…'" in done.stderr


def test_what_tasks_had_come_to_before_they_were_stopped() -> None:
    """An agent that succeeds as it is stopped has succeeded, and nobody is told otherwise."""
    ends = {"A1": TaskState.WAITING, "A2": TaskState.COMPLETED, "A3": TaskState.FAILED, "A4": TaskState.WAITING}
    told = "stopped: A1, A4; completed before it was stopped: A2; failed before it was stopped: A3"
    assert describe_ends(ends) == told
