"""``nova resume``: a paused run goes on."""

from dataclasses import dataclass
from pathlib import Path

from nova_async.cli.asking import steer
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.control.protocol import Resume

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    journal: str | None = option(metavar="FILE", help="The run's journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON line.")


def resume(options: Options) -> int:
    """Let a run go on that was paused with nova pause.

    DIR is the folder of the run; by default, this folder. The exit code is 1 if the run is not paused, 2 if no run is
    running.
    """
    return steer(Path(options.directory), options.journal, Resume(), lambda _: "the run goes on", as_json=options.json)


command = command_of(Options, resume)
