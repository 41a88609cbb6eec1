"""How much a worker may take before it is ended."""

import math
from dataclasses import dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a worker early; every limit is off unless given.

    Raises ``ValueError`` for a limit that is not a positive finite number.
    """

    timeout: float | None = None
    """Seconds from the start; past it the worker ends as ``TIMED_OUT``."""
    idle_timeout: float | None = None
    """Seconds without a byte of output; past it the worker ends as ``STALLED``.

    Not armed where the agent prints only once, at its end (``--output-format json``, text modes): silence says
    nothing there (G4).
    """
    linger: float | None = None
    """Seconds that an agent may stay after its final result; past it the worker ends as ``LINGERED``."""
    max_memory: int | None = None
    """Bytes of resident memory of the whole family. Not enforced yet: a worker refuses it."""
    max_tokens: int | None = None
    """Tokens of all four kinds together; past it the worker ends as ``OVER_BUDGET``."""
    max_cost_usd: float | None = None
    """US dollars as the agent reports them; past it the worker ends as ``OVER_BUDGET``."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"Limits.{field.name} must be a number, not {value!r}")
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"Limits.{field.name} must be a positive finite number, not {value!r}")

    def as_dict(self) -> dict[str, float]:
        """Return the limits that are set, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}
