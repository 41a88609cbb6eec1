"""What can go wrong that is ours to name; what the system says (``FileNotFoundError`` …) passes untouched.

``NovaError`` is the root. ``CascadeError``, which carries a plan's problems, stands beside them in ``cascade``.
"""

import socket

__all__ = ["JournalError", "NovaError", "RunLockedError", "StateFileError", "UnsupportedPlatformError",
           "WorkerStateError"]  # fmt: skip


class NovaError(Exception):
    """The root of every error that nova_async itself raises."""


class WorkerStateError(NovaError, RuntimeError):
    """A worker was asked for something that its present state does not allow, such as a second start."""


class JournalError(NovaError):
    """The journal cannot be opened, read or written; the text names the file and says what to do."""


class StateFileError(NovaError, ValueError):
    """The state file is not there, or is not one of ours."""


class RunLockedError(NovaError):
    """Another run works with the same journal.

    ``pid`` is the process that holds the lock; None where nobody can tell.
    """

    def __init__(self, pid: int | None, host: str | None = None) -> None:
        where = f" on {host}" if host not in (None, socket.gethostname()) else ""
        who = f"pid {pid}{where}" if pid else "pid unknown"
        super().__init__(f"another nova run ({who}) is using this journal; wait for it to finish or stop it")
        self.pid = pid


class UnsupportedPlatformError(NovaError, ImportError, NotImplementedError):
    """What this package promises cannot be kept on this system: it has no sessions, signals and process groups."""
