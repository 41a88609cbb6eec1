"""Prints what Claude Code prints while its key is refused, again and again, and would go on for ever."""

import json
import time

print(json.dumps({"type": "system", "subtype": "init", "session_id": "s"}), flush=True)
for attempt in range(1, 1_000_000):
    refusal = {"subtype": "api_retry", "attempt": attempt, "max_retries": 10, "error_status": 401}
    print(json.dumps({"type": "system", **refusal, "error": "authentication_failed", "session_id": "s"}), flush=True)
    time.sleep(0.05)
