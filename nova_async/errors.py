"""What can go wrong that is ours to name; what the system says (``FileNotFoundError`` …) passes untouched."""

__all__ = ["NovaError", "WorkerStateError"]


class NovaError(Exception):
    """The root of every error that nova_async itself raises."""


class WorkerStateError(NovaError, RuntimeError):
    """A worker was asked for something that its present state does not allow, such as a second start."""
