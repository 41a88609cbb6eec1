"""What a `stormy_agent` says, in each agent's format: lines, and what each of them makes known."""

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["FORMATS", "Counts", "Line", "speech_of", "text_of"]

Counts = tuple[int, int, int, int]  # input, output, cache read, cache creation
NONE = (0, 0, 0, 0)
CLAUDE, QWEN, GEMINI = "claude-sonnet-4-6", "qwen-x", "gemini-x"
# What a model may say: in plain text it would count, inside a JSON string it must not.
FORGED = "Token usage: input=999999, output=1, cache_read=1, cache_creation=1"
WORDS = ("edit", "test", "üß", "\U0001f600", "\u2028", '"quoted"', "\\", FORGED, '{"type":"result"}')


class Line(NamedTuple):
    """One line, the totals that are known after it, and the verdict; None where it changes nothing."""

    text: bytes
    totals: Counts | None = None
    verdict: str | None = None


def speech_of(name: str, dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Return what an agent of that name says, with texts of these sizes; by an unknown name it is plain text."""
    return FORMATS.get(name, plain)(dice, succeeds, sizes)


def text_of(dice: random.Random, size: int) -> str:
    """Return a text of so many characters, some of which are awkward in JSON."""
    piece = " ".join(dice.choices(WORDS, k=8))
    return (piece * (size // len(piece) + 1))[: max(1, size)]


def event(body: dict[str, Any], totals: Counts | None = None, verdict: str | None = None) -> Line:
    """Write an event as one line."""
    return Line(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n", totals, verdict)


def added(first: Counts, second: Counts) -> Counts:
    """Add up."""
    return first[0] + second[0], first[1] + second[1], first[2] + second[2], first[3] + second[3]


def counts_of(dice: random.Random) -> Counts:
    """Return what a call of the model used."""
    return dice.randrange(1, 5000), dice.randrange(1, 5000), dice.randrange(1, 5000), dice.randrange(1, 5000)


def named(counts: Counts, *names: str) -> dict[str, int]:
    """Write counts under these names."""
    return dict(zip(names, counts, strict=True))


def messages(counts: Counts) -> dict[str, int]:
    """Write counts as the ``usage`` of a message."""
    names = "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"
    return named(counts, *names)


def plain(dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Print the documented usage line, again and again."""
    totals = NONE
    for size in sizes:
        yield Line(text_of(dice, size).replace(FORGED, "…").encode() + b"\n")
        counts = counts_of(dice)
        totals = added(totals, counts)
        told = "Token usage: input={}, output={}, cache_read={}, cache_creation={}".format(*counts)
        yield Line(dice.choice([b"", b"2030-01-02 INFO "]) + told.encode() + b"\n", totals)


def claude(dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Print partial messages, each repeated with a stale count, and a total with calls that are printed nowhere."""
    session, totals = f"s-{dice.getrandbits(48):012x}", NONE
    yield event({"type": "system", "subtype": "init", "session_id": session, "model": CLAUDE})
    for number, size in enumerate(sizes):
        counts = counts_of(dice)
        stale = counts[0], min(3, counts[1]), counts[2], counts[3]
        message = {"id": f"msg_{number}", "role": "assistant", "model": CLAUDE, "usage": messages(stale)}
        yield streamed({"type": "message_start", "message": {**message, "content": []}}, added(totals, stale))
        text = text_of(dice, size)
        yield streamed({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        told = {**message, "content": [{"type": "text", "text": text}]}
        for _ in range(dice.randrange(1, 3)):
            yield event({"type": "assistant", "message": told, "session_id": session})
        totals = added(totals, counts)
        yield streamed({"type": "message_delta", "delta": {}, "usage": messages(counts)}, totals)
    totals = added(totals, counts_of(dice))
    how = {"subtype": "success", "is_error": False} if succeeds else {"subtype": "error_during", "is_error": True}
    used = named(totals, "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    end = {"type": "result", **how, "result": "done", "session_id": session, "usage": messages((1, 1, 1, 1))}
    yield event({**end, "modelUsage": {CLAUDE: used}}, totals, word_for(succeeds))


def streamed(body: dict[str, Any], totals: Counts | None = None) -> Line:
    """Write a raw event of the model's stream."""
    return event({"type": "stream_event", "event": body, "parent_tool_use_id": None}, totals)


def codex(dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Print no number before the end, and nothing at all where the turn failed."""
    yield event({"type": "thread.started", "thread_id": f"t-{dice.getrandbits(48):012x}"})
    yield event({"type": "turn.started"})
    for number, size in enumerate(sizes):
        item = {"id": f"item_{number}", "type": "command_execution", "command": "bash -lc 'make'"}
        yield event({"type": "item.started", "item": item})
        item |= {"aggregated_output": text_of(dice, size), "status": "completed"}
        yield event({"type": "item.completed", "item": item})
    yield event({"type": "item.completed", "item": {"id": "last", "type": "agent_message", "text": "done"}})
    if not succeeds:
        yield event({"type": "turn.failed", "error": {"message": "it broke"}}, None, "failure")
        return
    fresh, output, read, created = counts = counts_of(dice)
    used = {"input_tokens": fresh + read + created, "output_tokens": output, "cached_input_tokens": read}
    yield event({"type": "turn.completed", "usage": {**used, "cache_write_input_tokens": created}}, counts, "success")


def gemini(dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Print all of its numbers in the last line."""
    yield event({"type": "init", "session_id": f"g-{dice.getrandbits(48):012x}", "model": GEMINI})
    for number, size in enumerate(sizes):
        call = {"tool_id": f"c{number}"}
        yield event({"type": "message", "role": "assistant", "content": "let me see", "delta": True})
        yield event({"type": "tool_use", "tool_name": "shell", **call, "parameters": {}})
        yield event({"type": "tool_result", **call, "status": "success", "output": text_of(dice, size)})
    fresh, output, read, _ = counts_of(dice)
    whole = fresh + read
    stats = {"input_tokens": whole, "output_tokens": output // 2, "total_tokens": whole + output, "cached": read}
    how = {"status": "success"} if succeeds else {"status": "error", "error": {"message": "it broke"}}
    yield event({"type": "result", **how, "stats": stats}, (fresh, output, read, 0), word_for(succeeds))


def opencode(dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Print steps that add up; the last one says why it was the last."""
    session, totals = f"ses_{dice.getrandbits(48):012x}", NONE
    for number, size in enumerate(sizes):
        part = {"id": f"prt_{number}", "messageID": f"msg_{number}"}
        yield event({"type": "step_start", "sessionID": session, "part": {**part, "id": f"begin_{number}"}})
        said = {**part, "id": f"text_{number}", "text": text_of(dice, size)}
        yield event({"type": "text", "sessionID": session, "part": said})
        fresh, output, read, created = counts = counts_of(dice)
        totals = added(totals, counts)
        is_last = number == len(sizes) - 1
        tokens = {"input": fresh, "output": output - 1, "reasoning": 1, "cache": {"read": read, "write": created}}
        part |= {"reason": "tool-calls" if not is_last else "stop" if succeeds else "length"}
        step = {"type": "step_finish", "sessionID": session, "part": {**part, "tokens": tokens, "cost": 0.01}}
        yield event(step, totals, word_for(succeeds) if is_last else None)


def qwen(dice: random.Random, succeeds: bool, sizes: list[int]) -> Iterator[Line]:
    """Print messages whose input contains what was cached, and a total with a call for its memory."""
    session, totals = f"q-{dice.getrandbits(48):012x}", NONE
    yield event({"type": "system", "subtype": "init", "session_id": session, "model": QWEN})
    for number, size in enumerate(sizes):
        counts = counts_of(dice)
        totals = added(totals, counts)
        message = {"id": f"m{number}", "role": "assistant", "model": QWEN, "usage": messages(with_cached(counts))}
        message |= {"content": [{"type": "text", "text": text_of(dice, size)}]}
        yield event({"type": "assistant", "message": message, "session_id": session}, totals)
    totals = added(totals, counts_of(dice))
    how = {"subtype": "success", "is_error": False} if succeeds else {"subtype": "error", "is_error": True}
    end = {"type": "result", **how, "session_id": session, "result": "done", "usage": messages(with_cached(totals))}
    yield event(end, totals, word_for(succeeds))


def with_cached(counts: Counts) -> Counts:
    """Return counts whose input contains what was read from the cache."""
    return counts[0] + counts[2], counts[1], counts[2], counts[3]


def word_for(succeeds: bool) -> str:
    """Return the verdict."""
    return "success" if succeeds else "failure"


FORMATS = {"claude": claude, "codex": codex, "gemini": gemini, "opencode": opencode, "qwen": qwen}
