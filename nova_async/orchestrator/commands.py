"""From a task to the job of one attempt."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nova_async.agents import AGENTS
from nova_async.attempt.job import Job
from nova_async.cascade import Cascade, Task
from nova_async.records import Attempt, AttemptId
from nova_async.usage import Totals
from nova_async.words import Leftovers, Permissions
from nova_async.worker.limits import Limits

__all__ = ["CommandMaker", "make_job"]

LONGEST_ARGUMENT = 100 * 1024  # bytes; the kernel takes 128 KiB in one argument, and refuses the program beyond (G46)
READ_STDIN = "The task is on standard input: read it and do it."

CommandMaker = Callable[[Task], Sequence[str]]


def make_job(
    cascade: Cascade,
    task: Task,
    attempt: AttemptId,
    *,
    session_id: str | None,
    spent: Totals,
    root: Path,
    agent: str | None = None,
    command_for: CommandMaker | None = None,
    left_to_check: Attempt | None = None,
    run_left_usd: float | None = None,
) -> Job:
    """Make the job of one attempt.

    ``root`` is the folder that a relative ``cwd`` starts from, ``agent`` whose output the caller says that it is,
    whatever the plan says. With ``left_to_check`` only the task's check is left to run. ``run_left_usd`` is what the
    run's budget has left: an agent that tells its cost at its end alone can hold it only by itself. Raises
    ``ValueError`` for a task that no command can be made for.
    """
    settings, options = cascade.settings, task.options
    cwd, template = str(root / options.cwd), cascade.command_of(task)
    if command_for is not None:
        command, stdin, reader = given_command(command_for(task), task), None, agent
    elif template is not None:
        command, stdin = filled_command(cascade, task, template, attempt, cwd=cwd, session_id=session_id)
        # Unless somebody said whose output it is, the program's name tells.
        reader = options.agent if is_written(cascade, task, "agent") and options.agent in AGENTS else None
    elif options.agent not in AGENTS:
        raise ValueError(f"task {task.id}: agent '{options.agent}' needs a command in the front matter")
    else:
        command, stdin, reader = *agent_command(cascade, task, spent, run_left_usd), options.agent
    env, reads_only = dict(settings.env), False
    if command_for is None and template is None:
        env.update(AGENTS[options.agent].environment_for(options.permissions))
        reads_only = options.permissions == Permissions.READ
    return Job(
        id=attempt,
        name=task.name,
        command=tuple(command),
        stdin=stdin,
        cwd=cwd,
        env=env,
        pass_env=settings.pass_env,
        agent=reader,
        reads_only=reads_only,
        limits=limits_of(cascade, task, spent),
        grace=options.grace,
        leftovers=Leftovers(settings.leftovers),
        verify=options.verify,
        log_name=f"{task.id}.log",
        finished=left_to_check.finished if left_to_check is not None else None,
    )


def prompt_of(cascade: Cascade, task: Task) -> str:
    """Return the whole prompt of a task."""
    settings = cascade.settings
    return f"{settings.prompt_prefix}{task.description or task.name}{settings.prompt_suffix}"


def goes_by_stdin(cascade: Cascade, prompt: str) -> bool:
    """Tell whether the agent reads its prompt from standard input."""
    via = cascade.settings.prompt_via
    return via in ("stdin", "file") or (via == "auto" and len(prompt.encode(errors="surrogatepass")) > LONGEST_ARGUMENT)


def given_command(made: Sequence[str], task: Task) -> list[str]:
    """Check what somebody's ``command_for`` has made."""
    words = [] if isinstance(made, str | bytes) else [os.fsdecode(word) for word in made]
    if not words:
        raise ValueError(f"task {task.id}: command must be a list of strings, not {made!r}")
    return words


def filled_command(
    cascade: Cascade, task: Task, template: Sequence[str], attempt: AttemptId, *, cwd: str, session_id: str | None
) -> tuple[list[str], str | None]:
    """Fill a command template, and return what its program reads.

    Placeholders are filled after it was split, so that no shell ever sees a prompt.
    """
    options = task.options
    prompt = prompt_of(cascade, task)
    by_stdin = goes_by_stdin(cascade, prompt)
    values = {
        "prompt": READ_STDIN if by_stdin else prompt, "model": options.model or "", "task_id": task.id,
        "name": task.name, "attempt": str(attempt.number), "cwd": cwd, "session_id": session_id or "",
        "budget_usd": "" if options.budget_usd is None else f"{options.budget_usd:g}",
    }  # fmt: skip
    by_stdin = by_stdin or not any("{prompt}" in word for word in template)
    return [fill(word, values) for word in template], prompt if by_stdin else None


def agent_command(
    cascade: Cascade, task: Task, spent: Totals, run_left_usd: float | None
) -> tuple[list[str], str | None]:
    """Return the agent's own command line, and what it reads."""
    options, prompt = task.options, prompt_of(cascade, task)
    by_stdin = goes_by_stdin(cascade, prompt)
    caps = [cap for cap in (left_of(options.budget_usd, spent.cost_usd or 0.0), run_left_usd) if cap is not None]
    command = AGENTS[options.agent].command(
        READ_STDIN if by_stdin else prompt,
        options.model,
        permissions=options.permissions,
        extra=options.agent_args,
        max_turns=options.max_turns,
        max_cost_usd=min(caps, default=None),
    )
    return command, prompt if by_stdin else None


def limits_of(cascade: Cascade, task: Task, spent: Totals) -> Limits:
    """Return what ends the attempt early; budgets are those of the task, less what earlier attempts have used."""
    options = task.options
    tokens = left_of(options.budget_tokens, spent.usage.total)
    return Limits(
        timeout=options.timeout,
        idle_timeout=options.idle_timeout,
        linger=cascade.settings.linger or None,
        max_tokens=None if tokens is None else max(1, int(tokens)),
        max_cost_usd=left_of(options.budget_usd, spent.cost_usd or 0.0),
    )


def left_of(budget: float | None, used: float) -> float | None:
    """Return what is left of a budget, never nothing: an attempt that begins must be able to say a word."""
    return None if budget is None else max(0.01, budget - used)


def is_written(cascade: Cascade, task: Task, option: str) -> bool:
    """Tell whether somebody chose an option's value: on the command line, at the task, or in the front matter."""
    return any(option in layer for layer in (cascade.overrides, task.written, cascade.settings.task_options))


def fill(word: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of one word; braces that are none of ours stay as they are.

    One pass: what a prompt brings in is never looked at again.
    """
    filled, rest = "", word
    while (opening := rest.find("{")) >= 0:
        closing = rest.find("}", opening)
        name = rest[opening + 1 : closing]
        if closing >= 0 and name in values:
            filled += rest[:opening] + values[name]
            rest = rest[closing + 1 :]
        else:
            filled += rest[: opening + 1]
            rest = rest[opening + 1 :]
    return filled + rest
