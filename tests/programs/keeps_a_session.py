"""Does as Codex does: prints events without numbers, and writes what each answer has used into a file of its session.

Arguments: how many answers; then ``end`` (it succeeds, and tells its total), ``fail``, ``stay`` until it is ended, or
``loop`` (more answers until it is ended). ``--sub`` has a sub-agent of one answer. ``--before`` writes the answers of
an earlier process first.
"""

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

SESSION, THREAD = "01a201fc-0000-7000-8000-000000000001", "01a201fc-0000-7000-8000-000000000002"
FOLDER = Path(os.environ.get("CODEX_HOME") or Path(os.environ["HOME"]) / ".codex") / "sessions/2026/01/02"
ANSWER = {"input_tokens": 110, "cached_input_tokens": 10, "cache_write_input_tokens": 0, "output_tokens": 5}


def tell(kind: str, **facts: object) -> None:
    """Print an event."""
    print(json.dumps({"type": kind, **facts}), flush=True)


def write(thread: str, kind: str, at: str | None = None, **payload: object) -> None:
    """Write one line into a thread's file."""
    moment = at or datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"timestamp": moment, "type": kind, "payload": {"session_id": SESSION, **payload}}
    with (FOLDER / f"rollout-2026-01-02T00-00-00-{thread}.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def answer(thread: str, number: int, at: str | None = None) -> None:
    """Write down one answer."""
    total = {name: tokens * (number + 1) for name, tokens in ANSWER.items()}
    used = {"usage": ANSWER, "thread_token_usage": total}
    write(thread, "token_usage_record", at, thread_id=thread, response_id=f"r{number}", **used)


answers, then, *options = sys.argv[1:]
FOLDER.mkdir(parents=True, exist_ok=True)
write(SESSION, "session_meta", id=SESSION)
write(SESSION, "turn_context", model="gpt-x")
earlier = 2 if "--before" in options else 0
for number in range(earlier):
    answer(SESSION, number, "2026-01-02T00:00:00.000Z")
tell("thread.started", thread_id=SESSION)
tell("turn.started")
if "--sub" in options:
    write(THREAD, "session_meta", id=THREAD)
    answer(THREAD, 0)
    tell("item.started", item={"type": "collab_tool_call", "prompt": "Look."})
done = earlier
while then == "loop" or done < earlier + int(answers):
    answer(SESSION, done)
    done += 1
    tell("item.started", item={"type": "command_execution", "command": f"step {done}"})
    tell("item.completed", item={"type": "command_execution", "command": f"step {done}", "status": "completed"})
    if then == "loop":
        signal.sigtimedwait([], 0.02)
if then == "end":
    tell("turn.completed", usage={name: tokens * done for name, tokens in ANSWER.items()})
elif then == "fail":
    tell("turn.failed", error={"message": "it broke"})
    sys.exit(1)
else:
    print("ready", flush=True)
    signal.pause()
