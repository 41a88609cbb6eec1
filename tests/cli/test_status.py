"""``nova status`` and ``nova logs``: what one can learn of a run from its files, while it runs and afterwards."""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.state import RunState, StateError
from nova_async.process.table import TABLE
from tests.cli.command import NOVA, nova

USED = {"input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 3, "cache_creation_tokens": 1000}


def task(status: str = "pending", *, cost: float | None = None, step: str | None = None, **nova: Any) -> dict[str, Any]:
    """Return one task as the state file has it."""
    return {
        "status": status, "worker_id": None, "pid": None, "completed_at": None, "current_step": step,
        "started_at": (datetime.now(UTC) - timedelta(seconds=100)).isoformat() if status == "in_progress" else None,
        "duration_seconds": 12 if status in ("completed", "failed") else 0,
        "token_usage": USED if status != "pending" else dict.fromkeys(USED, 0),
        "error": "exit code 3" if status == "failed" else None, "commit_sha": None, "files_changed": [],
        "nova": {"branch": "App", "group": "Base", "attempt": 1, "cost_usd": cost, "blocked_by": [], **nova},
    }  # fmt: skip


def write_state(folder: Path, tasks: Mapping[str, Any], supervisor: Mapping[str, Any] | None = None) -> Path:
    """Write a state file, as the engine does: never half a one."""
    path = folder / "cascade_state.json"
    project = {"name": "Shop", "cascade_file": "CASCADE.md", "started_at": None, "completed_at": None}
    nova = {"schema": 1, "run_id": "r1", "supervisor": supervisor, "milestones": {}, "removed": []}
    (folder / "new").write_text(json.dumps({"project": project, "tasks": tasks, "nova": nova}))
    return (folder / "new").replace(path)


def ourselves() -> dict[str, Any]:
    """Return this process as the supervisor of a run."""
    entry = TABLE.look(os.getpid())
    assert entry is not None
    return {"pid": os.getpid(), "start_time": entry.start_time}


def test_a_run_at_work(tmp_path: Path) -> None:
    """Each task with its state, the groups summed up; the time of a running task goes on."""
    tasks = {
        "F1": task("completed", cost=0.5),
        "F2": task("in_progress", step="Bash: pytest"),
        "F3": task(step="waits for F2"),
    }
    write_state(tmp_path, tasks, ourselves())
    done = nova("status", cwd=tmp_path)
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == f"Shop: running (pid {os.getpid()})"
    assert lines[2].startswith("App / Base in progress 1 of 3 2.0k ≥ $0.50 1:5")
    assert lines[3] == "F1 completed 1 1.0k $0.50 0:12"
    assert lines[4].startswith("F2 in progress Bash: pytest 1 1.0k - 1:4")
    assert lines[5].startswith("F3 pending waits for F2")
    assert lines[-1].startswith("1 of 3 completed · 1 in progress · 2,012 tokens · ≥ $0.50 · 1 min 5")


def test_a_run_that_failed(tmp_path: Path) -> None:
    """A failed task makes the exit code 1; what waits for it is shown as blocked."""
    tasks = {"F1": task("failed", cost=0.1), "F2": task(step="blocked by F1", blocked_by=["F1"])}
    write_state(tmp_path, tasks, {"pid": 2**22 + 1, "start_time": 1.0})
    done = nova("status", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("Shop: failed\n")
    assert "exit code 3" in done.stdout
    assert "blocked" in done.stdout


def test_a_run_whose_supervisor_died(tmp_path: Path) -> None:
    """A task in progress without a supervisor means that it died; a reused pid is not taken for it."""
    write_state(tmp_path, {"F1": task("in_progress")}, {**ourselves(), "start_time": 1.0})
    done = nova("status", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("Shop: dead\n")
    assert "`nova run` takes the run up again" in done.stdout


def test_the_json_document(tmp_path: Path) -> None:
    """--json holds the tasks, the groups and the sums."""
    write_state(tmp_path, {"F1": task("completed", cost=0.5), "F2": task("completed", cost=0.25)}, ourselves())
    done = nova("status", "--json", "--state", str(tmp_path / "cascade_state.json"), cwd=Path("/"))
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["condition"], answer["run_id"], answer["is_alive"]) == ("running", "r1", True)
    assert answer["total"]["cost_usd"] == 0.75
    assert answer["total"]["usage"]["cache_creation_tokens"] == 2000
    assert answer["groups"][0]["group"] == "Base"
    assert answer["tasks"]["F1"]["status"] == "completed"


def test_no_run_here(tmp_path: Path) -> None:
    """Without a state file, or with something else of that name, the exit code is 2."""
    done = nova("status", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cascade_state.json does not exist; `nova run` starts one" in done.stderr
    for text in ("", "[]", "{}", "[" * 100_000, '{"tasks": 3}', "\udc80"):
        (tmp_path / "cascade_state.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(StateError):
            RunState.read(tmp_path / "cascade_state.json")


@pytest.mark.parametrize(
    "strange",
    [
        {"F1": None},
        {"F1": {"status": "dancing", "duration_seconds": "long", "started_at": 3, "token_usage": [], "nova": 1}},
        {"F1": {"status": "in_progress", "started_at": "2026-01-01T00:00:00", "nova": {"cost_usd": "x"}}},
        {"F1": {"nova": {"attempt": -1, "blocked_by": "F2", "branch": 7}, "current_step": ["[red]"]}},
    ],
)
def test_a_strange_state_file_does_no_harm(tmp_path: Path, strange: dict[str, Any]) -> None:
    """What another program wrote there is shown as far as it makes sense."""
    write_state(tmp_path, strange, {"pid": "x"})
    done = nova("status", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "F1" in done.stdout


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder with three attempts of F1 and one of F2."""
    (tmp_path / "logs").mkdir()
    for name, text in {"F1~1": "first\n", "F1~2": "second\n", "F1": "third\n", "F2": "other\n"}.items():
        (tmp_path / "logs" / f"{name}.log").write_text(text)
    return tmp_path


def test_the_newest_log(logs: Path) -> None:
    """Without a number the newest attempt's log is written, byte for byte."""
    odd = b"\x1b[31mred\x1b[0m \xff\x00\r\nno end"
    (logs / "logs" / "F1.log").write_bytes(odd)
    done = subprocess.run([*NOVA, "logs", "F1"], cwd=logs, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, odd, b"")


@pytest.mark.parametrize(("number", "text"), [(1, "first\n"), (2, "second\n"), (3, "third\n")])
def test_one_attempt(logs: Path, number: int, text: str) -> None:
    """--attempt counts from the oldest."""
    assert nova("logs", "F1", "--attempt", str(number), cwd=logs).stdout == text


def test_no_such_log(logs: Path) -> None:
    """An unknown task or attempt is an error that helps."""
    done = nova("logs", "f1", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: no log of f1 in logs/; did you mean 'F1'?\n")
    done = nova("logs", "F1", "--attempt", "4", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: F1 has 3 logged attempts; there is no number 4\n")
    done = nova("logs", "F1", "--log-dir", "nowhere", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: no log of F1: there are no logs in nowhere/\n")


def test_following_to_the_end_over_attempts(logs: Path) -> None:
    """-f writes what comes, goes on with the next attempt's log, and ends with the task."""
    write_state(logs, {"F1": task("in_progress")}, ourselves())
    newest = logs / "logs" / "F1.log"
    process = subprocess.Popen([*NOVA, "logs", "F1", "-f"], cwd=logs, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"third\n"
        with newest.open("a") as log:
            log.write("more\n")
            log.flush()
            assert process.stdout.readline() == b"more\n"
            write_state(logs, {"F1": task()}, ourselves())  # in back-off: pending, and yet to come
            newest.rename(logs / "logs" / "F1~3.log")
            log.write("last words\n")
        newest.write_text("fourth\n")
        assert process.stdout.readline() == b"last words\n"
        assert process.stdout.readline() == b"fourth\n"
        with newest.open("a") as log:
            log.write("the end\n")
        write_state(logs, {"F1": task("completed")}, ourselves())
        assert process.stdout.read() == b"the end\n"
        assert process.wait(20) == 0


def test_following_a_task_that_has_not_begun(logs: Path) -> None:
    """-f waits for the first log of a task that a living run will come to."""
    write_state(logs, {"F9": task(step="waits for F1")}, ourselves())
    process = subprocess.Popen([*NOVA, "logs", "F9", "-f"], cwd=logs, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        (logs / "logs" / "F9.log").write_text("hello\n")
        assert process.stdout.readline() == b"hello\n"
        write_state(logs, {"F9": task("failed")}, ourselves())
        assert process.stdout.read() == b""
        assert process.wait(20) == 0


def test_following_a_task_that_is_over_ends_at_once(logs: Path) -> None:
    """-f on a finished task, or of a dead run, writes the log and ends."""
    for state in (task("completed"), task("in_progress")):
        write_state(logs, {"F1": state}, {**ourselves(), "start_time": 1.0})
        began = time.monotonic()
        assert nova("logs", "F1", "-f", cwd=logs).stdout == "third\n"
        assert time.monotonic() - began < 10


def test_a_reader_that_has_seen_enough(logs: Path) -> None:
    """``nova logs F1 | head`` ends without a complaint."""
    (logs / "logs" / "F1.log").write_bytes(b"x" * 99 + b"\n" + b"y" * 5_000_000)
    process = subprocess.Popen([*NOVA, "logs", "F1"], cwd=logs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"x" * 99 + b"\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) == 0
