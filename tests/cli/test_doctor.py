"""``nova doctor``: what it finds, what it makes of it, and that it leaves nothing behind."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from nova_async.agents import AGENTS
from nova_async.cli import agent_checks
from nova_async.cli.agent_checks import check_agents, compare_versions, login_sign
from nova_async.cli.checks import Verdict
from tests.children import is_alive
from tests.cli.command import nova

PROGRAMS = [agent for agent in AGENTS.values() if agent.program]


def install(folder: Path, name: str, script: str) -> Path:
    """Put a program of an agent's name into a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def doctor(folder: Path, *arguments: str, path: Path | None = None, **variables: str) -> tuple[int, dict[str, Any]]:
    """Run nova doctor with only these programs on PATH and no login; return its code and each check by its name."""
    own = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {**own, "HOME": str(home), "PATH": str(path or folder / "empty"), **variables}
    done = nova("doctor", "--json", *arguments, cwd=folder, env=environment)
    found = json.loads(done.stdout)
    assert found["ok"] is (done.returncode == 0)
    return done.returncode, {check["name"]: check for check in found["checks"]}


def test_a_fresh_machine(tmp_path: Path) -> None:
    """Without any agent a run will fail: each is named with the command that installs it."""
    code, checks = doctor(tmp_path)
    assert code == 1
    for agent in PROGRAMS:
        assert (checks[agent.name]["verdict"], checks[agent.name]["text"]) == ("note", "not installed")
        assert checks[agent.name]["cure"] == f"`{agent.install}`"
    assert checks["any"]["text"] == "no agent is installed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_an_agent_that_is_here(tmp_path: Path) -> None:
    """Its path, its version beside those that were tested, and what shows a login."""
    path = install(tmp_path / "bin", "codex", "echo codex-cli 0.169.0")
    code, checks = doctor(tmp_path, path=path.parent)
    assert code == 0
    assert checks["codex"]["verdict"] == "note"
    assert checks["codex"]["text"] == f"0.169.0 (tested), {path}; no sign of a login"
    assert checks["codex"]["cure"] == "to log in: run `codex login`, or set CODEX_API_KEY"
    code, checks = doctor(tmp_path, path=path.parent, CODEX_API_KEY="k")
    assert (code, checks["codex"]["verdict"]) == (0, "ok")
    assert checks["codex"]["facts"] == {"path": str(path), "version": "0.169.0", "login": "CODEX_API_KEY"}


def test_what_a_person_sees(tmp_path: Path) -> None:
    """One line for each check, by part, and a sentence at the end."""
    install(tmp_path / "bin", "codex", "echo boom >&2; exit 3")
    done = nova("doctor", cwd=tmp_path, env={**os.environ, "PATH": str(tmp_path / "bin")})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (line,) = [line for line in lines if " codex " in line]
    assert "problem" in line
    assert "--version` failed: exit code 3 (boom)" in line
    assert [line.split()[0] for line in lines if line[:1].strip()] == ["agents", "folder", "machine", "1"]
    assert lines[-1] == "1 problem"


PLAN = """| ID | What | Agent | Verify |
|---|---|---|---|
| F1 | Write it. | codex | no-such-check |
| F2 | Write more. | claude | - |
"""


def test_a_plan(tmp_path: Path) -> None:
    """Only its own agents are asked, and each problem of its next run is told with its tasks."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    path = install(tmp_path / "bin", "codex", "echo 9.9.9")
    code, checks = doctor(tmp_path, "CASCADE.md", path=path.parent, CODEX_API_KEY="k")
    assert code == 1
    assert {agent.name for agent in PROGRAMS} & set(checks) == {"codex", "claude"}
    assert checks["codex"]["text"].startswith("9.9.9 (newer than tested: 0.169.0), ")
    done = nova("doctor", "CASCADE.md", cwd=tmp_path, env={**os.environ, "PATH": str(tmp_path / "bin")})
    assert "F1: verify: `no-such-check` is not on PATH" in done.stdout
    assert "F2: `claude` is not on PATH. Install it with" in done.stdout
    assert not (tmp_path / ".nova").exists()


def test_a_plan_that_has_run(tmp_path: Path) -> None:
    """What is completed needs nothing any more."""
    (tmp_path / "CASCADE.md").write_text("- [ ] F1 Write it\n")
    assert nova("run", "--command", "true", cwd=tmp_path).returncode == 0
    code, checks = doctor(tmp_path, "CASCADE.md")
    assert (code, checks["run"]["text"]) == (0, "the next run has everything it needs")
    assert checks["journal"]["text"] == "1 run in .nova/journal.db"


def test_a_plan_that_the_original_has_run(tmp_path: Path) -> None:
    """What the original has completed is not asked for again, as in the run itself."""
    (tmp_path / "P.md").write_text("- [ ] F1 done\n")
    code, checks = doctor(tmp_path, "P.md")
    assert (code, checks["run"]["verdict"]) == (1, "problem")
    original = {"project": {"name": "X"}, "tasks": {"F1": {"status": "completed"}}}
    (tmp_path / "cascade_state.json").write_text(json.dumps(original))
    code, checks = doctor(tmp_path, "P.md")
    assert (code, checks["run"]["verdict"]) == (0, "ok")


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    """A damaged journal is a problem before the run that would stop at it, with what to do."""
    install(tmp_path / "bin", "codex", "echo 0.169.0")
    (tmp_path / ".nova").mkdir()
    (tmp_path / ".nova/journal.db").write_text("no journal at all, but long enough to look like a file of that kind")
    code, checks = doctor(tmp_path, path=tmp_path / "bin")
    assert (code, checks["journal"]["verdict"]) == (1, "problem")
    assert "start over" in checks["journal"]["text"]


def test_bad_input(tmp_path: Path) -> None:
    """A plan that is not there is bad input."""
    assert nova("doctor", "nowhere.md", cwd=tmp_path).returncode == 2


async def test_a_version_that_never_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for so long and no longer, and nobody of that program is left."""
    monkeypatch.setattr(agent_checks, "VERSION_SECONDS", 0.3)
    pids = tmp_path / "pids"
    install(tmp_path / "bin", "claude", f"sleep 60 & echo $! $$ > {pids}; wait")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    began = time.monotonic()
    (check,) = await check_agents(["claude"])
    assert time.monotonic() - began < 9
    assert check.verdict is Verdict.PROBLEM
    assert "--version` failed: " in check.text
    assert "0.3 s" in check.text
    assert not [pid for pid in pids.read_text().split() if is_alive(int(pid))]


async def test_agents_are_asked_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits until all have been started."""
    names = [agent.name for agent in PROGRAMS]
    for name in names:
        wait = f"touch {tmp_path}/{name}; until ls {' '.join(f'{tmp_path}/{other}' for other in names)}; do :; done"
        install(tmp_path / "bin", name, f"{{ {wait}; }} > /dev/null 2>&1; echo 1.2.3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    checks = await check_agents(names)
    assert [check.facts["version"] for check in checks] == ["1.2.3"] * len(names)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("2.1.197", "tested"),
        ("2.1.332", "tested"),
        ("2.1.200", "tested: 2.1.197, 2.1.332"),
        ("2.2", "newer than tested: 2.1.332"),
        ("2.1.1000", "newer than tested: 2.1.332"),
        ("2.1.9", "older than tested: 2.1.197"),
        ("1" * 5000 + ".1", "newer than tested: 2.1.332"),
        (None, ""),
    ],
)
def test_versions_are_compared_as_numbers(version: str | None, says: str) -> None:
    """A newer one is no error, only told."""
    assert compare_versions(version, ("2.1.197", "2.1.332")) == says
    assert compare_versions(version, ()) == ""


@pytest.mark.parametrize("agent", PROGRAMS, ids=lambda agent: agent.name)
def test_signs_of_a_login(tmp_path: Path, agent: Any) -> None:
    """Each variable and each file is one, in the folder that the agent itself would look in; an empty one is none."""
    signs, files = agent.login_signs, agent.session_files
    assert login_sign(agent, {}, tmp_path) is None
    for variable in signs.variables:
        assert login_sign(agent, {variable: "x"}, tmp_path) == variable
        assert login_sign(agent, {variable: ""}, tmp_path) is None
    for name in signs.files:
        path = tmp_path / files.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert login_sign(agent, {}, tmp_path) == str(path)
        if files.variable:
            assert login_sign(agent, {files.variable: str(tmp_path / "other")}, tmp_path) is None
        path.unlink()


def test_every_agent_of_ours_says_what_was_tested() -> None:
    """With where to get it and how to log in, for the hints."""
    for agent in PROGRAMS:
        assert agent.tested_versions
        assert agent.install
        assert agent.login
        assert agent.login_signs.variables
