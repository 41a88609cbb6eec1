"""A configuration folder of an attempt's own: several agents at once spoil the files of the usual one (G47)."""

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nova_async._core.home import home_in
from nova_async._core.own_places import open_below, read_file, read_open
from nova_async.agents.configuration import Configuration

__all__ = ["bring_back_logins", "fill_configuration"]

LARGEST = 64 << 20  # bytes of a file that is copied; Claude's grow to some megabytes over the years
LARGEST_LOGIN = 1 << 20


def fill_configuration(
    configuration: Configuration, environment: Mapping[str, str], folder: Path, *, cwd: str
) -> dict[str, str]:
    """Fill an agent's own folder from the user's, and return the variables that lead to it.

    ``environment`` is what the agent would see without, ``cwd`` its working folder. Raises ``OSError``.
    """
    usual = usual_folder(configuration, environment, cwd)
    is_usual = not environment.get(configuration.variable)
    for name in configuration.kept:
        (usual / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*configuration.kept, *configuration.logins, *configuration.linked):
        if os.path.lexists(usual / name):
            (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / name).symlink_to(usual / name)
    for name in configuration.copied:
        source = usual.parent / name if is_usual and name in configuration.beside else usual / name
        with suppress(FileNotFoundError, NotADirectoryError):
            content = read_file(source, LARGEST)
            (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(folder / name, content)
    login = configuration.login_variable
    return {configuration.variable: str(folder), **({} if login is None else {login: str(usual)})}


def usual_folder(configuration: Configuration, environment: Mapping[str, str], cwd: str) -> Path:
    """Return the folder that the agent would use otherwise; a relative one is below its working folder."""
    chosen = environment.get(configuration.variable)
    return Path(cwd, chosen or Path(home_in(environment), configuration.folder)).absolute()


def bring_back_logins(configuration: Configuration, environment: Mapping[str, str], folder: Path, *, cwd: str) -> None:
    """Put a login where the user's is that the agent has renewed in a file of its own, in place of the link.

    Of several workers that have done so, the latest wins. ``environment`` and ``cwd`` are as in ``fill_configuration``.
    """
    usual = usual_folder(configuration, environment, cwd)
    for name in configuration.logins:
        with suppress(OSError), open_below(folder, name) as mine:
            bring_back(mine, folder / name, usual / name)


def bring_back(mine: io.FileIO, path: Path, theirs: Path) -> None:
    """Put a login where the user's is, unless that is as new; ``path`` is where it was opened. Raises ``OSError``."""
    renewed = os.fstat(mine.fileno())
    content = read_open(mine, path, LARGEST_LOGIN)
    if theirs.exists() and theirs.stat().st_mtime_ns >= renewed.st_mtime_ns:
        return
    target = Path(os.path.realpath(theirs))  # it may be a link of the user's
    temporary = target.with_name(f"{target.name}.{os.urandom(4).hex()}.tmp")
    try:
        write_private(temporary, content)
        os.utime(temporary, ns=(renewed.st_atime_ns, renewed.st_mtime_ns))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read; raises ``OSError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(content)
