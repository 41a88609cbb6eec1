"""Which plan and which of its tasks a command line means."""

from collections.abc import Sequence
from pathlib import Path

import click

from nova_async.cascade import Cascade
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.places import PLAN
from nova_async.cli.say import tell

__all__ = ["chosen_tasks", "plan_and_tasks"]


def plan_and_tasks(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Tell the plan from the tasks in ``[PLAN] [TASK…]``: the first word is the plan if it can be one.

    Raises ``click.UsageError`` where there are tasks and no plan.
    """
    if words and (words[0].endswith(".md") or "/" in words[0] or Path(words[0]).exists()):
        return words[0], tuple(words[1:])
    if words and not Path(PLAN).exists():
        raise click.UsageError(f"{words[0]} is not a file, and there is no {PLAN} here that could contain such a task")
    return PLAN, tuple(words)


def chosen_tasks(
    cascade: Cascade, tasks: Sequence[str], only: Sequence[str], until: Sequence[str]
) -> frozenset[str] | None:
    """Return the tasks that are named; None for all.

    Raises ``click.UsageError`` for a selection that makes no sense, and ``click.exceptions.Exit`` with code 2 where it
    names what is not in the plan.
    """
    if tasks and until:
        raise click.UsageError("use task names or --until, not both")
    if not tasks and not only and not until:
        return None
    try:
        return cascade.select(tasks, only=",".join(only) if only else None, until=until)
    except ValueError as error:
        optional = [word for word in (*tasks, *until) if word in cascade.skipped]
        cure = f"; {optional[0]} is optional: add --with-optional" if optional else ""
        tell(f"{cascade.name}: {error}{cure}")
        raise click.exceptions.Exit(BAD_INPUT) from None
