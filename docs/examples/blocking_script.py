"""Supervise one agent from an ordinary script: start, watch, wait, read the results.

This is the quick start of the blocking face, ``Worker``; the polling loop is the usual one of ``subprocess`` scripts.
The agent is a recording, so it runs anywhere:

    uv run python docs/examples/blocking_script.py
"""

import sys
import time
from pathlib import Path

from nova_async import Worker, WorkerStatus

AGENT = [sys.executable, str(Path(__file__).with_name("recorded_agent.py"))]


def main() -> int:
    """Run one worker to its end and say what came of it."""
    worker = Worker("F1", "Implement the core types", agent="claude")
    worker.start(AGENT)

    while worker.is_alive():
        print(f"pid {worker.pid}: {worker.report.activity or '…'}, {worker.report.usage.total:,} tokens so far")
        time.sleep(1)

    exit_code = worker.wait()

    if worker.status is not WorkerStatus.COMPLETED:
        print(f"failed with exit code {exit_code}: {worker.error}")
        return 1
    tokens = worker.get_token_usage()
    print(f"completed: {tokens['input_tokens']:,} input and {tokens['output_tokens']:,} output tokens")
    print(f"the agent's answer: {worker.report.result}")
    print(f"{worker.log_path} holds {worker.log_path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
