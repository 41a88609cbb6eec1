"""What each agent's output says about its success, its failure, and everything else worth a line."""

import json
from typing import Any

import pytest

from nova_async import TokenUsage
from nova_async.agents import AGENTS, UsageLimit
from nova_async.agents.codex.reader import CodexReader, inner_message
from nova_async.agents.event_reader import NEVER_ASKED
from nova_async.agents.gemini.reader import MAX_PIECES
from nova_async.agents.ledger import MAX_MESSAGES
from nova_async.agents.message_lines import MAX_TOOLS
from nova_async.agents.reader import error_entrance
from nova_async.agents.wording import why_silent
from nova_async.words import UsageSource
from tests.agents.recordings import KEPT_RECORDINGS, kept, read

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
    ("claude/refused-edit.sj.stdout", {"is_error": False, "denied": ("Bash", "Write"), "usage_is_final": True}),
    ("claude/refused-read.sj.stdout", {"is_error": False, "denied": ("Bash",)}),
    ("claude/refused-newest.sj.stdout", {"is_error": False, "denied": ("Bash",)}),
    (
        "claude/slash.sj.stdout",
        {"is_error": True, "error": f"{NEVER_ASKED}: Unknown command: /users", "turns": 0},
    ),
    ("codex/refused-patch.json.merged", {"is_error": False, "denied": ("apply_patch",)}),
    ("codex/subagent.json.merged", {"is_error": False, "usage_is_final": False, "usage_source": UsageSource.FINAL}),
    ("gemini/refused-edit.sj.stdout", {"is_error": False, "denied": ("Bash", "write_file")}),
    (
        "opencode/refused-write.json.stdout",
        {"is_error": True, "error": "it stopped because it was denied the tool write", "denied": ("write",)},
    ),
    ("opencode/refused-by-rule.json.stdout", {"is_error": True, "denied": ("bash", "read")}),
    ("qwen/refused-edit.sj.stdout", {"is_error": False, "denied": ("Bash",)}),
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


@pytest.mark.parametrize("name", [recording.name for recording in KEPT_RECORDINGS if "refused" not in recording.name])
def test_tools_that_were_allowed_are_not_named_as_refused(name: str) -> None:
    """Where nothing was refused, nothing is told of; an interrupted tool was not refused."""
    assert kept(name).read().denied == ()


def claude_tool(name: str, content: Any, *, is_error: bool = True) -> list[str]:
    """Return a tool call of Claude and its result, as two lines."""
    call = {"type": "tool_use", "id": name, "name": name, "input": {}}
    result = {"type": "tool_result", "tool_use_id": name, "content": content, "is_error": is_error}
    return [
        json.dumps({"type": kind, "session_id": "s", "message": {"id": "m", "content": [block]}}, separators=(",", ":"))
        for kind, block in (("assistant", call), ("user", result))
    ]


@pytest.mark.parametrize(
    "words",
    [
        "This command requires approval",
        "Claude requested permissions to use WebFetch, but you haven't granted it yet.",
        "Permission to use Bash with command rm -rf x has been denied.",
        "Permission to use Write has been denied because Claude Code is running in don't ask mode.",
        "Cannot write to /x while in plan mode.",
        "Output redirection to '/opt/x' needs approval. The path is outside the working directories",
        "cd in '/opt' was blocked. For security, Claude Code may only change directories",
        "<tool_use_error>Error: No such tool available: Bash. Bash is disabled for this session.</tool_use_error>",
    ],
)
def test_a_refusal_of_claude_is_known_by_its_words(words: str) -> None:
    """Each of its wordings counts at once, before the result line, which may never come."""
    assert claude_says(*claude_tool("Bash", words)).denied == ("Bash",)


@pytest.mark.parametrize(
    ("content", "is_error"),
    [
        ("Exit code 1\nThis command requires approval", True),
        ("This command requires approval", False),
        ("<tool_use_error>Error: No such tool available: Bash.</tool_use_error>", True),
        ([{"type": "text", "text": "x"}], True),
        (None, True),
    ],
)
def test_what_a_tool_prints_is_no_refusal(content: Any, is_error: bool) -> None:
    """A command may print such words, too; and a tool that does not exist was not refused."""
    assert claude_says(*claude_tool("Bash", content, is_error=is_error)).denied == ()


def test_refused_tools_are_named_once_each_and_not_without_end() -> None:
    """In the order of the first refusal, cleaned, and at most as many as a person would read."""
    lines = [
        line for n in range(100) for line in claude_tool(f"tool\x1b[31m{n % 70}", "This command requires approval")
    ]
    denied = claude_says(*lines).denied
    assert denied[:3] == ("tool0", "tool1", "tool2")
    assert len(denied) == len(set(denied)) == 64


def test_a_verdict_is_expected_as_soon_as_events_are() -> None:
    """In a JSON mode from the first moment, without a mode from the first event; never of text."""
    for name in ("claude", "codex", "gemini", "opencode", "qwen"):
        for mode in ("json", "stream-json"):
            assert AGENTS[name].reader(mode).report.expects_result
            assert read(AGENTS[name].reader(mode), []).expects_result
        assert not read(AGENTS[name].reader("text"), [b'{"type":"init","session_id":"s"}\n']).expects_result
    reader = AGENTS["claude"].reader()
    reader.feed(b"hello\n")
    assert not reader.report.expects_result
    reader.feed(b'{"type":"system","subtype":"init","session_id":"s"}\n')
    assert reader.report.expects_result
    assert not read(AGENTS["plain"].reader(), [b"hello\n"]).expects_result


def test_a_turn_without_tokens_is_no_failure_after_real_work() -> None:
    """A command of Claude's own between two real turns leaves the verdict of a success alone."""
    used = '{"m":{"inputTokens":5,"outputTokens":7}}'
    line = f'{{"type":"result","subtype":"success","is_error":false,"num_turns":0,"modelUsage":{used}}}'
    assert claude_says(line).is_error is False


def test_a_turn_whose_tokens_nobody_tells_is_a_success() -> None:
    """A server of somebody else's may count nothing: what its model has said is enough."""
    line = '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"modelUsage":{},"result":"Done."}'
    said = '{"type":"assistant","message":{"id":"a","model":"m","content":[{"type":"text","text":"Done."}]}}'
    assert claude_says(said, line).is_error is False
    assert claude_says(line).is_error is False  # json mode prints this line alone
    assert claude_says('{"type":"system","subtype":"init","session_id":"s"}', line).is_error is True


def test_declined_items_of_codex_are_refusals() -> None:
    """It has a status for what somebody declined."""
    items = [("command_execution", None), ("file_change", None), ("mcp_tool_call", "lookup")]
    lines = [
        json.dumps({"type": "item.completed", "item": {"type": kind, "tool": tool, "status": "declined"}})
        for kind, tool in items
    ]
    report = read(AGENTS["codex"].reader("json"), [f"{line}\n".encode() for line in lines])
    assert report.denied == ("shell", "apply_patch", "lookup")


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("unexpected status 401 Unauthorized: no, url: http://x/responses", 401),
        ("exceeded retry limit, last status: 429 Too Many Requests", 429),
        ("exceeded retry limit, last status: 503 Service Unavailable, request id: 1", 503),
        ("the model said: status 429", None),
    ],
)
def test_codex_tells_the_status_in_words(message: str, status: int | None) -> None:
    """Refused at once, or after its own retries: the status that decides what helps is read."""
    lines = [{"type": "error", "message": message}, {"type": "turn.failed", "error": {"message": message}}]
    report = read(AGENTS["codex"].reader("json"), [f"{json.dumps(line)}\n".encode() for line in lines])
    assert (report.is_error, report.error_status) == (True, status)


HIDDEN = {
    "gemini": (
        '{"type":"init","session_id":"s","model":"auto"}\n'
        '{"type":"tool_use","tool_name":"%(tool)s","tool_id":"1","parameters":{}}\n'
        '{"type":"tool_result","tool_id":"1","status":"error","error":{"type":"tool_not_registered","message":"no"}}\n'
    ),
    "opencode": (
        '{"type":"tool_use","sessionID":"s","part":{"type":"tool","tool":"invalid","state":{"status":"completed",'
        '"input":{"tool":"%(tool)s","error":"Model tried to call unavailable tool \'%(tool)s\'."}}}}\n'
    ),
}


@pytest.mark.parametrize("agent", HIDDEN)
@pytest.mark.parametrize("tool", ["Bash", "run_shell_command", "Write", "write_file", "apply_patch"])
def test_a_hidden_tool_is_a_denied_one_whatever_the_model_calls_it(agent: str, tool: str) -> None:
    """Permissions hide tools from a model, which may ask for them by the names that other agents gave them."""
    reader = AGENTS[agent].reader("stream-json" if agent == "gemini" else "json")
    reader.feed((HIDDEN[agent] % {"tool": tool}).encode())
    assert reader.report.denied == (tool,)


@pytest.mark.parametrize("agent", HIDDEN)
def test_a_tool_that_no_agent_has_is_not_denied(agent: str) -> None:
    """A model may ask for a tool that it made up; no permission would give it that."""
    reader = AGENTS[agent].reader("stream-json" if agent == "gemini" else "json")
    reader.feed((HIDDEN[agent] % {"tool": "make_coffee"}).encode())
    assert reader.report.denied == ()


def test_calls_without_end_are_forgotten_oldest_first() -> None:
    """An agent whose calls are never answered costs no memory, and the newest is shown."""
    block = '{{"type":"tool_use","id":"{0}","name":"Bash","input":{{"command":"{0}"}}}}'
    call = '{{"type":"assistant","message":{{"id":"a","content":[' + block + "]}}}}"
    done = '{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"{0}","content":""}}]}}}}'
    calls = [call.format(number) for number in range(MAX_TOOLS + 1)]
    assert claude_says(*calls).activity == f"Bash: {MAX_TOOLS}"
    answered = [done.format(number) for number in range(1, MAX_TOOLS + 1)]
    assert claude_says(*calls, *answered).activity == "thinking"  # not 0, which was forgotten


def test_a_thought_of_opencode_is_told() -> None:
    """It is what the agent does."""
    line = {"type": "reasoning", "sessionID": "s", "part": {"text": "hm"}}
    reader = AGENTS["opencode"].reader("json")
    reader.feed(json.dumps(line).encode() + b"\n")
    assert reader.report.activity == "thinking"


def test_a_step_of_opencode_without_a_name_is_not_counted() -> None:
    """It could not be told from its own repetition."""
    part = {"reason": "stop", "cost": 1, "tokens": {"input": 5}}
    line = {"type": "step_finish", "sessionID": "s", "part": part}
    report = read(AGENTS["opencode"].reader("json"), [json.dumps(line).encode() + b"\n"])
    assert (report.usage.total, report.cost_usd) == (0, None)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('{"error": {"message": "no such model"}}', "no such model"),
        ('{"error": "no"}', '{"error": "no"}'),
        ('{"a": [}', '{"a": [}'),
        ("plain", "plain"),
    ],
)
def test_what_a_server_said_is_taken_out_of_its_json(message: str, told: str) -> None:
    """As far as it is JSON, and has it where servers put it."""
    assert inner_message(message) == told


def test_a_gemini_that_calls_without_end_is_read() -> None:
    """Calls that are never answered and an answer in very many pieces cost no memory, and nothing of the answer."""
    reader = AGENTS["gemini"].reader("stream-json")
    for number in range(300):
        call = {"type": "tool_use", "tool_name": "run_shell_command", "tool_id": f"c{number}", "parameters": {}}
        reader.feed(json.dumps(call).encode() + b"\n")
    for _ in range(MAX_PIECES + 2):
        line = {"type": "message", "role": "assistant", "content": "x", "delta": True}
        reader.feed(json.dumps(line).encode() + b"\n")
    reader.feed(b'{"type":"result","status":"success","stats":{}}\n')
    assert reader.report.result == "x" * (MAX_PIECES + 2)


@pytest.mark.parametrize("agent", ["claude", "qwen"])
def test_an_answer_without_its_message_is_none(agent: str) -> None:
    """It counts nothing."""
    report = read(AGENTS[agent].reader("stream-json"), [b'{"type":"assistant","session_id":"s","message":null}\n'])
    assert (report.usage.total, report.is_error) == (0, None)


def test_an_empty_piece_of_an_answer_of_gemini_is_no_answer() -> None:
    """It says that the model has begun, and no more."""
    line = b'{"type":"message","role":"assistant","content":"","delta":true}\n'
    report = read(AGENTS["gemini"].reader("stream-json"), [line])
    assert (report.activity, report.result) == ("writing the answer", None)


def test_claude_speaks_with_many_tongues() -> None:
    """Messages that begin under the name of very many sub-agents are counted once each, and forgotten oldest first."""
    reader = AGENTS["claude"].reader("stream-json")
    for number in range(3000):
        event = {"type": "message_start", "message": {"id": f"m{number}", "model": "x", "usage": {"input_tokens": 1}}}
        line = {"type": "stream_event", "event": event, "parent_tool_use_id": f"t{number}"}
        reader.feed(json.dumps(line).encode() + b"\n")
    assert reader.report.usage.input_tokens == 3000


def test_results_of_sub_agents_without_end_are_counted() -> None:
    """What each call of a sub-agent used is remembered only so far, and counted all the same."""
    count = 2 * MAX_MESSAGES + 5
    reader = AGENTS["claude"].reader("stream-json")
    for number in range(count):
        message = {"id": f"m{number}", "model": "x", "usage": {"input_tokens": number + 1}, "content": []}
        line = {"type": "assistant", "message": message, "parent_tool_use_id": "t"}
        reader.feed(json.dumps(line).encode() + b"\n")
    assert reader.report.usage.input_tokens == count * (count + 1) // 2


@pytest.mark.parametrize(
    ("line", "activity"),
    [
        ({"subtype": "status", "status": "compacting"}, "compacting"),
        ({"subtype": "thinking_tokens"}, "thinking"),
        ({"subtype": "model_fallback", "fallback_model": "small"}, "falling back to small"),
        ({"subtype": "task_progress", "description": "reads"}, "sub-agent: reads"),
    ],
)
def test_what_claude_says_of_itself_is_what_it_does(line: dict[str, Any], activity: str) -> None:
    """In its own words."""
    assert claude_says(json.dumps({"type": "system", **line})).activity == activity


def test_a_sub_agent_that_prints_nothing_is_counted_by_its_result() -> None:
    """Under its own model, once for each."""
    used = {"input_tokens": 3, "output_tokens": 4}
    results = [
        {"type": "user", "message": {"content": []}, "tool_use_result": {"agentId": "a", "usage": used, **more}}
        for more in ({"resolvedModel": "small"}, {"resolvedModel": "small"})
    ]
    report = claude_says(*map(json.dumps, results))
    assert report.usage == TokenUsage(3, 4)
    assert report.usage_by_model == {"small": TokenUsage(3, 4)}


def test_an_event_that_nests_too_deeply_is_none() -> None:
    """It is passed over, and the next one is read."""
    deep = '{"type":"assistant","message":' + "[" * 5000 + "]" * 5000 + "}"
    assert claude_says(deep, json.dumps({"type": "system", "subtype": "thinking_tokens"})).activity == "thinking"


def test_the_programs_own_words_have_no_model() -> None:
    """Claude names a made-up one for them."""
    line = {"type": "assistant", "message": {"id": "m", "model": "<synthetic>", "content": []}}
    assert claude_says(json.dumps(line)).model is None


def test_a_note_of_claude_to_its_makers_is_no_error() -> None:
    """It stands among the errors, and says nothing to anybody else."""
    line = {"type": "result", "subtype": "error_during_execution", "is_error": True,
            "errors": ["[ede_diagnostic] result_type=user", "No such tool"]}  # fmt: skip
    assert claude_says(json.dumps(line)).error == "No such tool"


@pytest.mark.parametrize("moment", [True, 0, -5, "1795622063", 1.5])
def test_a_reset_that_is_no_number_of_seconds_is_not_told(moment: object) -> None:
    """The limit is one all the same."""
    told = {"status": "rejected", "rateLimitType": "five_hour", "resetsAt": moment}
    limit = claude_says(json.dumps({"type": "rate_limit_event", "rate_limit_info": told})).limit
    assert limit == UsageLimit("five_hour")


def test_a_mode_that_there_is_not_is_refused() -> None:
    """By the reader itself, which need not come from the registry."""
    with pytest.raises(ValueError, match="mode must be one of"):
        AGENTS["claude"].reader("jsonl")


def test_a_complaint_on_standard_error_without_its_end_is_read() -> None:
    """A program that dies in the middle of a line has said why."""
    reader = AGENTS["claude"].reader("stream-json")
    entrance = error_entrance(reader)
    assert entrance is not None
    entrance(b"Error: Invalid API key")
    reader.close()
    assert reader.report.error == "Error: Invalid API key"


def test_the_last_call_of_a_sub_agent_is_counted_once() -> None:
    """Its result repeats the input of a call that was printed, with its true output."""
    used = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0}
    call = {"type": "assistant", "parent_tool_use_id": "t", "message": {"id": "m", "model": "x", "usage": used}}
    ended = {"agentId": "a", "usage": {**used, "output_tokens": 40}}
    result = {"type": "user", "message": {"content": []}, "tool_use_result": ended}
    assert claude_says(json.dumps(call), json.dumps(result)).usage == TokenUsage(3, 40, 5, 0)


@pytest.mark.parametrize(
    ("kind", "message", "limit"),
    [
        ("TerminalQuotaError", "Resource exhausted", "quota"),
        ("RetryableQuotaError", "Resource exhausted", None),
    ],
)
def test_gemini_names_the_kind_of_a_quota_beside_its_events(kind: str, message: str, limit: str | None) -> None:
    """Where its own event tells of a busy moment only."""
    reader = AGENTS["gemini"].reader("stream-json")
    result = {"type": "result", "status": "error", "error": {"code": 429, "message": message}}
    for line in ({"type": "init", "session_id": "s", "model": "m"}, result):
        reader.feed(json.dumps(line).encode() + b"\n")
    entrance = error_entrance(reader)
    assert entrance is not None
    entrance(f"{kind}: no more\n".encode())
    reader.close()
    assert (reader.report.limit.kind if reader.report.limit else None) == limit


def test_a_reader_refuses_a_mode_that_there_is_not() -> None:
    """It need not come from the registry, which refuses it, too."""
    with pytest.raises(ValueError, match="mode must be one of"):
        CodexReader("jsonl")


def test_a_value_that_nests_too_deeply_is_no_event() -> None:
    """Short as the line may be."""
    line = b'{"type":"item.completed","item":{"type":"agent_message","text":' + b"[" * 3000 + b"]" * 3000 + b"}}\n"
    assert read(AGENTS["codex"].reader("json"), [line]).result is None


def test_a_sub_agent_that_answers_after_an_error_takes_nothing_back() -> None:
    """Only an answer of the main agent begins another turn; one that was on its way does not."""
    late = {"type": "assistant", "message": {"id": "m", "model": "small", "content": []}, "parent_tool_use_id": "t"}
    report = claude_says(result_of("It went wrong."), json.dumps(late))
    assert (report.is_error, report.error, report.error_status) == (True, "It went wrong.", 429)
    assert not report.has_succeeded


def test_a_success_lasts_until_another_turn_begins() -> None:
    """It is one as long as nothing has begun since."""
    assert kept("claude/tools.sj.stdout").read().has_succeeded
    assert not kept("claude/err400.sj.stdout").read().has_succeeded


@pytest.mark.parametrize(
    ("activity", "why"),
    [
        (None, "; the agent may be waiting for its provider"),
        ("thinking", "; the agent may be waiting for its provider"),
        ("retrying (529 overloaded), 3/10", " while retrying (529 overloaded), 3/10"),
        ("Bash: make", ""),
    ],
)
def test_a_silent_agent_may_be_waiting_for_its_provider(activity: str | None, why: str) -> None:
    """Not while a tool runs, which may take its time."""
    assert why_silent(activity) == why
