"""What every agent reader takes and gives: bytes cut anywhere go in, one immutable report comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, Protocol, TypeVar, final

from nova_async.agents.json_weight import WEIGHED_FROM, is_too_heavy
from nova_async.usage import Gauge, TokenUsage
from nova_async.words import Outcome, UsageSource

__all__ = [
    "MAX_ERROR_LINE",
    "MAX_LINE",
    "MAX_RESULT",
    "AgentReader",
    "AgentReport",
    "Gauge",
    "KeptAnHour",
    "LineSplitter",
    "UsageByModel",
    "UsageLimit",
    "error_entrance",
]

MAX_LINE = (
    16 * 1024 * 1024
)  # bytes; ten times the longest line ever seen (1.5 MB), and all that one reader may hold (G5)
MAX_ERROR_LINE = 256 * 1024  # bytes of a line of standard error; only its beginning is ever shown
MAX_RESULT = 1024 * 1024  # characters; a final answer is read by people, and every snapshot of a fleet keeps its own


@final
class LineSplitter:
    r"""Cut a stream of chunks into its lines, in bounded memory and linear time whatever the chunks' sizes.

    Only ``b"\n"`` ends a line: agents print U+2028 and others raw inside their JSON strings (G45). A line of more
    than ``max_line`` bytes, or of JSON with more than ``MAX_VALUES`` values, is left out and counted in
    ``oversize_lines``.
    """

    __slots__ = ("_carry", "_max_line", "_skipping", "oversize_lines")

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._carry = bytearray()
        self._skipping = False
        self.oversize_lines = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        r"""Return the lines that this chunk completes, in order and without their ``b"\n"``."""
        if self._skipping:
            end = chunk.find(b"\n")
            if end < 0:
                return []
            self._skipping = False
            chunk = chunk[end + 1 :]
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return []
        whole, rest = chunk, chunk[end + 1 :]
        if self._carry:
            self._carry += chunk
            whole = bytes(self._carry)
            self._carry = bytearray()  # not clear(): one long line must not hold its memory for ever
        lines = whole.split(b"\n")
        lines.pop()  # the unfinished one
        if len(whole) > self._max_line:
            kept = [line for line in lines if len(line) <= self._max_line]
            self.oversize_lines += len(lines) - len(kept)
            lines = kept
        if _may_have_long_lines(whole):
            kept = [line for line in lines if not is_too_heavy(line)]
            self.oversize_lines += len(lines) - len(kept)
            lines = kept
        self._keep(rest)
        return lines

    def close(self) -> bytes | None:
        """Return the unfinished last line, or None where there is none; the splitter is then empty."""
        rest = bytes(self._carry) or None
        self._carry = bytearray()
        self._skipping = False
        if rest is not None and is_too_heavy(rest):
            self.oversize_lines += 1
            return None
        return rest

    def _keep(self, unfinished: bytes) -> None:
        self._carry += unfinished
        if len(self._carry) > self._max_line:
            self._carry = bytearray()
            self._skipping = True
            self.oversize_lines += 1


def _may_have_long_lines(text: bytes) -> bool:
    """Tell whether a line could be as long as a heavy one; asked of every chunk, so it looks at few bytes of most."""
    step = WEIGHED_FROM // 2  # one such piece lies within any line that is long enough
    return any(text.find(b"\n", at, at + step) < 0 for at in range(0, len(text) - step, step))


@dataclass(frozen=True, slots=True)
class UsageLimit:
    """The account is over a usage limit; nothing will be served before it resets.

    ``kind`` is the agent's own word, such as ``"five_hour"``, or else ours: ``daily``, ``usage``, ``quota``,
    ``credit``. ``resets_at`` is in UTC, None where it was not said. ``resets_told`` is when it ends in the agent's own
    words, such as ``"3:54 PM"``, which mean a moment only to who knows its time zone and the day (``reset_moment``).
    ``model`` is the one model that is held up, as the agent names it (``"opus"``, ``"gemini-2.5-pro"``, or ``"this
    model"``); None where the whole account is.
    """

    kind: str
    resets_at: datetime | None = None
    resets_told: str | None = None
    model: str | None = None


Part = TypeVar("Part")


class _ByModel(dict[str, Part]):
    """Something by model, read-only; a dict, so that it can be copied, pickled and encoded as it is."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a report does not change")

    # A dict promises more than refusing; that is the point.
    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


@final
class UsageByModel(_ByModel[TokenUsage]):
    """Tokens by model."""


@final
class KeptAnHour(_ByModel[int]):
    """How many of its ``cache_creation_tokens`` each model has written to be kept for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """What an agent's output says up to now; a new one is made when something changed, never an old one altered."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    """Tokens of this process: the agent's own total once it printed one, the best live estimate before."""
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=lambda: UsageByModel())
    """The same by model, as far as the output names models; it may add up to less than ``usage``."""
    kept_an_hour: Mapping[str, int] = field(default_factory=lambda: KeptAnHour())
    """How many of the ``cache_creation_tokens`` of each model are kept for an hour, which costs more than five minutes
    do; a model of which the agent does not tell is not in it."""
    usage_is_final: bool = False
    """Whether ``usage`` is a total that the agent itself printed, and nothing is known to be missing in it."""
    usage_source: UsageSource = UsageSource.NONE
    """Where ``usage`` comes from."""
    cost_usd: float | None = None
    """US dollars, as the agent reckons them; None where it does not."""
    cost_is_behind: bool = False
    """Whether it has used tokens since it told that figure, which stands for less than ``usage`` then."""
    session_id: str | None = None
    """What its ``--resume`` takes: a thread or session id."""
    model: str | None = None
    """The model of the main agent, where it is named."""
    turns: int | None = None
    """Rounds of the conversation, counted the agent's own way."""
    activity: str | None = None
    """What it is doing now: one printable line of at most 200 characters."""
    result: str | None = None
    """The final answer, at most ``MAX_RESULT`` characters; None until there is one."""
    is_error: bool | None = None
    """The agent's own verdict; None until a final one was seen. An exit code of 0 is none (G40)."""
    goes_on: bool = False
    """Whether it has begun another turn since that verdict."""
    error: str | None = None
    """What went wrong, in one sentence."""
    error_status: int | None = None
    """The HTTP status that the agent named for it."""
    failure: Outcome | None = None
    """What kind of failure it was, where the agent tells: ``auth``, ``network``, ``overload`` or ``budget``."""
    is_hopeless: bool = False
    """Whether it keeps trying what cannot succeed, such as a key that is refused again and again."""
    limit: UsageLimit | None = None
    """Set only while the account is really over a limit (G43)."""
    waits_for: UsageLimit | None = None
    """The limit for whose end the agent waits, by its standard error; nothing confirms that but its silence."""
    retry_after: float | None = None
    """Seconds that a busy service asked to be left alone, where the agent passes it on; None with a limit."""
    gauges: tuple[Gauge, ...] = ()
    """How full the account's limits are, the latest of each kind, as far as the agent tells."""
    session_refused: bool = False
    """Whether it says that it does not know the session which it was told to resume; nothing was served then."""
    denied: tuple[str, ...] = ()
    """The tools that the agent was refused, in order, each once, as far as its output tells."""
    unfinished: tuple[str, ...] = ()
    """Sub-agents in the background that were still at work when the agent ended, as it describes them."""
    looks_like: str | None = None
    """The agent whose events these seem to be, where the output is read as plain text; nothing is counted by it."""
    expects_result: bool = False
    """Whether its output consists of events, so that a verdict must come; without one its end is missing (G33)."""
    oversize_lines: int = 0
    """Lines that were not read: longer than ``MAX_LINE`` bytes, with more than ``MAX_VALUES`` values, or megabytes
    that are no event."""

    @property
    def is_done(self) -> bool:
        """Whether the agent has told how it ended, and has begun nothing since."""
        return self.is_error is not None and not self.goes_on

    @property
    def has_succeeded(self) -> bool:
        """Whether it has told a success, and has begun nothing since."""
        return self.is_error is False and not self.goes_on


class AgentReader(Protocol):
    """Reads the output of one process of one agent; see ``AGENTS`` for how to get one.

    A reader of events also has ``feed_error(chunk)``, which takes standard error; see ``error_entrance``.
    """

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the output, cut anywhere; it never raises and never waits."""
        ...

    def close(self) -> None:
        """Say that nothing more will come, so that a last line without its end counts; harmless to repeat."""
        ...

    @property
    def report(self) -> AgentReport:
        """What is known now; the same object as long as nothing changed."""
        ...


def error_entrance(reader: AgentReader) -> Callable[[bytes], None] | None:
    """Return where a reader takes standard error, cut anywhere, apart from the events on standard output.

    None where both are one text: then ``feed`` takes what comes from either. What stands on standard error may explain
    a failure; it is never an event, which a hook or a tool's server could print there as well as the agent.
    """
    entrance: Callable[[bytes], None] | None = getattr(reader, "feed_error", None)
    return entrance
