"""Read and show by what somebody else wrote: what it breaks costs its counting or its looks, never the worker."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, final

from nova_async._core.text import clean, one_line
from nova_async.agents.event_reader import MAX_DENIED, MAX_ERROR, MAX_GAUGES, MAX_TOOL_NAME
from nova_async.agents.ledger import MAX_COUNT, MAX_MODELS, MAX_NAME
from nova_async.agents.reader import (
    MAX_RESULT,
    AgentReader,
    AgentReport,
    Gauge,
    KeptAnHour,
    UsageByModel,
    UsageLimit,
    error_entrance,
)
from nova_async.agents.rendering import Piece, PieceKind, PlainRenderer, Renderer
from nova_async.agents.wording import plain_id, plain_text
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, UsageSource

__all__ = ["GuardedReader", "GuardedRenderer", "sentence_of"]

MAX_DEPTH = 8  # of sub-agents, as they are indented


@final
class GuardedReader:
    """Passes everything on to another reader until that raises or reports nonsense; then keeps its last good report.

    ``make`` returns the reader; it is called at once, and may fail, too.
    """

    def __init__(self, make: Callable[[], AgentReader]) -> None:
        self._report = AgentReport()
        self._told: object = self._report  # the report that self._report was made from
        self._reader: AgentReader | None = None
        try:
            self._reader = make()
            has_entrance = error_entrance(self._reader) is not None
        except BaseException as error:
            self._give_up(error)
            has_entrance = False
        self.feed_error = self._feed_error if has_entrance else None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the output, cut anywhere; it never raises."""
        if self._reader is not None:
            try:
                self._reader.feed(chunk)
            except BaseException as error:
                self._give_up(error)

    def close(self) -> None:
        """Say that nothing more will come; it never raises."""
        if self._reader is not None:
            try:
                self._reader.close()
            except BaseException as error:
                self._give_up(error)

    @property
    def report(self) -> AgentReport:
        """What is known now; the same object as long as nothing changed."""
        if self._reader is not None:
            try:
                told: Any = self._reader.report
                if told is not self._told:
                    report = _checked(told)
                    self._told = told
                    self._report = self._report if report == self._report else report
            except BaseException as error:
                self._give_up(error)
        return self._report

    def _feed_error(self, chunk: bytes) -> None:
        if self._reader is not None:
            try:
                self._reader.feed_error(chunk)  # type: ignore[attr-defined] # one that had it when it was made
            except BaseException as error:
                self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            raise error
        self._reader = self._told = None
        note = f"its reader failed: {sentence_of(error)}; nothing is counted from here on"
        self._report = replace(self._report, error=note, usage_is_final=False)


@final
class GuardedRenderer:
    """Passes everything on to another renderer until that raises or returns nonsense; from there on, shows lines.

    ``make`` returns the renderer; it is called at once, and may fail, too.
    """

    def __init__(self, make: Callable[[], Renderer]) -> None:
        self._plain = PlainRenderer()
        self._renderer: Renderer | None = None
        self._told: list[Piece] = []
        try:
            self._renderer = make()
        except BaseException as error:
            self._give_up(error)

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the output, cut anywhere, and return what they show; it never raises."""
        return self._ask(lambda renderer: renderer.feed(chunk))

    def close(self) -> list[Piece]:
        """Say that nothing more will come, and return what was held back; it never raises."""
        return self._ask(lambda renderer: renderer.close())

    def _ask(self, question: Callable[[Renderer], list[Piece]]) -> list[Piece]:
        if self._renderer is not None:
            try:
                return [_checked_piece(piece) for piece in question(self._renderer)]
            except BaseException as error:
                self._give_up(error)
        told, self._told = self._told, []
        return [*told, *question(self._plain)]

    def _give_up(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            raise error
        self._renderer = None
        note = f"its renderer failed: {sentence_of(error)}; lines are shown as they are from here on"
        self._told = [Piece(PieceKind.WARNING, note)]


def sentence_of(error: BaseException) -> str:
    """Say in one short line what somebody else's code has raised."""
    try:
        return one_line(f"{type(error).__name__}: {error}", MAX_ERROR // 2)
    except Exception:  # even its __str__ may fail
        return type(error).__name__


def _checked(report: object) -> AgentReport:
    """Return a report that is safe to show, to encode and to add up; raises ``TypeError`` for one that is not."""
    if not isinstance(report, AgentReport):
        raise TypeError(f"its report is a {type(report).__name__}, not an AgentReport")
    for name, fits in FIELDS.items():
        value = getattr(report, name)
        if not fits(value):
            raise TypeError(f"report.{name} has an invalid value ({type(value).__name__})")
    models, kept = list(report.usage_by_model.items())[:MAX_MODELS], list(report.kept_an_hour.items())
    return replace(
        report,
        usage_by_model=UsageByModel({one_line(name, MAX_NAME): usage for name, usage in models}),
        kept_an_hour=KeptAnHour({one_line(name, MAX_NAME): kept for name, kept in kept[:MAX_MODELS]}),
        usage_source=UsageSource(report.usage_source),
        cost_usd=None if report.cost_usd is None else float(report.cost_usd),
        session_id=plain_id(report.session_id),
        model=_line(report.model),
        activity=_line(report.activity),
        result=plain_text(report.result, MAX_RESULT),
        error=_line(report.error, MAX_ERROR),
        failure=None if report.failure is None else Outcome(report.failure),
        gauges=report.gauges[:MAX_GAUGES],
        denied=tuple(one_line(tool, MAX_TOOL_NAME) for tool in report.denied[:MAX_DENIED]),
        unfinished=tuple(one_line(name, MAX_TOOL_NAME) for name in report.unfinished[:MAX_DENIED]),
        looks_like=_line(report.looks_like),
    )


def _checked_piece(piece: object) -> Piece:
    """Return a piece that is safe to show; raises ``TypeError`` for one that is not."""
    if not isinstance(piece, Piece) or not isinstance(piece.text, str) or type(piece.depth) is not int:
        raise TypeError(f"it returned {piece!r:.100}, which is not a Piece")
    depth = max(0, min(piece.depth, MAX_DEPTH))
    return replace(piece, kind=PieceKind(piece.kind), text=clean(piece.text), depth=depth)


def _line(text: str | None, limit: int = MAX_NAME) -> str | None:
    return None if text is None else one_line(text, limit) or None


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_usage(value: Any) -> bool:
    return isinstance(value, TokenUsage) and all(map(_is_count, value.as_dict().values())) and _is_count(value.total)


def _is_by_model(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and _is_usage(used) for name, used in value.items())


def _is_kept(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and _is_count(kept) for name, kept in value.items())


def _is_cost(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value) and 0 <= value <= MAX_COUNT)


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


def _is_moment(value: Any) -> bool:
    return value is None or (isinstance(value, datetime) and value.tzinfo is not None)


def _is_limit(value: Any) -> bool:
    if not isinstance(value, UsageLimit):
        return value is None
    texts = value.kind or "", value.resets_told, value.model
    return isinstance(value.kind, str) and all(map(_is_text, texts)) and _is_moment(value.resets_at)


def _is_gauge(value: Any) -> bool:
    told = isinstance(value, Gauge) and isinstance(value.kind, str) and _is_moment(value.resets_at)
    return told and value.used is not None and _is_cost(value.used) and value.used <= 1


def _is_gauges(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_gauge, value))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


# What an agent can say of itself; the other outcomes are about what happened to it, and not for it to say.
FAILURES = frozenset({Outcome.AUTH, Outcome.NETWORK, Outcome.OVERLOAD, Outcome.BUDGET, Outcome.AGENT_ERROR})

FIELDS: dict[str, Callable[[Any], bool]] = {
    "usage": _is_usage,
    "usage_by_model": _is_by_model,
    "kept_an_hour": _is_kept,
    "usage_is_final": _is_flag,
    "usage_source": lambda value: value in list(UsageSource),
    "cost_usd": _is_cost,
    "cost_is_behind": _is_flag,
    "session_id": _is_text,
    "model": _is_text,
    "turns": lambda value: value is None or _is_count(value),
    "activity": _is_text,
    "result": _is_text,
    "is_error": lambda value: value is None or _is_flag(value),
    "goes_on": _is_flag,
    "error": _is_text,
    "error_status": lambda value: value is None or _is_count(value),
    "limit": _is_limit,
    "waits_for": _is_limit,
    "failure": lambda value: value is None or (isinstance(value, str) and value in FAILURES),
    "is_hopeless": _is_flag,
    "retry_after": _is_cost,
    "gauges": _is_gauges,
    "session_refused": _is_flag,
    "denied": _is_names,
    "unfinished": _is_names,
    "looks_like": _is_text,
    "expects_result": _is_flag,
    "oversize_lines": _is_count,
}
assert set(FIELDS) == {field.name for field in fields(AgentReport)}
