"""The real agent CLIs under nova, without a network: what is counted is what a scripted model server has served.

Needs Linux, root, and the offline runner with its pinned CLIs beside the project; elsewhere these tests are skipped.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nova_async.agents import AGENTS

OFFLINE = Path(__file__).resolve().parents[2] / "../shared/agents/live/offline"
INSTALLED = Path(os.environ.get("NOVA_AGENTS_DIR", Path.home() / ".cache/nova-agents")) / "bin"
NOVA = Path(sys.executable).with_name("nova")

PERMISSIONS = {"claude": ["--allowedTools", "Bash", "Read", "Write", "Agent", "Task"]}
MODELS = {"claude": "claude-sonnet-4-6", "gemini": "gemini-2.5-pro"}

pytestmark = [
    pytest.mark.skipif(not OFFLINE.is_file(), reason="the offline runner of the agents is not present"),
    pytest.mark.skipif(not INSTALLED.is_dir(), reason="the agents' CLIs are not installed"),
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="namespaces need Linux and root"),
    pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("node")), reason="needs unshare and node"),
    pytest.mark.skipif(not NOVA.exists(), reason="nova is not installed beside this Python"),
]


def offline(agent: str, scenario: str, folder: Path, *command: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Run a command with a real agent on PATH against the scripted server; return it and what was served."""
    if not (INSTALLED / agent).exists():
        pytest.skip(f"{agent} is not installed")
    served = folder / "served.json"
    done = subprocess.run(
        [str(OFFLINE), "--agent", agent, "--scenario", scenario, "--served", str(served), "--", str(NOVA), *command],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert served.is_file(), done.stderr
    return done, json.loads(served.read_text())


@pytest.mark.parametrize(
    ("agent", "scenario"),
    [
        ("claude", "tools"),
        ("claude", "sub"),
        ("claude", "nohup"),
        *((name, "tools") for name in ("codex", "gemini", "opencode", "qwen")),
    ],
)
def test_what_is_counted_is_what_was_served(agent: str, scenario: str, tmp_path: Path) -> None:
    """A real agent's run, called as nova calls it: completed, counted to the token, and nobody left."""
    command = AGENTS[agent].command("Do the thing.", MODELS.get(agent), extra=PERMISSIONS.get(agent, ()))
    done, served = offline(agent, scenario, tmp_path, "exec", "--json", "--quiet", "--task", "T1", "--", *command)
    facts = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, facts["status"]) == (0, "completed"), facts["error"]
    # opencode never prints its side calls; the other four have none here, or count them.
    assert facts["token_usage"] == served["totals_without_side_calls" if agent == "opencode" else "totals"]
    assert served["left_running"] == []


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_nobody_is_left_of_one_that_is_ended(agent: str, tmp_path: Path) -> None:
    """An agent that is ended in the middle of a long command leaves neither the command nor itself (G35, G36)."""
    command = AGENTS[agent].command("Do the thing.", MODELS.get(agent), extra=PERMISSIONS.get(agent, ()))
    options = ("--json", "--quiet", "--timeout", "9s", "--task", "T1", "--")
    done, served = offline(agent, "sleeptool", tmp_path, "exec", *options, *command)
    facts = json.loads(done.stderr.splitlines()[-1])
    # Codex gives its command ten seconds and then goes on by itself.
    assert facts["end"] in ("timed_out", "exited"), facts
    assert served["left_running"] == []
    if agent == "claude":  # interrupted first, it prints its totals (G37)
        assert facts["usage_is_final"]
        assert facts["token_usage"] == served["totals"]


def test_a_cascade_of_real_agents(tmp_path: Path) -> None:
    """A small plan run by the real Claude Code: completed, with the tokens that were served."""
    rows = "| F1 | Do it. | - |\n| F2 | Do it. | - |\n| F3 | Do it. | F1, F2 |\n"
    (tmp_path / "CASCADE.md").write_text(f"# Live\n\n| ID | What | Deps |\n|---|---|---|\n{rows}")
    done, served = offline("claude", "tools", tmp_path, "run", "--agent", "claude", "--plain", "--max-workers", "2")
    assert done.returncode == 0, done.stdout
    tasks = json.loads((tmp_path / "cascade_state.json").read_text())["tasks"].values()
    counted = {kind: sum(task["token_usage"][kind] for task in tasks) for kind in served["totals"]}
    assert counted == served["totals"]
    assert served["left_running"] == []
