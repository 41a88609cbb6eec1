"""The wall clock is set while a run is under way (NTP, a virtual machine that wakes): no time, limit or pause minds."""

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.command import NOVA

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
PLAN = """+++
timeout = "20s"
retries = 1
retry_on = ["exit"]
backoff = "0.2s..1s"
+++
- [ ] T1 sets the clock back by an hour, and fails once
- [ ] T2 sets it on by a day (depends on T1)
"""
AGENT = """#!/bin/sh
case $NOVA_TASK_ID in
T1) echo -1h > clock; test -e tried || { touch tried; exit 1; } ;;
T2) echo +24h > clock ;;
esac
"""


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed (apt-get install faketime)")
def test_durations_limits_and_pauses_do_not_mind(tmp_path: Path) -> None:
    """Timestamps show the jumps; nothing times out, no retry waits for an hour, and every task lasts what it lasted."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    (tmp_path / "clock").write_text("+0\n")
    agent = tmp_path / "agent.sh"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    environment = {
        **os.environ,
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # the kernel does not set that one, either
    }
    command = [*NOVA, "run", "--plain", "--command", "./agent.sh {prompt}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    state = json.loads((tmp_path / "cascade_state.json").read_text())
    attempts = [attempt for task in state["tasks"].values() for attempt in task["nova"]["attempts"]]
    assert [attempt["outcome"] for attempt in attempts] == ["exit", "ok", "ok"]
    assert all(0.0 < attempt["duration_seconds"] < 20.0 for attempt in attempts)
    begin, end = (datetime.fromisoformat(state["project"][key]) for key in ("started_at", "completed_at"))
    assert (end - begin).total_seconds() > 20 * 3600  # else the clock was not set at all
