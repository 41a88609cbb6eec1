"""Text of plans, agents and file names reaches a terminal without anything that it would obey, in every command."""

import os
import re
import sys
import unicodedata
from pathlib import Path

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
    bad = {char for char in rest if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co")}
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
