"""Limits of the account, known by the agents' own words: their kind, their end, and whether they are one model's."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.agents import AGENTS, AgentReport, UsageLimit, error_entrance
from nova_async.agents.failures import failure_of, limit_of_words, retry_after_of
from nova_async.words import Outcome
from tests.agents.recordings import KEPT_RECORDINGS, Recording, pieces, read

# kind, when it ends, the model, the HTTP status, and the words of the program or its provider
LIMITS: list[tuple[str, str | None, str | None, int | None, str]] = [
    ("five_hour", "3:45pm (Europe/London)", None, 429,
     "You've hit your session limit · resets 3:45pm (Europe/London)"),
    ("five_hour", "3pm", None, None, "5-hour limit reached ∙ resets 3pm"),
    ("seven_day", "Nov 28 at 5pm", None, 429, "You've hit your weekly limit · resets Nov 28 at 5pm"),
    ("usage", "10pm", None, None, "You've hit your limit · resets 10pm"),
    ("usage", "1749924000", None, None, "Claude AI usage limit reached|1749924000"),
    ("usage", "1pm (America/New_York)", None, None,
     "Claude usage limit reached. Your limit will reset at 1pm (America/New_York)."),
    ("credit", None, None, 429, "You're out of extra usage · ask your admin"),
    ("credit", None, None, 429, "Your org is out of usage · add funds to continue"),
    ("monthly", None, None, 429, "You've hit your monthly spend limit"),
    ("credit", None, None, 400, "Your credit balance is too low to access the Anthropic API. Go to Plans & Billing"),
    ("usage", "2026-12-01 at 00:00 UTC", None, 400,
     "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."),
    ("usage", "8:59 PM", None, None, "You\u2019ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/"
     "pro), visit https://chatgpt.com/settings/usage to purchase more credits or try again at 8:59 PM."),
    ("usage", "3 days 4 hours 12 minutes", None, None,
     "You've hit your usage limit. Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or try "
     "again in 3 days 4 hours 12 minutes."),
    ("usage", "Nov 28th, 2026 8:59 PM", "gpt-5.3-codex-spark", None,
     "You've hit your usage limit for gpt-5.3-codex-spark. Switch to another model now, or try again at "
     "Nov 28th, 2026 8:59 PM."),
    ("usage", None, "GPT-5.3 Codex Spark", None,
     "You've hit your usage limit for GPT-5.3 Codex Spark. Switch to another model now."),
    ("credit", None, None, None, "Your workspace is out of credits. Ask your workspace owner to refill in order to "
     "continue."),
    ("credit", None, None, None, "You hit your spend cap set in your workspace. Increase your spend cap to continue."),
    ("quota", None, None, None, "Quota exceeded. Check your plan and billing details."),
    ("usage", "10:57 PM GMT-3", "gemini-3-flash-preview", 429,
     "Usage limit reached for gemini-3-flash-preview. Access resets at 10:57 PM GMT-3."),
    ("daily", None, "this model", 429, "You have exhausted your daily quota on this model."),
    ("daily", None, "gemini-2.5-pro", None, "You have reached your daily gemini-2.5-pro quota limit."),
    ("capacity", "2h14m3s", "this model", 429,
     "You have exhausted your capacity on this model. Your quota will reset after 2h14m3s."),
    ("quota", None, "Gemini 2.5 Pro", 429,
     "Quota exceeded for quota metric 'Gemini 2.5 Pro Requests' and limit 'requests per user' of service x"),
    ("quota", None, "gemini-2.5-pro", 429, "You exceeded your current quota. * Quota exceeded for metric: "
     "generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-2.5-pro\n"
     "Please retry in 34.07s."),
    ("daily", None, None, 429, '{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","retryDelay":"34s"}'),
    ("quota", None, None, 429, "You exceeded your current quota, please check your plan and billing details."),
    ("quota", None, None, 429, '{"error":{"message":"no","code":"insufficient_quota"}}'),
    ("daily", "7m12s", "gpt-4", 429,
     "Rate limit reached for gpt-4 on requests per day (RPD): Limit 200. Please try again in 7m12s."),
    ("quota", None, None, 403, "AllocationQuota.FreeTierOnly: The free tier of the model has been exhausted."),
    ("quota", None, None, 429, "429 Free allocated quota exceeded."),
    ("five_hour", None, None, 429, "hour allocated quota exceeded."),
    ("seven_day", None, None, 429, "week allocated quota exceeded."),
    ("monthly", None, None, 429, "month allocated quota exceeded."),
    ("credit", None, None, 400, "Access denied, please make sure your account is in good standing. (Arrearage)"),
    ("credit", None, None, 402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
    ("daily", "1795710000000", None, 429, '{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 '
     'credits","metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Reset":"1795710000000"}}}}'),
    ("credit", None, None, 401, "Insufficient balance. Manage your billing here: https://opencode.ai/workspace/billing"),
    ("monthly", None, None, 401, "Your workspace has reached its monthly spending limit of $20."),
    ("usage", None, None, 429, '{"type":"error","error":{"type":"GoUsageLimitError","message":"limit"}}'),
    ("usage", None, None, 403, "You've reached your usage limit for this billing cycle. Your quota will be refreshed"),
    ("five_hour", None, None, 429, "Usage limit reached for 5 hour. Your limit will reset at 2026-10-09 01:33:49"),
]  # fmt: skip


DAILY = "You have exhausted your daily quota on this model."
OF_ONE_MODEL = next(words for _, _, model, _, words in LIMITS if model == "gpt-5.3-codex-spark")


@pytest.mark.parametrize(("kind", "told", "model", "status", "words"), LIMITS, ids=[row[-1][:60] for row in LIMITS])
def test_a_limit_has_its_kind_its_end_and_its_model(
    kind: str, told: str | None, model: str | None, status: int | None, words: str
) -> None:
    """As the agent or its provider words it."""
    limit = limit_of_words(words, status)
    assert limit is not None
    assert (limit.kind, limit.resets_told, limit.model) == (kind, told, model)


BUSY: list[tuple[float | None, int | None, str]] = [
    (20.0, 429, "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000. Please try again in 20s."),
    (0.006, 429, "Rate limit reached for gpt-4 on requests per min. Please try again in 6ms."),
    (34.07, 429, "You exceeded your current quota, please check your plan and billing details. * Quota exceeded for "
     "metric: generate_content_free_tier_requests, limit: 2, model: gemini-2.5-pro\nPlease retry in 34.07s."),
    (34.0, 429, '{"error":{"code":429,"message":"Resource has been exhausted","details":[{"retryDelay":"34s"}]}}'),
    (3.0, 429, "You have exhausted your capacity on this model. Your quota will reset after 3s."),
    (None, 429, "This request would exceed your account's rate limit. Please try again later."),
    (None, 429, "Number of request tokens has exceeded your per-minute rate limit"),
    (None, 429, "Rate limit exceeded: free-models-per-min."),
    (None, 529, "Overloaded"),
    (None, 503, "The model is overloaded. Please try again later."),
    (None, 500, "Internal server error"),
    (None, None, "We're currently experiencing high demand, which may cause temporary errors."),
]  # fmt: skip


@pytest.mark.parametrize(("after", "status", "words"), BUSY, ids=[row[-1][:60] for row in BUSY])
def test_a_busy_service_is_no_limit(after: float | None, status: int | None, words: str) -> None:
    """It is tried again soon, and not before it has asked to be."""
    assert limit_of_words(words, status) is None
    assert failure_of(words, status) is Outcome.OVERLOAD
    assert retry_after_of(words) == after


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "messages.3.content: 'insufficient_quota' is not allowed"),
        (400, "Invalid value: 'You have reached your daily quota'"),
        (401, "Incorrect API key provided. You can find your usage limit at https://x"),
        (404, "usage limit"),
        (500, "insufficient_quota"),
        (None, "the file talks about limits of usage"),
    ],
)
def test_what_only_sounds_like_a_limit_is_none(status: int | None, words: str) -> None:
    """A status that means something else is believed; of an account, only what a provider says of one."""
    assert limit_of_words(words, status) is None


def events_of(agent: str, *lines: dict[str, Any]) -> AgentReport:
    """Return what an agent's events make known."""
    output = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    reports = [
        read(AGENTS[agent].reader(mode), pieces(output, size)) for mode in ("stream-json", None) for size in (1, 0)
    ]
    assert all(report == reports[0] for report in reports)
    return reports[0]


def claude(words: str, status: int | None = 429, *before: dict[str, Any]) -> AgentReport:
    """Return what Claude reports of such an end."""
    end = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": status, "session_id": "s",
           "result": words, "modelUsage": {}}  # fmt: skip
    return events_of("claude", {"type": "system", "subtype": "init", "session_id": "s", "model": "m"}, *before, end)


def rejected(kind: str) -> dict[str, Any]:
    """Return Claude's event of a limit that is reached."""
    info = {"status": "rejected", "resetsAt": 1_795_710_000, "rateLimitType": kind, "isUsingOverage": False}
    return {"type": "rate_limit_event", "rate_limit_info": info}


@pytest.mark.parametrize(
    ("report", "kind", "model"),
    [
        (claude("You've hit your Opus limit · resets 3pm (UTC)"), "seven_day_opus", "Opus"),
        (claude("You've hit your Fable 5 limit · resets 3pm (UTC)"), "seven_day_fable", "Fable"),
        (claude("Opus weekly limit reached ∙ resets Oct 6, 1pm"), "seven_day_opus", "Opus"),
        (claude("You've hit your Opus limit", 429, rejected("seven_day_opus")), "seven_day_opus", "opus"),
        (claude("You've hit your weekly limit", 429, rejected("seven_day_sonnet")), "seven_day_sonnet", None),
        (claude("You've hit your weekly limit", 429, rejected("seven_day")), "seven_day", None),
        (claude("Something new"), "unknown", None),
        (
            events_of(
                "codex",
                {"type": "thread.started", "thread_id": "t"},
                {"type": "turn.failed", "error": {"message": OF_ONE_MODEL}},
            ),
            "usage:gpt-5.3-codex-spark",
            "gpt-5.3-codex-spark",
        ),
        (
            events_of(
                "gemini",
                {"type": "init", "session_id": "s", "model": "gemini-3-pro"},
                {"type": "result", "status": "error", "error": {"message": DAILY, "code": 429}},
            ),
            "daily",
            "gemini-3-pro",
        ),
    ],
)
def test_a_limit_may_be_one_models(report: AgentReport, kind: str, model: str | None) -> None:
    """Where the words or the event say so: others of the same account go on."""
    assert report.limit is not None
    assert (report.limit.kind, report.limit.model) == (kind, model)


def test_another_provider_behind_claude_tells_its_limit_in_an_api_error() -> None:
    """Claude retries it as if the API were busy, and passes the words on in the end."""
    retry = {"type": "system", "subtype": "api_retry", "attempt": 10, "error_status": 429, "error": "rate_limit"}
    told = 'API Error: 429 {"error":{"code":"1308","message":"Usage limit reached for 5 hour. Your limit will reset"}}'
    limit = claude(told, 429, retry).limit
    assert limit is not None
    assert (limit.kind, limit.model) == ("five_hour", None)
    assert claude("API Error: 429 rate limit of 50,000 input tokens per minute", 429, retry).limit is None


def test_a_day_of_google_ends_at_its_midnight() -> None:
    """Gemini CLI does not say when; Google does, for all."""
    end = {"type": "result", "status": "error", "error": {"message": DAILY, "code": 429}}
    report = events_of("gemini", {"type": "init", "session_id": "s", "model": "m"}, end)
    assert report.limit == UsageLimit("daily", None, "midnight (America/Los_Angeles)", "m")


def gemini_beside(note: str, words: str) -> AgentReport:
    """Return what Gemini reports with this on standard error and these words in its last event."""
    reader = AGENTS["gemini"].reader("stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    entrance(f"Error when talking to Gemini API {note}: {words}\n".encode())
    end = {"type": "result", "status": "error", "error": {"message": words, "code": 429}}
    reader.feed(json.dumps(end).encode() + b"\n")
    reader.close()
    return reader.report


def test_what_gemini_gives_up_at_is_a_limit_with_its_end() -> None:
    """A short one, too; a service without room is none, and asks for nothing but patience."""
    capacity = "You have exhausted your capacity on this model. Your quota will reset after 3s."
    terminal, busy = gemini_beside("TerminalQuotaError", capacity), gemini_beside("RetryableQuotaError", capacity)
    assert (terminal.limit, terminal.retry_after) == (UsageLimit("quota", None, "3s", "this model"), None)
    assert (busy.limit, busy.failure, busy.retry_after) == (None, Outcome.OVERLOAD, 3.0)
    full = gemini_beside("TerminalQuotaError", "No capacity available for model gemini-3-pro on the server")
    assert (full.limit, full.failure) == (None, Outcome.OVERLOAD)


WAITS = (
    b"Attempt 1 failed: You have exhausted your capacity on this model. "
    b"Your quota will reset after %b.. Retrying after "
)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (WAITS % b"3600s" + b"3715909ms...", "3600s"),
        (WAITS % b"2h14m3s" + b"8043000ms...", "2h14m3s"),
        (WAITS % b"10s" + b"10340ms...", None),
        (b"Attempt 1 failed: The service is overloaded.. Retrying after 3715909ms...", None),
        (b"Attempt 1 failed with status 429. Retrying with backoff...", None),
    ],
)
def test_gemini_says_on_standard_error_that_it_waits_for_hours(line: bytes, told: str | None) -> None:
    """That is no limit by itself, and nothing at all once an event follows."""
    reader = AGENTS["gemini"].reader("stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    reader.feed(b'{"type":"init","session_id":"s","model":"gemini-2.5-pro"}\n')
    entrance(line + b"\n")
    waits = UsageLimit("capacity", None, told, "gemini-2.5-pro") if told is not None else None
    assert (reader.report.waits_for, reader.report.limit, reader.report.is_hopeless) == (waits, None, False)
    reader.feed(b'{"type":"message","role":"assistant","content":"Well"}\n')
    assert reader.report.waits_for is None


def test_a_tool_that_takes_its_time_does_not_confirm_a_limit() -> None:
    """Its server may have printed the line, and the agent is silent because it waits for the tool."""
    reader = AGENTS["gemini"].reader("stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    reader.feed(b'{"type":"init","session_id":"s","model":"m"}\n')
    reader.feed(b'{"type":"tool_use","tool_name":"run_shell_command","tool_id":"t1","parameters":{"command":"make"}}\n')
    entrance(WAITS % b"3600s" + b"3715909ms...\n")
    assert reader.report.waits_for is None
    reader.feed(b'{"type":"tool_result","tool_id":"t1","status":"success"}\n')
    entrance(WAITS % b"3600s" + b"3715909ms...\n")
    assert reader.report.waits_for is not None


def opencode_error(status: int | None, body: str, headers: Any = None, message: str = "no") -> AgentReport:
    """Return what opencode reports of an error of its provider."""
    data = {"message": message, "statusCode": status, "isRetryable": True}
    data |= {"responseHeaders": headers, "responseBody": body}
    return events_of("opencode", {"type": "error", "sessionID": "ses_1", "error": {"name": "APIError", "data": data}})


def test_opencode_passes_on_what_its_provider_said() -> None:
    """Codes and moments stand in the answer's body, the patience that is asked for in its headers."""
    quota = opencode_error(429, '{"error":{"code":"insufficient_quota","message":"x"}}', {"retry-after": "1"})
    assert (quota.limit, quota.retry_after) == (UsageLimit("quota"), None)
    plan = opencode_error(429, '{"error":{"type":"usage_limit_reached","resets_at":1795710000}}')
    assert plan.limit is not None
    assert plan.limit.resets_at is not None
    body = '{"error":{"resets_in_seconds":9000,"type":"usage_limit_reached"}}'
    vague = opencode_error(429, body, None, "usage limit")
    assert vague.limit == UsageLimit("usage", None, "9000 seconds")
    known = opencode_error(429, body, None, "usage limit reached, resets in 2 hours")
    assert known.limit == UsageLimit("usage", None, "2 hours")
    assert opencode_error(429, "{}", None, "usage limit").limit == UsageLimit("usage")
    assert opencode_error(429, "{}", {"retry-after": "17"}).retry_after == 17.0
    for odd in ({"retry-after": "soon"}, {"retry-after": 5}, {"retry-after": "-5"}, "headers", {}):
        busy = opencode_error(429, "{}", odd)
        assert (busy.retry_after, busy.failure, busy.limit) == (None, Outcome.OVERLOAD, None)


def test_what_is_served_again_asks_for_no_patience() -> None:
    """An error on the way is forgotten with all that it said."""
    busy = {"type": "error", "message": "unexpected status 429: Please try again in 20s."}
    done = {"type": "turn.completed", "usage": {"input_tokens": 5, "output_tokens": 5}}
    begin = {"type": "thread.started", "thread_id": "t"}
    assert events_of("codex", begin, busy).retry_after == 20.0
    assert events_of("codex", begin, busy, done).retry_after is None


def qwen_retries(*steps: tuple[str, int, str]) -> AgentReport:
    """Return what Qwen reports of retries: each an event of this number, or a line of standard error about it."""
    reader = AGENTS["qwen"].reader("stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    reader.feed(b'{"type":"system","subtype":"init","session_id":"s","model":"m"}\n')
    for stream, attempt, words in steps:
        if stream == "event":
            data = {"reason": "retry", "attempt": attempt, "maxRetries": 10, "delayMs": 60_000}
            line = {"type": "system", "subtype": "retry", "session_id": "s", "data": data}
            reader.feed(json.dumps(line).encode() + b"\n")
        elif stream == "answer":
            message = {
                "id": str(attempt),
                "model": "m",
                "content": [],
                "usage": {"input_tokens": 5, "output_tokens": 5},
            }
            reader.feed(json.dumps({"type": "assistant", "session_id": "s", "message": message}).encode() + b"\n")
        else:
            entrance(f"Retrying in 60s (attempt {attempt}/10): [API Error: {words}]\n".encode())
    return reader.report


QUOTA = "429 You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([("event", 1, ""), ("error", 1, QUOTA)], "quota"),
        ([("error", 1, QUOTA), ("event", 1, "")], "quota"),
        ([("event", 1, ""), ("error", 1, "402 Insufficient Balance")], "credit"),
        ([("event", 1, ""), ("error", 1, QUOTA), ("answer", 1, ""), ("event", 1, "")], None),
        ([("error", 1, QUOTA)], None),
        ([("error", 0, QUOTA)], None),
        ([("event", 2, ""), ("error", 1, QUOTA)], None),
        ([("event", 1, ""), ("error", 1, "429 Too many requests")], None),
    ],
)
def test_what_qwen_retries_in_vain_is_ended(steps: list[tuple[str, int, str]], kind: str | None) -> None:
    """Its event says that it retries, standard error why: only both together, about the same try, are its own."""
    report = qwen_retries(*steps)
    assert (report.limit.kind if report.limit else None) == kind
    assert report.is_hopeless is (kind is not None)


def test_what_qwen_retries_is_shown() -> None:
    """How long it waits, and which try it is; a key that is refused is hopeless as well."""
    assert qwen_retries(("event", 3, "")).activity == "retrying in 60 s, 3/10"
    refused = qwen_retries(("event", 1, ""), ("error", 1, "401 Incorrect API key"))
    assert (refused.failure, refused.is_hopeless) == (Outcome.AUTH, True)
    busy = qwen_retries(("event", 1, ""), ("error", 1, "429 Too many requests"))
    assert (busy.failure, busy.is_hopeless) == (Outcome.OVERLOAD, False)


@pytest.mark.parametrize(
    ("line", "activity"),
    [
        ("Attempt 1 failed with status 429. Retrying with backoff... _ApiError: {}", "retrying (429), attempt 1"),
        ("Attempt 6 failed. Retrying with backoff... Error: exception TypeError: fetch", "retrying, attempt 6"),
        ("Attempt 2 failed with 5xx error. Retrying with backoff...", "retrying (5xx), attempt 2"),
        ("Attempt 3 failed with 429 error (no Retry-After header). Retrying", "retrying (429), attempt 3"),
        ("Attempt 4 failed: You exceeded your current quota. Retrying after 34070ms...", "retrying, attempt 4"),
        ("Attempt 5 failing", None),
    ],
)
def test_each_retry_of_gemini_is_shown(line: str, activity: str | None) -> None:
    """Its five wordings, one of which is all that it says where nobody listens."""
    reader = AGENTS["gemini"].reader("stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    entrance(f"{line}\n".encode())
    assert reader.report.activity == activity


def test_a_model_of_a_server_without_counts_may_speak_of_errors() -> None:
    """There the text alone decides: words that follow an error are a model's."""
    for text, failed in (("I saw [API Error: 429 quota exceeded] there.", False), ("So far.[API Error: 402 x]", True)):
        end = {
            "type": "result",
            "subtype": "success",
            "session_id": "s",
            "is_error": False,
            "num_turns": 1,
            "result": text,
        }
        said = {"id": "a", "model": "m", "content": [{"type": "text", "text": text}]}
        begin = {"type": "system", "subtype": "init", "session_id": "s", "model": "m"}
        report = events_of("qwen", begin, {"type": "assistant", "session_id": "s", "message": said}, end)
        assert report.is_error is failed


def test_codex_does_not_wait_for_the_network_for_ever() -> None:
    """It would, with a notice at growing intervals; what it is answered in between begins the count anew."""
    begin = {"type": "thread.started", "thread_id": "t"}
    waiting = "Reconnecting... waiting for network (Connection failed: error sending request)"
    wait = {"type": "error", "message": waiting}
    other = {"type": "error", "message": "Reconnecting... 1/5 (stream disconnected before completion)"}
    answer = {"type": "item.completed", "item": {"type": "reasoning", "text": "I wait."}}
    report = events_of("codex", begin, *[wait] * 7)
    assert (report.is_hopeless, report.failure, report.limit) == (True, Outcome.NETWORK, None)
    assert report.error == "waiting for network (Connection failed: error sending request)"
    for lines in ([wait] * 6, [*[wait] * 6, answer, wait], [*[wait] * 6, other, wait]):
        report = events_of("codex", begin, *lines)
        assert (report.is_hopeless, report.failure, report.error) == (False, None, None)
    assert events_of("codex", begin, *[wait] * 2).activity == f"retrying: {waiting[len('Reconnecting... ') :]}"


def test_what_opencode_tries_again_is_shown() -> None:
    """By its log on standard error; not by the call that names a session. Only silence confirms that it waits."""
    line = (
        'timestamp=2026-11-26T04:14:13.651Z level=ERROR run=17cde3f9 message="stream error" providerID=fake modelID=f '
        'session.id=ses_1 small=false agent=build mode=primary error.error="AI_APICallError: You exceeded your current '
        'quota, please check your plan and billing details."'
    )
    reader = AGENTS["opencode"].reader("json")
    entrance = error_entrance(reader)
    assert entrance is not None
    entrance(line.replace("small=false", "small=true").encode() + b"\n")
    assert reader.report.activity is None
    entrance(line.encode() + b"\n")
    said = "AI_APICallError: You exceeded your current quota, please check your plan and billing details."
    waits = UsageLimit("quota")
    assert reader.report == AgentReport(activity=f"retrying: {said}", waits_for=waits, expects_result=True)
    reader.feed(b'{"type":"step_start","sessionID":"ses_1","part":{}}\n')
    assert reader.report.waits_for is None
    entrance(line.replace("mode=primary", "mode=subagent").encode() + b"\n")
    assert reader.report.waits_for is None, "it may be another model's"
    reader = AGENTS["opencode"].reader("json")
    entrance = error_entrance(reader)
    assert entrance is not None
    entrance(line.encode() + b"\n")
    reader.close()
    assert (reader.report.error, reader.report.limit, reader.report.is_hopeless) == (said, None, False)


SPOKEN = [recording for recording in KEPT_RECORDINGS if recording.mode != "text"]
SAID = frozenset(
    {"text", "content", "output", "aggregated_output", "command", "thinking", "prompt", "description", "stdout",
     "stderr", "query", "title", "partial_json", "file_path", "response"}
)  # fmt: skip
HOSTILE = [
    *(row[-1] for row in LIMITS),
    *(row[-1] for row in BUSY),
    json.dumps(rejected("seven_day")),
    '{"type":"system","subtype":"api_retry","attempt":3,"error_status":401,"error":"authentication_failed"}',
    "No conversation found with session ID: s",
    "Error: thread/resume failed: no rollout found for thread id x",
    "Error resuming session: Invalid session identifier",
    "Error: Session not found",
    "No saved session found with ID x",
    "[API Error: 429 insufficient_quota]",
    "TerminalQuotaError: You have exhausted your daily quota on this model.",
    "Attempt 1 failed with status 429. Retrying with backoff...",
    (WAITS % b"3600s" + b"3715909ms...").decode(),
    "Retrying in 60s (attempt 1/10): [API Error: 429 insufficient_quota]",
    '"token_count" {"rate_limits":{"primary":{"used_percent":99}}}',
]
SIGNS = (
    *("limit", "gauges", "retry_after", "session_refused", "is_hopeless", "waits_for"),
    *("failure", "error_status", "is_error", "usage"),
)


def with_words(value: Any, words: str, key: str = "") -> Any:
    """Return an event in which whoever speaks, or a tool, says these words as well."""
    if isinstance(value, dict):
        return {name: with_words(part, words, name) for name, part in value.items()}
    if isinstance(value, list):
        return [with_words(part, words, key) for part in value]
    return f"{value}\n{words}" if isinstance(value, str) and key in SAID else value


def spoken_over(recording: Recording, words: str) -> bytes:
    """Return a recording in which every text of a model, a user or a tool ends with these words."""
    output = recording.output
    if recording.agent == "gemini" and recording.mode == "json":
        quoted = json.dumps(f"\n{words}")[1:-1].encode()
        return re.sub(rb'("response": "(?:[^"\\]|\\.)*)"', lambda found: found[1] + quoted + b'"', output)
    lines = []
    for line in output.split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            lines.append(line)
            continue
        answer = event.get("message") if isinstance(event, dict) else None
        own = isinstance(answer, dict) and answer.get("model") == "<synthetic>"
        failed = isinstance(event, dict) and recording.agent == "qwen" and b"[API Error" in line
        if isinstance(event, dict) and event.get("type") == "result" and event.get("is_error") is False and not failed:
            event = {**event, "result": f"{event.get('result')}\n{words}"}
        lines.append(line if own or failed else json.dumps(with_words(event, words), separators=(",", ":")).encode())
    return b"\n".join(lines)


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_no_word_of_a_model_or_a_tool_is_a_sign(agent: str) -> None:
    """In answers, thoughts, prompts, arguments and results of tools, in every JSON mode."""
    recordings = sorted((each for each in SPOKEN if each.agent == agent), key=lambda each: len(each.output))
    assert len(recordings) > 3
    spoken = [(recording, "\n".join(HOSTILE)) for recording in recordings]
    spoken += [(recording, words) for recording in recordings[:4] for words in HOSTILE]
    for recording, words in spoken:
        told, plain = read(recording.reader(), [spoken_over(recording, words)]), recording.read()
        for sign in SIGNS:
            assert getattr(told, sign) == getattr(plain, sign), (recording.name, sign, words)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_word_at_the_end_of_any_text_is_a_sign(data: st.DataObject) -> None:
    """Each of the words by itself, in any recording, cut anywhere, with the mode known or not."""
    recording: Recording = data.draw(st.sampled_from([each for each in SPOKEN if len(each.output) < 30_000]))
    words = data.draw(st.sampled_from(HOSTILE))
    mode = data.draw(st.sampled_from([recording.mode, None]))
    output = spoken_over(recording, words)
    told = read(AGENTS[recording.agent].reader(mode), pieces(output, data.draw(st.sampled_from([0, 1000, 7]))))
    plain = read(AGENTS[recording.agent].reader(mode), [recording.output])
    for sign in SIGNS:
        assert getattr(told, sign) == getattr(plain, sign), (recording.name, sign)


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
@pytest.mark.parametrize("words", HOSTILE)
def test_no_line_of_a_hook_is_a_sign_once_the_agent_has_begun(agent: str, words: str) -> None:
    """Nor while it works, nor after a success: standard error may be anybody's."""
    recording = next(each for each in SPOKEN if each.agent == agent and each.read().is_error is False)
    reader = AGENTS[agent].reader("json" if recording.mode == "json" else "stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    plain = recording.read()
    for before in (True, False):
        entrance(f"{words}\n".encode())
        if before:
            reader.feed(recording.output)
    reader.close()
    for sign in SIGNS:
        assert getattr(reader.report, sign) == getattr(plain, sign), sign


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen", "plain"])
@pytest.mark.parametrize("mode", ["text", None])
def test_no_text_is_a_limit(agent: str, mode: str | None) -> None:
    """In a text mode the answer stands raw on lines of its own: nothing in it stops an account."""
    report = read(AGENTS[agent].reader(mode), [f"I looked.\n{words}\n".encode() for words in HOSTILE])
    told = replace(report, activity=None, looks_like=None, error=None, expects_result=False)
    assert told == AgentReport(usage=report.usage)
