"""The totals of a resumed session: each process counts what is new, whichever way its agent adds up."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nova_async import TokenUsage
from nova_async.agents import AGENTS, AgentReport
from nova_async.agents.session import completed
from tests.agents.recordings import read

NAMES = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
Counts = tuple[int, int, int, int]
COUNTS = some.tuples(*[some.integers(0, 10**6)] * 4)


def lines(*events: dict[str, Any]) -> bytes:
    """Write events, one a line."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def models(used: dict[str, Counts], cost: float) -> dict[str, dict[str, Any]]:
    """Write the tokens of each model as Claude does; the first has cost it all."""
    told = {name: dict(zip(NAMES, counts, strict=True)) for name, counts in used.items()}
    return {name: {**each, "costUSD": cost if place == 0 else 0.0} for place, (name, each) in enumerate(told.items())}


def claude_result(total: dict[str, Counts], cost: float, **more: Any) -> dict[str, Any]:
    """Return a result line of Claude."""
    return {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "s",
            "modelUsage": models(total, cost), "total_cost_usd": cost, **more}  # fmt: skip


def claude(*results: dict[str, Any], mode: str = "stream-json") -> AgentReport:
    """Read one process of Claude that prints these results."""
    init = [{"type": "system", "subtype": "init", "session_id": "s", "model": "m"}] if mode == "stream-json" else []
    return read(AGENTS["claude"].reader(mode), [lines(*init, *results)])


@pytest.mark.parametrize("mode", ["json", "stream-json"])
def test_claude_restores_its_totals_since_2_1_332(mode: str) -> None:
    """Its result then has those of the whole session, tokens and dollars; what is not of this process is taken off."""
    report = claude(
        claude_result(
            {"m": (420, 4062, 40092, 32098), "old": (1, 1, 1, 1)}, 0.3115604,
            model_usage_since_last_result=models({"m": (109, 1021, 10039, 8044)}, 0.0781468), result_index=0,
        ),
        mode=mode,
    )  # fmt: skip
    assert report.usage == TokenUsage(109, 1021, 10039, 8044)
    assert report.usage_by_model == {"m": report.usage}
    assert report.cost_usd == pytest.approx(0.0781468)


def test_claude_before_that_counts_each_process_from_zero() -> None:
    """There is nothing to take off, however much the session had used."""
    report = claude(claude_result({"m": (113, 1031, 10061, 8060)}, 0.1))
    assert (report.usage, report.cost_usd) == (TokenUsage(113, 1031, 10061, 8060), 0.1)


@given(COUNTS, some.lists(COUNTS, min_size=1, max_size=4))
def test_a_resumed_claude_counts_all_its_turns_once(before: Counts, turns: list[Counts]) -> None:
    """With several results in one process, each for what came since the last one; one that is lost is made good."""
    results, total = [], before
    for index, used in enumerate(turns):
        total = tuple(a + b for a, b in zip(total, used, strict=True))  # type: ignore[assignment]
        since = {"model_usage_since_last_result": models({"m": used}, 1.0), "result_index": index}
        results.append(claude_result({"m": total}, 5.0 + index + 1, **since))
    expected = TokenUsage(*(sum(fields) for fields in zip(*turns, strict=True)))
    report = claude(*results)
    assert (report.usage, report.cost_usd) == (expected, len(turns))
    assert claude(results[0], results[-1]).usage == expected


@given(some.lists(some.tuples(COUNTS, some.booleans()), min_size=1, max_size=6), some.sampled_from(["codex", "qwen"]))
def test_whatever_was_killed_when_the_attempts_add_up_to_the_thread(
    processes: list[tuple[Counts, bool]], agent: str
) -> None:
    """Codex and Qwen print the total of the thread; a killed process prints none, and the next one counts for both."""
    thread = known = TokenUsage()
    for used, is_killed in processes:
        thread += TokenUsage(*used)
        output = begun(agent) if is_killed else begun(agent) + totalled(agent, thread)
        known += read(AGENTS[agent].reader(None, known), [output]).usage
        if not is_killed:
            assert known == thread


def begun(agent: str) -> bytes:
    """Write what an agent begins with."""
    if agent == "codex":
        return lines({"type": "thread.started", "thread_id": "s"})
    return lines({"type": "system", "subtype": "init", "session_id": "s", "model": "m"})


def totalled(agent: str, total: TokenUsage) -> bytes:
    """Write what an agent ends with; the input of both has what was read from the cache."""
    whole, output, read_, created = total.as_dict().values()
    if agent == "codex":
        usage = {"input_tokens": whole + read_ + created, "output_tokens": output, "cached_input_tokens": read_,
                 "cache_write_input_tokens": created}  # fmt: skip
        return lines({"type": "turn.completed", "usage": usage})
    usage = {"input_tokens": whole + read_, "output_tokens": output, "cache_read_input_tokens": read_,
             "cache_creation_input_tokens": created}  # fmt: skip
    return lines({"type": "result", "subtype": "success", "session_id": "s", "is_error": False, "usage": usage})


def test_another_session_of_qwen_in_the_same_output_has_used_nothing_before() -> None:
    """A script that calls the agent twice resumes the first one only."""
    second = begun("qwen").replace(b'"s"', b'"t"') + totalled("qwen", TokenUsage(1, 1, 1, 0)).replace(b'"s"', b'"t"')
    output = begun("qwen") + totalled("qwen", TokenUsage(30, 30, 30, 0)) + second
    assert read(AGENTS["qwen"].reader("stream-json", TokenUsage(20, 20, 20, 0)), [output]).usage == TokenUsage(
        11, 11, 11
    )


@pytest.mark.parametrize(
    ("agent", "events"),
    [
        (
            "codex",
            ({"type": "thread.started", "thread_id": "another"},
             {"type": "turn.completed", "usage": {"input_tokens": 5, "output_tokens": 7}}),
        ),
        (
            "qwen",
            ({"type": "system", "subtype": "init", "session_id": "another"},
             {"type": "result", "subtype": "success", "is_error": False, "session_id": "another", "result": "done",
              "usage": {"input_tokens": 5, "output_tokens": 7}}),
        ),
    ],
)  # fmt: skip
def test_an_agent_that_begins_another_session_has_used_nothing_before(
    agent: str, events: tuple[dict[str, Any], ...]
) -> None:
    """A script may ignore the session that it is given: then the totals are those of this process alone."""
    reader = AGENTS[agent].reader("stream-json", TokenUsage(5, 7), "asked-for")
    assert read(reader, [lines(*events)]).usage == TokenUsage(5, 7)
    asked = [{**event, **{key: "asked-for" for key in ("thread_id", "session_id") if key in event}} for event in events]
    reader = AGENTS[agent].reader("stream-json", TokenUsage(5, 5), "asked-for")
    assert read(reader, [lines(*asked)]).usage == TokenUsage(0, 2)


SINCE = datetime(2026, 1, 1, tzinfo=UTC)
PROCESSES = some.lists(
    some.tuples(some.lists(COUNTS.filter(any), min_size=1, max_size=3), some.sampled_from(["ended", "killed", "cut"])),
    min_size=1,
    max_size=5,
)


@given(PROCESSES, some.booleans())
def test_what_codex_had_not_added_up_when_it_was_killed_counts_once(
    processes: list[tuple[list[Counts], str]], knows_before: bool
) -> None:
    """It restores the last total in its file, which lacks an answer whose tools it was killed in (`cut`)."""
    written, known, restored = b"", TokenUsage(), TokenUsage()
    for hour, (answers, end) in enumerate(processes):
        began, thread, used = SINCE + timedelta(hours=hour), restored, TokenUsage()
        for place, counts in enumerate(answers):
            thread, used = thread + TokenUsage(*counts), used + TokenUsage(*counts)
            told_of = {"timestamp": (began + timedelta(seconds=place + 1)).isoformat()}
            written += record_of(told_of, f"{hour}/{place}", TokenUsage(*counts), known + used)
            if end != "cut" or place + 1 < len(answers):
                written += total_of(told_of, thread)
                restored = thread
        output = begun("codex") + (totalled("codex", thread) if end == "ended" else b"")
        session = AGENTS["codex"].session_files
        assert session is not None
        assert session.make_reader is not None
        reader = session.make_reader("s", began)
        reader.feed("own", written, is_own=True)
        printed = read(AGENTS["codex"].reader(None, known if knows_before else None), [output])
        report = completed(printed, reader.usage, ended_by_itself=end == "ended", are_whole=True)
        assert report.usage == used
        assert report.usage_by_model == {"gpt-5.5": used}
        assert report.model == "gpt-5.5"
        known += report.usage


def as_codex(usage: TokenUsage) -> dict[str, int]:
    """Write tokens as Codex does: its input has all that was read from the cache or written to it."""
    whole, output, read_, created = usage.as_dict().values()
    return {"input_tokens": whole + read_ + created, "output_tokens": output, "cached_input_tokens": read_,
            "cache_write_input_tokens": created}  # fmt: skip


def record_of(line: dict[str, str], response: str, usage: TokenUsage, thread: TokenUsage) -> bytes:
    """Write what Codex's session file has of an answer, and which model gave it."""
    told = {"thread_id": "s", "session_id": "s", "response_id": response, "usage": as_codex(usage)}
    context = {**line, "type": "turn_context", "payload": {"model": "gpt-5.5"}}
    record = {**line, "type": "token_usage_record", "payload": {**told, "thread_token_usage": as_codex(thread)}}
    return lines(context, record)


def total_of(line: dict[str, str], thread: TokenUsage) -> bytes:
    """Write the total of the thread, which follows once an answer's tools have run."""
    info = {"total_token_usage": as_codex(thread)}
    return lines({**line, "type": "event_msg", "payload": {"type": "token_count", "info": info}})
