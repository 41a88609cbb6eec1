"""What the command line of ``nova run`` says, put above what is written in the plan."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade
from nova_async.cascade.agent_order import check_accounts, choices_of
from nova_async.cascade.diagnostics import did_you_mean, shown
from nova_async.cascade.notify import parse_notify
from nova_async.cascade.settings import parse_agent_command, parse_pass_env
from nova_async.cli.limit_options import LIMITS, with_limits
from nova_async.cli.redacting import warn_of_no_effect
from nova_async.words import Permissions

if TYPE_CHECKING:
    from nova_async.cli.run import Options

__all__ = ["with_command_line"]


def with_command_line(cascade: Cascade, options: "Options") -> Cascade:
    """Put what the command line says above what is written in the plan.

    Raises ``click.UsageError`` for an unknown agent, and for a command that names no program.
    """
    if options.permissions is not None:
        cascade = cascade.with_options(permissions=Permissions(options.permissions))
    cascade = with_limits(cascade, {key: getattr(options, key) for key in LIMITS})
    if options.agent_arg:
        cascade = cascade.with_options(agent_args=options.agent_arg)
    if options.pass_env:
        try:
            names = parse_pass_env([name for name in options.pass_env if name != "none"])
        except ValueError as error:
            raise click.UsageError(f"--pass-env: {error}") from error
        cascade = replace(cascade, settings=replace(cascade.settings, pass_env=names))
    if options.notify:
        try:
            notify = parse_notify([*options.notify])
        except ValueError as error:
            raise click.UsageError(f"--notify: {error}") from error
        cascade = replace(cascade, settings=replace(cascade.settings, notify=notify))
    if options.redact:
        from nova_async.orchestrator.secrets import with_redact

        try:
            cascade = with_redact(cascade, options.redact)
        except ValueError as error:
            raise click.UsageError(f"--redact: {error}") from error
        warn_of_no_effect(options.redact, os.environ, cascade.settings.env)
    if options.agent is not None:
        agents = agents_of(options.agent, cascade, has_command=options.command is not None)
        # Who names an agent wants it, not the plan's command.
        cascade = replace(cascade, settings=cascade.settings.with_command(None)).with_options(agent=agents)
    if options.command is not None:
        try:
            words = parse_agent_command(options.command)
        except ValueError as error:
            raise click.UsageError(f"--command: {error}") from error
        cascade = replace(cascade, settings=cascade.settings.with_command(words))
        if options.agent is None:  # the program tells whose output it is, whatever the plan was written for
            cascade = without_agents(cascade)
    return cascade


def agents_of(text: str, cascade: Cascade, *, has_command: bool) -> tuple[str, ...]:
    """Read the agents of ``--agent``, in their order; raises ``click.UsageError`` for what is none or no account."""
    agents = tuple(word.strip() for word in text.split(","))
    # Without a program of its own, an agent needs a command.
    known = [name for name, agent in AGENTS.items() if agent.program or has_command]
    for choice in choices_of(agents):
        if choice.agent not in known:
            guess = did_you_mean(choice.agent, known)
            raise click.UsageError(f"--agent: {shown(choice.agent)} is not one of {', '.join(known)}{guess}")
    try:
        check_accounts(agents, cascade.settings.accounts)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error
    return agents


def without_agents(cascade: Cascade) -> Cascade:
    """Forget which agents the plan names."""

    def rest(options: object) -> dict[str, object]:
        return {name: value for name, value in dict(options).items() if name != "agent"}  # type: ignore[call-overload]

    settings = replace(cascade.settings, task_options=rest(cascade.settings.task_options))
    tasks = {task_id: replace(task, written=rest(task.written)) for task_id, task in cascade.tasks.items()}
    return replace(cascade, tasks=tasks, settings=settings).with_options()
