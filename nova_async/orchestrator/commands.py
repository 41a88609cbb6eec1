"""From a task to the job of one attempt."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from nova_async._core.money import plain_amount
from nova_async.agents import AGENTS, recognise
from nova_async.attempt.job import Job
from nova_async.cascade import Cascade, RunSettings, Task
from nova_async.cascade.prompts import fill_prompt, wants_error
from nova_async.orchestrator.budget import Budget
from nova_async.orchestrator.sessions import Session, told_agent
from nova_async.prices import Prices
from nova_async.records import Attempt, AttemptId
from nova_async.words import Leftovers, Permissions
from nova_async.worker.limits import Limits

__all__ = ["PROMPT_VARIABLE", "CommandMaker", "account_variables", "make_job", "told_their_caps"]

LONGEST_ARGUMENT = 100 * 1024  # bytes; the kernel takes 128 KiB in one argument, and refuses the program beyond (G46)
FAILED_BEFORE = "An earlier attempt at this task failed: {error}. Its changes may still be there.\n\n"
PROMPT_VARIABLE = "NOVA_PROMPT"
READ_STDIN = "The task is on standard input: read it and do it."

CommandMaker = Callable[[Task], Sequence[str]]


class Invocation(NamedTuple):
    """How a task's program is called."""

    command: Sequence[str]
    stdin: str | None
    """What it reads."""
    agent: str | None
    """Whose output it is, where that is known; else the program's name tells."""
    env: Mapping[str, str] = MappingProxyType({})
    """Variables of its own."""
    reads_only: bool = False


def make_job(
    cascade: Cascade,
    task: Task,
    attempt: AttemptId,
    *,
    session: Session | None,
    root: Path,
    agent: str | None = None,
    command_for: CommandMaker | None = None,
    left_to_check: Attempt | None = None,
    budget: Budget | None = None,
    share_usd: float | None = None,
    result_of: Callable[[str], str | None] = lambda task_id: None,
    last_error: str | None = None,
) -> Job:
    """Make the job of one attempt.

    ``root`` is the folder that a relative ``cwd`` starts from, ``agent`` whose output the caller says that it is,
    whatever the plan says, ``session`` the one of that agent that it resumes. With ``left_to_check`` only the task's
    check is left to run. ``budget`` is the task's own, ``share_usd`` its share of what the run's budget has left: an
    agent that tells its cost at its end alone can hold it only by itself. ``result_of`` returns what another task
    answered, ``last_error`` is why the last attempt at this one failed. Raises ``ValueError`` for a task that no
    command can be made for, as ``result_of`` does where there is no answer.
    """
    settings, options = cascade.settings, task.options
    own = fill_prompt(task.description or task.name, result_of, last_error or "")
    prompt = prompt_of(settings, own, last_error or "")
    cwd = str(root / options.cwd)
    budget = budget if budget is not None and left_to_check is None else Budget()  # a check costs nothing
    cap = min((each for each in (budget.left_usd, share_usd) if each is not None), default=None)
    values = placeholders(task, attempt, cwd=cwd, session=session, last_error=last_error, cap=cap)
    if command_for is not None:
        told = replace(task, description=own) if task.description else task
        invocation = Invocation(given_command(command_for(told), task), None, agent)
    elif (template := cascade.command_of(task)) is not None:
        invocation = fill_template(cascade, task, template, prompt, values)
    else:
        invocation = call_agent(settings, task, prompt, values, cap, session)
    return Job(
        id=attempt,
        name=task.name,
        command=tuple(invocation.command),
        stdin=invocation.stdin,
        cwd=cwd,
        env={**settings.env, **invocation.env},
        account=options.account,
        account_env=account_variables(settings, options.account, root),
        pass_env=settings.pass_env,
        isolate_config=settings.isolate_config,
        redact=settings.redact,
        agent=invocation.agent or recognise(invocation.command).name,  # once: it is asked for in many places
        reads_only=invocation.reads_only,
        limits=limits_of(cascade, task, budget),
        prices=Prices(settings.prices),
        grace=options.grace,
        leftovers=Leftovers(settings.leftovers),
        verify=options.verify,
        log_name=f"{task.id}.log",
        resume=session.id if session is not None else None,
        resumed_from=session.used if session is not None else None,
        finished=left_to_check.finished if left_to_check is not None else None,
    )


def account_variables(settings: RunSettings, account: str, root: Path) -> dict[str, str]:
    """Return the variables that choose an account; a folder among them starts at ``root``, if it is relative."""
    return {
        name: str((root / value).absolute())
        if value.startswith(("./", "../")) or (value and not value.startswith(("/", "~")) and names_a_folder(name))
        else value
        for name, value in settings.accounts.get(account, {}).items()
    }


def names_a_folder(variable: str) -> bool:
    """Tell whether a variable tells an agent where a folder is."""
    return any(variable in agent.folder_variables for agent in AGENTS.values())


def told_their_caps(cascade: Cascade) -> Iterator[str]:
    """Yield the tasks whose agents are told how many dollars they may spend, unless somebody else makes commands."""
    for task in cascade.tasks.values():
        template = cascade.command_of(task)
        agents = [AGENTS[each.agent] for each in task.options.in_order if each.agent in AGENTS]
        caps = any("{budget_usd}" in word for word in template) if template else any(each.caps_cost for each in agents)
        if caps:
            yield task.id


def prompt_of(settings: RunSettings, own: str, last_error: str) -> str:
    """Return the whole prompt of a task; ``own`` is its own part, filled already."""
    before, after = (
        fill_prompt(text, lambda task_id: None, last_error) for text in (settings.prompt_prefix, settings.prompt_suffix)
    )
    return f"{before}{own}{after}"


def goes_by_stdin(settings: RunSettings, prompt: str) -> bool:
    """Tell whether the agent reads its prompt from standard input."""
    via = settings.prompt_via
    return via in ("stdin", "file") or (via == "auto" and len(prompt.encode(errors="surrogatepass")) > LONGEST_ARGUMENT)


def given_command(made: Sequence[str], task: Task) -> list[str]:
    """Check what somebody's ``command_for`` has made."""
    words = [] if isinstance(made, str | bytes) else [os.fsdecode(word) for word in made]
    if not words:
        raise ValueError(f"task {task.id}: command must be a list of strings, not {made!r}")
    return words


def placeholders(
    task: Task, attempt: AttemptId, *, cwd: str, session: Session | None, last_error: str | None, cap: float | None
) -> dict[str, str]:
    """Return what the placeholders of a command stand for, but for ``{prompt}``; ``cap`` is in US dollars."""
    options = task.options
    return {
        "model": options.model or "", "task_id": task.id, "name": task.name, "attempt": str(attempt.number),
        "cwd": cwd, "session_id": session.id if session is not None else "", "error": last_error or "",
        "budget_usd": "" if cap is None else plain_amount(cap),
    }  # fmt: skip


def fill_template(
    cascade: Cascade, task: Task, template: Sequence[str], prompt: str, values: Mapping[str, str]
) -> Invocation:
    """Fill a command of the plan's own.

    Placeholders are filled after it was split, so that no shell ever sees a prompt.
    """
    by_stdin = goes_by_stdin(cascade.settings, prompt)
    values = {**values, "prompt": READ_STDIN if by_stdin else prompt}
    command = [fill(word, values) for word in template]
    agent = told_agent(cascade, task)
    if wants_variable(template):
        variable = {PROMPT_VARIABLE: fit_for_variable(prompt, task)}
        return Invocation(command, None, agent, variable)
    by_stdin = by_stdin or not any("{prompt}" in word for word in template)
    return Invocation(command, prompt if by_stdin else None, agent)


def wants_variable(template: Sequence[str]) -> bool:
    """Tell whether a command takes its prompt from ``$NOVA_PROMPT``: the safe way into a script for a shell."""
    return any(PROMPT_VARIABLE in word for word in template)


def fit_for_variable(prompt: str, task: Task) -> str:
    """Return a prompt that an environment variable can hold.

    Raises ``ValueError`` for a longer one.
    """
    size = len(prompt.encode(errors="surrogatepass"))
    if size > LONGEST_ARGUMENT:
        raise ValueError(
            f"task {task.id}: its prompt of {size:,} bytes is too long for ${PROMPT_VARIABLE} "
            f"({LONGEST_ARGUMENT:,}); read it from standard input instead"
        )
    return prompt.replace("\0", "\ufffd")


def call_agent(
    settings: RunSettings,
    task: Task,
    prompt: str,
    values: Mapping[str, str],
    max_cost_usd: float | None,
    session: Session | None,
) -> Invocation:
    """Return how an agent is called that has no command of the plan's own; raises ``ValueError`` for an unknown one."""
    options = task.options
    if options.agent not in AGENTS:
        raise ValueError(f"task {task.id}: agent '{options.agent}' needs a command in the front matter")
    agent, error = AGENTS[options.agent], values["error"]
    has_error = any(map(wants_error, (settings.prompt_prefix, task.description, settings.prompt_suffix)))
    if session is not None:
        prompt = session.told(prompt, why=not (has_error and session.why == error))
    elif error and not has_error:
        prompt = f"{FAILED_BEFORE.format(error=error)}{prompt}"
    by_stdin = goes_by_stdin(settings, prompt)
    command = agent.command(
        READ_STDIN if by_stdin else prompt,
        options.model,
        resume=session.id if session is not None else None,
        permissions=options.permissions,
        extra=[fill(word, values) for word in options.agent_args],
        max_turns=options.max_turns,
        max_cost_usd=max_cost_usd,
    )
    return Invocation(
        command, prompt if by_stdin else None, options.agent, agent.environment_for(options.permissions),
        reads_only=options.permissions == Permissions.READ,
    )  # fmt: skip


def limits_of(cascade: Cascade, task: Task, budget: Budget) -> Limits:
    """Return what ends the attempt early; of the task's own budget, it is exactly what earlier attempts have left."""
    options = task.options
    return Limits(
        timeout=options.timeout,
        idle_timeout=options.idle_timeout,
        linger=cascade.settings.linger or None,
        max_memory=options.max_memory,
        max_tokens=budget.left_tokens,
        max_cost_usd=budget.left_usd,
    )


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
