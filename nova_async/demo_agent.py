"""``nova demo-agent``: a stand-in for a coding agent, so that a cascade can be tried without one, and without a key.

It speaks Claude Code's ``stream-json`` and changes nothing anywhere. What it pretends to do, how long that takes and
what it would have cost is drawn from the prompt, so the same prompt always gives the same numbers. Words in the prompt
steer it: ``(demo: overloaded at first)`` fails the first attempt as an overloaded API does, ``(demo: fails)`` fails
every one, ``(demo: slow)`` takes ten times as long, ``(demo: sub-agent)`` surely hands a part to a sub-agent.

Only the standard library is loaded: a hundred of these start at once on a small machine.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["main"]

MODEL, SMALL_MODEL = "claude-sonnet-4-6", "claude-haiku-4-5"
# US dollars per million: input, output, cache read, cache creation
PRICES = {MODEL: (3.0, 15.0, 0.3, 3.75), SMALL_MODEL: (1.0, 5.0, 0.1, 1.25)}
FILES = ("src/app.py", "src/models.py", "src/store.py", "src/checks.py", "tests/test_app.py", "README.md")
COMMANDS = ("git status --short", "pytest -q", "ruff check .", "python -m compileall -q src", "git diff --stat")
OVERLOADED = "API Error: 529 Overloaded. This is a server-side issue, usually temporary - try again in a moment"

Counts = tuple[int, int, int, int]  # input, output, cache read, cache creation


class Stopped(Exception):
    """SIGINT came: say what was used, and leave."""


class DemoAgent:
    """One run for one prompt."""

    def __init__(self, prompt: str, speed: float) -> None:
        self._prompt = prompt
        self._dice = random.Random(prompt)
        self._session = str(uuid.UUID(int=self._dice.getrandbits(128)))
        self._used: dict[str, Counts] = {}
        self._context = 9_000 + len(prompt) // 4  # tokens that the next call reads from the cache
        self._calls = 0
        self._turns = 0
        self._started = time.monotonic()
        self._is_asked_to_stop = self._is_pausing = False
        self._pace = (10.0 if "(demo: slow)" in prompt else 1.0) / speed

    def run(self, attempt: int) -> int:
        """Play the whole run; return the exit code."""
        self._say({"type": "system", "subtype": "init", "cwd": str(Path.cwd()), **self._about_us()})
        if "(demo: overloaded at first)" in self._prompt and attempt < 2:
            return self._give_up()
        try:
            self._work()
            if "(demo: fails)" in self._prompt:
                return self._fail()
            answer = "Done. All checks pass."
            self._turn([("text", {"text": answer})])
        except Stopped:
            return self._stop()
        self._end(subtype="success", is_error=False, result=answer, terminal_reason="completed")
        return 0

    def _work(self) -> None:
        steps = self._dice.randint(2, 4)
        helped_at = self._dice.randrange(steps) if self._is_helped() else -1
        for step in range(steps):
            if step == helped_at:
                self._ask_sub_agent()
                continue
            text = self._dice.choice(("Let me look at this.", "Now the change itself.", "Let me check that."))
            name, given = self._pick_tool()
            call = self._turn([("text", {"text": text}), ("tool_use", {"name": name, "input": given})])
            self._pause(0.1, 0.4)
            self._tool_result(call, "ok")

    def _is_helped(self) -> bool:
        return "(demo: sub-agent)" in self._prompt or self._dice.random() < 0.2

    def _pick_tool(self) -> tuple[str, dict[str, str]]:
        file = self._dice.choice(FILES)
        return self._dice.choice(
            (
                ("Read", {"file_path": file}),
                ("Edit", {"file_path": file, "old_string": "pass", "new_string": "return True"}),
                ("Bash", {"command": self._dice.choice(COMMANDS), "description": "Run a command"}),
                ("Grep", {"pattern": "TODO", "path": "src"}),
            )
        )

    def _turn(self, blocks: list[tuple[str, dict[str, Any]]]) -> str:
        """Stream one answer of the model; return the id of its last tool call."""
        self._turns += 1
        fresh, created, output = self._dice.randint(3, 60), self._dice.randint(400, 2_500), self._dice.randint(40, 900)
        counts = fresh, output, self._context, created
        message = {"id": self._new_id("msg"), "type": "message", "role": "assistant", "model": MODEL}
        stale = usage_of((fresh, min(3, output), self._context, created))  # as Claude does: exact only in message_delta
        call = ""
        self._say({"type": "system", "subtype": "status", "status": "requesting", **self._signed()})
        self._pause(0.1, 0.3)
        self._stream({"type": "message_start", "message": {**message, "content": [], "usage": stale}})
        self._count(MODEL, (fresh, min(3, output), self._context, created))
        for index, (kind, content) in enumerate(blocks):
            block: dict[str, Any] = {"type": kind, **content}
            if kind == "tool_use":
                call = block["id"] = self._new_id("toolu")
            for event in stream_block(index, block):
                self._stream(event)
                self._pause(0.01, 0.03)
            self._answer({**message, "content": [block], "usage": stale}, None)
            self._stream({"type": "content_block_stop", "index": index})
        self._stream({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage_of(counts)})
        self._count(MODEL, (0, output - min(3, output), 0, 0))
        self._stream({"type": "message_stop"})
        self._context += created
        return call

    def _ask_sub_agent(self) -> None:
        """Hand a part of the work to a sub-agent, whose last call is told by the tool's result alone."""
        task = {
            "description": "Find the callers",
            "prompt": "Find every caller of check().",
            "subagent_type": "Explore",
        }
        call = self._turn([("tool_use", {"name": "Agent", "input": task})])
        agent = self._new_id("agent")
        started = {"task_id": agent, "tool_use_id": call, "description": task["description"]}
        self._say({"type": "system", "subtype": "task_started", **started, **self._signed()})
        first = self._dice.randint(50, 90), self._dice.randint(60, 300), 0, self._dice.randint(3_000, 6_000)
        tool = self._new_id("toolu")
        inner = {"type": "tool_use", "id": tool, "name": "Grep", "input": {"pattern": "check("}}
        message = {"id": self._new_id("msg"), "type": "message", "role": "assistant", "model": SMALL_MODEL}
        self._answer({**message, "content": [inner], "usage": usage_of(first)}, call)
        self._count(SMALL_MODEL, first)
        self._pause(0.3, 0.6)
        self._tool_result(tool, "3 files", parent=call)
        last = self._dice.randint(5, 20), self._dice.randint(60, 300), first[3], self._dice.randint(200, 900)
        self._count(SMALL_MODEL, last)
        ended = {"status": "completed", "agentId": agent, "resolvedModel": SMALL_MODEL, "usage": usage_of(last)}
        self._tool_result(call, "It is called in three places.", tool_use_result=ended)

    def _give_up(self) -> int:
        """End as Claude does when the API stays overloaded."""
        try:
            for number in (1, 2):
                told = {"attempt": number, "max_retries": 2, "error_status": 529, "error": "overloaded"}
                self._say({"type": "system", "subtype": "api_retry", **told, **self._signed()})
                self._pause(0.2, 0.4)
        except Stopped:
            return self._stop()
        words = {
            "id": self._new_id("msg"),
            "role": "assistant",
            "model": "<synthetic>",
            "usage": usage_of((0, 0, 0, 0)),
        }
        self._answer({**words, "content": [{"type": "text", "text": OVERLOADED}]}, None)
        done = {"subtype": "success", "is_error": True, "api_error_status": 529}  # "success" is what Claude says there
        self._end(**done, result=OVERLOADED, terminal_reason="completed")
        return 1

    def _fail(self) -> int:
        told = "I could not make the checks pass: 2 tests still fail."
        self._end(subtype="error_during_execution", is_error=True, result=told, terminal_reason="completed")
        return 1

    def _stop(self) -> int:
        self._end(subtype="error_during_execution", is_error=True, terminal_reason="aborted_streaming")
        return 1

    def _end(self, **how: Any) -> None:
        models = {model: self._bill(model) for model in self._used}
        total = sum(bill["costUSD"] for bill in models.values())
        passed = round((time.monotonic() - self._started) * 1000)
        totals = {"duration_ms": passed, "num_turns": self._turns, "total_cost_usd": total, "modelUsage": models}
        main = usage_of(self._used.get(MODEL, (0, 0, 0, 0)))
        self._say({"type": "result", **how, **totals, "usage": main, **self._signed()})

    def _bill(self, model: str) -> dict[str, Any]:
        counts = self._used[model]
        cost = sum(count * price for count, price in zip(counts, PRICES[model], strict=True)) / 1_000_000
        names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
        return {**dict(zip(names, counts, strict=True)), "costUSD": round(cost, 6)}

    def _count(self, model: str, more: Counts) -> None:
        fresh, output, read, created = self._used.get(model, (0, 0, 0, 0))
        self._used[model] = fresh + more[0], output + more[1], read + more[2], created + more[3]

    def _answer(self, message: Mapping[str, Any], parent: str | None) -> None:
        self._say({"type": "assistant", "message": message, "parent_tool_use_id": parent, **self._signed()})

    def _stream(self, event: Mapping[str, Any]) -> None:
        self._say({"type": "stream_event", "event": event, "parent_tool_use_id": None, **self._signed()})

    def _tool_result(self, call: str, text: str, parent: str | None = None, **more: Any) -> None:
        content = [{"type": "tool_result", "tool_use_id": call, "content": text}]
        said = {"message": {"role": "user", "content": content}, "parent_tool_use_id": parent}
        self._say({"type": "user", **said, **more, **self._signed()})

    def _about_us(self) -> dict[str, Any]:
        about = {"model": MODEL, "permissionMode": "default", "claude_code_version": "demo"}
        return {**about, "tools": ["Agent", "Bash", "Edit", "Grep", "Read"], **self._signed()}

    def _signed(self) -> dict[str, str]:
        return {"session_id": self._session}

    def _new_id(self, kind: str) -> str:
        self._calls += 1
        return f"{kind}_demo_{self._dice.getrandbits(48):012x}_{self._calls}"

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Take SIGINT: leave at the next pause, so that no line is cut and every token told is in the total."""
        self._is_asked_to_stop = True
        if self._is_pausing:
            self._is_pausing = False
            raise Stopped

    def _pause(self, least: float, most: float) -> None:
        self._is_pausing = True
        if self._is_asked_to_stop:
            raise Stopped
        time.sleep(self._dice.uniform(least, most) * self._pace)
        self._is_pausing = False

    def _say(self, line: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
        sys.stdout.flush()


def usage_of(counts: Counts) -> dict[str, int]:
    """Write four counts as a message's ``usage`` has them."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return dict(zip(names, counts, strict=True))


def stream_block(index: int, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the events in which a content block is streamed, but for its end."""
    if block["type"] == "text":
        empty: dict[str, Any] = {"type": "text", "text": ""}
        whole, kind, key = block["text"], "text_delta", "text"
    else:
        empty = {**block, "input": {}}
        whole, kind, key = json.dumps(block["input"]), "input_json_delta", "partial_json"
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for start in range(0, len(whole), 12):
        delta = {"type": kind, key: whole[start : start + 12]}
        yield {"type": "content_block_delta", "index": index, "delta": delta}


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; of Claude's own options it takes those that nova gives."""
    parser = argparse.ArgumentParser(prog="nova demo-agent", description=__doc__, allow_abbrev=False)
    parser.add_argument("--attempt", type=int, default=1, metavar="N", help="number of this attempt")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="speed-up factor")
    for flag in ("-p", "--print", "--verbose", "--include-partial-messages"):
        parser.add_argument(flag, action="store_true", help="accepted as claude does; always on")
    parser.add_argument("--output-format", choices=["stream-json"], default="stream-json", help="as for claude")
    parser.add_argument("--model", help="accepted as claude does; ignored")
    parser.add_argument("--resume", metavar="ID", help="accepted as claude does; ignored")
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", help="what to do; read from standard input if left out")
    read = parser.parse_args(arguments)
    if not read.speed > 0:
        parser.error("--speed must be above 0")
    return read


def main(arguments: list[str]) -> int:
    """Run the demo agent; return its exit code."""
    read = read_arguments(arguments)
    prompt = read.prompt if read.prompt is not None else sys.stdin.read()
    agent = DemoAgent(prompt, read.speed)
    signal.signal(signal.SIGINT, agent.stop)
    try:
        return agent.run(read.attempt)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at exit must not fail
        return 1


if __name__ == "__main__":  # as the shipped demo calls it: `nova` need not be on PATH
    sys.exit(main(sys.argv[1:]))
