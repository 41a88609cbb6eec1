"""A secret that a run was told of, or that only its environment knows, is in nothing that the run writes."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import nova

KEY = 'live/9f8e7d6c"5b4a'
UNSEEN = "only-in-the-environment-4711"

PLAN = f"""+++
command = ["sh", "-c", 'printf "%s\\\\n" "$API_KEY" "plan-tok-abcdefgh"; echo "$API_KEY" >&2; exit $0', "{{attempt}}"]
redact = ["API_KEY"]
retries = 1
retry_on = ["exit"]
backoff = "0s..0s"
env = {{ UNSEEN_TOO = "{UNSEEN}" }}

[[milestone]]
id = "m"
message = 'failed with {KEY}'
on = "first_failure"
+++
# Project {KEY}

## Branch {KEY}

| ID | Name | What |
|---|---|---|
| A1 | Name {KEY} | Prompt |

### B1: Checked {KEY}

- command_is_ok: yes
- verify: sh -c 'echo "$API_KEY"; exit 1' {KEY.replace('"', chr(92) + '"')}

Do it.
"""


def all_written(folder: Path) -> str:
    """Return everything that lies in a folder, the rows of databases and their write-ahead logs included."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name not in ("CASCADE.md", "nova.toml")]
    found = [f"{file.name}\n{file.read_bytes().decode(errors='replace')}" for file in files]
    with sqlite3.connect(folder / ".nova" / "journal.db") as journal:
        found += list(journal.iterdump())
    journal.close()
    return "\n".join(found)


def said(*done: "subprocess.CompletedProcess[str]") -> str:
    """Return all that commands have said."""
    return "\n".join(each.stdout + each.stderr for each in done)


@pytest.fixture
def environment() -> dict[str, str]:
    """Return an environment with a secret that is told, and one that nobody prints."""
    return {**os.environ, "API_KEY": KEY, "UNSEEN": UNSEEN}


def test_a_run_tells_no_secret(tmp_path: Path, environment: dict[str, str]) -> None:
    """Printed by the agent, in an argument, in names of the plan, in a check: a mark stands in its place."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    words = ["--json", "--joblog", "jobs", "--junit", "tests.xml", "--redact", "/plan-tok-[a-z]{8,}/"]
    environment["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    done = nova("run", *words, cwd=tmp_path, env=environment)
    assert done.returncode == 1, done.stderr
    again = ["run", "--retry-failed", "--plain", *words[-2:]]
    shown = [nova(*view, cwd=tmp_path, env=environment) for view in (
        ["status"], ["status", "--json"], ["show", "A1"], ["show", "A1", "--json"], ["show", "B1"],
        ["logs", "A1", "--raw"], ["result", "A1"], ["runs"], ["report"], ["report", "--markdown"], ["report", "--ctrf"],
        again,
    )]  # fmt: skip
    everything = said(done, *shown) + all_written(tmp_path)
    for spelled in (KEY, KEY[:12], json.dumps(KEY)[1:-1], "plan-tok", UNSEEN):
        assert spelled not in everything, spelled
    assert "[redacted]" in (tmp_path / "logs" / "A1.log").read_text()
    assert "Name [redacted]" in (tmp_path / "cascade_state.json").read_text()


def test_the_environment_is_written_nowhere(tmp_path: Path, environment: dict[str, str]) -> None:
    """Without a word about secrets: what no program prints is in no file, and no error shows a variable."""
    plan = (
        f'+++\nenv = {{ UNSEEN_TOO = "{UNSEEN}" }}\ncommand = ["./breaks.sh", "{{prompt}}"]\n+++\n'
        "| ID | What |\n|---|---|\n| A1 | x |\n"
    )
    (tmp_path / "CASCADE.md").write_text(plan)
    script = tmp_path / "breaks.sh"
    script.write_text("#!/bin/sh\necho '#!/no/such/interpreter' > breaks.sh; chmod +x breaks.sh; exit 3\n")
    script.chmod(0o755)
    done = nova("run", "--json", "--joblog", "jobs", cwd=tmp_path, env=environment)
    assert done.returncode == 1
    more = [nova(*view, cwd=tmp_path, env=environment) for view in (["status"], ["show", "A1"], ["logs", "A1"])]
    direct = nova("exec", "--json", "--", "./breaks.sh", cwd=tmp_path, env=environment)
    assert UNSEEN not in said(done, *more, direct) + all_written(tmp_path)


def test_exec(tmp_path: Path, environment: dict[str, str]) -> None:
    """One command: its output, its summary and its log."""
    words = ["exec", "--json", "--task", "x", "--redact", "API_*", "--"]
    done = nova(*words, "sh", "-c", 'echo "<$API_KEY>"; echo "$0" >&2', KEY, cwd=tmp_path, env=environment)
    assert done.stdout == "<[redacted]>\n[redacted]\n"
    assert KEY not in done.stderr
    assert KEY not in (tmp_path / "logs" / "x.log").read_text()
    assert nova("exec", "--redact", "a b", "--", "true", cwd=tmp_path).returncode == 2


def test_a_plan_adds_to_the_settings_of_a_folder(tmp_path: Path, environment: dict[str, str]) -> None:
    """A plan cannot make public what the person who runs it keeps secret."""
    (tmp_path / "nova.toml").write_text('redact = ["API_KEY"]\n')
    (tmp_path / "CASCADE.md").write_text(
        '+++\nredact = []\ncommand = ["sh", "-c", "echo $API_KEY"]\n+++\n| ID | What |\n|---|---|\n| A1 | x |\n'
    )
    assert nova("run", cwd=tmp_path, env=environment).returncode == 0
    assert (tmp_path / "logs" / "A1.log").read_text() == "[redacted]\n"


@pytest.mark.parametrize("command", [["run", "--command", "echo {prompt}"], ["exec"]], ids=["run", "exec"])
def test_a_name_that_redacts_nothing(command: list[str], tmp_path: Path) -> None:
    """A misspelled name, or a value that is too short, is told of: the key would be in the log without a word."""
    (tmp_path / "CASCADE.md").write_text("- [ ] T1 hi\n")
    rules = ["NO_SUCH_KEY", "NO_SUCH_*", "SHORT_KEY", "LONG_KEY", "/sk-[a-z]{20,}/"]
    words = [*command, *(word for rule in rules for word in ("--redact", rule))]
    env = {**os.environ, "SHORT_KEY": "1234567", "LONG_KEY": "12345678"}
    done = nova(*words, *(["echo", "hi"] if command == ["exec"] else []), cwd=tmp_path, env=env)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "warning" in line] == [
        "nova: warning: --redact NO_SUCH_KEY: no such variable is set, so nothing is redacted",
        "nova: warning: --redact NO_SUCH_*: no such variable is set, so nothing is redacted",
        "nova: warning: --redact SHORT_KEY: its value has fewer than 8 bytes, so it is not redacted",
    ]
