"""What the original Program Nova has left in a ``cascade_state.json``: results for a plan that is new to us.

It has the documented schema, without the part ``nova`` that is in every file of ours.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import decode

from nova_async.journal.foreign_json import as_count, as_moment, as_number, as_table, as_text, as_texts
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, LogRef
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, Phase, TaskStatus

__all__ = ["keep_original", "original_results"]

LARGEST = 16 * 1024 * 1024  # bytes; 1,000 tasks of the original are half a megabyte
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


class Ours(Struct):
    """What tells our files from those of the original; all else is passed over."""

    nova: Raw | UnsetType = UNSET


def original_results(state_file: Path, plan: str, run_id: str, digests: Mapping[str, str]) -> dict[str, Attempt]:
    """Return an attempt for each task of ours that the original has completed; none where the file is another's.

    ``digests`` are those of the plan's prompts as they are now: the original kept none.
    """
    document = read_original(state_file)
    tasks = as_table(as_table(document).get("tasks"))
    found = {task_id: as_table(task) for task_id, task in tasks.items() if task_id in digests}
    return {
        task_id: attempt_of(AttemptId(run_id, task_id, 1), plan, task, digests[task_id], state_file)
        for task_id, task in found.items()
        if task.get("status") == TaskStatus.COMPLETED
    }


def keep_original(state_file: Path) -> Path | None:
    """Copy a file of the original beside itself, before ours takes its place; None where it is not the original's.

    Raises ``OSError`` where no copy can be made.
    """
    if read_original(state_file) is None:
        return None
    content = state_file.read_bytes()
    copy = state_file.with_name(f"{state_file.stem}.original{state_file.suffix}")
    number = 1
    while copy.exists() and copy.read_bytes() != content:
        number += 1
        copy = state_file.with_name(f"{state_file.stem}.original~{number}{state_file.suffix}")
    if not copy.exists():
        with copy.open("xb") as file:
            file.write(content)
    return copy


def read_original(state_file: Path) -> dict[str, Any] | None:
    """Read a file of the original; None where there is none, or what is there is something else."""
    try:
        if not state_file.is_file() or state_file.stat().st_size > LARGEST:
            return None
        content = state_file.read_bytes()
        document: Any = None if is_ours(content) else json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    is_original = isinstance(document, dict) and "nova" not in document and isinstance(document.get("tasks"), dict)
    return document if is_original and isinstance(document.get("project"), dict) else None


def is_ours(content: bytes) -> bool:
    """Tell whether a state file has our part, without reading all the others, which takes seconds in a large one."""
    try:
        return decode(content, type=Ours).nova is not UNSET
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return False  # it is read in full, then


def attempt_of(attempt: AttemptId, plan: str, task: Mapping[str, Any], prompt_digest: str, state_file: Path) -> Attempt:
    """Return the attempt in which a task was completed, as far as the file tells."""
    ended_at = as_moment(task.get("completed_at")) or datetime.fromtimestamp(state_file.stat().st_mtime, UTC)
    started_at = as_moment(task.get("started_at")) or ended_at
    usage = as_table(task.get("token_usage"))
    log = Path("logs") / f"{attempt.task_id}.log"  # where the original has put it, seen from where it was started
    end = AttemptEnd(
        id=attempt,
        outcome=Outcome.OK,
        phase=Phase.SETTLE,
        ended_at=ended_at,
        duration_seconds=as_number(task.get("duration_seconds")) or 0.0,
        exit_code=0,
        usage=TokenUsage(*(as_count(usage.get(kind)) for kind in KINDS)),
        log=log_at(log),
        commit_sha=as_text(task.get("commit_sha")),
        files_changed=as_texts(task.get("files_changed")),
    )
    start = AttemptStart(id=attempt, plan=plan, started_at=started_at, agent="", prompt_digest=prompt_digest)
    return Attempt(start=start, end=end)


def log_at(path: Path) -> LogRef | None:
    """Return which log lies there; None if none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return LogRef(path=str(path), device=found.st_dev, inode=found.st_ino)
