"""What Claude's tokens cost by a list of prices is what it reckons itself, also what it keeps in caches for an hour."""

import json
from typing import Any

import pytest

from nova_async.agents import AGENTS, AgentReport
from nova_async.agents.session import completed
from nova_async.prices import ModelPrice, Prices
from tests.agents.recordings import FULL, KEPT, KEPT_RECORDINGS, Recording, kept, read, recordings_in
from tests.agents.test_recordings import needs_all

# https://docs.claude.com/en/docs/about-claude/pricing
LIST = Prices(
    {
        "claude-sonnet-4-6": ModelPrice(3.0, 15.0, 0.3, 3.75, 6.0),
        "claude-haiku-5-5": ModelPrice(0.1, 0.5, 0.01, 0.125, 0.2),
        "claude-opus-4-8": ModelPrice(5.0, 25.0, 0.5, 6.25, 10.0),
    },
    listed=False,
)
WITHOUT_AN_HOUR = Prices({"claude-sonnet-4-6": ModelPrice(3.0, 15.0, 0.3, 3.75)}, listed=False)
NEWEST = sorted((KEPT / "verdicts/claude").glob("*.newest.stdout"))
OF_A_CALL = 0.05971185  # US dollars: of the first call in most recordings, as Claude says
BROKEN_OFF = "miderror.sjp"  # Claude's total leaves out an answer that it had begun to print


def cost_of(report: AgentReport, prices: Prices = LIST) -> float | None:
    """Return what the tokens of a report cost by these prices."""
    return prices.estimate(report.usage, report.usage_by_model, model=report.model, kept_an_hour=report.kept_an_hour)


def of_claude(recordings: list[Recording]) -> list[Recording]:
    """Return those of Claude that print what each answer has used."""
    return [each for each in recordings if each.agent == "claude" and each.mode == "stream-json"]


@pytest.mark.parametrize("folder", [pytest.param(KEPT, id="kept"), pytest.param(FULL, id="all", marks=needs_all)])
def test_claudes_tokens_cost_what_it_says(folder: Any) -> None:
    """With its sub-agents, in every recording in which it tells its cost, whatever it was that ended it."""
    priced = 0
    for recording in of_claude(KEPT_RECORDINGS if folder == KEPT else recordings_in(folder)):
        report = recording.read()
        known = all(LIST.given(model) for model in report.usage_by_model)
        if report.usage.total and report.cost_usd is not None and known and BROKEN_OFF not in recording.name:
            assert cost_of(report) == pytest.approx(report.cost_usd, abs=1e-9), recording.name
            priced += 1
    assert priced >= (15 if folder == KEPT else 60)


@pytest.mark.parametrize("path", NEWEST, ids=lambda path: path.name)
def test_the_newest_claudes_tokens_cost_what_it_says(path: Any) -> None:
    """Its sub-agents work in the background, and its totals come several times."""
    report = read(AGENTS["claude"].reader("stream-json"), [path.read_bytes()])
    assert cost_of(report) == pytest.approx(report.cost_usd, abs=1e-9)


def test_what_claude_costs_is_known_before_it_tells() -> None:
    """With partial messages to the last token; without them but for the output, which costs what it costs."""
    for name in ("tools.sjp.merged", "thinking.sjp.stdout"):
        seen: list[AgentReport] = []
        ended = read(
            kept(f"claude/{name}").reader(), kept(f"claude/{name}").output.splitlines(keepends=True), seen.append
        )
        live = [report for report in seen if report.cost_usd is None][-1]
        assert cost_of(live) == pytest.approx(ended.cost_usd, abs=1e-9), name
        assert cost_of(live, WITHOUT_AN_HOUR) == pytest.approx(ended.cost_usd, abs=1e-9), "by the rule of two inputs"


def test_a_killed_claude_costs_what_its_session_tells() -> None:
    """It was killed in a call of which another process of it, that was only interrupted, tells the cost."""
    recording = kept("claude/sleeptool.sj-term-pid.stdout")
    printed = recording.read()
    make = AGENTS["claude"].session_files.make_reader  # type: ignore[union-attr]
    assert make is not None
    session = make(str(printed.session_id), None)
    for path in recording.path.with_name(recording.path.name + ".session").rglob("*.jsonl"):
        session.feed(str(path), path.read_bytes(), is_own=True)
    assert kept("claude/sleeptool.sj-int-pid.stdout").read().cost_usd == OF_A_CALL
    for report in (completed(printed, session.usage), completed(AgentReport(session_id="s"), session.usage)):
        assert cost_of(report) == pytest.approx(OF_A_CALL, abs=1e-9)


def answer(cache_creation: Any, name: str = "m") -> dict[str, Any]:
    """Return an answer of Claude that has written 1,000 tokens into a cache."""
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 1000, "cache_creation": cache_creation}
    message = {"id": name, "model": "x", "content": [], "usage": usage}
    return {"type": "assistant", "session_id": "s", "message": message}


def kept_by(*events: dict[str, Any]) -> dict[str, int]:
    """Return what Claude's reader says is kept for an hour."""
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return dict(read(AGENTS["claude"].reader("stream-json"), [lines]).kept_an_hour)


def test_each_answer_counts_once() -> None:
    """However often its line is printed; one that is kept for five minutes only counts as nothing, which is known."""
    some, none = {"ephemeral_1h_input_tokens": 600}, {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 0}
    assert kept_by(answer(some), answer(some), answer(some, "n")) == {"x": 1200}
    assert kept_by(answer(none)) == {"x": 0}


@pytest.mark.parametrize("told", [None, 5, "x", [], [5], True, {"ephemeral_1h_input_tokens": "600"}, {"other": 1e400}])
def test_what_is_told_oddly_is_not_told(told: Any) -> None:
    """The rest of the line counts as ever."""
    assert kept_by(answer(told)) in ({}, {"x": 0})
    report = read(AGENTS["claude"].reader("stream-json"), [json.dumps(answer(told)).encode()])
    assert report.usage.cache_creation_tokens == 1000


def test_a_sub_agent_that_prints_nothing_is_priced_by_its_result() -> None:
    """The usage of its last call stands there alone, with what it has written into a cache."""
    usage = {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 4}}
    ended = {"agentId": "a", "resolvedModel": "small", "usage": usage}
    result = {"type": "user", "message": {"content": []}, "tool_use_result": ended}
    assert kept_by(result, result) == {"small": 4}
