"""A command's arguments and options, each written once: as a field of the dataclass that the command works with."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, field, fields
from typing import Any, TypeVar

import click

from nova_async.cli.completing import completer_of
from nova_async.words import PlanOrder

__all__ = ["REDACT", "argument", "command_of", "flag", "option", "optional_flag", "order_option", "run_option"]

Options = TypeVar("Options")
PARAMETER = "parameter"  # the key in a field's metadata
REDACT = (
    "Replace the value of this variable (GH_* for several), or what matches a /pattern/, by [redacted]; repeatable."
)


def option(*flags: str, help: str, default: Any = None, **more: Any) -> Any:  # noqa: A002 - click's own word
    """Declare an option; without ``flags`` it is called as the field is, and ``more`` is for ``click.Option``."""

    def make(name: str) -> click.Parameter:
        more.setdefault("shell_complete", completer_of(more.get("metavar") or ""))
        return click.Option([name, *(flags or [f"--{name.replace('_', '-')}"])], default=default, help=help, **more)

    return field(default=default, metadata={PARAMETER: make})


def flag(*flags: str, help: str) -> Any:  # noqa: A002 - click's own word
    """Declare an option that takes no value and is false unless given."""
    return option(*flags, help=help, default=False, is_flag=True)


def order_option() -> Any:
    """Declare ``--order``."""
    return option(
        type=click.Choice([str(word) for word in PlanOrder]),
        show_default="the plan's, else auto",
        help="Keep the order of the file (phase), or follow only declared dependencies (deps).",
    )


def optional_flag() -> Any:
    """Declare ``--with-optional``."""
    return flag(help="Run optional tasks too.")


def run_option() -> Any:
    """Declare ``--run``."""
    return option(
        metavar="RUN", show_default="the latest", help="A run of the past; the beginning of its id is enough."
    )


def argument(metavar: str, *, default: Any = MISSING, **more: Any) -> Any:
    """Declare an argument; without a default it must be given, and ``more`` is for ``click.Argument``."""

    def make(name: str) -> click.Parameter:
        # Click 8.2 refuses a default for a list, even an empty one, and requires what has None for a default.
        absent: dict[str, Any] = {"required": default is MISSING}
        if default is not MISSING and "nargs" not in more:
            absent["default"] = default
        more.setdefault("shell_complete", completer_of(metavar))
        return click.Argument([name], metavar=metavar, **absent, **more)

    return field(default=default, metadata={PARAMETER: make})


def command_of(options: type[Options], run: Callable[[Options], int], **settings: Any) -> click.Command:
    """Make the command that fills ``options`` from the command line and exits with what ``run`` returns.

    The docstring of ``run`` is the command's help; ``settings`` are click's context settings.
    """

    def callback(**values: Any) -> None:
        click.get_current_context().exit(run(options(**values)))

    return click.Command(
        name=None,
        callback=callback,
        params=[found.metadata[PARAMETER](found.name) for found in fields(options)],  # type: ignore[arg-type]
        help=inspect.getdoc(run),
        context_settings=settings,
    )
