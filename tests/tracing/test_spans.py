"""Spans, made from the events of a run alone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, Event
from nova_async.tracing.context import SpanRef, parent_in, span_of
from nova_async.tracing.spans import MOST_EVENTS, Span, Spans, provider_of
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome, Phase

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
RUN, PARENT = SpanRef(0xABC, 7), SpanRef(0xABC, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
         SpanRef(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)),
        (" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\n",
         SpanRef(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, False)),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes",
         SpanRef(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None),
        ("", None),
        ("nonsense", None),
    ],
)  # fmt: skip
def test_the_parent_of_a_run(text: str, expected: SpanRef | None) -> None:
    """What is no ``traceparent`` by its rules is none; a flag says whether the trace is kept."""
    assert parent_in(text) == expected


@given(st.text(st.characters()), st.integers(1, 2**128 - 1), st.integers(1, 9999))
def test_the_span_of_an_attempt_is_known_before_it(task_id: str, trace_id: int, number: int) -> None:
    """It can be told to the agent, and is the same whenever it is asked for; no other attempt has it."""
    run = SpanRef(trace_id, 1, is_sampled=bool(number % 2))
    ref = span_of(run, AttemptId("r", task_id, number))
    assert parent_in(ref.traceparent) == ref == span_of(run, AttemptId("r", task_id, number))
    assert ref != span_of(run, AttemptId("r", task_id, number + 1))
    assert (ref.trace_id, ref.is_sampled) == (trace_id, run.is_sampled)


def attempt(task_id: str = "T1", number: int = 1, outcome: Outcome = Outcome.OK, **end: Any) -> Attempt:
    """Return an attempt of Claude."""
    start = AttemptStart(
        id=AttemptId("r1", task_id, number), plan="p", started_at=NOON, agent="claude", prompt_digest="",
        command=("/usr/bin/claude", "-p"),
    )  # fmt: skip
    return Attempt(
        start=start,
        end=AttemptEnd(id=start.id, outcome=outcome, phase=Phase.RUN, ended_at=NOON, duration_seconds=1.0, **end),
    )


class Told:
    """A run that is told event by event, a second each."""

    def __init__(self, model: str | None = None) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.now = NOON
        self.spans = Spans(
            RUN, PARENT, attempt_of=self.attempts.get, model_of=lambda attempt: model, name_of=lambda task_id: "Do it"
        )

    def tell(self, kind: str, task_id: str | None = None, latest: Attempt | None = None, **data: Any) -> list[Span]:
        """Tell the next event, and return the spans that end with it."""
        self.now += timedelta(seconds=1)
        if latest is not None:
            self.attempts[str(task_id)] = latest
        event = Event(kind=EventKind(kind), at=self.now, task_id=task_id, data=data, run_id="r1")
        return [*self.spans.ended(event)]


def test_a_run_with_a_retry() -> None:
    """Attempts belong to their task, tasks to the run, the run to who started it; a retry points back."""
    run = Told("opus")
    assert run.tell("run_started", project="Shop") == []
    assert run.tell("attempt_started", "T1") == run.tell("phase_started", "T1", phase="verify") == []
    [first] = run.tell("attempt_ended", "T1", attempt(outcome=Outcome.EXIT, error="exit code 1", exit_code=1))
    assert run.tell("task_retrying", "T1") == run.tell("attempt_started", "T1") == []
    usage = TokenUsage(10, 20, 300, 4000)
    good = attempt(number=2, usage=usage, cost_usd=0.5, session_id="s", model="opus-5", denied=("Bash",),
                   usage_is_final=True, files_changed=("a",))  # fmt: skip
    good = replace(good, start=replace(good.start, account="work"))
    [second] = run.tell("attempt_ended", "T1", good)
    [task] = run.tell("task_completed", "T1")
    used = {"token_usage": usage.as_dict(), "cost_usd": 0.5, "estimated_usd": None}
    [whole] = run.tell("run_ended", ok=True, completed=1, **used)
    assert [span.name for span in (first, second, task, whole)] == [
        "invoke_agent claude", "invoke_agent claude", "task T1", "invoke_workflow Shop",
    ]  # fmt: skip
    assert first.ref == span_of(RUN, AttemptId("r1", "T1", 1))
    assert (first.parent, second.parent, task.parent, whole.parent) == (task.ref, task.ref, RUN, PARENT)
    assert (first.links, second.links, whole.ref) == ((), (first.ref,), RUN)
    assert (first.is_ok, first.error, second.is_ok, task.is_ok, whole.is_ok) == (False, "exit code 1", True, True, True)
    assert [event.name for event in first.events] == ["nova.phase.verify"]
    assert first.attributes["error.type"] == "exit"
    assert "gen_ai.usage.input_tokens" not in first.attributes
    assert dict(second.attributes) == {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "claude", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "opus", "gen_ai.response.model": "opus-5", "gen_ai.conversation.id": "s",
        "nova.task.id": "T1", "nova.attempt": 2, "nova.account": "work", "nova.outcome": "ok",
        "nova.usage_is_final": True, "nova.denied_tools": ("Bash",), "nova.files_changed": 1,
        "gen_ai.usage.input_tokens": 4310, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 300, "gen_ai.usage.cache_creation.input_tokens": 4000,
        "nova.cost_usd": 0.5,
    }  # fmt: skip
    assert dict(task.attributes) == {"nova.task.id": "T1", "nova.task.name": "Do it"}
    assert dict(whole.attributes) == {
        "gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "Shop", "nova.run.id": "r1",
        "nova.tasks.completed": 1, "nova.tasks.failed": 0, "nova.tasks.blocked": 0, "nova.run.input_tokens": 10,
        "nova.run.output_tokens": 20, "nova.run.cache_read_tokens": 300, "nova.run.cache_creation_tokens": 4000,
        "nova.run.cost_usd": 0.5,
    }  # fmt: skip
    assert (whole.begin, whole.end) == (NOON + timedelta(seconds=1), run.now)
    assert task.begin == NOON


def test_what_does_not_succeed() -> None:
    """A failed task is an error; one that waits, was stopped or is left at the end of the run is neither."""
    run = Told()
    run.tell("run_started")
    run.tell("attempt_ended", "T1", attempt("T1", outcome=Outcome.EXIT))
    [failed] = run.tell("task_failed", "T1", outcome="exit", error="exit code 1")
    assert (failed.is_ok, failed.error, failed.attributes["error.type"]) == (False, "exit code 1", "exit")
    [stopped] = run.tell("attempt_ended", "T2", attempt("T2", outcome=Outcome.CANCELLED))
    assert (stopped.is_ok, stopped.attributes["error.type"]) == (None, "cancelled")
    [held] = run.tell("task_held", "T2")
    assert held.is_ok is None
    run.tell("attempt_started", "T2")
    left, whole = run.tell("run_ended", ok=False, failed=1)
    assert (left.name, left.is_ok, whole.is_ok) == ("task T2", None, False)
    assert (left.ref != held.ref, whole.attributes["error.type"]) == (True, "failed")
    assert run.tell("task_completed", "T9") == []
    assert Told().tell("run_ended", ok=False)[-1].attributes["error.type"] == "incomplete"
    assert Told().tell("attempt_ended", "T1") == []


def test_any_other_program() -> None:
    """A program that is no agent is called by its name, and has nothing of one."""
    plain = attempt()
    for command, name in ((("/bin/sh", "-c"), "run sh"), ((), "run")):
        start = replace(plain.start, agent="plain", command=command)
        [span] = Told().tell("attempt_ended", "T1", replace(plain, start=start))
        assert span.name == name
        assert not [key for key in span.attributes if key.startswith("gen_ai")]


@pytest.mark.parametrize(
    ("agent", "model", "provider"),
    [
        ("codex", None, "openai"), ("gemini", "x/y", "gcp.gemini"), ("opencode", "anthropic/opus", "anthropic"),
        ("opencode", None, None), ("stranger", "a/b/c", "a"), ("qwen", "qwen3", None),
    ],
)  # fmt: skip
def test_whose_models(agent: str, model: str | None, provider: str | None) -> None:
    """Most agents use their maker's; of the others the model's name tells it, if anything does."""
    assert provider_of(agent, model) == provider


def test_the_phases_of_one_attempt_are_bounded() -> None:
    """However often a check is told, an attempt keeps a bounded number of events."""
    run = Told()
    for _ in range(2 * MOST_EVENTS):
        run.tell("phase_started", "T1", phase="verify")
    [span] = run.tell("attempt_ended", "T1", attempt())
    assert len(span.events) == MOST_EVENTS


def of_any_run() -> Iterator[tuple[str, str]]:
    """Yield some events of some tasks."""
    kinds = ("attempt_started", "phase_started", "attempt_ended", "task_completed", "task_failed", "task_held")
    yield from ((kind, task_id) for kind in kinds for task_id in ("T1", "T2"))


@given(st.lists(st.sampled_from([*of_any_run()]), max_size=30))
def test_any_order_of_events(happened: list[tuple[str, str]]) -> None:
    """No order of events makes a span twice under one id, or one that ends before it begins."""
    run, spans = Told(), list[Span]()
    run.tell("run_started")
    numbers = dict.fromkeys(("T1", "T2"), 0)
    for kind, task_id in happened:
        numbers[task_id] += kind == "attempt_ended"
        latest = attempt(task_id, numbers[task_id]) if kind == "attempt_ended" else None
        spans += run.tell(kind, task_id, latest)
    spans += run.tell("run_ended", ok=False)
    assert len({span.ref for span in spans}) == len(spans)
    assert all(span.begin <= span.end for span in spans)
