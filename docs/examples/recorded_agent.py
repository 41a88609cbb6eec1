"""Stand in for a coding agent: print a recorded run of Claude Code again, line by line, with small pauses.

The recording beside this file is what Claude Code 2.1.197 really printed (``--output-format stream-json --verbose
--include-partial-messages``) while it delegated a task to a sub-agent; the model behind it was a scripted server, so
every token count in it is known. No key, no network and no agent is needed:

    uv run nova exec --agent claude -- python docs/examples/recorded_agent.py

It takes about 5 seconds; RECORDED_AGENT_SECONDS in its environment changes that.
"""

import os
import sys
import time
from pathlib import Path

RECORDING = Path(__file__).with_name("claude_with_a_sub_agent.jsonl")

# What a line is a sign of, and how long that takes compared with one piece of streamed text.
PAUSES = {
    b'"subtype":"init"': 8,
    b'"status":"requesting"': 6,
    b'"type":"message_start"': 6,
    b'"subtype":"task_progress"': 6,
    b'"type":"tool_result"': 12,
}


def pause_before(line: bytes) -> int:
    """Return the weight of the pause before a line."""
    return next((weight for sign, weight in PAUSES.items() if sign in line), 1)


def main() -> int:
    """Replay the recording and return the agent's exit code."""
    seconds = float(os.environ.get("RECORDED_AGENT_SECONDS", "5"))
    lines = RECORDING.read_bytes().splitlines(keepends=True)
    unit = seconds / sum(map(pause_before, lines))
    for line in lines:
        time.sleep(unit * pause_before(line))
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # agents are asked to stop by SIGINT first
        sys.exit(130)
