"""What each agent's output says about its success, its failure, and everything else worth a line."""

from typing import Any

import pytest

from nova_async import TokenUsage
from nova_async.agents import AGENTS, UsageLimit
from tests.agents.recordings import kept, read

SONNET = "claude-sonnet-4-6"
FAKE = "fake invalid_request"

VERDICTS: list[tuple[str, dict[str, Any]]] = [
    ("claude/tools.sj.stdout", {"is_error": False, "error": None, "model": SONNET, "turns": 3, "activity": None}),
    ("claude/single.json.stdout", {"is_error": False, "result": "Hello from the fake model.", "model": SONNET}),
    ("claude/err400.sj.stdout", {"is_error": True, "error_status": 400, "cost_usd": 0.0, "limit": None}),
    ("claude/err401default.sj.stdout", {"is_error": True, "error_status": 401, "limit": None}),
    ("claude/always429.sj.stdout", {"is_error": True, "error_status": 429, "limit": None}),
    ("claude/maxturns.sj.stdout", {"is_error": True, "error": "Reached maximum number of turns (2)", "result": None}),
    ("claude/refusal.json.stdout", {"is_error": True, "error_status": None}),
    ("claude/toolbreak.sjp.stdout", {"is_error": True, "error_status": None}),
    ("claude/sleeptool.sj-int-pid.stdout", {"is_error": True, "error": "it was interrupted (aborted_tools)"}),
    (
        "claude/sleeptool.sj-term-pid.stdout",
        {"is_error": None, "error": None, "activity": "Bash: echo started; sleep 310; echo ended", "turns": None},
    ),
    (
        "claude/always529.sj-term-pid.stdout",
        {"is_error": None, "error": None, "activity": "retrying (529 overloaded), 3/10"},
    ),
    ("claude/in-twofast.sj.stdout", {"is_error": False, "result": "Answer to message 1.", "cost_usd": 0.1195638}),
    ("claude/bgtool.sj.stdout", {"is_error": False, "turns": 2}),
    ("claude/oauth-ratelimit.sj.stdout", {"is_error": False, "limit": None}),
    ("claude/single.text.stdout", {"is_error": None, "result": None, "activity": "Hello from the fake model."}),
    (
        "claude/noprompt-devnull.sj.merged",
        {
            "is_error": None,
            "error": "Error: Input must be provided either through stdin or as a prompt argument when using --print",
        },
    ),
    (
        "codex/tools.json.merged",
        {"is_error": False, "error": None, "turns": 1, "result": "Final answer: all done (tools, step 2)."},
    ),
    ("codex/err400.json.stdout", {"is_error": True, "error": FAKE, "error_status": None, "result": None}),
    ("codex/always529.json.stdout", {"is_error": True, "error_status": 503}),
    ("codex/toolslow.json-term-pid.stdout", {"is_error": None, "activity": "thinking"}),
    (
        "codex/sleeptool.json-int-pid.stdout",
        {"is_error": None, "activity": "shell: echo started; sleep 310; echo ended"},
    ),
    ("codex/tools.text.merged", {"is_error": None, "activity": "Final answer: all done (tools, step 2)."}),
    (
        "gemini/tools.sj.merged",
        {"is_error": False, "turns": 3, "model": "gemini-2.5-pro", "result": "Final answer: all done (tools, step 2)."},
    ),
    (
        "gemini/tools.json.merged",
        {"is_error": False, "turns": 3, "model": "gemini-2.5-pro", "result": "Final answer: all done (tools, step 2)."},
    ),
    ("gemini/err400.json.merged", {"is_error": True, "error": "fake INVALID_ARGUMENT", "error_status": 400}),
    ("gemini/err400.sj.merged", {"is_error": True, "error": "fake INVALID_ARGUMENT", "error_status": 400}),
    ("gemini/empty.sj.stdout", {"is_error": True, "error_status": None, "result": None}),
    ("gemini/empty.json.stdout", {"is_error": True, "error_status": None}),
    ("gemini/retry429.sj.merged", {"is_error": False, "result": "OK after 429."}),
    (
        "gemini/sleeptool.sj-term-pg.stdout",
        {"is_error": None, "activity": "run_shell_command: echo started; sleep 310; echo ended"},
    ),
    (
        "opencode/tools.json.stdout",
        {
            "is_error": False,
            "turns": 3,
            "cost_usd": pytest.approx(0.0094335),
            "result": "Final answer: all done (tools, step 2).",
        },
    ),
    ("opencode/err400.json.stdout", {"is_error": True, "error": FAKE, "error_status": 400, "turns": None}),
    ("opencode/toolerr400.json.stdout", {"is_error": True, "error": FAKE, "error_status": 400, "turns": 1}),
    ("opencode/maxtok.json.stdout", {"is_error": True, "error": "the answer ended early (length)", "result": None}),
    (
        "qwen/tools.sj.stdout",
        {"is_error": False, "turns": 3, "model": "fake-1", "result": "Final answer: all done (tools, step 2)."},
    ),
    ("qwen/err400.sj.stdout", {"is_error": True, "error": f"API error: 400 {FAKE}", "error_status": 400}),
    ("qwen/err400.json.stdout", {"is_error": True, "error": f"API error: 400 {FAKE}", "error_status": 400}),
    ("qwen/empty.sj.stdout", {"is_error": True, "error_status": None}),
    (
        "qwen/sleeptool.sj-int-pid.stdout",
        {"is_error": None, "activity": "run_shell_command: echo started; sleep 310; echo ended"},
    ),
]


@pytest.mark.parametrize(("name", "facts"), VERDICTS, ids=[name for name, _ in VERDICTS])
def test_the_output_says_so(name: str, facts: dict[str, Any]) -> None:
    """The reader takes verdict, error, model, turns and the rest from where the agent says them."""
    report = kept(name).read()
    assert {fact: getattr(report, fact) for fact in facts} == facts


@pytest.mark.parametrize("name", [name for name, _ in VERDICTS if ".text." not in name and "noprompt" not in name])
def test_the_session_is_known_from_the_first_event(name: str) -> None:
    """The id to resume with is there from the first event on, and in every verdict."""
    assert kept(name).read().session_id


def claude_says(*lines: str) -> Any:
    """Read lines of Claude's stream-json."""
    return read(AGENTS["claude"].reader("stream-json"), [f"{line}\n".encode() for line in lines])


def result_of(text: str, status: object = 429) -> str:
    """Return a failed run's result line."""
    return f'{{"type":"result","subtype":"success","is_error":true,"api_error_status":{status},"result":"{text}"}}'


def rate_limit(status: str, extra: str = "") -> str:
    """Return a rate limit event."""
    told = f'"status":"{status}","resetsAt":1795334065,"rateLimitType":"five_hour"{extra}'
    return f'{{"type":"rate_limit_event","rate_limit_info":{{{told}}}}}'


def test_a_rejected_request_is_a_limit() -> None:
    """A rejected rate limit event is a limit with its kind and its reset in UTC, and the activity says so."""
    report = claude_says(rate_limit("rejected"))
    assert report.limit.kind == "five_hour"
    assert report.limit.resets_at.isoformat() == "2026-11-22T07:54:25+00:00"
    assert report.activity == "over the usage limit (five_hour)"


@pytest.mark.parametrize("last", [rate_limit("allowed"), rate_limit("rejected", ',"isUsingOverage":true')])
def test_a_limit_is_over_when_requests_are_served_again(last: str) -> None:
    """The last rate limit event decides."""
    assert claude_says(rate_limit("rejected"), last).limit is None


def test_a_429_at_once_is_a_limit_without_a_reset() -> None:
    """A run that a 429 ended without a retry ran into the account's limit."""
    assert claude_says(result_of("You've hit your session limit")).limit == UsageLimit("five_hour")
    assert claude_says(rate_limit("rejected"), result_of("You've hit your session limit")).limit.resets_at


def test_a_busy_api_is_no_limit() -> None:
    """A 429 after retries, or worded as an API error, says nothing about the account."""
    retry = (
        '{"type":"system","subtype":"api_retry","attempt":1,"max_retries":2,"error_status":429,"error":"rate_limit"}'
    )
    assert claude_says(retry, result_of("You've hit your session limit")).limit is None
    assert claude_says(result_of("API Error: Request rejected (429)")).limit is None


def test_a_quoted_limit_is_no_limit() -> None:
    """What a tool or the model says about limits is nothing to us (G43)."""
    quoted = "You've hit your session limit"
    said = f'{{"type":"assistant","message":{{"id":"a","content":[{{"type":"text","text":"{quoted}"}}]}}}}'
    tool = (
        f'{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"t","content":"{quoted}"}}]}}}}'
    )
    fine = f'{{"type":"result","subtype":"success","is_error":false,"result":"{quoted}"}}'
    assert claude_says(said, tool, fine).limit is None


def test_a_bad_key_is_told_at_the_first_retry() -> None:
    """Claude tries a refused key for three minutes; the report says it at once (G42)."""
    report = claude_says(
        '{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"error_status":401,"error":"authentication_failed"}'
    )
    assert report.error_status == 401
    assert "authentication_failed" in report.error
    assert report.is_error is None


def test_parallel_tools_are_shown_until_the_last_has_ended() -> None:
    """While any tool still runs, the activity names one that does."""
    block = '{{"type":"tool_use","id":"{0}","name":"Bash","input":{{"command":"{0}"}}}}'
    call = '{{"type":"assistant","message":{{"id":"a","content":[' + block + "]}}}}"
    done = '{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"{0}","content":""}}]}}}}'
    lines = [call.format("first"), call.format("second"), done.format("second"), done.format("first")]
    told = [claude_says(*lines[: n + 1]).activity for n in range(4)]
    assert told == ["Bash: first", "Bash: second", "Bash: first", "thinking"]


def test_sub_agents_are_named_as_such() -> None:
    """A sub-agent's own work is told apart from the main agent's."""
    told: list[str | None] = []
    recording = kept("claude/sub.sj.stdout")
    read(recording.reader(), recording.output.splitlines(keepends=True), lambda report: told.append(report.activity))
    assert {"sub-agent: sub a", "sub-agent: Bash: echo sub-a"} <= set(told)


def test_partial_messages_tell_what_begins() -> None:
    """With partial messages, thinking and writing are told when they begin."""
    told: list[str | None] = []
    recording = kept("claude/thinking.sjp.stdout")
    read(recording.reader(), recording.output.splitlines(keepends=True), lambda report: told.append(report.activity))
    assert told.index("waiting for the model") < told.index("thinking") < told.index("writing the answer")


def test_a_gemini_retry_is_told() -> None:
    """Gemini tells of its retries on standard error."""
    told: list[str | None] = []
    recording = kept("gemini/retry429.sj.merged")
    read(recording.reader(), recording.output.splitlines(keepends=True), lambda report: told.append(report.activity))
    assert "retrying (429), attempt 1" in told


def test_a_resumed_codex_thread_counts_only_its_own_tokens() -> None:
    """Codex prints the thread's total; what it had used before this process is taken off, never below nothing."""
    recording = kept("codex/tools.json.merged")
    before = TokenUsage(100, 1000, 10000, 0)
    usage = read(AGENTS["codex"].reader("json", before), [recording.output]).usage
    assert usage == TokenUsage(311 - 100, 3041 - 1000, 30053 - 10000, 0)
    assert read(AGENTS["codex"].reader("json", TokenUsage(9**9, 9**9, 9**9, 9**9)), [recording.output]).usage.total == 0
    assert read(AGENTS["claude"].reader("json", before), [kept("claude/single.json.stdout").output]).usage.total > 0


def test_two_results_are_replaced_not_added() -> None:
    """Claude's totals are the process's: the second result replaces the first (G41)."""
    assert kept("claude/in-twofast.sj.stdout").read().usage == TokenUsage(204, 2022, 20016, 16024)


def test_very_old_results_without_model_usage_are_added() -> None:
    """Without modelUsage a result's usage is that of one turn, so turns add up."""
    line = '{"type":"result","subtype":"success","is_error":false,"usage":{"input_tokens":5,"output_tokens":7}}'
    assert claude_says(line, line).usage == TokenUsage(10, 14, 0, 0)


def test_a_repeated_opencode_step_replaces_the_first() -> None:
    """A step printed twice counts, costs and turns once."""
    recording = kept("opencode/tools.json.stdout")
    lines = recording.output.splitlines(keepends=True)
    report = read(recording.reader(), [line for line in lines for _ in range(2)])
    whole = recording.read()
    assert (report.usage, report.turns, report.cost_usd) == (whole.usage, whole.turns, whole.cost_usd)
