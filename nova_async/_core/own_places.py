"""Where a run keeps its files unless told otherwise, and which links in these places are not followed.

Whoever wrote the files of a working folder, a repository or an agent in its sandbox, may have put a link there that
leads to any file of the user. So a link is followed only in a path that the user has named.
"""

import errno
import io
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = [
    "JOURNAL",
    "LOG_DIR",
    "STATE_FILE",
    "chosen_by_us",
    "open_below",
    "open_without_waiting",
    "read_file",
    "read_open",
    "refuse_links",
    "user_states",
]

JOURNAL = ".nova/journal.db"
STATE_FILE = "cascade_state.json"
LOG_DIR = "logs"


def user_states(environment: Mapping[str, str] = os.environ) -> Path:
    """Return our folder among those in which a user's programs keep what they know.

    Raises ``FileNotFoundError`` for a user without a home.
    """
    states = Path(environment.get("XDG_STATE_HOME", ""))
    try:
        return (states if states.is_absolute() else Path.home() / ".local" / "state") / "nova"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, str(error)) from error


def chosen_by_us(path: str | os.PathLike[str], default: str) -> int:
    """Return how many of the last parts of a path are our choice, not the user's: all of the default, or none."""
    if os.path.isabs(path):  # noqa: PTH117 - no default is, so it need not be taken apart
        return 0
    return len(Path(default).parts) if Path(path) == Path(default) else 0


def refuse_links(path: Path, parts: int, cure: str) -> None:
    """Check that none of the last ``parts`` parts of a path is a symbolic link.

    Raises ``OSError`` (``ELOOP``) that says which one is, where it leads, and ``cure``: what the user can do.
    """
    for _ in range(parts):
        with suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISLNK(path.lstat().st_mode):
                text = f"it is a symbolic link to {path.readlink()}, which nova does not follow: {cure}"
                raise OSError(errno.ELOOP, text, str(path))
        path = path.parent


def read_file(path: Path, most: int) -> bytes:
    """Read a file that anybody may have put there: neither a device without an end nor a FIFO that nobody writes to.

    Raises ``OSError``, also if it is not a regular file or has more than ``most`` bytes.
    """
    with open_without_waiting(path) as file:
        return read_open(file, path, most)


def read_open(file: io.FileIO, path: Path, most: int) -> bytes:
    """Read a file that is open already; ``path`` is for what is said of it.

    Raises ``OSError``, also if it is not a regular file or has more than ``most`` bytes.
    """
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if status.st_size > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return file.read(most + 1) or b""


def open_without_waiting(path: Path, *, below: int | None = None) -> io.FileIO:
    """Open a file for reading; of a FIFO, nobody waits for the other end.

    ``below`` is the descriptor of the folder that a relative path starts from: then a link is not followed. Raises
    ``OSError``, also for a folder.
    """
    more = os.O_NOCTTY | os.O_NONBLOCK | (0 if below is None else os.O_NOFOLLOW)
    return io.FileIO(path, opener=lambda name, flags: os.open(name, flags | more, dir_fd=below))


def open_below(folder: Path, name: str) -> io.FileIO:
    """Open a file below a folder for reading, following no link on the way from the folder down.

    Whoever else may write there can plant one at any moment: a look beforehand does not help. Raises ``OSError``.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags)
    try:
        for part in Path(name).parts[:-1]:
            above = descriptor
            try:
                descriptor = os.open(part, flags, dir_fd=above)
            finally:
                os.close(above)
        return open_without_waiting(Path(Path(name).name), below=descriptor)
    finally:
        os.close(descriptor)
