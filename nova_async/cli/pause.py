"""``nova pause``: nothing new starts for a while."""

from dataclasses import dataclass
from pathlib import Path

from nova_async.cli.asking import Done, steer
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.control.protocol import Pause

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    journal: str | None = option(metavar="FILE", help="The run's journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON line.")


def pause(options: Options) -> int:
    """Let a running run start nothing new until nova resume; what runs goes on.

    DIR is the folder of the run; by default, this folder. The exit code is 1 if the run cannot be paused, 2 if no run
    is running.
    """
    return steer(Path(options.directory), options.journal, Pause(), sentence, as_json=options.json)


def sentence(done: Done) -> str:
    """Say what has happened."""
    running = done.answer.get("running")
    goes_on = f"; {running} running {'task goes' if running == 1 else 'tasks go'} on" if running else ""
    return f"paused: nothing new starts until `nova resume`{goes_on}"


command = command_of(Options, pause)
