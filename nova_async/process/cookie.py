"""The family cookie: an environment variable that every descendant inherits, wherever it moves.

Its value is a path with one element, ``<supervisor>.<worker>``, for each worker that the process descends from,
outermost first. So a process started by a nested supervisor still belongs to the outer worker too.
"""

import itertools
import os

__all__ = ["COOKIE_VARIABLE", "belongs_to", "inherited", "new_cookie", "start_over_after_fork", "supervisor_id",
           "workers_of"]  # fmt: skip

COOKIE_VARIABLE = "NOVA_WORKER"
LONGEST_PATH = 4096  # characters: more than a hundred supervisors inside each other

_supervisor = os.urandom(6).hex()
_worker_numbers = itertools.count(1)


def supervisor_id() -> str:
    """Return the name of this OS process as a supervisor; a forked child has its own."""
    return _supervisor


def inherited() -> str:
    """Return the path of the workers that this process itself descends from, or an empty string.

    What cannot be such a path is none: each of our children would inherit it, and a long one would keep them all from
    starting.
    """
    path = os.environ.get(COOKIE_VARIABLE, "")
    is_path = path[:1] == "/" and len(path) <= LONGEST_PATH and path.isascii() and path.isprintable()
    return path if is_path else ""


def new_cookie() -> str:
    """Return the path for one more worker of this OS process."""
    return f"{inherited()}/{_supervisor}.{next(_worker_numbers)}"


def belongs_to(path: str | None, cookie: str) -> bool:
    """Tell whether a process with this path belongs to the cookie's family, directly or through a nested supervisor."""
    return path is not None and (path == cookie or path.startswith(cookie + "/"))


def workers_of(path: str | None, supervisor: str) -> list[str]:
    """Return the path's elements that name workers of that supervisor."""
    return [element for element in (path or "").split("/") if element.startswith(supervisor + ".")]


def start_over_after_fork() -> None:
    """Become a separate supervisor: a forked child must not be taken for its parent."""
    global _supervisor, _worker_numbers
    _supervisor = os.urandom(6).hex()
    _worker_numbers = itertools.count(1)
