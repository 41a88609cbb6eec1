"""The spans of a run, its tasks and their attempts, made from its events. Pure.

Names are those of OpenTelemetry's conventions for generative AI, which are still called development; what they have no
name for begins with ``nova.``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import final

from nova_async.agents import AGENTS
from nova_async.records import Attempt, AttemptId, Event
from nova_async.tracing.context import SpanRef, span_of
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome

__all__ = ["Span", "SpanEvent", "Spans"]

Value = str | bool | int | float | Sequence[str]
LONGEST = 1_000  # characters of an error: what receivers keep of one value is often not more
MOST_EVENTS = 128  # of one span, as the SDK keeps; an attempt has a handful


@final
@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A moment within a span."""

    name: str
    at: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span that is over."""

    name: str
    ref: SpanRef
    parent: SpanRef | None
    begin: datetime
    end: datetime
    attributes: Mapping[str, Value]
    events: Sequence[SpanEvent] = ()
    links: Sequence[SpanRef] = ()
    is_ok: bool | None = None
    """None where it neither succeeded nor failed: it was stopped, or waits."""
    error: str = ""


@dataclass(slots=True)
class Open:
    """A task or an attempt that has not ended."""

    begin: datetime
    events: list[SpanEvent] = field(default_factory=list)


@final
class Spans:
    """Makes spans as their ends are told.

    ``run`` is the run's own span, ``parent`` that of who started it. ``attempt_of`` returns a task's latest attempt,
    ``model_of`` the model that an attempt was told to use, and ``name_of`` a task's name.
    """

    def __init__(
        self,
        run: SpanRef,
        parent: SpanRef | None,
        *,
        attempt_of: Callable[[str], Attempt | None],
        model_of: Callable[[Attempt], str | None],
        name_of: Callable[[str], str],
    ) -> None:
        self._run = run
        self._parent = parent
        self._attempt_of = attempt_of
        self._model_of = model_of
        self._name_of = name_of
        self._begin: datetime | None = None
        self._project = ""
        self._run_id = ""
        self._tasks: dict[str, Open] = {}
        self._tries: dict[str, int] = {}  # how often a task was opened: each time is a span of its own
        self._attempts: dict[str, Open] = {}
        self._before: dict[str, SpanRef] = {}

    def ended(self, event: Event) -> Iterator[Span]:
        """Yield the spans that end with an event."""
        task_id = event.task_id
        match event.kind:
            case EventKind.RUN_STARTED:
                self._begin, self._run_id = event.at, event.run_id
                self._project = str(event.data.get("project") or "")
            case EventKind.ATTEMPT_STARTED:
                self._open(str(task_id), event.at)
            case EventKind.PHASE_STARTED:
                phases = self._open(str(task_id), event.at).events
                if len(phases) < MOST_EVENTS:
                    phases.append(SpanEvent(f"nova.phase.{event.data.get('phase')}", event.at))
            case EventKind.ATTEMPT_ENDED:
                yield from self._attempt(str(task_id), event)
            case EventKind.TASK_COMPLETED | EventKind.TASK_FAILED | EventKind.TASK_HELD | EventKind.TASK_STOPPED:
                yield from self._task(str(task_id), event)
            case EventKind.RUN_ENDED:
                for left in list(self._tasks):
                    yield from self._task(left, event)
                yield self._whole(event)
            case _:
                pass

    def _open(self, task_id: str, at: datetime) -> Open:
        """Note that an attempt is under way, and so its task."""
        if task_id not in self._tasks:
            self._tasks[task_id] = Open(at)
            self._tries[task_id] = self._tries.get(task_id, 0) + 1
        return self._attempts.setdefault(task_id, Open(at))

    def _ref(self, task_id: str) -> SpanRef:
        return self._run.child("task", task_id, str(self._tries.get(task_id, 1)))

    def _attempt(self, task_id: str, event: Event) -> Iterator[Span]:
        attempt = self._attempt_of(task_id)
        if attempt is None or attempt.end is None:
            return
        begin = min(attempt.start.started_at, event.at)
        open_ = self._open(task_id, begin)
        self._tasks[task_id].begin = min(self._tasks[task_id].begin, begin)
        del self._attempts[task_id]
        ref, before = span_of(self._run, AttemptId(*attempt.start.id)), self._before.get(task_id)
        self._before[task_id] = ref
        outcome = attempt.end.outcome
        yield Span(
            name=name_of(attempt), ref=ref, parent=self._ref(task_id), begin=begin, end=event.at,
            attributes=attributes_of(attempt, self._model_of(attempt)), events=tuple(open_.events),
            links=() if before is None else (before,), is_ok=verdict(outcome),
            error=(attempt.end.error or "")[:LONGEST],
        )  # fmt: skip

    def _task(self, task_id: str, event: Event) -> Iterator[Span]:
        """Yield the span of a task that has come to its end, or waits for another run."""
        if (found := self._tasks.pop(task_id, None)) is None:
            return
        is_ok = {EventKind.TASK_COMPLETED: True, EventKind.TASK_FAILED: False}.get(event.kind)
        error = str(event.data.get("error") or "")[:LONGEST] if is_ok is False else ""
        about: dict[str, Value] = {"nova.task.id": task_id, "nova.task.name": self._name_of(task_id)}
        if is_ok is False:
            about["error.type"] = str(event.data.get("outcome") or "failed")
        yield Span(
            name=f"task {task_id}", ref=self._ref(task_id), parent=self._run, begin=found.begin, end=event.at,
            attributes=about, is_ok=is_ok, error=error,
        )  # fmt: skip

    def _whole(self, event: Event) -> Span:
        data = event.data
        counts = {f"nova.tasks.{word}": int(data.get(word) or 0) for word in ("completed", "failed", "blocked")}
        # The names of the conventions are those of the attempts: whoever adds up all spans counts nothing twice.
        used = {f"nova.run.{name}": int(count) for name, count in dict(data.get("token_usage") or {}).items()}
        costs = {f"nova.run.{name}": data[name] for name in ("cost_usd", "estimated_usd") if data.get(name) is not None}
        about: dict[str, Value] = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": self._project,
            "nova.run.id": self._run_id,
            **counts,
            **used,
            **costs,
        }
        is_ok = bool(data.get("ok"))
        if not is_ok:
            about["error.type"] = "failed" if counts["nova.tasks.failed"] else "incomplete"
        name = f"invoke_workflow {self._project}".strip()
        return Span(
            name=name, ref=self._run, parent=self._parent, begin=self._begin or event.at, end=event.at,
            attributes=about, is_ok=is_ok,
        )  # fmt: skip


def verdict(outcome: Outcome) -> bool | None:
    """Tell whether an attempt has succeeded; None where somebody has stopped it."""
    return True if outcome is Outcome.OK else None if outcome is Outcome.CANCELLED else False


def is_agent(name: str) -> bool:
    """Tell whether it is an agent, and not any other program."""
    agent = AGENTS.get(name)
    return agent is None or bool(agent.program)


def name_of(attempt: Attempt) -> str:
    """Return what the span of an attempt is called: of few kinds, so that traces can be summed up by it."""
    if is_agent(attempt.start.agent):
        return f"invoke_agent {attempt.start.agent}"
    program = attempt.start.command[0].rpartition("/")[2] if attempt.start.command else ""
    return f"run {program}".rstrip()


def attributes_of(attempt: Attempt, model: str | None) -> dict[str, Value]:
    """Return all that a span says of an attempt that has ended."""
    start, end = attempt.start, attempt.end
    assert end is not None
    told: dict[str, Value | None] = {
        "gen_ai.operation.name": "invoke_agent" if is_agent(start.agent) else None,
        "gen_ai.agent.name": start.agent if is_agent(start.agent) else None,
        "gen_ai.provider.name": provider_of(start.agent, end.model or model),
        "gen_ai.request.model": model or end.model,
        "gen_ai.response.model": end.model,
        "gen_ai.conversation.id": end.session_id,
        "nova.task.id": start.id.task_id,
        "nova.attempt": start.id.number,
        "nova.account": start.account or None,
        "nova.outcome": str(end.outcome),
        "nova.usage_is_final": end.usage_is_final,
        "nova.exit_code": end.exit_code,
        "nova.denied_tools": end.denied or None,
        "nova.files_changed": len(end.files_changed),
        "error.type": None if end.outcome is Outcome.OK else str(end.outcome),
    }
    about = {name: value for name, value in told.items() if value is not None}
    return about | usage_of(end.usage) | cost_of(end.cost_usd, end.estimated_usd)


def provider_of(name: str, model: str | None) -> str | None:
    """Return whose models an agent uses: its own maker's, or those that the model's name says (``openai/gpt-5``)."""
    agent = AGENTS.get(name)
    if agent is not None and agent.provider:
        return agent.provider
    return (model or "").rpartition("/")[0].partition("/")[0] or None


def usage_of(usage: TokenUsage) -> dict[str, Value]:
    """Return tokens as the conventions count them: those from and into a cache are part of the input."""
    if not usage.total:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens + usage.cache_read_tokens + usage.cache_creation_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_creation_tokens,
    }


def cost_of(reported: float | None, estimated: float | None) -> dict[str, Value]:
    """Return what was spent, in US dollars, as far as it is known."""
    told = {"nova.cost_usd": reported, "nova.estimated_usd": estimated}
    return {name: usd for name, usd in told.items() if usd is not None}
