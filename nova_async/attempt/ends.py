"""Ends of attempts that never got to work: why not, as a word and as a sentence."""

import asyncio
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

from nova_async.agents import recognise
from nova_async.records import AttemptEnd, AttemptId
from nova_async.words import Outcome, Phase

__all__ = ["about_configuration", "about_program", "bare_end", "describe_refusal", "not_on_path"]

NO_ROOM = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}  # about the machine at this moment, not the task
DISK_FAILS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE}  # of a log: its disk, not the task
NO_THREAD = "can't start new thread"  # all that CPython says about it


def bare_end(
    attempt: AttemptId,
    outcome: Outcome,
    error: str | None,
    *,
    phase: Phase = Phase.PREPARE,
    seconds: float = 0.0,
    ran: bool = False,
) -> AttemptEnd:
    """Return an end, as of now, with only its reason; with ``ran`` it may have used tokens that nobody counted."""
    return AttemptEnd(
        id=attempt, outcome=outcome, phase=phase, ended_at=datetime.now(UTC), duration_seconds=seconds, error=error,
        usage_is_final=not ran,
    )  # fmt: skip


def describe_refusal(
    refusal: BaseException, command: tuple[str, ...], log_path: Path | None = None
) -> tuple[Outcome, str]:
    """Say why a command did not even start."""
    if isinstance(refusal, asyncio.CancelledError):
        return Outcome.CANCELLED, "stopped while starting"
    if isinstance(refusal, RuntimeError) and str(refusal) == NO_THREAD:
        return Outcome.NO_RESOURCES, "the system could not start another thread"
    if not isinstance(refusal, OSError):
        about = str(refusal) if isinstance(refusal, ValueError) else f"{type(refusal).__name__}: {refusal}"
        return Outcome.SPAWN_ERROR, about
    if refusal.errno in NO_ROOM:
        return Outcome.NO_RESOURCES, f"the system could not start another process: {refusal.strerror}"
    if log_path is not None and is_about(refusal, log_path):
        outcome = Outcome.NO_RESOURCES if refusal.errno in DISK_FAILS else Outcome.LOG_ERROR
        return outcome, f"its log cannot be opened: {os.fsdecode(refusal.filename)}: {refusal.strerror}"
    if refusal.filename != command[0]:
        return Outcome.SPAWN_ERROR, str(refusal)
    install = recognise(command).install
    how = f". Install it with `{install}`" if install and "/" not in command[0] else ""
    return Outcome.SPAWN_ERROR, f"{about_program(refusal, command[0])}{how}"


def about_configuration(error: OSError) -> tuple[Outcome, str]:
    """Say why an agent could not be given a configuration of its own."""
    outcome = Outcome.NO_RESOURCES if error.errno in NO_ROOM | DISK_FAILS else Outcome.SPAWN_ERROR
    where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    return outcome, f"isolate_config: its configuration folder cannot be made: {error.strerror or error}{where}"


def not_on_path(program: str) -> str:
    """Say that no folder of PATH has a program of this name."""
    return f"`{program}` is not on PATH"


def about_program(error: OSError, program: str) -> str:
    """Say what is wrong with a program that cannot be found or executed."""
    if isinstance(error, FileNotFoundError):
        return f"`{program}` does not exist" if "/" in program else not_on_path(program)
    if isinstance(error, PermissionError):
        return f"`{program}` is not executable"
    return f"`{program}` cannot be started: {error.strerror or error}"


def is_about(error: OSError, log_path: Path) -> bool:
    """Tell whether it was the log, not the program, that could not be opened."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return False
    path, log_path = Path(os.fsdecode(error.filename)).absolute(), log_path.absolute()
    return path in log_path.parents or (path.parent == log_path.parent and path.suffix == log_path.suffix)
