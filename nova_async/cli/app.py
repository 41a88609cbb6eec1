"""Which commands there are; each is loaded when it is called, for its libraries take longer than most answers."""

import importlib
import io
import sys

import click
from click.shell_completion import CompletionItem

from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.say import say, stop_writing_to
from nova_async.cli.version import version_line
from nova_async.process.command import current_folder

__all__ = ["COMMANDS", "answer", "app"]

COMMANDS = {
    "demo": "Run a sample plan with a demo agent: no key, no agent CLI, none of your files touched.",
    "run": "Run a plan, a few tasks at a time; completed tasks are skipped.",
    "plan": "Check a plan and show the order it would run in; starts nothing.",
    "init": "Write a first plan, with a comment on everything it can contain.",
    "watch": "Watch a run live from any terminal, and steer it: ? shows the keys.",
    "status": "Show the status of a run, during it or after.",
    "show": "Show everything about one task: its state and why, its attempts, what it changed, and its answer.",
    "result": "Print the final answer of a task's agent; in a pipe, exactly as the agent gave it.",
    "logs": "Show what a task printed: text, tool calls and results; in a pipe, the raw bytes.",
    "runs": "List the runs of a folder, newest first: when, which plan, how it ended, tasks, tokens, cost and time.",
    "report": "Write a report of a run as one HTML page, or as Markdown, JUnit XML or CTRF.",
    "cost": "Show what the attempts of a plan have used and cost: as reported by agents, and as estimated by prices.",
    "serve": "Show a run as a page in the browser, and as JSON for programs.",
    "stop": "Stop a running run, or with TASKs only these, and wait until they have ended.",
    "pause": "Let a running run start nothing new until nova resume; what runs goes on.",
    "resume": "Let a run go on that was paused with nova pause.",
    "jobs": "Change how many tasks of a running run are worked on at once.",
    "approve": "Let tasks begin that wait for approval (gate = true): in the running run, or else in the next one.",
    "retry": "Let failed tasks run again, with all their retries: in the running run, or else in the next one.",
    "exec": "Run one command as a supervised worker: its output is passed through, logged and counted.",
    "completion": "Print a script that lets your shell complete commands, options and task ids.",
    "doctor": "Check agents, folder and machine; with PLAN, what its next run needs.",
    "agents": "List the agents nova can read, which are installed, and how nova calls them.",
}
"""Each is ``command`` in the module of its name. The sentence is the first of its help (held by a test)."""


class Commands(click.Group):
    """A group that knows what its commands are for without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is no such."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"nova_async.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; of one that there is not, say which there may be."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        """Offer the commands, without loading them, and our own options."""
        mine = [CompletionItem(name, help=what) for name, what in COMMANDS.items() if name.startswith(incomplete)]
        return mine or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the version and leave, if that is what was asked for."""
    if wanted:
        say(version_line())
        ctx.exit()


app = Commands(
    name="nova",
    help="See what every agent is doing and what it costs, and be sure nothing keeps running.",
    no_args_is_help=True,
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show_version,
            help="Show the version.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)  # fmt: skip


def answer() -> int:
    """Do what the command line says, and return the exit code; a reader who has gone away is no failure."""
    try:
        code = app.main(prog_name="nova", standalone_mode=False)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        if text := told.getvalue().rstrip("\n"):  # else it has said so itself
            say(text, err=True)  # it may quote a file
        return error.exit_code
    except FileNotFoundError:
        if current_folder():
            raise
        say("nova: the current folder has been deleted; change to one that exists", err=True)
        return BAD_INPUT
    except BrokenPipeError:  # click's own pages of help
        stop_writing_to(sys.stdout)
        return 0
    return code if isinstance(code, int) else 0
