"""The exceptions that nova_async itself raises; the system's own (``FileNotFoundError`` …) pass through untouched.

``NovaError`` is the root. ``CascadeError``, which carries a plan's problems, is in ``cascade``.
"""

from collections.abc import Mapping, Sequence

__all__ = ["ControlError", "JournalError", "NoRunError", "NotReadyError", "NovaError", "RequestError",
           "RunLockedError", "SelectionError", "StateFileError", "UnsupportedPlatformError",
           "WorkerStateError"]  # fmt: skip


MOST_TOLD = 5  # tasks in one sentence


class NovaError(Exception):
    """The base class of every exception that nova_async itself raises."""


class WorkerStateError(NovaError, RuntimeError):
    """A worker was asked for something that its current state does not allow, such as a second start."""


class JournalError(NovaError):
    """The journal cannot be opened, read or written; the message names the file and says what to do."""


class NoRunError(NovaError, LookupError):
    """No run is running here, so nobody can be asked."""


class ControlError(NovaError):
    """A run cannot be asked, or does not do what it was asked for; the message says why, and what to do.

    ``reason`` is a word for programs, where there is one.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class StateFileError(NovaError, ValueError):
    """The state file does not exist, or is not one that nova wrote."""


class SelectionError(NovaError, ValueError):
    """The tasks that are to run need others that have not completed; no run was begun.

    ``unmet`` has each of them with those that are missing.
    """

    def __init__(self, unmet: Mapping[str, Sequence[str]]) -> None:
        self.unmet = {task_id: tuple(needs) for task_id, needs in unmet.items()}
        told = [f"{task_id} needs {', '.join(needs)}" for task_id, needs in list(self.unmet.items())[:MOST_TOLD]]
        more = f"; and {len(self.unmet) - MOST_TOLD} more like it" if len(self.unmet) > MOST_TOLD else ""
        first = next(iter(self.unmet))
        cure = f"select them too, as `--until {first}` does"
        super().__init__(f"{'; '.join(told)}{more}: not completed and not selected; {cure}")

    def __reduce__(self) -> tuple[type["SelectionError"], tuple[Mapping[str, Sequence[str]]]]:
        return SelectionError, (self.unmet,)  # otherwise it would be made anew of its sentence


class ExtraMissingError(NovaError, ImportError):
    """Something needs an extra of this package that is not installed; the message says which, and how to get it."""


class RequestError(NovaError, ValueError):
    """A run was asked for what it cannot do now; the message says why, and what to do instead."""


class NotReadyError(NovaError):
    """Something that the run needs is missing; nothing was written or started.

    ``problems`` has all of them, each a sentence that says what is missing.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("not started:" + ("\n  " if len(problems) > 1 else " ") + "\n  ".join(problems))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type["NotReadyError"], tuple[tuple[str, ...]]]:
        return NotReadyError, (self.problems,)  # otherwise it would be made anew of its sentence


class RunLockedError(NovaError):
    """Another run is using the same journal.

    ``pid`` is the process that holds the lock; None where it is not known.
    """

    def __init__(self, pid: int | None, host: str | None = None) -> None:
        from socket import gethostname  # most programs meet no such error, and need no sockets

        where = f" on {host}" if host not in (None, gethostname()) else ""
        who = f"pid {pid}{where}" if pid else "pid unknown"
        super().__init__(f"another nova run ({who}) is using this journal; wait for it to finish or stop it")
        self.pid = pid


class UnsupportedPlatformError(NovaError, ImportError, NotImplementedError):
    """The system lacks what the package is built on: sessions, signals and process groups."""
