"""What the commands share that steer a running run: which run they mean, what they say, and what they exit with."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from nova_async._core.advice import HERE, Place
from nova_async.cli.advised import place_of
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.places import JOURNAL, place_in
from nova_async.cli.say import say, tell
from nova_async.control.client import TO_DO, Control, connected
from nova_async.control.protocol import UNKNOWN_TASK, Message, Request
from nova_async.errors import ControlError, NoRunError, NovaError
from nova_async.journal.plan_key import plan_key

__all__ = ["Done", "answered", "failed", "nothing_run", "require_tasks", "steer"]

REFUSED = 1
OF_EVERY_ANSWER = {"kind", "id", "ok"}

Wait = Callable[[Control], Awaitable[str]]
"""Waits for what was asked for to come true, and returns a sentence that says how."""


class Done(NamedTuple):
    """What a run has done."""

    run_id: str
    pid: int
    answer: Message
    outcome: str | None = None
    """A sentence about how it turned out; None where nobody waited."""


def steer(
    folder: Path,
    journal: str | None,
    request: Request,
    sentence: Callable[[Done], str],
    *,
    as_json: bool,
    wait: Wait | None = None,
) -> int:
    """Have the run of a folder do something, say what has happened, and return the exit code.

    ``journal`` is where its journal is, if it is not in the usual place. Without a run, and for a task that the plan
    does not have, the code is 2; 1 if the run does not do it.
    """
    place = place_of(folder, journal=journal)
    try:
        done = asyncio.run(answered(place_in(folder, JOURNAL, journal), request, wait))
    except NovaError as error:
        return failed(error, as_json=as_json, place=place)
    if as_json:
        say(json.dumps({"ok": True, "run_id": done.run_id, "pid": done.pid, **about(done.answer)}))
    else:
        say(place.advice(sentence(done)))
    return 0


async def answered(journal: Path, request: Request, wait: Wait | None = None, *, plan: Path | None = None) -> Done:
    """Ask the run that is running with a journal, which must be one of that plan if one is named, and wait.

    Raises ``NoRunError`` if there is none, and ``ControlError`` with the reason if it does not do it.
    """
    async with connected(journal) as control:
        if plan is not None and control.run.plan != plan_key(plan, journal):
            raise NoRunError(f"the run that is running here (pid {control.run.pid}) is one of another plan")
        answer = await control.ask(request)
        outcome = None if wait is None else await wait(control)
        return Done(control.run.run_id, control.run.pid, answer, outcome)


def failed(error: NovaError, *, as_json: bool, place: Place = HERE) -> int:
    """Say why nothing was done."""
    if as_json:
        say(json.dumps({"ok": False, "error": str(error)}))
    else:
        tell(str(error) if isinstance(error, NoRunError) else place.advice(str(error)))
    is_refused = isinstance(error, ControlError) and error.reason != UNKNOWN_TASK
    return REFUSED if is_refused and not isinstance(error, NoRunError) else BAD_INPUT


def nothing_run(journal: Path) -> NoRunError:
    """Return the error of a folder in which nothing has been run."""
    return NoRunError(f"nothing has been run here yet: {journal} does not exist; {TO_DO}")


def about(answer: Message) -> dict[str, Any]:
    """Return what an answer says beside that it is one."""
    return {name: answer[name] for name in answer.keys() - OF_EVERY_ANSWER}


def require_tasks(tasks: Sequence[str]) -> None:
    """Raise ``click.UsageError`` where no task is named."""
    if not tasks:
        raise click.UsageError("Missing argument 'TASK…'.")
