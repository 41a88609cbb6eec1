"""``nova jobs``: a running run works on more tasks at once, or on fewer."""

from dataclasses import dataclass
from pathlib import Path

from nova_async.cli.asking import steer
from nova_async.cli.numbers import Whole
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.control.protocol import Workers

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    count: int = argument("N", type=Whole(1))
    directory: str = argument("[DIR]", default=".")
    journal: str | None = option(metavar="FILE", help="The run's journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON line.")


def set_jobs(options: Options) -> int:
    """Change how many tasks of a running run are worked on at once.

    DIR is the folder of the run; by default, this folder. Fewer end nothing that runs. The exit code is 1 if the run
    is ending, 2 if no run is running.
    """
    count = options.count
    told = f"up to {count} {'task runs' if count == 1 else 'tasks run'} at once from now on"
    return steer(Path(options.directory), options.journal, Workers(count=count), lambda _: told, as_json=options.json)


command = command_of(Options, set_jobs)
