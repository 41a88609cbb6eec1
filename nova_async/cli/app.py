"""Which commands there are, and what they take."""

from typing import Annotated, Literal

import typer

from nova_async.cli.cascade_commands import add_cascade_commands
from nova_async.cli.version import version_line

__all__ = ["app"]

app = typer.Typer(
    name="nova",
    help="Supervise coding agents: every byte logged, every token counted, nobody left behind.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the version and leave, if that is what was asked for."""
    if wanted:
        typer.echo(version_line())
        raise typer.Exit


@app.callback()
def nova(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that belong to no single command."""


@app.command("exec", context_settings={"allow_interspersed_args": False})
def exec_command(
    command: Annotated[list[str], typer.Argument(metavar="[--] COMMAND…", help="The command and its arguments.")],
    task: Annotated[str | None, typer.Option(help="The task's id; it names the log. Made up if left out.")] = None,
    agent: Annotated[
        str | None, typer.Option(help="Whose output it is, where the program's name does not tell (see nova agents).")
    ] = None,
    log_dir: Annotated[str, typer.Option(help="Where the log goes, as TASK.log.")] = "logs",
    cwd: Annotated[str | None, typer.Option(help="Where the command runs.")] = None,
    stdin: Annotated[
        str | None, typer.Option(metavar="FILE", help="What the command reads, '-' for our own input. Else nothing.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="End it after so long: 90s, 30m, 1h30m.")] = None,
    idle_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="End it after so long without any output.")
    ] = None,
    linger: Annotated[
        str | None, typer.Option(metavar="TIME", help="End it if it stays so long after the agent's final result.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="End it when it has used more tokens.")] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", help="End it when it has cost more, as the agent itself tells.")
    ] = None,
    grace: Annotated[str, typer.Option(metavar="TIME", help="Time between SIGTERM and SIGKILL.")] = "5s",
    leftovers: Annotated[
        Literal["kill", "leave"], typer.Option(help="What becomes of processes that outlive the command.")
    ] = "kill",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log the output, but do not show it.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the summary as one line of JSON (on stderr).")] = False,
) -> None:
    """Run one command as a supervised worker: its output passes through while it is logged and counted.

    The exit code is the command's: 127 if it was not found, 126 if it cannot be executed, 128+n if signal n ended it;
    124 if a limit ended it, 2 for bad input, 130, 143 or 129 if nova itself got Ctrl-C, SIGTERM or SIGHUP.
    """
    from nova_async.cli.exec import Execution, run

    execution = Execution.from_options(
        command=command,
        task=task,
        agent=agent,
        log_dir=log_dir,
        cwd=cwd,
        stdin=stdin,
        timeout=timeout,
        idle_timeout=idle_timeout,
        linger=linger,
        max_tokens=max_tokens,
        max_cost=max_cost,
        grace=grace,
        leftovers=leftovers,
        quiet=quiet,
        json=json,
    )
    raise typer.Exit(run(execution))


@app.command("agents")
def agents_command(
    json: Annotated[bool, typer.Option("--json", help="Write one JSON document instead of a table.")] = False,
) -> None:
    """Show the agents that nova can read, which of them are installed, and how it calls them."""
    from nova_async.cli.agents import show_agents

    show_agents(as_json=json)


add_cascade_commands(app)
