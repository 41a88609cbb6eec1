"""Stands in for Claude Code on an account with a usage limit: `limited_account.py FOLDER SECONDS SERVED`.

The first start reaches the limit, which resets after so many seconds. Each start writes its task into FOLDER/refused or
FOLDER/served; a served one prints SERVED, a recording.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

folder, seconds, recording = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
resets = folder / "resets"
try:
    with resets.open("x") as file:
        file.write(str(math.ceil(time.time() + seconds)))
except FileExistsError:
    while not resets.read_text():  # another is just writing it
        time.sleep(0.01)
resets_at = int(resets.read_text())
is_over = time.time() < resets_at
with (folder / ("refused" if is_over else "served")).open("a") as calls:
    calls.write(f"{os.environ['NOVA_TASK_ID']}\n")
if not is_over:
    sys.stdout.write(recording.read_text())
    sys.exit(0)
told = {"status": "rejected", "resetsAt": resets_at, "rateLimitType": "five_hour", "isUsingOverage": False}
print(json.dumps({"type": "rate_limit_event", "rate_limit_info": told, "uuid": "u1", "session_id": "s1"}))
ended = {"is_error": True, "api_error_status": 429, "num_turns": 1, "result": "You've hit your session limit"}
usage = {"input_tokens": 0, "output_tokens": 0}
print(json.dumps({"type": "result", "subtype": "success", "session_id": "s1", **ended, "usage": usage, "uuid": "u2"}))
sys.exit(1)
