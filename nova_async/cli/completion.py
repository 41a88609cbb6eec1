"""``nova completion``: the lines that teach a shell to complete our commands, options and task ids."""

import os
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.options import argument, command_of
from nova_async.cli.say import say, tell

__all__ = ["command"]

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    shell: str | None = argument("[SHELL]", default=None, type=click.Choice(SHELLS))


def write_completion(options: Options) -> int:
    """Print a script that lets your shell complete commands, options and task ids.

    SHELL is bash, zsh or fish; by default, your own shell. In ~/.bashrc or ~/.zshrc: eval "$(nova completion
    bash)". For fish: nova completion fish > ~/.config/fish/completions/nova.fish
    """
    shell = options.shell or Path(os.environ.get("SHELL", "")).name
    made = get_completion_class(shell) if shell in SHELLS else None
    if made is None:
        tell(f"name your shell: {', '.join(SHELLS)}")
        return BAD_INPUT
    root = click.get_current_context().find_root().command
    asked = made(root, {}, "nova", "_NOVA_COMPLETE")
    # Not its `source()`: that starts the bash there is here, which need not be the one that reads this.
    say((asked.source_template % asked.source_vars()).strip("\n"))
    return 0


command = command_of(Options, write_completion)
