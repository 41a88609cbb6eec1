#!/usr/bin/env python3
"""Speaks as Claude Code does, and keeps its sessions in its working folder.

The file ``turns`` there says what each process does, one word a line: ``ok``, ``hang`` after an answer, or ``break``
the connection after one; beyond its end it is ``ok``. What each was called with is added to ``calls``.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any

prompt, options = sys.argv[2], sys.argv[3:]
resume = options[options.index("--resume") + 1] if "--resume" in options else None
calls, turns = Path("calls"), Path("turns").read_text().split() if Path("turns").exists() else []
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    file.write(json.dumps({"prompt": prompt, "resume": resume}) + "\n")


def tell(kind: str, **more: Any) -> None:
    """Print an event."""
    print(json.dumps({"type": kind, "session_id": session, **more}), flush=True)


session = resume or f"session-{number}"
if resume is not None and not Path(resume).exists():
    error = f"No conversation found with session ID: {resume}"
    print(error, file=sys.stderr)
    result = {"subtype": "error_during_execution", "is_error": True, "num_turns": 0, "modelUsage": {}}
    tell("result", **result, total_cost_usd=0, errors=[error])
    sys.exit(1)
Path(session).touch()
tell("system", subtype="init", model="m")
usage = {"input_tokens": 10, "output_tokens": 1}
answer = {"id": f"message-{number}", "model": "m", "role": "assistant", "content": [{"type": "text", "text": "hm"}]}
tell("assistant", message={**answer, "usage": usage})
turn = turns[number] if number < len(turns) else "ok"
if turn == "hang":
    signal.pause()
used = {"m": {"inputTokens": 10, "outputTokens": 1, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}}
ended = {"num_turns": 1, "modelUsage": used, "total_cost_usd": 0.5, "result": f"done by {session}"}
if turn == "break":
    tell("result", subtype="success", is_error=True, **{**ended, "result": "API Error: 400 it broke"})
    sys.exit(1)
tell("result", subtype="success", is_error=False, **ended)
