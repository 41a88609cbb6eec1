"""``nova retry``: failed tasks get another chance in the next run."""

import asyncio
from pathlib import Path

import typer

from nova_async.errors import NovaError

__all__ = ["retry"]

BAD_INPUT = 2


def retry(task_ids: list[str], journal: str) -> int:
    """Let the next run begin these tasks anew; return the exit code."""
    from nova_async.orchestrator.retrying import retry_tasks

    if not Path(journal).is_file():
        typer.echo(f"nova: no run here: {journal} does not exist", err=True)
        return BAD_INPUT
    try:
        asyncio.run(retry_tasks(Path(journal), task_ids))
    except KeyError as error:
        typer.echo(f"nova: {error.args[0]} has not run yet: `nova run` runs it", err=True)
        return BAD_INPUT
    except NovaError as error:
        typer.echo(f"nova: {error}", err=True)
        return BAD_INPUT
    typer.echo(f"{', '.join(task_ids)}: tried again by the next `nova run`")
    return 0
