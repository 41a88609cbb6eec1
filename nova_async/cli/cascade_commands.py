"""The commands about plans and runs, and what they take."""

from typing import Annotated

import typer

__all__ = ["add_cascade_commands"]

Plan = Annotated[str, typer.Argument(metavar="CASCADE.md", help="The plan.", show_default=False)]
LogDir = Annotated[str, typer.Option(help="Where the logs are, as TASK.log.")]
State = Annotated[str | None, typer.Option(metavar="FILE", help="The state file, if it is elsewhere.")]
Journal = Annotated[str, typer.Option(metavar="FILE", help="Where what happened is kept.")]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]


def add_cascade_commands(app: typer.Typer) -> None:
    """Give the command line its words about plans and runs."""
    app.command("run")(run_command)
    app.command("plan")(plan_command)
    app.command("init")(init_command)
    app.command("status")(status_command)
    app.command("logs")(logs_command)
    app.command("retry")(retry_command)


def run_command(
    path: Plan = "CASCADE.md",
    agent: Annotated[str | None, typer.Option(help="Run all tasks with this agent (see nova agents).")] = None,
    command: Annotated[
        str | None, typer.Option(metavar='"PROG … {prompt}"', help="Run all tasks with this command; no shell sees it.")
    ] = None,
    max_workers: Annotated[
        int | None,
        typer.Option("--max-workers", "-j", min=1, help="How many tasks at once.", show_default="the plan's"),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew: forget what is completed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Write each event as one line of JSON, at last a summary.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Write lines instead of a table.")] = False,
    log_dir: Annotated[str, typer.Option(help="Where the logs go, as TASK.log.")] = "logs",
    state: Annotated[str, typer.Option(metavar="FILE", help="The state file, for whoever watches.")] = (
        "cascade_state.json"
    ),
    journal: Journal = ".nova/journal.db",
) -> None:
    """Run a plan, a few tasks at a time; what is completed already is not run again.

    The exit code is 0 if all tasks are completed, 1 if not, 2 for bad input, and 130, 143 or 129 after Ctrl-C, SIGTERM
    or SIGHUP. Ctrl-C once asks the agents to stop, twice kills them; the next run goes on from there.
    """
    from nova_async.cli.run import RunOptions, run_plan

    options = RunOptions(
        path=path,
        agent=agent,
        command=command,
        max_workers=max_workers,
        log_dir=log_dir,
        state_file=state,
        journal=journal,
        retry_failed=retry_failed,
        fresh=fresh,
        json=json,
        plain=plain,
    )
    raise typer.Exit(run_plan(options))


def plan_command(
    path: Plan = "CASCADE.md",
    json: Json = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Write a Mermaid flowchart.")] = False,
) -> None:
    """Check a plan and show in which order it would go; runs nothing. Exit code 2 if it has errors."""
    from nova_async.cli.plan import show_plan

    if json and mermaid:
        raise typer.BadParameter("--json and --mermaid exclude each other")
    raise typer.Exit(show_plan(path, "json" if json else "mermaid" if mermaid else "text"))


def init_command(
    path: Plan = "CASCADE.md",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a first plan, with a line about all that can stand in one."""
    from nova_async.cli.init import write_first_plan

    raise typer.Exit(write_first_plan(path, force=force))


def status_command(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Where the run is.", show_default=False)] = ".",
    state: State = None,
    json: Json = False,
) -> None:
    """Show how a run stands, also while it runs. Exit code 1 if a task failed or the run died, 2 if there is none."""
    from nova_async.cli.status import show_status, state_path

    raise typer.Exit(show_status(state_path(directory, state), as_json=json))


def logs_command(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on while the task is under way.")] = False,
    attempt: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The N-th attempt instead of the latest.")
    ] = None,
    log_dir: LogDir = "logs",
    state: State = None,
) -> None:
    """Write what a task printed, byte for byte."""
    from nova_async.cli.logs import show_log
    from nova_async.cli.status import state_path

    raise typer.Exit(show_log(task, follow=follow, attempt=attempt, log_dir=log_dir, state=state_path(".", state)))


def retry_command(
    tasks: Annotated[list[str], typer.Argument(metavar="TASK…", help="Ids of failed tasks.")],
    journal: Journal = ".nova/journal.db",
) -> None:
    """Let the next run try failed tasks again, with all their attempts."""
    from nova_async.cli.retry import retry

    raise typer.Exit(retry(tasks, journal))
