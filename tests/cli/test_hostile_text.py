"""Text of plans, agents and file names reaches a terminal without anything that it would obey, in every command."""

import json
import os
import re
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.command import HAS_SETSID, in_a_terminal, nova, read_raw

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u200b [bold]:x:39"
CLEAN = "exe [bold]:x:39"
PLAN = f"""+++
command = ['sh', '-c', 'printf "\\\\033[2J\\\\033]0;owned\\\\007 bad \\\\302\\\\233 output"; exit 3']

[[milestone]]
id = "m"
message = "reached {EVIL.encode("unicode_escape").decode().replace(chr(92) + "x", chr(92) + "u00")}"
on = "first_failure"
+++
# Project {EVIL}

## Group {EVIL}

| ID | Task | What |
|---|---|---|
| A1 | Name {EVIL} | Prompt {EVIL} |
| A2 | Other {EVIL} | {EVIL} |
"""
INK = re.compile(r"\x1b\[[0-9;]*m")
OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[hl]|\?7[hl]|\d*[AGJK])|\r")
"""Colours, the cursor hidden and shown, lines wrapped or not, and the ways of a table back to its own first line."""


def assert_harmless(shown: str, ours: re.Pattern[str] = INK) -> None:
    """Fail where a terminal is told something by anybody but us."""
    rest = ours.sub("", shown)
    bad = {
        char
        for char in rest
        if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co")
    }
    assert not bad, ascii(rest)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a plan whose every text is hostile, and whose name is as well."""
    folder = tmp_path / EVIL.replace("/", "")
    folder.mkdir()
    (folder / f"plan {EVIL}.md").write_text(PLAN)
    (folder / "CASCADE.md").write_text(PLAN)
    return folder


def test_every_command(folder: Path) -> None:
    """Names, headings, prompts, messages, errors, output and paths: all of it is shown, none of it acts."""
    environment = {**os.environ, "FORCE_COLOR": "1"}
    plan = f"plan {EVIL}.md"
    for words in (
        ["plan"], ["plan", plan], ["plan", "--mermaid"], ["plan", "--json"], ["run", "--plain"],
        ["run", "--plain", "--retry-failed", plan], ["run", "--json", "--fresh"], ["status"], ["status", "--json"],
        ["plan", plan + "x"], ["run", plan + "x"], ["status", EVIL], ["logs", EVIL], ["retry", EVIL], ["show", EVIL],
        ["result", EVIL], [EVIL],
        ["run", "--agent", EVIL], ["run", "--command", f"'{EVIL}"], ["exec", "--", EVIL], ["init", plan],
        ["exec", "--task", "x", "--", "sh", "-c", f"exit 3 # {EVIL}"],
    ):  # fmt: skip
        done = nova(*words, cwd=folder, env=environment)
        assert_harmless(done.stdout)
        assert_harmless(done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout or done.stderr
    assert CLEAN in nova("plan", cwd=folder).stdout
    assert CLEAN in nova("status", cwd=folder).stdout


# One of each class; none of them ends a line of a plan.
CLASSES = "".join((
    "\x1b[2J", "\x1b]8;;http://e\x1b\\x\x1b]8;;\x1b\\", "\x1b]52;c;aGk=\x07", "\x1bPq#0\x1b\\", "\x9b31m",
    "\x9d0;t\x9c", "\x07", "a\x08b", "\u202ex\u2066", "\u200b", "\U000e0041", "a\u200db", "\x7f", "\xad", "\x0e",
    "\ufeff", "\u200e", "\t<b>&|`",
))  # fmt: skip
LINES = f"{CLASSES}safe\revil\x0b\x0c\x85\u2028\n::error::x\n##[error]y"
EVENTS = [
    {"type": "system", "subtype": "init", "session_id": f"s{LINES}", "model": f"m{LINES}"},
    {"type": "assistant", "message": {"id": "1", "usage": {"input_tokens": 3, "output_tokens": 4}, "content": [
        {"type": "text", "text": f"hello {LINES}"},
        {"type": "tool_use", "id": "t", "name": f"Ba{LINES}sh", "input": {"command": f"ls {LINES}"}}]}},
    {"type": "user", "message": {"content": [
        {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": f"res{LINES}"}]}},
    {"type": "result", "subtype": "success", "is_error": False, "result": f"answer {LINES}", "num_turns": 1,
     "usage": {"input_tokens": 3, "output_tokens": 4}, "permission_denials": [{"tool_name": f"Wr{LINES}ite"}]},
]  # fmt: skip


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    """Return a folder with a plan whose agent, check and files are hostile in every way; one of its tasks fails."""
    failing = [*EVENTS[:3], {**EVENTS[3], "is_error": True}]
    for name, events in (("ok", EVENTS), ("bad", failing)):
        lines = [json.dumps(event, ensure_ascii=name == "bad") + "\n" for event in events]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    (tmp_path / "check").write_text(f"#!/bin/sh\nprintf %s '{LINES}'\nexit 3\n")
    (tmp_path / "check").chmod(0o755)
    (tmp_path / "CASCADE.md").write_text(
        "+++\ncommand = ['sh', '-c', 'cat \"$0.jsonl\"', '{name}']\nagent = 'claude'\n+++\n"
        f"# P {CLASSES}\n\n### G {CLASSES}\n\n| ID | Name | What | Verify |\n|---|---|---|---|\n"
        "| A1 | ok | x | |\n| A2 | bad | x | |\n| A3 | ok | x | ./check |\n"
    )
    return tmp_path


def test_what_an_agent_prints(replayed: Path) -> None:
    """Its text, tools, answers and errors come through in no view and no report, in no class of what acts."""
    files = {**os.environ, "GITHUB_STEP_SUMMARY": str(replayed / "summary")}
    done = nova("run", "--plain", "--joblog", "jobs", "--junit", "tests.xml", cwd=replayed, env=files)
    assert done.returncode == 1
    views = [nova(*words, cwd=replayed) for words in (
        ["status"], ["status", "--json"], ["show", "A1"], ["show", "A2"], ["show", "A3", "--json"],
        ["result", "A1", "--json"], ["logs", "A1", "--text"], ["logs", "A2", "--text"], ["logs", "A3", "--text"],
        ["doctor"], ["runs"], ["report", "--ctrf"], ["run", "--json", "--fresh"],
    )]  # fmt: skip
    for view in (done, *views):
        assert_harmless(view.stdout + view.stderr)
        assert "Traceback" not in view.stderr
    jobs = (replayed / "jobs").read_text()
    assert {line.count("\t") for line in jobs.splitlines()} == {8}
    assert_harmless(jobs.replace("\t", ""))
    xml = (replayed / "tests.xml").read_text()
    assert_harmless(xml.replace("\t", ""))
    assert len(list(ElementTree.fromstring(xml).iter("testcase"))) == 3
    summary = (replayed / "summary").read_text()
    assert_harmless(summary)
    assert "<b>" not in summary


def test_what_github_is_told(replayed: Path) -> None:
    """Nothing an agent prints is a command for the runner: it stands between two tokens that nobody can know."""
    done = nova("run", cwd=replayed, env={**os.environ, "GITHUB_ACTIONS": "true"})
    token = None
    for line in done.stdout.splitlines():
        if token is not None:
            token = None if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.rpartition("::")[2]
        else:
            assert re.match(r"::(?:error|warning|notice) title=|::group::|::endgroup::$", line), line
    assert token is None
    assert "::error::x" in done.stdout  # it was there, behind a fence


@pytest.mark.skipif(not HAS_SETSID, reason="needs setsid")
def test_an_agent_on_a_terminal(replayed: Path) -> None:
    """What is rendered for a person is harmless on a terminal as well."""
    for words in (
        ["run"],
        ["logs", "A2"],
        ["logs", "A3"],
        ["result", "A1"],
        ["exec", "--agent", "claude", "--", "cat", "ok.jsonl"],
    ):
        with in_a_terminal(*words, cwd=replayed) as (_, terminal):
            shown = read_raw(terminal)
        assert_harmless(shown.decode(errors="surrogateescape"), OURS)


def test_errors_of_a_plan(folder: Path) -> None:
    """A diagnostic that quotes the plan quotes what can be seen of it."""
    (folder / "CASCADE.md").write_text(PLAN + f"| A3 | x | y (depends on {EVIL}) |\n| A1 | {EVIL} | {EVIL} |\n")
    done = nova("plan", cwd=folder)
    assert done.returncode == 2
    assert_harmless(done.stdout)
    assert_harmless(done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="renames itself by prctl")
def test_the_names_of_leftovers(tmp_path: Path) -> None:
    """A process may call itself what it likes."""
    os.mkfifo(tmp_path / "named")
    rename = "ctypes.CDLL(None).prctl(15, b'a\\x1b[2Jb\\n', 0, 0, 0)"
    script = f"import ctypes, time; {rename}; open('named', 'w').close(); time.sleep(60)"
    done = nova("exec", "--", "sh", "-c", f'{sys.executable} -c "{script}" & cat named', cwd=tmp_path)
    assert "left    ab (pid" in done.stderr
    assert_harmless(done.stderr)


@pytest.mark.skipif(not HAS_SETSID, reason="needs setsid")
def test_the_table(folder: Path) -> None:
    """Nor does any of it get through while the run is drawn."""
    with in_a_terminal("run", cwd=folder) as (_, terminal):
        shown = read_raw(terminal)
    assert_harmless(shown.decode(errors="surrogateescape"), OURS)
