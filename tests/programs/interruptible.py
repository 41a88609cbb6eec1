"""Speaks Claude's stream-json, and prints its totals only when it is interrupted; SIGTERM costs them (G37)."""

import json
import os
import signal


def interrupted(number: int, frame: object) -> None:
    """Print the totals and leave."""
    usage = {"inputTokens": 101, "outputTokens": 1009, "cacheReadInputTokens": 10007, "cacheCreationInputTokens": 8004}
    result = {
        "type": "result",
        "subtype": "error_during_execution",
        "is_error": True,
        "session_id": "s1",
        "num_turns": 1,
    }
    line = json.dumps({**result, "total_cost_usd": 0.5, "modelUsage": {"claude-sonnet-4-6": usage}})
    os.write(1, f"{line}\n".encode())  # the signal may have come upon "ready", within Python's own stream
    os._exit(0)


signal.signal(signal.SIGINT, interrupted)
print(json.dumps({"type": "system", "subtype": "init", "session_id": "s1", "model": "claude-sonnet-4-6"}), flush=True)
print("ready", flush=True)
while True:
    signal.pause()
