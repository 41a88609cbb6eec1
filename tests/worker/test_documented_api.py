"""What the worker's documentation has always promised works as written."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async import Worker, WorkerStatus
from tests.children import program

DOCUMENTED_LINE = "Token usage: input=1234, output=567, cache_read=890, cache_creation=123"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where ``logs/`` does not exist yet."""
    monkeypatch.chdir(tmp_path)


def test_the_quick_start() -> None:
    """Start, watch, wait, read the tokens and the log: the documented quick start."""
    worker = Worker(task_id="F1", task_description="Implement core types")
    worker.start(command=["sh", "-c", f"echo working; echo '{DOCUMENTED_LINE}'"])
    while worker.is_alive():
        assert worker.pid is not None
        time.sleep(0.01)  # the documentation's own loop
    assert worker.wait() == 0
    assert worker.status == WorkerStatus.COMPLETED
    assert worker.get_token_usage()["input_tokens"] == 1234
    with open(worker.log_path) as log:  # noqa: PTH123 - as documented
        assert log.read() == f"working\n{DOCUMENTED_LINE}\n"


def test_the_attributes_and_defaults() -> None:
    """A new worker is pending, has no pid, and logs to logs/<task_id>.log."""
    worker = Worker("P3", "Something")
    assert (worker.task_id, worker.task_description) == ("P3", "Something")
    assert worker.status is WorkerStatus.PENDING
    assert worker.pid is None
    assert worker.log_path == Path.cwd() / "logs" / "P3.log"
    assert worker.is_alive() is False
    assert worker.get_exit_code() is None
    assert worker.get_token_usage() == dict.fromkeys(
        ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"), 0
    )


def test_the_statuses() -> None:
    """PENDING, RUNNING, COMPLETED, FAILED are the words pending, running, completed, failed."""
    assert [status.value for status in WorkerStatus] == ["pending", "running", "completed", "failed"]
    worker = Worker("F1", "fails")
    worker.start(["sh", "-c", "echo ready; exit 3"])
    assert worker.wait() == 3
    assert worker.get_exit_code() == 3
    assert worker.status == "failed"


def test_several_token_reports_accumulate() -> None:
    """Every documented usage line counts, also in the middle of a line, from stdout and stderr alike."""
    worker = Worker("F1", "counts")
    script = f"for i in 1 2 3; do echo 'INFO {DOCUMENTED_LINE} done'; done; echo '{DOCUMENTED_LINE}' >&2"
    worker.start(["sh", "-c", script])
    worker.wait()
    assert worker.get_token_usage() == {
        "input_tokens": 4 * 1234,
        "output_tokens": 4 * 567,
        "cache_read_tokens": 4 * 890,
        "cache_creation_tokens": 4 * 123,
    }


def test_terminate() -> None:
    """terminate() ends the process and leaves the status failed."""
    worker = Worker("F1", "sleeps")
    worker.start(["sleep", "60"])
    assert worker.is_alive()
    worker.terminate()
    assert not worker.is_alive()
    assert worker.status is WorkerStatus.FAILED
    assert worker.get_exit_code() == -15


def test_the_status_dict_is_json() -> None:
    """get_status_dict() holds the whole state, before, during and after the run, and json.dumps takes it."""
    promised = {
        *("task_id", "task_description", "status", "pid", "exit_code", "is_alive", "token_usage"),
        *("log_path", "command"),
        *("started_at", "completed_at", "duration_seconds", "end", "error", "cost_usd", "session_id", "activity"),
        *("leftovers", "log_error"),
    }
    worker = Worker("F1", "Implement core types")
    for step in (lambda: None, lambda: worker.start(program("silent")), worker.terminate):
        step()
        assert promised <= set(json.loads(json.dumps(worker.get_status_dict())))
    final = worker.get_status_dict()
    assert final["status"] == "failed"
    assert final["end"] == "terminated"
    assert final["command"] == program("silent")
    assert datetime.fromisoformat(final["started_at"]) <= datetime.fromisoformat(final["completed_at"])
    assert 0 < final["duration_seconds"] < 60


def test_the_orchestrator_example(tmp_path: Path) -> None:
    """The documented orchestrator snippet, with a command that exists."""
    state: dict[str, Any] = {"tasks": {}}

    def write_state(state: dict[str, Any]) -> None:
        (tmp_path / "state.json").write_text(json.dumps(state))

    worker = Worker(task_id="F1", task_description="Implement core types and interfaces")
    worker.start(["echo", DOCUMENTED_LINE])
    state["tasks"][worker.task_id] = {
        "status": worker.status.value,
        "pid": worker.pid,
        "started_at": datetime.now().isoformat(),
    }
    while worker.is_alive():
        state["tasks"][worker.task_id]["token_usage"] = worker.get_token_usage()
        write_state(state)
        time.sleep(0.01)
    worker.wait()
    state["tasks"][worker.task_id].update(
        {
            "status": worker.status.value,
            "completed_at": datetime.now().isoformat(),
            "token_usage": worker.get_token_usage(),
            "exit_code": worker.get_exit_code(),
        }
    )
    write_state(state)
    task = json.loads((tmp_path / "state.json").read_text())["tasks"]["F1"]
    assert task["status"] == "completed"
    assert task["token_usage"]["output_tokens"] == 567
    assert [path.name for path in Path("logs").glob("*.log")] == ["F1.log"]
