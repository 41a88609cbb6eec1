"""Speaks Claude's stream-json and spends 1,000 tokens of output per call, for ever: it tells no cost before its end."""

import itertools
import json
import signal
import sys


def say(event: dict[str, object]) -> None:
    """Print an event."""
    print(json.dumps(event), flush=True)


model = sys.argv[1] if len(sys.argv) > 1 else "model-of-spending"
say({"type": "system", "subtype": "init", "session_id": "s1", "model": model})
for number in itertools.count() if len(sys.argv) < 3 else range(int(sys.argv[2])):
    usage = {"input_tokens": 1000, "output_tokens": 1000}
    message = {
        "id": f"m{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "usage": usage,
    }
    say({"type": "assistant", "session_id": "s1", "message": message})
    if len(sys.argv) < 3:
        signal.sigtimedwait((), 0.01)
print("ready", flush=True)
signal.pause()
