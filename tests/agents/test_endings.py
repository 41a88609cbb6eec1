"""Recorded endings of the real agents: each has one right word, wherever the bytes were cut."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async import TokenUsage
from nova_async.agents import AGENTS, AgentReport, UsageLimit
from nova_async.agents.failures import failure_of, limit_of_words
from nova_async.agents.opencode.session import usage_of
from nova_async.attempt.outcome import outcome_of, sentence_for
from nova_async.words import Outcome, WorkerEnd
from tests.agents.recordings import KEPT, pieces, read

VERDICTS = KEPT / "verdicts"
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in VERDICTS.glob("*/*.json"))
SIZES = (1, 7, 4096, 65536, 0)


def sidecar(name: str) -> dict[str, Any]:
    """Return the truth about a recorded ending."""
    loaded: dict[str, Any] = json.loads((VERDICTS / f"{name}.json").read_bytes())
    return loaded


def read_verdict(name: str, mode: str | None, size: int, *, looks: bool = False) -> AgentReport:
    """Read a recorded ending in chunks of this size, looking at each or not; 0 is whole."""
    chunks = pieces((VERDICTS / f"{name}.stdout").read_bytes(), size)
    return read(AGENTS[sidecar(name)["agent"]].reader(mode), chunks, (lambda report: None) if looks else None)


def outcome_told(report: AgentReport, truth: dict[str, Any]) -> Outcome:
    """Return the outcome of a run that exited by itself."""
    return outcome_of(WorkerEnd.EXITED, truth["exit_code"], report, AGENTS[truth["agent"]].exit_meanings)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [None, "stream-json"])
def test_a_recorded_ending_has_its_word(name: str, mode: str | None) -> None:
    """However the bytes were cut, and whether or not the command line told the mode, it is the same right word."""
    truth = sidecar(name)
    reports = [read_verdict(name, mode, size, looks=size == 7) for size in SIZES]
    assert all(report == reports[0] for report in reports)
    report = reports[0]
    # Whether refused tools mattered is seen in the folder, which nobody looks at here.
    expected = Outcome.OK if truth["outcome"] == Outcome.DENIED else truth["outcome"]
    assert outcome_told(report, truth) == expected
    assert report.usage == TokenUsage(**truth.get("printed", truth["served"]))
    assert list(report.denied) == truth.get("denied", [])
    assert report.session_refused is truth.get("session_refused", False)
    if "usage_is_final" in truth:
        assert report.usage_is_final is truth["usage_is_final"]


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_is_told_in_one_sentence(name: str) -> None:
    """What went wrong is said in the agent's own words, and never as a bare exit code."""
    report, truth = read_verdict(name, None, 0), sidecar(name)
    sentence = sentence_for(outcome_told(report, truth), None, report)
    assert (sentence is None) == (truth["outcome"] in (Outcome.OK, Outcome.DENIED))
    assert sentence != truth["outcome"]


def test_a_limit_says_when_it_ends() -> None:
    """In UTC where the agent tells a moment, in its own words where they need its clock and time zone."""
    told = {name: read_verdict(name, None, 0).limit for name in NAMES if sidecar(name)["outcome"] == Outcome.LIMIT}
    assert all(told.values())
    assert str(told["claude/subscription-limit"].resets_at) == "2026-11-25 15:54:23+00:00"  # type: ignore[union-attr]
    assert told["codex/usage-limit"].resets_told == "3:54 PM"  # type: ignore[union-attr]
    assert told["codex/usage-limit-with-its-day"].resets_told == "Nov 28th, 2026 8:59 PM"  # type: ignore[union-attr]
    assert told["gemini/daily-quota"].kind == "daily"  # type: ignore[union-attr]


NETWORK, AUTH, OVERLOAD, OTHER = Outcome.NETWORK, Outcome.AUTH, Outcome.OVERLOAD, None
WORDS = [
    (NETWORK, "API Error: Unable to connect to API (ECONNRESET)"),
    (NETWORK, "API Error: Request timed out. Check your internet connection and proxy settings"),
    (NETWORK, "API Error: Response stalled mid-stream. The response above may be incomplete."),
    (NETWORK, "API Error: Connection closed while thinking, before producing a response. Try again."),
    (NETWORK, "stream disconnected before completion: error sending request"),
    (NETWORK, "stream disconnected before completion: idle timeout waiting for SSE"),
    (NETWORK, "Connection failed: error sending request for url (https://x/responses)"),
    (NETWORK, "error sending request for url: dns error: failed to lookup address information"),
    (NETWORK, "[API Error: exception TypeError: fetch failed sending request]"),
    (NETWORK, "[API Error: terminated]"),
    (NETWORK, "Connection error. (cause: getaddrinfo ENOTFOUND api.openai.com)"),
    (NETWORK, "request to https://x failed, reason: connect ECONNREFUSED 127.0.0.1:9"),
    (NETWORK, "socket hang up"),
    (NETWORK, "read ETIMEDOUT"),
    (NETWORK, "Model stream ended without a finish reason."),
    (OTHER, "Unable to connect to API: SSL certificate verification failed. Check your proxy"),
    (OTHER, "Unable to connect to API: Self-signed certificate detected"),
    (AUTH, "Not logged in · Please run /login"),
    (AUTH, "Please run /login · API Error: OAuth token has expired"),
    (AUTH, "Invalid API key · Fix external API key"),
    (AUTH, "Missing environment variable: `OPENAI_API_KEY`."),
    (
        AUTH,
        "Your access token could not be refreshed because your refresh token has expired. Please log out",
    ),
    (AUTH, "When using Gemini API, you must specify the GEMINI_API_KEY environment variable."),
    (AUTH, "No auth type is selected. Please configure an auth type in your settings"),
    (AUTH, "Missing API key for OpenAI-compatible auth."),
    (OVERLOAD, "API Error: Overloaded"),
    (OVERLOAD, "[API Error: fake RESOURCE_EXHAUSTED]"),
    (OVERLOAD, "exceeded retry limit, last status: 429 Too Many Requests"),
    (OVERLOAD, "We're currently experiencing high demand, which may cause temporary errors."),
    (OVERLOAD, "Selected model is at capacity. Please try a different model."),
    (OTHER, "API Error: Claude's response exceeded the 32000 output token maximum."),
    (OTHER, "Reached maximum number of turns (2)"),
    (OTHER, "Prompt is too long"),
    (OTHER, "The model returned an empty response with no text or thoughts. This may be a transient API issue"),
    (OTHER, "fake invalid_request"),
]


@pytest.mark.parametrize(("kind", "words"), WORDS)
def test_an_agents_words_tell_the_kind_of_failure(kind: Outcome | None, words: str) -> None:
    """Trouble without an HTTP status is known by the agent's own sentence."""
    assert failure_of(words, None) == kind
    assert limit_of_words(words, None) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AUTH),
        (403, AUTH),
        (429, OVERLOAD),
        (500, OVERLOAD),
        (503, OVERLOAD),
        (529, OVERLOAD),
        (400, OTHER),
        (404, OTHER),
    ],
)
def test_a_status_says_more_than_words(status: int, kind: Outcome | None) -> None:
    """Where the server has answered, it was no trouble of the network, whatever its answer talks about."""
    assert failure_of("connection refused by the tool", status) == kind


@pytest.mark.parametrize(
    ("words", "status", "kind", "moment"),
    [
        ("You've hit your usage limit. Try again in 3 days 2 hours.", None, "usage", None),
        ("You\u2019ve hit your limit \u00b7 resets 3pm (Europe/Berlin)", 429, "usage", None),
        ("Claude AI usage limit reached|1795622063", 429, "usage", "2026-11-25 15:54:23+00:00"),
        (
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            400, "usage", "2026-12-01 00:00:00+00:00",
        ),
        ("You exceeded your current quota, please check your plan and billing details.", 429, "quota", None),
        ("Rate limit reached for gpt-5 on requests per day (RPD): Limit 200, Used 200.", 429, "daily", None),
        ("402 Insufficient Balance", 402, "credit", None),
        ("Your credit balance is too low to access the Anthropic API.", 400, "credit", None),
        ("Qwen OAuth quota exceeded: Your free daily quota has been reached.", None, "daily", None),
    ],
)  # fmt: skip
def test_a_limit_of_the_account_is_known_by_its_words(
    words: str, status: int | None, kind: str, moment: str | None
) -> None:
    """Each agent words it in its own way; a moment in UTC is taken where there is one."""
    limit = limit_of_words(words, status)
    assert limit is not None
    assert (limit.kind, limit.resets_at and str(limit.resets_at)) == (kind, moment)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Rate limit reached for gpt-5 on requests per min. Limit: 3 / min. Please try again in 20s.", 429),
        ("Request rejected (429)", 429),
        ("Quota exceeded for quota metric 'Generate Content API requests per minute'", 429),
        ("You've hit your usage limit", 500),
        ("It resets on 2026-99-99 at 00:00 UTC", None),
    ],
)
def test_a_busy_minute_is_no_limit_of_the_account(words: str, status: int) -> None:
    """What passes in a minute, or what no status of a limit came with, is none."""
    assert limit_of_words(words, status) is None


@given(st.text(max_size=6000), st.none() | st.integers(400, 599))
def test_any_words_can_be_asked_about(words: str, status: int | None) -> None:
    """Nothing that an agent can say raises."""
    failure_of(words, status)
    limit_of_words(words, status)


def qwen_says(result: str, output: int = 0) -> AgentReport:
    """Read an answer of Qwen Code 0.15.10, and the result line that repeats it as a success."""
    usage = {"input_tokens": 10 * output, "output_tokens": output}
    message = {"id": "a", "model": "m", "content": [{"type": "text", "text": result}], "usage": usage}
    reader = AGENTS["qwen"].reader("stream-json")
    for line in (
        {"type": "system", "subtype": "init", "session_id": "s"},
        {"type": "assistant", "session_id": "s", "message": message},
        {"type": "result", "subtype": "success", "is_error": False, "session_id": "s", "num_turns": 1,
         "result": result, "usage": usage},
    ):  # fmt: skip
        reader.feed(json.dumps(line).encode() + b"\n")
    reader.close()
    return reader.report


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("Half an ans[API Error: terminated (cause: other side closed)]", NETWORK),
        ("Half an ans[API Error: 503 no healthy upstream]", OVERLOAD),
        ("Half [API Error: 1] an ans[API Error: 401 invalid_api_key]", AUTH),
        ("An ans[API Error: 429 slow down]\nPossible quota limitations in place or slow response times detected. "
         "Please wait and try again later.", OVERLOAD),
        ("[API Error: 429 slow down]\nPlease wait and try again later. To increase your limits, request", OVERLOAD),
        ("[API Error: overloaded (Status: UNAVAILABLE)]", OVERLOAD),
        ("[API Error: Model stream ended with empty response text.]", OTHER),
    ],
)  # fmt: skip
def test_an_answer_of_qwen_that_broke_off_is_no_success(result: str, kind: Outcome | None) -> None:
    """The mark of an error may come after the first words of an answer, and may be followed by advice."""
    report = qwen_says(result)
    assert (report.is_error, report.failure) == (True, kind)
    assert (report.error or "").startswith("API error: ")


@pytest.mark.parametrize("result", ["The log says [API Error: 401 x] twice, so I have fixed it.", "Done."])
def test_a_model_of_qwen_may_talk_about_errors(result: str) -> None:
    """A mark in the middle of a whole answer is the model's own word."""
    assert qwen_says(result, output=9).is_error is False


NEVER_ASKED = [
    ("claude", [{"type": "result", "subtype": "success", "is_error": False, "num_turns": 0, "session_id": "s",
                 "result": "Unknown command: /users", "modelUsage": {}}]),
    ("claude", [{"type": "system", "subtype": "init", "session_id": "s"},
                {"type": "assistant", "session_id": "s", "message": {"id": "a", "model": "<synthetic>", "content": [
                    {"type": "text", "text": "blocked by hook"}]}},
                {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "s",
                 "result": "blocked by hook", "modelUsage": {}}]),
    ("qwen", [{"type": "system", "subtype": "init", "session_id": "s"},
              {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "s",
               "result": "Command executed.", "usage": {"input_tokens": 0, "output_tokens": 0}}]),
    ("codex", [{"type": "thread.started", "thread_id": "s"}, {"type": "turn.started"},
               {"type": "turn.completed", "usage": {"input_tokens": 0, "output_tokens": 0}}]),
    ("gemini", [{"type": "init", "session_id": "s"},
                {"type": "result", "status": "success", "stats": {"total_tokens": 0, "input_tokens": 0}}]),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "events"), NEVER_ASKED)
def test_a_success_without_the_model_is_none(agent: str, events: list[dict[str, Any]]) -> None:
    """No token and no word of a model: whatever ended well, it was not the task."""
    reader = AGENTS[agent].reader()
    for event in events:
        reader.feed(json.dumps(event).encode() + b"\n")
    reader.close()
    assert outcome_of(WorkerEnd.EXITED, 0, reader.report) == Outcome.AGENT_ERROR
    assert "but never called its model (0 tokens)" in (reader.report.error or "")


def test_a_model_that_does_not_count_may_succeed() -> None:
    """A server that reports no usage has answered all the same."""
    assert qwen_says("Done.").is_error is False


def test_a_budget_of_the_agents_own_is_the_word_budget() -> None:
    """Claude stops at ``--max-budget-usd`` by itself."""
    reader = AGENTS["claude"].reader("stream-json")
    ended = {"type": "result", "subtype": "error_max_budget_usd", "is_error": True, "num_turns": 3, "session_id": "s",
             "errors": ["Reached maximum budget ($0.15)"]}  # fmt: skip
    reader.feed(json.dumps(ended).encode() + b"\n")
    reader.close()
    assert outcome_of(WorkerEnd.EXITED, 1, reader.report) == Outcome.BUDGET
    assert reader.report.error == "Reached maximum budget ($0.15)"


@pytest.mark.parametrize("mode", [None, "text"])
def test_a_text_may_say_why_it_did_not_begin(mode: str | None) -> None:
    """The program's own first words count where it failed; what stands far behind them may be the model's."""
    refusal = "Not logged in \u00b7 Please run /login\n".encode()
    for output, kind in ((b"starting\n" + refusal, Outcome.AUTH), (b"x\n" * 50 + refusal, Outcome.EXIT)):
        reader = AGENTS["claude"].reader(mode)
        reader.feed(output)
        reader.close()
        assert outcome_of(WorkerEnd.EXITED, 1, reader.report) == kind
        assert outcome_of(WorkerEnd.EXITED, 0, reader.report) == Outcome.OK


@pytest.mark.parametrize("mode", [None, "text"])
def test_an_answer_in_text_may_quote_a_refusal(mode: str | None) -> None:
    """Where the program ends with 0, a line like its own about a limit is part of the answer."""
    reader = AGENTS["claude"].reader(mode)
    reader.feed(b"The banner says now:\nCredit balance is too low\n")
    reader.close()
    assert outcome_of(WorkerEnd.EXITED, 1, reader.report) == Outcome.LIMIT
    assert outcome_of(WorkerEnd.EXITED, 0, reader.report) == Outcome.OK


REFUSAL: dict[str, Any] = {
    "type": "system", "subtype": "api_retry", "attempt": 1, "error_status": 401, "error": "authentication_failed",
    "session_id": "s",
}  # fmt: skip
ANSWER = {"type": "assistant", "session_id": "s", "message": {"id": "a", "model": "m", "content": []}}


def claude_says(*lines: dict[str, Any]) -> AgentReport:
    """Return what is known after these events."""
    reader = AGENTS["claude"].reader("stream-json")
    for line in lines:
        reader.feed(json.dumps(line).encode() + b"\n")
    return reader.report


def test_a_key_that_was_accepted_again_is_no_reason() -> None:
    """An agent whose login was renewed on the way, and which crashed later, was not refused."""
    for lines, outcome in (([REFUSAL], Outcome.AUTH), ([REFUSAL, ANSWER], Outcome.EXIT)):
        report = claude_says(*lines)
        assert outcome_of(WorkerEnd.EXITED, 1, report) == outcome
        assert (report.error is None) is (outcome is Outcome.EXIT)


def test_a_busy_moment_hides_no_later_limit() -> None:
    """A retry that was answered says nothing about the limit that ends the run hours later."""
    busy = {**REFUSAL, "error_status": 429, "error": "rate_limit"}
    words = "You've hit your session limit \u00b7 resets 3pm"
    told = {"type": "assistant", "session_id": "s", "error": "rate_limit",
            "message": {"id": "b", "model": "<synthetic>", "content": []}}  # fmt: skip
    end = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": 429, "session_id": "s",
           "result": words, "modelUsage": {}}  # fmt: skip
    for lines, outcome in (([busy, ANSWER, told, end], Outcome.LIMIT), ([ANSWER, busy, told, end], Outcome.OVERLOAD)):
        assert outcome_of(WorkerEnd.EXITED, 1, claude_says(*lines)) == outcome


def test_a_success_is_no_limit() -> None:
    """An account that was used up at the end of the work has not prevented it."""
    report = AgentReport(expects_result=True, is_error=False, limit=UsageLimit("five_hour"))
    assert outcome_of(WorkerEnd.EXITED, 0, report) == Outcome.OK


@pytest.mark.parametrize("code", [173, 247, 145, 147, 41])
def test_an_exit_code_may_be_all_that_tells(code: int) -> None:
    """Gemini CLI exits with the HTTP status modulo 256, or a code of its own, and may print nothing else."""
    meanings = AGENTS["gemini"].exit_meanings
    expected = OVERLOAD if code in (173, 247) else AUTH
    assert outcome_of(WorkerEnd.EXITED, code, AgentReport(expects_result=True), meanings) == expected
    assert outcome_of(WorkerEnd.EXITED, code, AgentReport(expects_result=True)) == Outcome.EXIT
    # What its last event says by a status of its own says more than the code.
    told = AgentReport(expects_result=True, is_error=True, error="x", error_status=400)
    assert outcome_of(WorkerEnd.EXITED, code, told, meanings) == Outcome.AGENT_ERROR


def test_an_exit_code_that_we_caused_tells_nothing() -> None:
    """Of an agent that we ended after its final result, that result alone counts."""
    told = AgentReport(expects_result=True, is_error=True, error="x")
    assert outcome_of(WorkerEnd.LINGERED, 41, told, AGENTS["gemini"].exit_meanings) == Outcome.AGENT_ERROR


@pytest.mark.parametrize(("kind", "limit"), [("Terminal", "quota"), ("Retryable", None)])
def test_what_gemini_says_beside_its_events_tells_a_minute_from_a_day(kind: str, limit: str | None) -> None:
    """The words of both are the same; one is a used-up account, the other a busy moment."""
    reader = AGENTS["gemini"].reader("stream-json")
    reader.feed(f"{kind}QuotaError: You exceeded your current quota\n".encode())
    end = {"type": "result", "status": "error", "error": {"message": "You exceeded your current quota", "code": 429}}
    reader.feed(json.dumps(end).encode() + b"\n")
    report = reader.report
    assert (report.limit and report.limit.kind) == limit
    assert outcome_of(WorkerEnd.EXITED, 1, report) == (Outcome.LIMIT if limit else Outcome.OVERLOAD)


def test_a_step_after_an_error_of_opencode_undoes_nothing() -> None:
    """What it has reported as an error stays one."""
    reader = AGENTS["opencode"].reader("json")
    error = {"type": "error", "sessionID": "s", "error": {"name": "APIError", "data": {"message": "no"}}}
    for line in (error, {"type": "step_start", "sessionID": "s"}):
        reader.feed(json.dumps(line).encode() + b"\n")
    reader.close()
    assert (reader.report.is_error, reader.report.error) == (True, "no")


def test_what_was_cut_off_is_no_success() -> None:
    """Sub-agents that were still at work are named, whoever ended the agent."""
    report = AgentReport(expects_result=True, is_error=False, unfinished=("check the links", "sum up"))
    for end in (WorkerEnd.EXITED, WorkerEnd.LINGERED):
        assert outcome_of(end, 0, report) == Outcome.LOST_TAIL
        assert outcome_of(end, 0, replace(report, unfinished=())) == Outcome.OK
    sentence = sentence_for(Outcome.LOST_TAIL, None, report)
    assert sentence == "ended while sub-agents were still running: check the links, sum up"


def test_there_are_recordings() -> None:
    """Every agent is there; a test over none could not fail."""
    assert {sidecar(name)["agent"] for name in NAMES} == set(AGENTS) - {"plain"}
    assert all((Path(VERDICTS) / f"{name}.stdout").is_file() for name in NAMES)


def test_a_key_that_is_refused_again_and_again_is_hopeless() -> None:
    """One refusal may be a login that is about to be renewed; an answer begins the count anew."""
    refusals = [{**REFUSAL, "attempt": attempt} for attempt in (1, 2, 3)]
    busy = {**REFUSAL, "error_status": 529, "error": "overloaded"}
    for lines, hopeless in (
        (refusals[:2], False),
        (refusals, True),
        ([*refusals[:2], ANSWER, refusals[2]], False),
        ([REFUSAL] * 5, False),  # each of several calls at once, when their login ran out
        ([{**busy, "attempt": attempt} for attempt in range(1, 10)], False),
    ):
        assert claude_says(*lines).is_hopeless is hopeless
    assert read_verdict("claude/401-three-minutes", None, 0).is_hopeless


@pytest.mark.parametrize("kind", ["oauth_org_not_allowed", "account_on_hold", "verification_required"])
def test_an_account_that_is_not_let_in_is_hopeless(kind: str) -> None:
    """Not only a key that is wrong: no retry cures what a person must."""
    report = claude_says(*({**REFUSAL, "attempt": attempt, "error": kind} for attempt in (1, 2, 3)))
    assert (report.is_hopeless, report.failure) == (True, Outcome.AUTH)
    assert report.error == f"the API rejected the account ({kind})"


@pytest.mark.parametrize(
    "words",
    [
        "You have reached your specified API usage limits. You will regain access on 2026-13-41 at 00:00 UTC.",
        f"Claude AI usage limit reached|{'9' * 12}",
    ],
)
def test_a_reset_on_no_day_is_not_told(words: str) -> None:
    """The limit is one all the same."""
    limit = limit_of_words(words, 429)
    assert limit is not None
    assert limit.resets_at is None


def test_an_unpaid_account_is_a_limit_whatever_the_words() -> None:
    """Its status says it."""
    limit = limit_of_words("Nope.", 402)
    assert limit is not None
    assert limit.kind == "credit"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("ProviderAuthError", {"message": "no key"}, AUTH),
        ("UnknownError", {"message": "hm", "isRetryable": True}, NETWORK),
        ("APIError", {"message": "hm", "statusCode": 418, "isRetryable": True}, OVERLOAD),
        ("APIError", {"message": "hm", "statusCode": 418, "isRetryable": False}, OTHER),
        ("UnknownError", "of another shape", OTHER),
    ],
)
def test_opencode_names_the_kind_of_its_errors(name: str, data: object, kind: Outcome | None) -> None:
    """Where its words do not tell, its name for the error does, and whether it would have tried again."""
    line = {"type": "error", "sessionID": "s", "error": {"name": name, "data": data}}
    report = read(AGENTS["opencode"].reader("json"), [json.dumps(line).encode() + b"\n"])
    assert (report.is_error, report.failure) == (True, kind)


def test_a_reset_at_no_moment_is_not_told() -> None:
    """Claude's own event may name one that no calendar has."""
    told = {"status": "rejected", "rateLimitType": "five_hour", "resetsAt": 10**15}
    line = {"type": "rate_limit_event", "rate_limit_info": told}
    limit = read(AGENTS["claude"].reader("stream-json"), [json.dumps(line).encode() + b"\n"]).limit
    assert limit == UsageLimit("five_hour")


def test_a_used_up_free_account_of_qwen_is_a_limit() -> None:
    """It is said without the mark of an error."""
    report = qwen_says("Qwen OAuth quota exceeded: Your free daily quota has been reached.")
    assert report.is_error is True
    assert report.limit is not None


def test_a_moment_of_gemini_that_is_a_used_up_account_is_a_limit() -> None:
    """The kind of its error tells, whatever its words are."""
    reader = AGENTS["gemini"].reader("stream-json")
    reader.feed(b"TerminalQuotaError: Resource exhausted\n")
    reader.feed(b'{"type":"init","session_id":"s","model":"m"}\n')
    error = {"type": "error", "message": "Resource exhausted"}
    result = {"type": "result", "status": "error", "error": {"type": "Error", "message": "[API Error: 429 busy]"}}
    for line in (error, result):
        reader.feed(json.dumps(line).encode() + b"\n")
    reader.close()
    assert reader.report.is_error is True


def test_the_costs_of_steps_add_up_without_dust() -> None:
    """Three steps of 10 cents cost 30 cents, in what is printed as in the files of the session."""
    tokens = {"input": 5, "output": 1}
    steps = [
        {"type": "step_finish", "part": {"id": f"p{number}", "reason": "tool-calls", "cost": 0.1, "tokens": tokens}}
        for number in range(3)
    ]
    assert (
        read(AGENTS["opencode"].reader("json"), [json.dumps(step).encode() + b"\n" for step in steps]).cost_usd == 0.3
    )
    rows = [
        ("s", f"m{number}", json.dumps({"role": "assistant", "cost": 0.1, "tokens": tokens})) for number in range(3)
    ]
    assert usage_of(rows, "s").cost_usd == 0.3
