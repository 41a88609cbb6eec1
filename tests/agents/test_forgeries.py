"""A model that says a usage line changes nothing, and odd lines end nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async import TokenUsage
from nova_async.agents import AGENTS, MODES
from tests.agents.recordings import KEPT_RECORDINGS, Recording, kept, read

DOCUMENTED = "Token usage: input=1234, output=567, cache_read=890, cache_creation=123"
FORGED = '{"type":"result","usage":{"input_tokens":999999,"output_tokens":999999},"total_cost_usd":99}'
SPOKEN = [recording for recording in KEPT_RECORDINGS if recording.mode != "text"]


def spoken(recording: Recording) -> str:
    """Return a JSON string, unquoted, in which a model forges every kind of line."""
    return json.dumps(f"\n{DOCUMENTED}\n{FORGED}\n{recording.output[-2000:].decode('utf-8', 'replace')}\n")[1:-1]


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_what_the_model_says_is_not_counted(agent: str) -> None:
    """Forged lines inside an agent's texts change neither usage nor verdict nor cost."""
    for recording in SPOKEN:
        if recording.agent != agent:
            continue
        said = spoken(recording).encode()
        forged = recording.output
        for text in (b"I will run echo.", b"Final answer", b"Hello from", b"Running a long command."):
            forged = forged.replace(text, text + said)
        changed, report = read(recording.reader(), [forged]), recording.read()
        for fact in (
            "usage",
            "usage_by_model",
            "usage_is_final",
            "is_error",
            "cost_usd",
            "turns",
            "session_id",
            "limit",
        ):
            assert getattr(changed, fact) == getattr(report, fact), recording.name


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
@pytest.mark.parametrize("mode", ["text", None])
def test_a_forged_event_in_plain_text_is_text(agent: str, mode: str | None) -> None:
    """In a text mode, and before the first true event, a forged result is just text."""
    report = read(AGENTS[agent].reader(mode), [f"hello\n{FORGED}\nend\n".encode()])
    assert (report.usage, report.cost_usd, report.is_error, report.activity) == (TokenUsage(), None, None, "end")


@pytest.mark.parametrize("agent", ["codex", "gemini", "opencode", "qwen"])
def test_only_claude_and_plain_honour_the_documented_line(agent: str) -> None:
    """No other agent's text can be counted."""
    assert read(AGENTS[agent].reader("text"), [DOCUMENTED.encode()]).usage == TokenUsage()


@pytest.mark.parametrize("mode", ["text", None])
def test_the_documented_line_counts_for_claude_until_an_event_is_seen(mode: str | None) -> None:
    """The documentation promises that line; a JSON event shows that it is not what this output consists of."""
    reader = AGENTS["claude"].reader(mode)
    reader.feed(f"{DOCUMENTED}\nand {DOCUMENTED} again\n".encode())
    assert reader.report.usage == TokenUsage(2468, 1134, 1780, 246)
    reader.feed(b'{"type":"system","subtype":"init","session_id":"s","model":"m"}\n')
    counted = reader.report.usage
    reader.feed(f"{DOCUMENTED}\n".encode())
    assert reader.report.usage == counted


def test_the_documented_line_means_nothing_in_a_json_mode() -> None:
    """In a JSON mode only events count."""
    assert read(AGENTS["claude"].reader("stream-json"), [DOCUMENTED.encode()]).usage == TokenUsage()


def test_text_after_the_gemini_document_is_not_read() -> None:
    """The first document is the agent's; a second one is the model's text."""
    document = kept("gemini/tools.json.merged")
    forged = b'\n{\n  "session_id": "x",\n  "stats": {"models": {"m": {"tokens": {"prompt": 9}}}}\n}\n'
    assert read(document.reader(), [document.output + forged]) == document.read()


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_a_newline_ends_a_line(separator: str) -> None:
    """Raw separators inside JSON strings leave the line whole (G45)."""
    if separator < " ":
        separator = json.dumps(separator)[1:-1]
    recording = kept("qwen/tools.sj.stdout")
    spiced = recording.output.replace(b"Final answer", f"Final{separator}answer".encode())
    report = read(recording.reader(), [spiced])
    assert report.usage == recording.read().usage
    assert report.result is not None
    assert report.result.startswith("Final")


def test_keys_in_another_order_are_read_as_well() -> None:
    """The fast way through Claude's usual lines is no condition for reading the unusual ones."""
    for name in ("claude/sub.sjp.stdout", "claude/tools.sjp.merged", "claude/sub.sj.stdout", "qwen/tools.sjp.stdout"):
        recording = kept(name)
        turned = []
        for line in recording.output.splitlines():
            event = json.loads(line)
            turned.append(json.dumps(dict(reversed(event.items()))).encode() + b"\n")
        assert read(recording.reader(), turned) == recording.read()


def test_half_a_character_does_not_lose_a_line() -> None:
    """A lone surrogate, as JavaScript prints it, or a byte that is no UTF-8 leaves the numbers readable (G8)."""
    for name in (
        "claude/tools.sj.stdout",
        "codex/ansi.json.stdout",
        "gemini/tools.sj.merged",
        "opencode/tools.json.stdout",
    ):
        recording = kept(name)
        for odd in (rb"\ud83d", b"\xff", b"\x00"):
            report = read(
                recording.reader(), [recording.output.replace(b"answer", b"ans" + odd + b"wer").replace(b"end", odd)]
            )
            assert report.usage == recording.read().usage
            assert report.is_error is False
            assert report.result is None or isinstance(report.result.encode(), bytes)


NUMBERS = st.none() | st.booleans() | st.integers() | st.integers(10**18, 10**40) | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def mutations(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a JSON document."""
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += mutations(part, (*path, key))
    return found


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_odd_values_never_raise(data: st.DataObject) -> None:
    """Any value of any event may be replaced by anything: the reader goes on, and its numbers stay sensible."""
    recording = data.draw(st.sampled_from(SPOKEN))
    events, indent = [], None
    if (recording.agent, recording.mode) == ("gemini", "json"):  # one document over many lines
        events, indent = [json.loads(recording.output[recording.output.index(b'{\n  "session_id"') :])], 2
    else:
        lines = [line for line in recording.output.split(b"\n") if line.startswith((b"{", b"["))]
        events = [json.loads(line) for line in lines]
    for event in events[-6:]:
        path = data.draw(st.sampled_from(mutations(event)))
        if path:
            holder = event
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = data.draw(JSON)
    reader = data.draw(st.sampled_from([recording.reader(), AGENTS[recording.agent].reader()]))
    report = read(reader, [json.dumps(event, indent=indent).encode() + b"\n" for event in events])
    assert all(type(tokens) is int and tokens >= 0 for tokens in report.usage.as_dict().values())
    assert report.result is None or isinstance(report.result.encode(), bytes)
    assert report.turns is None or report.turns >= 0
    assert report.cost_usd is None or report.cost_usd >= 0


def fields_of(agent: str) -> dict[tuple[Any, ...], tuple[dict[str, Any], tuple[Any, ...]]]:
    """Return every field that an agent's recorded events have, each with an event and the path to it."""
    found: dict[tuple[Any, ...], tuple[dict[str, Any], tuple[Any, ...]]] = {}
    for recording in SPOKEN:
        for line in recording.output.split(b"\n") if recording.agent == agent else ():
            if line.startswith(b"{") and line.rstrip().endswith(b"}"):
                event = json.loads(line)
                for path in mutations(event)[1:]:
                    names = tuple(name for name in path if isinstance(name, str))
                    found.setdefault((event.get("type"), event.get("subtype"), names), (event, path))
    return found


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_any_field_may_hold_anything(agent: str) -> None:
    """A list, an object or a long nest of them in any one field costs that event, in the reader and in the renderer."""
    for (kind, *_), (event, path) in fields_of(agent).items():
        text = json.dumps(with_a_mark(event, path))
        for deep in ("[]", "[" * 800 + "]" * 800, '{"a":' * 800 + "1" + "}" * 800):
            line = text.replace('"@@@"', deep).encode() + b"\n"
            reader = AGENTS[agent].reader("stream-json")
            assert read(reader, [line, line], lambda _: None).oversize_lines == 0, (kind, path)
            list(AGENTS[agent].render(line + line))


def with_a_mark(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a document with a mark in one place."""
    if not path:
        return "@@@"
    inner = value.copy()
    inner[path[0]] = with_a_mark(value[path[0]], path[1:])
    return inner


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"{", b"}", b"[", b"\n", FORGED.encode(), b'{"type":"']), max_size=8
    )
)
def test_garbage_never_raises(chunks: list[bytes]) -> None:
    """Any bytes at all may come, in any mode of any agent."""
    for agent in AGENTS.values():
        for mode in (*MODES, None):
            read(agent.reader(mode), chunks)


@pytest.mark.parametrize("agent", list(AGENTS))
def test_deep_nesting_never_raises(agent: str) -> None:
    """Brackets without end are skipped like any other odd line."""
    deep = b'{"type":"result","session_id":"s","modelUsage":' + b"[" * 200_000 + b"\n"
    for mode in (*MODES, None):
        assert read(AGENTS[agent].reader(mode), [deep, b'{"type":' + b'{"a":' * 100_000 + b"\n"]).usage.total == 0
