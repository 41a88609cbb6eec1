"""Add up the tokens of one process without counting a message twice."""

from collections.abc import Iterable, Mapping
from typing import Any, final

from nova_async.agents.reader import KeptAnHour, UsageByModel
from nova_async.usage import TokenUsage

__all__ = ["MAX_COUNT", "NOTHING", "Counts", "UsageLedger", "bounded", "count", "less", "money"]

MAX_COUNT = 2**53 - 1  # tokens; whatever is larger is garbage, and would not survive JSON
MAX_SUM = MAX_COUNT // 4  # tokens of one kind; so the total of all four stays below MAX_COUNT, too
MAX_MESSAGES = 4096  # messages remembered one by one; agents repeat a message at once or never
MAX_MODELS = 64  # names kept; a run uses a handful
MAX_NAME = 200  # characters of a model's name or a message's id

Counts = tuple[int, int, int, int]  # input, output, cache read, cache creation: disjoint, in tokens
NOTHING: Counts = (0, 0, 0, 0)


def count(value: Any) -> int:
    """Return a number of tokens or turns; whatever is no sensible whole number counts as 0."""
    return value if type(value) is int and 0 < value <= MAX_COUNT else 0


def money(value: Any) -> float | None:
    """Return an amount of US dollars, or None for whatever is no sensible one."""
    return float(value) if type(value) in (int, float) and 0 <= value <= MAX_COUNT else None


def bounded(usage: TokenUsage) -> TokenUsage:
    """Return sums that JSON and SQLite can hold, whatever was added up."""
    if max(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_creation_tokens) <= MAX_SUM:
        return usage
    return TokenUsage(*(min(tokens, MAX_SUM) for tokens in usage.as_dict().values()))


def less(whole: Iterable[int], part: Iterable[int]) -> Counts:
    """Return what is left of four counts when those of a part are taken off; of no kind less than nothing."""
    fresh, output, read, created = (max(0, one - other) for one, other in zip(whole, part, strict=True))
    return fresh, output, read, created


@final
class UsageLedger:
    """A settled total that the agent printed, plus the messages seen since, by model."""

    __slots__ = ("_before", "_messages", "_open", "_read", "_settled", "_sums", "is_settled")

    def __init__(self) -> None:
        self._messages: dict[str, Counts] = {}
        # The running sum of each message's model, one list for all its messages: a message costs no more when there
        # are many, and a total is there at any time.
        self._sums: dict[str, list[int]] = {}
        self._open: dict[str, list[int]] = {}
        self._settled: dict[str, Counts] = {}
        self._before: dict[str, TokenUsage] = {}  # of processes that have ended, by model
        self._read: tuple[TokenUsage, UsageByModel] | None = None  # until something else is counted
        self.is_settled = False

    def raise_to(self, message: str, counts: Counts, model: str = "") -> None:
        """Count a message, or what is more of it in any field than was counted already."""
        known = self._messages.get(message)
        if known == counts:
            return
        if known is not None:
            a, b, c, d = known
            i, o, r, w = counts
            counts = (i if i > a else a, o if o > b else b, r if r > c else c, w if w > d else d)
        self.put(message, counts, model)

    def put(self, message: str, counts: Counts, model: str = "") -> None:
        """Count a message in place of what was counted for it."""
        known = self._messages.get(message)
        if known is None:
            known = NOTHING
            total = self._open.get(model) or self._new_sum(model)
            if len(self._messages) >= 2 * MAX_MESSAGES:  # their tokens stay in the sums
                self._messages = dict(list(self._messages.items())[-MAX_MESSAGES:])
                self._sums = dict(list(self._sums.items())[-MAX_MESSAGES:])
        else:
            total = self._sums[message]
        total[0] += counts[0] - known[0]
        total[1] += counts[1] - known[1]
        total[2] += counts[2] - known[2]
        total[3] += counts[3] - known[3]
        self._read = None
        self.is_settled = False
        if len(message) <= MAX_NAME:  # an id beyond all bounds is not worth remembering
            self._messages[message] = counts
            self._sums[message] = total

    def of(self, message: str) -> Counts | None:
        """Return what was counted for a message since the last settlement."""
        return self._messages.get(message)

    def settle(self, by_model: Mapping[str, Counts], *, add: bool = False) -> None:
        """Take the agent's own total in place of everything so far, or on top of its earlier totals."""
        settled = dict(self._settled) if add else {}
        for model, counts in by_model.items():
            name = model[:MAX_NAME] if len(settled) < MAX_MODELS or model[:MAX_NAME] in settled else ""
            a, b, c, d = settled.get(name, NOTHING)
            settled[name] = (a + counts[0], b + counts[1], c + counts[2], d + counts[3])
        self._settled = settled
        self._read = None
        self._forget_messages()
        self.is_settled = True

    def close_book(self) -> None:
        """Keep what has been counted up to now: later totals are those of another process, and come on top."""
        self._before, self._settled, self._read = self._by_model(), {}, None
        self._forget_messages()
        self.is_settled = False

    def read(self) -> tuple[TokenUsage, UsageByModel]:
        """Return the total and its parts by model; tokens of an unnamed model are in the total only."""
        if self._read is None:
            by_model = self._by_model()
            total = sum(by_model.values()) or TokenUsage()
            by_model.pop("", None)
            named = UsageByModel({name: bounded(usage) for name, usage in by_model.items()})
            self._read = bounded(total), named
        return self._read

    def read_kept(self) -> KeptAnHour:
        """Return the cache writes by model, of a ledger in which only those count that are kept for an hour."""
        _, by_model = self.read()
        return KeptAnHour({name: usage.cache_creation_tokens for name, usage in by_model.items()})

    def _by_model(self) -> dict[str, TokenUsage]:
        by_model = dict(self._before)
        for counted in (self._settled, self._open):
            for name, counts in counted.items():
                usage = TokenUsage(*counts)
                by_model[name] = by_model[name] + usage if name in by_model else usage
        return by_model

    def _forget_messages(self) -> None:
        self._messages.clear()
        self._sums.clear()
        self._open.clear()

    def _new_sum(self, model: str) -> list[int]:
        model = model[:MAX_NAME] if len(self._open) < MAX_MODELS else ""
        return self._open.setdefault(model, [0, 0, 0, 0])
