"""Stands in for Claude Code on an account that fills up: `gauged_account.py FOLDER SECONDS FROM SERVED`.

The account's window began at the first start and resets SECONDS later; it was FROM full then, and each start uses one
percent, up to 99. Each start writes when it began and its task into FOLDER/starts, tells how full the account is, and
prints SERVED, a recording.
"""

import fcntl
import json
import os
import sys
import time
from pathlib import Path

folder, seconds, used, recording = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])
with (folder / "starts").open("a+") as starts:
    fcntl.flock(starts, fcntl.LOCK_EX)
    starts.seek(0)
    lines = starts.read().splitlines()
    now = time.time()
    first = float(lines[0].split()[0]) if lines else now
    starts.write(f"{now} {os.environ['NOVA_TASK_ID']}\n")
told = {
    "status": "allowed_warning",
    "resetsAt": int(first + seconds),
    "rateLimitType": "five_hour",
    "utilization": min(used + 0.01 * len(lines), 0.99),
    "isUsingOverage": False,
}
print(json.dumps({"type": "rate_limit_event", "rate_limit_info": told, "uuid": "u1", "session_id": "s1"}))
sys.stdout.write(recording.read_text())
