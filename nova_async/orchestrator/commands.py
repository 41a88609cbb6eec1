"""From a task to a command line: pure but for the environment that is handed in."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade, Task
from nova_async.journal.records import Attempt
from nova_async.orchestrator.executor import Job
from nova_async.worker.limits import Limits

__all__ = ["CommandMaker", "make_job"]

LONGEST_ARGUMENT = 100 * 1024  # bytes; the kernel takes 128 KiB in one argument, and refuses the program beyond (G46)
READ_STDIN = "The task is on standard input: read it and do it."

CommandMaker = Callable[[Task], Sequence[str]]


@final
@dataclass(frozen=True, slots=True)
class Spent:
    """What earlier attempts of a task have used of its budget."""

    tokens: int = 0
    cost_usd: float = 0.0

    @classmethod
    def by(cls, attempts: Iterable[Attempt]) -> "Spent":
        """Add up what these attempts have used."""
        ends = [attempt.end for attempt in attempts if attempt.end]
        return cls(sum(end.usage.total for end in ends), sum(end.cost_usd or 0.0 for end in ends))


def make_job(
    cascade: Cascade,
    task: Task,
    *,
    attempt: int,
    session_id: str | None,
    spent: Spent,
    log_dir: Path,
    root: Path,
    command_for: CommandMaker | None,
    environment: Mapping[str, str],
) -> Job:
    """Make the job of one attempt.

    ``root`` is the folder of the cascade, which a relative ``cwd`` starts from. Placeholders of a command template are
    filled after it was split, so that no shell ever sees a prompt. Raises ``ValueError`` for a task that no command
    can be made for.
    """
    settings, options = cascade.settings, task.options
    prompt = f"{settings.prompt_prefix}{task.description or task.name}{settings.prompt_suffix}"
    cwd = root / options.cwd
    via_stdin = settings.prompt_via in ("stdin", "file") or (
        settings.prompt_via == "auto" and len(prompt.encode()) > LONGEST_ARGUMENT
    )
    argument = READ_STDIN if via_stdin else prompt
    agent: str | None = options.agent if options.agent in AGENTS else None
    if command_for is not None:
        made = command_for(task)
        if isinstance(made, str | bytes):
            raise ValueError(f"task {task.id}: a command is a list of words, not one text: {made!r}")
        command = [os.fsdecode(word) for word in made]
        agent, via_stdin = None, False
    elif settings.command is not None:
        values = {
            "prompt": argument, "model": options.model or "", "task_id": task.id, "name": task.name,
            "attempt": str(attempt), "cwd": str(cwd), "session_id": session_id or "",
            "budget_usd": "" if options.budget_usd is None else f"{options.budget_usd:g}",
        }  # fmt: skip
        command = [fill(word, values) for word in settings.command]
        via_stdin = via_stdin or not any("{prompt}" in word for word in settings.command)
        if not is_written(cascade, task, "agent"):
            agent = None  # the program's name tells
    elif agent is None:
        raise ValueError(f"task {task.id}: agent '{options.agent}' needs a command in the front matter")
    else:
        command = AGENTS[agent].command(argument, options.model)
        if agent == "claude" and options.max_turns is not None:
            command += ["--max-turns", str(options.max_turns)]
    return Job(
        task_id=task.id,
        description=task.name,
        command=tuple(command),
        log_path=log_dir / f"{task.id}.log",
        stdin=prompt if via_stdin else None,
        cwd=str(cwd),
        env=job_environment(cascade, task, attempt, environment),
        agent=agent,
        limits=Limits(
            timeout=options.timeout,
            idle_timeout=options.idle_timeout,
            linger=settings.linger or None,
            max_tokens=None if options.budget_tokens is None else max(1, options.budget_tokens - spent.tokens),
            max_cost_usd=None if options.budget_usd is None else max(1e-9, options.budget_usd - spent.cost_usd),
        ),
        leftovers=settings.leftovers,
    )


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


def job_environment(cascade: Cascade, task: Task, attempt: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a task sees: the inherited variables that may pass, ours about the attempt, and the plan's own."""
    allowed = cascade.settings.pass_env
    # Without these three hardly any program finds its files, and the cookie is how a family is found.
    always = ("PATH", "HOME", "TMPDIR", "NOVA_WORKER")
    inherited = (
        dict(environment)
        if allowed is None
        else {name: value for name, value in environment.items() if name in allowed or name in always}
    )
    return {**inherited, "NOVA_ATTEMPT": str(attempt), **cascade.settings.env}


def current_environment() -> dict[str, str]:
    """Return this process's environment."""
    return dict(os.environ)
