"""``cascade_state.json``: the run as it stands, in the documented schema, for anyone who polls a file."""

import asyncio
import contextlib
import glob
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, final

from nova_async.journal.records import Attempt
from nova_async.usage import TokenUsage
from nova_async.worker.disk_threads import DISK_THREADS

__all__ = ["STATE_SCHEMA", "StateFile", "TaskFacts", "state_document"]

STATE_SCHEMA = 1
PAUSE_SECONDS = 0.5  # at least so long from one write to the next while changes keep coming


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What the state file says of one task."""

    status: Literal["pending", "in_progress", "completed", "failed"] = "pending"
    current_step: str | None = None
    """What it is doing, or why it does not run."""
    worker_id: str | None = None
    pid: int | None = None
    pid_start_time: float | None = None
    cookie: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float = 0.0
    usage: TokenUsage = field(default_factory=TokenUsage)
    error: str | None = None
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    name: str = ""
    branch: str = ""
    group: str = ""
    attempt: int = 0
    attempts: tuple[Attempt, ...] = ()
    blocked_by: tuple[str, ...] = ()
    cost_usd: float | None = None
    usage_exact: bool = False


def state_document(
    project: Mapping[str, Any], tasks: Mapping[str, TaskFacts], nova: Mapping[str, Any]
) -> dict[str, Any]:
    """Build the document: the documented names at the top, whatever is ours under ``nova``.

    Args:
        project: ``name``, ``cascade_file``, ``started_at``, ``completed_at``.
        tasks: by id, in file order.
        nova: ``run_id``, ``milestones`` and whatever else is ours; moments in it are written like all others.

    """
    return {
        "project": {
            "name": project.get("name", ""),
            "cascade_file": project.get("cascade_file", ""),
            "started_at": plain(project.get("started_at")),
            "completed_at": plain(project.get("completed_at")),
        },
        "tasks": {task_id: task_document(facts) for task_id, facts in tasks.items()},
        "nova": {"schema": STATE_SCHEMA, **plain(nova)},
    }


def task_document(facts: TaskFacts) -> dict[str, Any]:
    """Build what the document says of one task."""
    return {
        "status": facts.status,
        "worker_id": facts.worker_id,
        "pid": facts.pid,
        "started_at": plain(facts.started_at),
        "completed_at": plain(facts.completed_at),
        "duration_seconds": int(facts.duration_seconds),
        "current_step": facts.current_step,
        "token_usage": facts.usage.as_dict(),
        "error": facts.error,
        "commit_sha": facts.commit_sha,
        "files_changed": list(facts.files_changed),
        "nova": {
            "name": facts.name,
            "branch": facts.branch,
            "group": facts.group,
            "attempt": facts.attempt,
            "attempts": [attempt_document(attempt) for attempt in facts.attempts],
            "start_time": facts.pid_start_time,
            "cookie": facts.cookie,
            "blocked_by": list(facts.blocked_by),
            "cost_usd": facts.cost_usd,
            "usage_exact": facts.usage_exact,
        },
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """Build what the document says of one attempt; while it runs, its outcome is null."""
    end = attempt.end
    return {
        "outcome": end.outcome if end else None,
        "exit_code": end.exit_code if end else None,
        "log": (end.log_path if end else None) or attempt.start.log_path,
        "session_id": end.session_id if end else None,
        "cost_usd": end.cost_usd if end else None,
        "leftovers": end.leftovers if end else 0,
        "forced": end.forced if end else False,
    }


def plain(value: Any) -> Any:
    """Turn moments into ISO 8601 in UTC, wherever they stand, and copy what could change later."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


@final
class StateFile:
    """A file that follows a changing state: at once when all was quiet, else twice a second, never torn.

    It belongs to the event loop that publishes. A disk that fails is told in ``error`` and does not touch the run;
    the old file then stays whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: str | None = None
        """Why the latest write failed; None once one has succeeded again."""
        self._make: Callable[[], dict[str, Any]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._not_before = 0.0
        self._closed = False
        self._swept = False

    def publish(self, make: Callable[[], dict[str, Any]]) -> None:
        """Have the file written anew, now or in a moment; ``make`` is called in the loop when the time has come.

        The latest ``make`` wins. After ``close`` this does nothing.
        """
        if self._closed:
            return
        self._make = make
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def flush(self) -> None:
        """Write what is published, without a pause. While more keeps coming, this goes on."""
        while self._task is not None and not self._task.done():
            self._hurry.set()
            await asyncio.wait([self._task])
        self._hurry.clear()

    async def close(self) -> None:
        """Write the last state; from now on nothing more is taken. Call it as often as you like."""
        self._closed = True
        await self.flush()

    async def _follow(self) -> None:
        """Write as long as something new is published; the task, and with it every timer, ends when all is quiet."""
        loop = asyncio.get_running_loop()
        while self._make is not None:
            if (pause := self._not_before - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._hurry.wait()
            self._hurry.clear()
            make, self._make = self._make, None
            self._not_before = loop.time() + PAUSE_SECONDS
            try:
                await asyncio.wrap_future(DISK_THREADS.submit(self._write, make()))
            except OSError as error:
                self.error = f"{self.path}: {error.strerror or error}"
            except Exception as error:  # a wrong document is a bug, but the run is worth more than its picture
                self.error = f"{self.path}: {error!r}"
                loop.call_exception_handler({"message": f"{self.path} cannot be made", "exception": error})
            else:
                self.error = None

    def _write(self, document: dict[str, Any]) -> None:
        path = Path(os.path.realpath(self.path))  # a link stays a link
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self._swept:
            remove_leftovers(path)
            self._swept = True
        content = json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        replace_file(path, content)


def replace_file(path: Path, content: bytes) -> None:
    """Put the content in place of the file in one step that a crash or a power cut cannot tear."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))  # whom its owner let read it
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*-*.tmp"):
        pid = leftover.name.removeprefix(f".{path.name}.").partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)
        except (ValueError, OverflowError, PermissionError):
            continue
