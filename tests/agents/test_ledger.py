"""Adding up messages: each counts once, as the most that was told of it, until the agent's own total comes."""

import json

import pytest

from nova_async import TokenUsage
from nova_async.agents import AGENTS
from nova_async.agents.ledger import MAX_COUNT, MAX_MESSAGES, MAX_MODELS, MAX_NAME, UsageLedger, count, money
from nova_async.agents.reader import MAX_LINE
from tests.agents.recordings import read


def lines(*events: object) -> bytes:
    """Write events as an agent prints them."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.mark.parametrize("kind", range(4))
def test_what_was_told_of_a_message_is_never_taken_back(kind: int) -> None:
    """A later, lower number of any kind is a placeholder."""
    ledger = UsageLedger()
    told = tuple(7 if place == kind else 1 for place in range(4))
    ledger.raise_to("m", told)  # type: ignore[arg-type]
    ledger.raise_to("m", (2, 2, 2, 2))
    assert ledger.read()[0] == TokenUsage(*(7 if place == kind else 2 for place in range(4)))


def test_a_total_is_final_until_something_comes_after_it() -> None:
    """Another message is not in it."""
    ledger = UsageLedger()
    ledger.settle({"": (1, 1, 1, 1)})
    assert ledger.is_settled
    ledger.put("m", (1, 0, 0, 0))
    assert not ledger.is_settled
    assert ledger.read()[0].total == 5


def test_a_price_is_the_sum_of_all_steps_however_many() -> None:
    """Also of those that are no longer remembered one by one; a step that is told twice costs once."""
    step = {"type": "step_finish", "sessionID": "s"}
    count = MAX_MESSAGES + 100
    events = [{**step, "part": {"id": f"p{number}", "cost": 1, "reason": "tool-calls"}} for number in range(count)]
    report = read(AGENTS["opencode"].reader("json"), [lines(*events, events[-1])])
    assert (report.cost_usd, report.turns) == (count, count)


def test_a_step_after_an_error_takes_nothing_back() -> None:
    """The run has failed, whatever the reason of its last step is."""
    events = [
        {
            "type": "error",
            "sessionID": "s",
            "error": {"name": "APIError", "data": {"message": "no", "statusCode": 400}},
        },
        {"type": "step_finish", "sessionID": "s", "part": {"id": "p", "reason": "stop"}},
    ]
    report = read(AGENTS["opencode"].reader("json"), [lines(*events)])
    assert (report.is_error, report.error, report.error_status) == (True, "no", 400)


def test_a_model_that_used_nothing_is_not_named() -> None:
    """All blocks of an answer of Qwen but the last tell of no tokens."""
    message = {"id": "m", "model": "qwen", "usage": {"input_tokens": 0, "output_tokens": 0}, "content": []}
    event = {"type": "assistant", "session_id": "s", "message": message}
    report = read(AGENTS["qwen"].reader("stream-json"), [lines(event)])
    assert report.usage_by_model == {}


def test_a_number_that_was_cut_within_an_endless_line_is_read_whole() -> None:
    """Its last digit comes when the rest of the line has been let go."""
    usage = b"Token usage: input=1, output=2, cache_read=3, cache_creation=4"
    report = read(AGENTS["plain"].reader(), [b"x" * 70_000 + usage, b"5\n"])
    assert report.usage == TokenUsage(1, 2, 3, 45)


def test_a_document_beyond_all_bounds_is_not_kept() -> None:
    """Nor is it taken for an answer."""
    filler = b'  "x": "' + b"y" * 1_000_000 + b'",\n'
    chunks = [b"{\n", *[filler] * (MAX_LINE // len(filler) + 1), b'  "session_id": "s",\n  "response": "hi"\n}\n']
    assert read(AGENTS["gemini"].reader("json"), chunks).is_error is None
    assert read(AGENTS["gemini"].reader("json"), [*chunks[:3], chunks[-1]]).is_error is False


def test_messages_beyond_all_bounds_are_counted_and_forgotten() -> None:
    """What was added up stays, and the newest can still be told again."""
    ledger = UsageLedger()
    told = 2 * MAX_MESSAGES + 10
    for number in range(told):
        ledger.raise_to(f"m{number}", (1, 0, 0, 0))
    ledger.raise_to(f"m{told - 1}", (3, 0, 0, 0))
    assert ledger.read()[0] == TokenUsage(told + 2)
    assert ledger.of("m0") is None
    assert ledger.of(f"m{told - 1}") == (3, 0, 0, 0)


def test_a_message_whose_name_is_too_long_counts_once() -> None:
    """It is counted, and not remembered."""
    ledger = UsageLedger()
    ledger.put("m" * (MAX_NAME + 1), (1, 2, 3, 4))
    assert ledger.read()[0] == TokenUsage(1, 2, 3, 4)
    assert ledger.of("m" * (MAX_NAME + 1)) is None


def test_only_a_sensible_number_is_a_count() -> None:
    """True is no number of tokens, though Python calls it one."""
    assert [count(value) for value in (True, 0, -1, 1.0, "1", None)] == [0] * 6
    assert (count(1), count(MAX_COUNT), count(MAX_COUNT + 1)) == (1, MAX_COUNT, 0)
    assert (money(True), money(0), money(-0.1), money(0.5)) == (None, 0.0, None, 0.5)


def test_a_closed_book_is_final_for_its_own_process_only() -> None:
    """The total of the next process is not told yet."""
    ledger = UsageLedger()
    ledger.settle({"m": (1, 1, 1, 1)})
    ledger.close_book()
    assert not ledger.is_settled
    assert ledger.read()[0] == TokenUsage(1, 1, 1, 1)


def test_models_without_end_are_counted_without_their_names() -> None:
    """So many are named; what the others used is in the sum."""
    ledger = UsageLedger()
    ledger.settle({f"m{number}": (1, 0, 0, 0) for number in range(MAX_MODELS + 5)})
    total, by_model = ledger.read()
    assert total == TokenUsage(MAX_MODELS + 5)
    assert list(by_model) == [f"m{number}" for number in range(MAX_MODELS)]
    ledger.settle({"m0": (1, 0, 0, 0), "new": (1, 0, 0, 0)}, add=True)
    assert ledger.read()[1]["m0"] == TokenUsage(2)
