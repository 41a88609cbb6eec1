"""Prints a successful final result as Claude does, and stays."""

import json
import signal

usage = {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": 3, "cacheCreationInputTokens": 4}
result = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "session_id": "s1",
    "num_turns": 1,
    "result": "Done.",
}
print(json.dumps({**result, "total_cost_usd": 0.5, "modelUsage": {"claude-sonnet-4-6": usage}}), flush=True)
print("ready", flush=True)
signal.pause()
