"""Kills ``nova run`` in the middle of its agent's second answer, and runs it again; beside a scripted model server.

Arguments: the program ``nova``, the agent, and ``guard`` where the run's guard is to die with it. Prints how
often the server was asked by then, and in the end.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SERVICES = {
    "claude": "ANTHROPIC_BASE_URL", "gemini": "GOOGLE_GEMINI_BASE_URL", "opencode": "NOVA_FAKE_OPENCODE_BASE",
    "qwen": "OPENAI_BASE_URL",
}  # fmt: skip
MODELS = {"gemini": "gemini-2.5-pro"}  # without one, a call more is made to choose one

nova, agent, *dying = sys.argv[1:]


def asked() -> int:
    """Return how many calls of the agent itself the server has seen; some ask by the side for a name or a memory."""
    with urllib.request.urlopen(os.environ["NOVA_FAKE_URL"] + "/served") as answer:
        runs = json.load(answer)["runs"].values()
    return sum(call["kind"] == "main" for run in runs for call in run["calls"])


def guard_of(pid: int) -> int:
    """Return the process that would end the agents of a killed run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (guard,) = (child for child in children if b"guard_program.py" in Path(f"/proc/{child}/cmdline").read_bytes())
    return int(guard)


def answer_at_once() -> None:
    """Have the server answer from now on without a delay."""
    if agent in SERVICES:
        os.environ[SERVICES[agent]] = os.environ[SERVICES[agent]].replace("toolslow", "two")
    else:
        config = Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex") / "config.toml"
        config.write_text(re.sub("toolslow", "two", config.read_text()))


os.environ["IS_SANDBOX"] = "1"
front = f'agent = "{agent}"\npermissions = "full"\n' + (f'model = "{MODELS[agent]}"\n' if agent in MODELS else "")
Path("CASCADE.md").write_text(f"+++\n{front}+++\n- [ ] F1 Do the thing.\n")
run = subprocess.Popen([nova, "run", "--plain"], stdin=subprocess.DEVNULL)
until = time.monotonic() + 60
while asked() < 2 and time.monotonic() < until:
    time.sleep(0.05)
time.sleep(1)  # some of the answer is to arrive: a session may be written down late
guards = [guard_of(run.pid)] if dying else []
run.kill()
for guard in guards:
    os.kill(guard, signal.SIGKILL)
run.wait()
print("asked:", asked(), flush=True)
answer_at_once()
again = subprocess.run([nova, "run", "--plain"], stdin=subprocess.DEVNULL)
print("asked:", asked(), flush=True)
sys.exit(again.returncode)
