"""What a person sees whose agent is missing or not logged in: what is wrong, what to do, and how it goes on after."""

import json
import os
import sys
from pathlib import Path

from tests.cli.command import PROGRAMS, nova

RECORDED = Path(__file__).parents[1] / "data/claude"
PLAN = "| ID | What | Deps |\n|---|---|---|\n" + "".join(f"| T{number} | x | - |\n" for number in range(1, 8))


def with_agent(folder: Path) -> dict[str, str]:
    """Install a `claude` whose key is refused until the folder holds `mended`; return the environment to run in."""
    (folder / "CASCADE.md").write_text(f"{PLAN}| T8 | x | T1 |\n")
    agent = folder / "bin/claude"
    agent.parent.mkdir()
    words = [sys.executable, PROGRAMS / "account.py", folder, RECORDED / "err401default.sj.stdout"]
    agent.write_text(f"#!/bin/sh\nexec {' '.join(map(str, words))} {RECORDED / 'tools.sj.stdout'}\n")
    agent.chmod(0o755)
    return {**os.environ, "PATH": f"{agent.parent}:{os.environ['PATH']}"}


def test_a_bad_key_and_its_cure(tmp_path: Path) -> None:
    """One agent starts, eight tasks wait, and after the cure the next run completes them without another word."""
    environment = with_agent(tmp_path)
    done = nova("run", "--plain", "-j", "1", cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert (tmp_path / "starts").read_text().split() == ["T1"]
    said = done.stdout.partition("(attempt 1: ")[2].partition("); it waits")[0]
    assert "authenti" in said, "in the agent's own words or in ours"
    cure = "Run `claude` and type /login, or set ANTHROPIC_API_KEY, then run `nova run` again"
    lines = [line.partition(" ")[2] if line[2:3] == ":" else line for line in done.stdout.splitlines()]
    assert lines[1:4] == [
        "T1 started (attempt 1) claude",
        f"T1 could not run (attempt 1: {said}); it waits",
        f"warning: claude is not logged in, or its key was rejected; its remaining tasks wait. {cure}",
    ]
    assert lines[-3:] == [
        "claude is not logged in, or its key was rejected. 8 tasks wait: T1, T2, T3, T4, T5, T6, T7, T8",
        f"  {said}",
        f"  {cure}",
    ]
    assert "retry" not in done.stdout
    status = nova("status", cwd=tmp_path)
    assert status.returncode == 0
    assert "CASCADE.md: stopped" in status.stdout
    (tmp_path / "mended").touch()
    done = nova("run", "--json", cwd=tmp_path, env=environment)
    assert done.returncode == 0
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["ok"], summary["holds"]) == (True, [])


def test_an_agent_that_is_not_installed(tmp_path: Path) -> None:
    """It is said in one line with its cure, and the folder is as it was."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    done = nova("run", cwd=tmp_path, env={**os.environ, "PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nova: not started: T1, T2, T3 and 4 more: `claude` is not on PATH."
        " Install it with `npm install -g @anthropic-ai/claude-code`\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["CASCADE.md"]
