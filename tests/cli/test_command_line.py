"""The command line itself: quick to start, helpful about what it does not understand."""

import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nova_async.cli.app import COMMANDS, app
from tests.cli.command import nova


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_sentence_is_the_first_of_its_help(name: str) -> None:
    """What the list of commands says is what the command itself says, so that the list need not load it."""
    command = app.get_command(click.Context(app), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help(flag: str, tmp_path: Path) -> None:
    """Both flags are understood by nova and by every command, and end well."""
    for words in ([], *([name] for name in COMMANDS)):
        done = nova(*words, flag, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: nova")
    assert all(name in nova(flag, cwd=tmp_path).stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stauts"], "No such command 'stauts'. Did you mean 'status'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["--frobnicate"], "No such option"),
        (["run", "--max-workers", "x"], "'x' is not a whole number from 1 up"),
        (["run", "--max-worker", "3"], "--max-workers"),
        (["plan", "a.md", "b.md"], "unexpected extra argument"),
        (["logs"], "Missing argument '[DIR] TASK'"),
        (["retry"], "Missing argument '[DIR] TASK…'"),
        (["logs", "F1", "--attempt", "0"], "'0' is not a whole number from 1 up"),
        (["jobs", "eight"], "'eight' is not a whole number from 1 up"),
        (["serve", "--port", "65536"], "'65536' is not a whole number from 0 to 65535"),
        (["show", "F1", "F2"], "one TASK at a time, not F1, F2"),
        (["plan", "--json", "--mermaid"], "cannot be used together"),
        (["exec", "--leftovers", "sell", "true"], "'kill', 'leave'"),
    ],
)
def test_bad_usage(words: list[str], told: str, tmp_path: Path) -> None:
    """What is not understood is said on stderr, with where help is to be had; the exit code is 2."""
    done = nova(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "' for help." in done.stderr


def test_without_a_word(tmp_path: Path) -> None:
    """Nova alone shows what there is; that is no success."""
    done = nova(cwd=tmp_path)
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_the_version(tmp_path: Path) -> None:
    """It is that of the installed distribution, also where it stands among other words."""
    version = importlib.metadata.version("nova-async")
    assert nova("--version", cwd=tmp_path).stdout == f"nova {version}\n"
    assert nova("--version", "status", cwd=tmp_path).stdout == f"nova {version}\n"


LIBRARIES = [
    "aiosqlite", "asyncio", "click", "importlib.metadata", "markdown_it", "msgspec", "pydantic", "rich.console",
    "sqlite3", "typer",
]  # fmt: skip
LOADED = {
    "--version": [],
    "--help": ["click"],
    "status": ["click"],
    "logs F1": ["click"],
}


@pytest.mark.parametrize("call", LOADED)
def test_what_a_quick_answer_loads(call: str, tmp_path: Path) -> None:
    """A command loads its own libraries and nobody else's: asked often, it must answer at once."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "F1.log").write_text("hi\n")
    (tmp_path / "cascade_state.json").write_text('{"tasks": {"F2": {}}}')
    code = f"""
import contextlib, sys
from nova_async.cli.main import main
sys.argv = ["nova", *{call.split()}]
with contextlib.suppress(SystemExit):
    main()
print("loaded", *(name for name in {LIBRARIES} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].split()[1:] == LOADED[call]


def test_no_command_is_left_over() -> None:
    """Every module that makes a command is one that can be called."""
    folder = Path(importlib.import_module("nova_async.cli").__path__[0])
    made = {path.stem for path in folder.glob("*.py") if "\ncommand = command_of(" in path.read_text()}
    assert made == set(COMMANDS)
