"""What agents print, as people read it: golden pictures of it, and what holds whatever the output is."""

import json
import random
import re
import time
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents import AGENTS, MAX_LINE, Piece, PieceKind
from nova_async.agents.event_renderer import MAX_CALLS
from nova_async.agents.layout import ASCII_SIGNS, Layout, as_text
from nova_async.agents.ledger import MAX_NAME
from nova_async.agents.rendering import FIRST_LINES, LAST_LINES, shortened
from nova_async.agents.streaming import MOST_KEPT
from nova_async.agents.unknown import UnknownRenderer, renderer_of
from tests.agents.recordings import KEPT, KEPT_RECORDINGS, Recording, kept, pieces

GOLDEN = {
    "claude": (
        "tools.sjp.merged", "sub.sjp.stdout", "thinking.sjp.stdout", "miderror.sjp.stdout", "oauth-ratelimit.sj.stdout",
        "maxturns.sj.stdout", "always429.sj.stdout", "refused-edit.sj.stdout", "bgtool.sj.stdout", "single.json.stdout",
        "in-twofast.sj.stdout", "sleeptool.sj-int-pid.stdout", "single.text.stdout", "ansi.text.stdout",
    ),
    "codex": ("tools.json.merged", "always529.json.stdout", "subagent.json.merged", "refused-patch.json.merged",
              "tools.text.merged"),
    "gemini": ("tools.sj.merged", "tools.json.merged", "retry429.sj.merged", "refused-edit.sj.stdout",
               "err400.json.merged", "tools.text.stdout"),
    "opencode": ("tools.json.stdout", "refused-by-rule.json.stdout", "toolerr400.json.stdout", "tools.text.merged"),
    "qwen": ("tools.sjp.stdout", "tools.json.stdout", "refused-edit.sj.stdout", "err400.sj.stdout",
             "tools.text.stdout"),
}  # fmt: skip
NEWER = [kept(f"verdicts/claude/{name}.newest.stdout") for name in ("sub", "subs", "bgagent", "tools")]
GOLDENS = [*(kept(f"{agent}/{name}") for agent, names in GOLDEN.items() for name in names), *NEWER]
VERDICTS = [kept(str(path.relative_to(KEPT))) for path in sorted((KEPT / "verdicts").glob("*/*.stdout"))]
EVERY = [*KEPT_RECORDINGS, *VERDICTS]
each_recording = pytest.mark.parametrize(
    "recording", EVERY, ids=lambda recording: str(recording.path.relative_to(KEPT))
)
each_agent = pytest.mark.parametrize("agent", sorted(AGENTS))


def golden_of(recording: Recording) -> Path:
    """Return where the picture of a recording lies."""
    return recording.path.with_name(f"{recording.path.name}.rendered")


def rendered(recording: Recording, size: int = 0) -> list[Piece]:
    """Return the pieces of a recording, cut into chunks of so many bytes, or whole."""
    return list(AGENTS[recording.agent].render(pieces(recording.output, size), recording.mode_of_reader))


def text_of(agent: str, *events: object, mode: str | None = "stream-json") -> str:
    """Return what the text of these events, or lines, is."""
    lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return as_text(AGENTS[agent].render(b"\n".join([*lines, b""]), mode))


@pytest.mark.parametrize("recording", GOLDENS, ids=lambda recording: recording.name)
def test_the_picture_of_a_recording(recording: Recording) -> None:
    """Each agent and mode reads like this. To draw them anew: delete the ``.rendered`` files, run the tests, look."""
    path = golden_of(recording)
    shown = as_text(rendered(recording))
    if not path.exists():
        path.write_text(shown, encoding="utf-8")
        pytest.fail(f"{path.name} was drawn anew: look at it")
    assert shown == path.read_text(encoding="utf-8")


@each_recording
def test_it_does_not_matter_how_the_bytes_were_cut(recording: Recording) -> None:
    """Whole, in chunks of random sizes and, where it is short, byte by byte: the same pieces come."""
    whole = rendered(recording)
    chance = random.Random(recording.name)
    for size in (1, chance.randint(2, 40), chance.randint(41, 5000), 64 * 1024):
        if len(recording.output) // size < 30_000:
            assert rendered(recording, size) == whole


@each_recording
def test_what_is_shown_is_clean(recording: Recording) -> None:
    """No control, format or surrogate character comes through, and nothing is blank."""
    for piece in rendered(recording):
        odd = [char for char in piece.text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert set(odd) <= set("\n\t")
        assert piece.text.strip() or piece.continues or piece.kind is PieceKind.OTHER
        assert piece.text == piece.text.rstrip("\n")


@each_recording
def test_a_recording_cut_off_anywhere_is_shown_up_to_there(recording: Recording) -> None:
    """An output that ends in the middle of a line still shows what had come, and closing twice adds nothing."""
    whole = [piece for piece in rendered(recording) if piece.kind not in (PieceKind.END, PieceKind.ERROR)]
    chance = random.Random(recording.name)
    for _ in range(5):
        renderer = AGENTS[recording.agent].renderer(recording.mode_of_reader)
        shown = renderer.feed(recording.output[: chance.randint(0, len(recording.output))])
        told = [piece for piece in shown if piece.kind not in (PieceKind.END, PieceKind.ERROR)]
        assert told == whole[: len(told)]
        renderer.close()
        assert renderer.close() == []


@pytest.mark.parametrize(
    ("streamed", "whole"),
    [("claude/tools.sjp.merged", "claude/tools.sj.stdout"), ("claude/sub.sjp.stdout", "claude/sub.sj.stdout"),
     ("qwen/tools.sjp.stdout", "qwen/tools.sj.stdout")],
)  # fmt: skip
def test_partial_messages_read_as_whole_ones(streamed: str, whole: str) -> None:
    """What came bit by bit is not repeated by the line that follows it, and reads the same."""
    shown = [re.sub(r"session \S+", "session", as_text(rendered(kept(name)))) for name in (streamed, whole)]
    assert shown[0] == shown[1]


def test_text_is_shown_as_it_comes() -> None:
    """The beginning of a sentence is there before its end."""
    recording = kept("claude/tools.sjp.merged")
    renderer = AGENTS["claude"].renderer("stream-json")
    begun = renderer.feed(recording.output[: recording.output.index(b'"text":"l run"')])
    assert as_text(begun).endswith("I wil\n")
    assert begun[-1].is_open
    gone_on = renderer.feed(recording.output[recording.output.index(b'"text":"l run"') :])
    assert gone_on[0] == Piece(PieceKind.TEXT, "l run", continues=True, is_open=True)


def delta(text: str, kind: str = "text") -> dict[str, object]:
    """Return the next bit of a text of Claude."""
    event = {"type": "content_block_delta", "delta": {"type": f"{kind}_delta", kind: text}}
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None}


def begin(kind: str = "text") -> dict[str, object]:
    """Return the beginning of a text of Claude that comes bit by bit."""
    event = {"type": "content_block_start", "content_block": {"type": kind, kind: ""}}
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None}


def said(*blocks: dict[str, object], parent: str | None = None) -> dict[str, object]:
    """Return an answer of Claude."""
    message = {"id": "m", "model": "x", "content": list(blocks)}
    return {"type": "assistant", "message": message, "parent_tool_use_id": parent}


def gave(call: str, content: object, parent: str | None = None, **more: object) -> dict[str, object]:
    """Return the result of a tool of Claude."""
    block = {"type": "tool_result", "tool_use_id": call, "content": content, **more}
    return {"type": "user", "message": {"content": [block]}, "parent_tool_use_id": parent}


def calls(call: str, command: str, name: str = "Bash") -> dict[str, object]:
    """Return the block of a tool's call."""
    key = "command" if name == "Bash" else "description"
    return {"type": "tool_use", "id": call, "name": name, "input": {key: command}}


@given(st.text(max_size=60), st.lists(st.integers(0, 60)))
def test_a_text_in_bits_is_the_text(text: str, cuts: list[int]) -> None:
    """Wherever the bits were cut, what is shown is the whole text, as if it had come at once."""
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    bits = [delta(text[start:end]) for start, end in pairwise(places)]
    whole = said({"type": "text", "text": text})
    at_once = text_of("claude", whole)
    assert text_of("claude", begin(), *bits) == at_once
    assert text_of("claude", begin(), *bits, whole) == at_once
    assert text_of("claude", begin(), *bits[:-1], whole) == at_once


def test_a_terminal_sequence_cut_in_two_is_still_one() -> None:
    """No half of a colour is left in the text because the model's bits were cut there."""
    assert text_of("claude", delta("\x1b[3"), delta("1mred\x1b]0;ti"), delta("tle\x07 text")) == "red text\n"


def test_two_answers_at_once_do_not_mix() -> None:
    """What another speaker prints in between begins a line of its own, and so does what goes on after it."""
    shown = text_of("claude", begin(), delta("I will"), gave("elsewhere", "done"), delta(" run it."))
    assert shown == "I will\n  │ done\n\nrun it.\n"


def test_calls_at_once_are_told_apart() -> None:
    """A result that does not follow its call says whose it is."""
    assert text_of(
        "claude", said(calls("a", "one"), calls("b", "two")), gave("a", "1"), gave("b", "2", is_error=True)
    ) == "● Bash: one\n● Bash: two\n● Bash: one (ended)\n  │ 1\n● Bash: two (ended)\n  ✘ 2\n"  # fmt: skip


def test_sub_agents_at_once_are_told_apart() -> None:
    """Sub-agents are indented below their calls, and who goes on is said where another one spoke in between."""
    one, two = calls("a", "first", "Agent"), calls("b", "second", "Agent")
    shown = text_of(
        "claude", said(one), said(calls("c", "ls"), parent="a"), gave("c", "x", parent="a"), said(two),
        said({"type": "text", "text": "2"}, parent="b"), said({"type": "text", "text": "1"}, parent="a"),
    )  # fmt: skip
    assert shown == (
        "● Agent: first\n    ● Bash: ls\n      │ x\n● Agent: second\n    2\n● Agent: first (continued)\n    1\n"
    )


def test_a_thought_is_shown_by_its_beginning() -> None:
    """A long thought is cut, in one piece or in many."""
    thought = "word " * 1000
    whole = text_of("claude", said({"type": "thinking", "thinking": thought}))
    assert whole.startswith("~ word word")
    assert whole.endswith("…\n")
    assert len(whole) < 450
    bits = [delta(thought[at : at + 7], "thinking") for at in range(0, len(thought), 7)]
    assert text_of("claude", begin("thinking"), *bits, said({"type": "thinking", "thinking": thought})) == whole


@given(st.text(st.sampled_from("ab \t\r\n\x1b[m\x0b"), max_size=4000) | st.text(max_size=300))
def test_what_a_tool_gave_is_short(text: str) -> None:
    """It has a bounded number of lines of a bounded length, and no control character."""
    lines = shortened(text).split("\n")
    assert len(lines) <= FIRST_LINES + LAST_LINES + 1
    assert all(len(line) <= 200 for line in lines)
    assert all(unicodedata.category(char) != "Cc" or char == "\t" for line in lines for char in line)


def test_the_first_and_last_lines_of_a_long_output() -> None:
    """How much was left out is said in between."""
    shown = shortened("\n".join(map(str, range(1, 1201))) + "\n")
    assert shown == "1\n2\n3\n4\n… 1,189 more lines …\n1194\n1195\n1196\n1197\n1198\n1199\n1200"
    assert shortened("10%\r20%\r100%\r\ndone") == "100%\ndone"


def test_lines_that_are_no_events_are_shown_as_they_are() -> None:
    """Standard error, JSON of others, an odd line: nothing is lost, and nothing of it acts on the terminal."""
    lines = [b"Warning: \x1b[31mred\x1b[0m", b'{"level":"info"}', b"[1, 2]", b'["a"]', b"{", b"\xff\tx\r"]
    shown = text_of("codex", *lines)
    assert shown == 'Warning: red\n{"level":"info"}\n[1, 2]\n["a"]\n{\n\\xff\tx\n'
    assert text_of("gemini", *lines, mode="json") == shown


def test_events_of_a_newer_version_are_passed_over() -> None:
    """A person is not shown the JSON of events that we do not know, or whose shape has changed."""
    for agent in sorted(set(AGENTS) - {"plain"}):
        assert text_of(agent, {"type": "goal_state", "goal": 1}, {"type": "x", "message": [1], "item": 2}) == ""


NAMES = [
    "type", "subtype", "message", "event", "item", "part", "content", "delta", "text", "thinking", "name", "input",
    "output", "error", "state", "tool", "status", "content_block", "parent_tool_use_id", "result", "changes", "items",
    "arguments", "rate_limit_info", "session_id", "role", "id", "tool_use_id",
]  # fmt: skip
TYPES = [
    "assistant", "user", "system", "result", "stream_event", "item.started", "item.completed", "turn.failed", "error",
    "message", "tool_use", "tool_result", "text", "thinking", "file_change", "mcp_tool_call", "todo_list", "init",
    "step_finish", "content_block_delta", "text_delta", "api_retry", "task_notification", "rate_limit_event",
    "reasoning", "command_execution",
]  # fmt: skip
EVENTS = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(TYPES),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
        max_leaves=8,
    ),
)


@each_agent
@given(st.lists(EVENTS, max_size=5))
def test_no_event_breaks_it(agent: str, events: list[object]) -> None:
    """Whatever stands where in an event, nothing raises, and what is shown is clean."""
    for mode in ("stream-json", "json", None):
        shown = text_of(agent, *events, mode=mode)
        assert all(unicodedata.category(char) not in ("Cc", "Cs") or char in "\n\t" for char in shown)


@each_agent
@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_no_bytes_break_it(agent: str, noise: bytes, seed: int) -> None:
    """Noise within a recording costs a line at most."""
    chance = random.Random(seed)
    recordings = [recording for recording in KEPT_RECORDINGS if recording.agent == agent] or KEPT_RECORDINGS
    output = chance.choice(recordings).output[:20_000]
    at = chance.randint(0, len(output))
    for piece in AGENTS[agent].render(output[:at] + noise + output[at + chance.randint(0, 50) :]):
        assert all(unicodedata.category(char) not in ("Cc", "Cs") or char in "\n\t" for char in piece.text)


@each_agent
def test_an_event_that_was_cut_off_is_not_shown_as_it_is(agent: str) -> None:
    """Of an output that ends in the middle of an event, a person reads that, and not half of its JSON."""
    shown = as_text(AGENTS[agent].render(b'{"type":"assistant","message":{"content":[{"type":"te'))
    assert shown == ("! the output ends in the middle of an event\n" if agent != "plain" else shown)


def test_a_line_without_end_is_left_out() -> None:
    """What is longer than a line may be is not kept, and is told of at the end."""
    for agent in AGENTS:
        renderer = AGENTS[agent].renderer()
        chunk = b"x" * (MAX_LINE // 4)
        assert [piece for _ in range(6) for piece in renderer.feed(chunk)] == []
        assert renderer.feed(b"\nafter\n") == [Piece(PieceKind.OTHER, "after")]
        assert renderer.close() == [Piece(PieceKind.WARNING, "1 line is too large to show")]


@pytest.mark.parametrize(
    "events",
    [
        [begin(), *[delta(" ") for _ in range(20_000)], delta("x")],
        [begin(), *[delta("word ") for _ in range(20_000)]],
        [gave("a", "line\n" * 400_000)],
        [gave("a", "\x1b]" * 400_000)],
        [said({"type": "text", "text": " " * 2_000_000 + "x"})],
        [said(*[calls(str(number), "x") for number in range(20_000)])],
        [begin("thinking"), *[delta("x", "thinking") for _ in range(20_000)]],
    ],
    ids=["blanks", "bits", "lines", "escapes", "long", "calls", "thoughts"],
)
def test_it_takes_linear_time(events: list[object]) -> None:
    """Two megabytes of the worst take no longer than two megabytes."""
    output = b"\n".join(json.dumps(event).encode() for event in events) + b"\n"
    began = time.process_time()
    list(AGENTS["claude"].render(output))
    assert time.process_time() - began < 5


def test_a_plain_command_is_shown_line_by_line() -> None:
    """A progress bar becomes lines; nothing of the output acts on the terminal."""
    shown = list(AGENTS["plain"].render([b"10%\r20", b"%\r\n\x1b[2Jdone\n\nno", b" end"]))
    assert as_text(shown) == "10%\n20%\ndone\n\nno end\n"


def test_no_agent_is_asked_for_a_mode_that_there_is_not() -> None:
    """A mistyped mode is an error, as for readers."""
    with pytest.raises(ValueError, match="mode must be one of"):
        AGENTS["claude"].renderer("jsonl")
    with pytest.raises(ValueError, match="mode must be one of"):
        list(AGENTS["claude"].render(b"", "jsonl"))


def test_signs_that_every_output_can_show() -> None:
    """Where only ASCII can be shown, there are signs for it."""
    shown = as_text(rendered(kept("claude/refused-edit.sj.stdout")), ASCII_SIGNS)
    assert "\n* Bash: " in shown
    assert "\n  x This command requires approval\n" in shown
    assert shown.splitlines()[-1].startswith("+ completed")


def test_what_an_agent_says_stands_apart() -> None:
    """Text and verdict have an empty line before them, whatever came before; a sub-agent's text has none."""
    for before in (PieceKind.OTHER, PieceKind.OUTPUT, PieceKind.NOTE):
        assert as_text([Piece(before, "x"), Piece(PieceKind.TEXT, "y")]).endswith("x\n\ny\n")
        assert as_text([Piece(before, "x"), Piece(PieceKind.TEXT, "y", depth=1)]).endswith("x\n    y\n")
    assert as_text([Piece(PieceKind.TEXT, "y")]) == "y\n"


def test_a_style_is_given_each_line() -> None:
    """Whoever colours the text is given the kind and one line at a time, so that no colour runs on."""
    seen: list[tuple[PieceKind, str]] = []

    def style(kind: PieceKind, line: str) -> str:
        seen.append((kind, line))
        return f"<{line}>"

    layout = Layout(style)
    assert layout.add([Piece(PieceKind.OUTPUT, "a\n\nb", depth=1)]) == "<      │ a>\n<      │>\n<      │ b>\n"
    assert layout.add([Piece(PieceKind.TEXT, "x", is_open=True)]) == "\n<x>"
    assert layout.add([Piece(PieceKind.TEXT, "y\nz", continues=True, is_open=True)]) == "<y>\n<z>"
    assert layout.end() == "\n"
    assert layout.end() == ""
    assert {kind for kind, _ in seen} == {PieceKind.OUTPUT, PieceKind.TEXT}


CODEX_ITEMS: list[tuple[dict[str, object], str]] = [
    ({"type": "agent_message", "text": "Done."}, "Done.\n"),
    ({"type": "reasoning", "text": "I think."}, "~ I think.\n"),
    ({"type": "error", "message": "odd"}, "! odd\n"),
    ({"type": "todo_list", "items": [{"text": "a", "completed": True}, {"text": "b"}]}, "1 of 2 steps done; next: b"),
    ({"type": "todo_list", "items": "none"}, "0 of 0 steps done"),
    ({"type": "file_change", "changes": [{"kind": "add", "path": "x.py"}]}, "apply_patch: add x.py"),
    ({"type": "mcp_tool_call", "server": "s", "tool": "t", "arguments": {"query": "x"}}, "s.t: x"),
    ({"type": "mcp_tool_call"}, "tool"),
    ({"type": "mcp_tool_call", "tool": "t", "status": "failed", "error": {"message": "no"}}, "✘ no"),
    ({"type": "mcp_tool_call", "tool": "t", "result": {"content": [{"text": "yes"}, 3]}}, "yes"),
    ({"type": "mcp_tool_call", "tool": "t", "result": "text"}, "text"),
    ({"type": "collab_tool_call", "prompt": "look"}, "sub-agent: look"),
    ({"type": "collab_tool_call", "tool": "wait"}, "sub-agent: wait"),
    ({"type": "web_search", "query": "cats"}, "web search: cats"),
    ({"type": "command_execution", "command": "bash -lc 'x'", "exit_code": 3, "status": "failed"}, "exit code 3"),
    ({"type": "file_change", "status": "declined"}, "refused"),
    ({"type": 5}, ""),
]


@pytest.mark.parametrize(("item", "shown"), CODEX_ITEMS, ids=str)
def test_each_item_of_codex(item: dict[str, object], shown: str) -> None:
    """It is shown once, when it is over, whether its beginning was printed or not."""
    over = {"type": "item.completed", "item": {"id": "i", **item}}
    begun = {"type": "item.started", "item": {"id": "i", **item}}
    assert shown in text_of("codex", over)
    assert text_of("codex", begun, over).count(shown) == (text_of("codex", over).count(shown) if shown else 1)


def test_a_line_of_codex_about_its_connection() -> None:
    """It says itself how often it has tried; any other complaint may be the reason of the end."""
    assert "Reconnecting... 1/5" in text_of("codex", {"type": "error", "message": "Reconnecting... 1/5"})


SYSTEM: list[tuple[dict[str, object], str]] = [
    ({"subtype": "model_fallback", "fallback_model": "small"}, "falling back to small"),
    ({"subtype": "model_fallback"}, "falling back to another model"),
    ({"subtype": "model_refusal_no_fallback"}, "the model refused to answer"),
    ({"subtype": "compact_boundary"}, "the conversation was compacted"),
    ({"subtype": "something_new"}, ""),
]


@pytest.mark.parametrize(("line", "shown"), SYSTEM, ids=str)
def test_what_claude_says_of_itself(line: dict[str, object], shown: str) -> None:
    """In a line of its own, where it matters to who watches."""
    assert shown in text_of("claude", {"type": "system", **line})


@pytest.mark.parametrize(
    ("info", "shown"),
    [
        ({"status": "allowed_warning", "utilization": 0.9, "rateLimitType": "five_hour"}, "90% of the five_hour limit"),
        ({"status": "rejected", "rateLimitType": "five_hour"}, "over the usage limit (five_hour)"),
        ({"status": "allowed"}, ""),
        ({"status": "allowed_warning"}, ""),
    ],
)
def test_how_full_the_account_of_claude_is(info: dict[str, object], shown: str) -> None:
    """It is said when that may end the run."""
    assert shown in text_of("claude", {"type": "rate_limit_event", "rate_limit_info": info})


def test_a_stream_of_another_shape_is_passed_over() -> None:
    """A block or a bit of a kind that is not known, or one that is no text, shows nothing and breaks nothing."""
    odd = [{"type": "content_block_start", "content_block": {"type": "image"}}, {"type": "content_block_start"},
           {"type": "content_block_delta", "delta": {"type": "signature_delta"}}, {"type": "content_block_delta"},
           {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 5}},
           {"type": "content_block_stop"}]  # fmt: skip
    lines = [{"type": "stream_event", "event": event, "parent_tool_use_id": None} for event in odd]
    assert text_of("claude", *lines, {"type": "stream_event", "event": None}) == ""
    assert text_of("claude", said({"type": "image"})) == ""
    assert text_of("claude", {"type": "user", "message": {"content": [{"type": "image"}]}}) == ""


def test_a_message_of_gemini_at_once() -> None:
    """Not every message comes in bits."""
    assert text_of("gemini", {"type": "message", "role": "assistant", "content": "Hi."}) == "Hi.\n"


def test_a_thought_of_opencode() -> None:
    """It is shown as a thought."""
    assert "hm" in text_of("opencode", {"type": "reasoning", "part": {"text": "hm"}})


def test_calls_whose_name_is_too_long_are_not_remembered() -> None:
    """They are shown all the same, and so is what the tool gave."""
    name = "c" * (MAX_NAME + 1)
    shown = text_of("claude", said(calls(name, "make")), gave(name, "made"))
    assert "Bash: make" in shown
    assert "made" in shown


def test_trouble_that_is_no_text_is_not_shown() -> None:
    """Nor is an empty note."""
    assert text_of("codex", {"type": "turn.failed", "error": {"message": 5}}).startswith("✘ failed")
    assert text_of("gemini", {"type": "message", "role": "user", "content": ""}) == ""


def test_sub_agents_that_were_cut_off_are_named_at_the_end() -> None:
    """The verdict says that the work is not whole."""
    cut = kept("verdicts/claude/bgagent.newest.stdout")
    reader = AGENTS["claude"].reader()
    reader.feed(cut.output)
    assert ("unfinished: " in as_text(rendered(cut))) == bool(reader.report.unfinished)


def test_an_output_of_which_nobody_knows_whose_it_is() -> None:
    """Lines are shown as they are up to the first that only an agent prints; from there on it is that agent's."""
    recording = kept("claude/tools.sj.stdout")
    output = b"a wrapper\nspeaks\n" + recording.output
    for size in (0, 1000):
        renderer = UnknownRenderer()
        shown = [piece for chunk in pieces(output, size) for piece in renderer.feed(chunk)]
        shown += renderer.close()
        assert as_text(shown).startswith("a wrapper\nspeaks\n")
        assert as_text(shown).endswith(as_text(rendered(recording)).rpartition("✔")[2])
    nobody = UnknownRenderer()
    assert nobody.feed(b"only\nte") == [Piece(PieceKind.OTHER, "only")]
    assert nobody.close() == [Piece(PieceKind.OTHER, "te")]


def test_an_item_of_codex_that_goes_on_is_shown_at_its_end() -> None:
    """Only its list of steps is worth a line before."""
    item = {"id": "i", "type": "command_execution", "command": "make", "aggregated_output": "half"}
    assert text_of("codex", {"type": "item.updated", "item": item}) == ""


def test_calls_without_end_are_forgotten() -> None:
    """The result of one that is no longer known is shown as that of the latest."""
    many = [said(calls(f"c{number}", f"run {number}")) for number in range(MAX_CALLS + 1)]
    shown = text_of("claude", *many, gave("c0", "of the first"))
    assert shown.count("Bash: run") == MAX_CALLS + 1
    assert "of the first" in shown


def test_a_text_whose_beginning_is_long_is_known_by_that() -> None:
    """Of a text that comes in bits, only so much is kept to be compared."""
    bits = ["x" * MOST_KEPT, "y", "z"]
    whole = said({"type": "text", "text": "".join(bits)})
    assert text_of("claude", begin(), *map(delta, bits), whole) == "".join(bits) + "\n"


@pytest.mark.parametrize("agent", [None, "", "plain", "nobody's"])
def test_who_is_not_known_shows_by_the_first_event(agent: str | None) -> None:
    """A plain command may be a script around an agent; whose output it is may not be known at all."""
    assert isinstance(renderer_of(agent), UnknownRenderer)
    assert not isinstance(renderer_of("codex", "json"), UnknownRenderer)
