"""The front door: what is exported, and nothing else."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import nova_async

PROMISED = {
    *("Worker", "AsyncWorker", "WorkerStatus", "WorkerEnd", "TokenUsage", "AgentReport", "UsageLimit", "Limits"),
    *(
        "NovaError",
        "WorkerStateError",
        "JournalError",
        "NotReadyError",
        "RunLockedError",
        "RequestError",
        "SelectionError",
        "StateFileError",
    ),
    *("Cascade", "Task", "CascadeError", "parse_cascade", "load_cascade"),
    *(
        "Orchestrator",
        "RunReport",
        "RunView",
        "TaskView",
        "Hold",
        "notifying",
        "traced",
        "BudgetView",
        "MilestoneView",
        "Event",
    ),
    *("ModelPrice", "Prices"),
    *("Executor", "Running", "Lost", "Job", "Attempt", "AttemptId", "AttemptStart", "AttemptFacts", "AttemptEnd"),
    *("EarlierAttempts", "LogRef", "EventKind", "Leftovers", "Outcome", "Permissions", "Phase", "RunEnd", "TaskState"),
}


def test_what_is_exported() -> None:
    """The names that other people's programs use, all of them there."""
    assert set(nova_async.__all__) == PROMISED == set(nova_async.ROOMS)
    for name in PROMISED:
        assert getattr(nova_async, name).__name__ == name
    assert set(dir(nova_async)) >= PROMISED
    with pytest.raises(AttributeError, match="no attribute 'Wrker'"):
        _ = nova_async.Wrker  # type: ignore[attr-defined]


def test_errors_are_what_one_would_expect() -> None:
    """Every error of ours is a NovaError, and the builtin one that it resembles."""
    assert issubclass(nova_async.WorkerStateError, nova_async.NovaError)
    assert issubclass(nova_async.WorkerStateError, RuntimeError)


def test_every_room_says_what_it_is_for() -> None:
    """Every module has a docstring, and its __all__ names what is there."""
    folder = str(Path(nova_async.__file__).parent)
    for found in pkgutil.walk_packages([folder], "nova_async."):
        if found.name in ("nova_async.__main__", "nova_async.process.guard_program"):
            continue  # these are run, not imported
        module = importlib.import_module(found.name)
        assert module.__doc__, found.name
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{found.name}.{name}"


def test_types_reach_the_user(tmp_path: Path) -> None:
    """A strict type checker sees the public names with their types."""
    uses = tmp_path / "uses.py"
    uses.write_text(
        "from nova_async import AsyncWorker, TokenUsage, Worker, WorkerEnd, WorkerStatus\n"
        "async def run() -> int:\n"
        "    async with AsyncWorker('F1', agent='claude') as worker:\n"
        "        await worker.start(['true'], cwd='.', stdin=b'x')\n"
        "        async for line in worker.lines():\n"
        "            line.upper()\n"
        "        status: WorkerStatus = worker.status\n"
        "        end: WorkerEnd | None = worker.end\n"
        "        usage: TokenUsage = worker.report.usage + TokenUsage(1)\n"
        "        print(status, end, usage.total)\n"
        "        return await worker.wait(timeout=1)\n"
        "with Worker('F2') as blocking:\n"
        "    blocking.start(['true'])\n"
        "    code: int = blocking.wait()\n"
        "    tokens: dict[str, int] = blocking.get_token_usage()\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(uses)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
