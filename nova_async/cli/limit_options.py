"""Limits of the command line: those of ``nova run`` stand above what is written in the plan."""

from dataclasses import replace
from typing import Any

import click

from nova_async.cascade import Cascade
from nova_async.cascade.options import parse_option
from nova_async.cascade.settings import SETTINGS
from nova_async.cli.options import option

__all__ = ["LIMITS", "flag_of", "limit", "with_limits"]

OF_TASKS = {
    "timeout": "timeout",
    "idle_timeout": "idle_timeout",
    "max_memory": "max_memory",
    "task_budget_usd": "budget_usd",
    "task_budget_tokens": "budget_tokens",
}
"""Options of a task by their keys at the top of a plan, which are the names of the flags."""


OF_RUN = ("linger", "max_wait", "pace", "budget_usd", "budget_tokens", "min_free_memory")
LIMITS = (*OF_TASKS, *OF_RUN)


def limit(metavar: str, help: str, *flags: str) -> Any:  # noqa: A002 - click's own word
    """Declare the flag of a limit, which takes what stands in a plan: also ``off``."""
    return option(*flags, metavar=metavar, show_default="the plan's", help=help)


def flag_of(key: str) -> str:
    """Return the flag of a key at the top of a plan."""
    return "--budget" if key == "budget_usd" else f"--{key.replace('_', '-')}"


def with_limits(cascade: Cascade, given: dict[str, str | None]) -> Cascade:
    """Put limits above those of the plan: ``given`` are texts by flag, as their keys at the top of a plan.

    Raises ``click.UsageError`` for a text that is no value of its key.
    """
    options: dict[str, object] = {}
    settings: dict[str, Any] = {}
    for key, text in given.items():
        if text is None:
            continue
        try:
            if key in OF_TASKS:
                name, value = parse_option(OF_TASKS[key], text)
                options[name] = value
            else:
                settings[key] = SETTINGS[key](text)
        except ValueError as error:
            why = str(error).removeprefix(f"{OF_TASKS.get(key)}: ")
            raise click.UsageError(f"{flag_of(key)}: {why}") from error
    if settings:
        written = cascade.settings.written | settings.keys()
        inherited = {key: name for key, name in cascade.settings.inherited.items() if key not in settings}
        settings_above = replace(cascade.settings, **settings, written=written, inherited=inherited)
        cascade = replace(cascade, settings=settings_above)
    return cascade.with_options(**options) if options else cascade
