"""How a real agent CLI is run without a network: against a scripted model server that knows what it has served."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nova_async.agents import AGENTS

__all__ = ["MODELS", "OFFLINE", "agents_folder", "command_of", "run_offline", "what_is_missing"]

OFFLINE = Path(__file__).resolve().parents[2] / "../shared/agents/live/offline"

# Root may not let Claude do everything, so it is allowed what the scenarios need; the others have to run commands.
EXTRA = {"claude": ["--allowedTools", "Bash", "Read", "Write", "Agent", "Task"]}
PERMISSIONS = {"claude": "edit"}
MODELS = {"claude": "claude-sonnet-4-6", "gemini": "gemini-2.5-pro"}


def agents_folder() -> Path:
    """Return where the CLIs are installed: ``$NOVA_AGENTS_DIR``, or a folder in the home folder."""
    return Path(os.environ.get("NOVA_AGENTS_DIR", Path.home() / ".cache/nova-agents"))


def what_is_missing(agents: Path) -> str | None:
    """Say why no agent can be run here; None if one can."""
    if not OFFLINE.is_file():
        return "the offline runner of the agents is not present"
    if not (agents / "bin").is_dir():
        return "the agents' CLIs are not installed"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces need Linux and root"
    return None if shutil.which("unshare") and shutil.which("node") else "needs unshare and node"


def command_of(agent: str, prompt: str = "Do the thing.") -> list[str]:
    """Return the call of an agent that may do what the scenarios need."""
    permissions = PERMISSIONS.get(agent, "full")
    return AGENTS[agent].command(prompt, MODELS.get(agent), None, permissions, EXTRA.get(agent, ()))


def run_offline(
    agents: Path,
    agent: str,
    scenario: str,
    folder: Path,
    command: Sequence[str | Path],
    *options: str,
    merged: bool = False,
    seconds: float = 120.0,
) -> tuple[subprocess.CompletedProcess[bytes], Any]:
    """Run a command in a folder, with a real agent on PATH; return it, and what was served.

    ``options`` are the runner's, ``merged`` puts standard error into standard output. Raises ``RuntimeError`` where
    nothing could be run at all.
    """  # fmt: skip
    served = folder / "served.json"
    done = subprocess.run(
        [
            *(str(OFFLINE), "--agents", str(agents), "--agent", agent, "--scenario", scenario),
            *("--served", str(served), *options, "--", *map(str, command)),
        ],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        timeout=seconds,
    )
    if not served.is_file():
        raise RuntimeError(os.fsdecode(done.stderr or done.stdout)[-500:])
    return done, json.loads(served.read_text())
