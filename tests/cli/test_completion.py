"""What a shell offers after TAB: it asks nova, which must be quick, say nothing, and never fail."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nova_async.cli.app import COMMANDS
from nova_async.cli.completing import completer_of
from nova_async.views import TaskView
from nova_async.words import TaskState
from tests.cli.command import NOVA, nova
from tests.views import NOON, by_id, run_view, write_state

PLAN = "- [ ] P1 Types\n- [ ] P2 Errors\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a plan, and a run of other tasks."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    (tmp_path / "other.md").write_text("- [ ] X1 Other\n")
    (tmp_path / "docs").mkdir()
    tasks = [TaskView(id=name, name=f"Name of {name}", state=TaskState.COMPLETED) for name in ("F1", "F2", "G1")]
    write_state(tmp_path, run_view(started_at=NOON), by_id(*tasks))
    return tmp_path


def offered(line: str, folder: Path) -> list[str]:
    """Return what is offered at the end of a line; nothing else may be said."""
    words = shlex.split(line)
    at = len(words) if line.endswith(" ") else len(words) - 1
    asked = {"_NOVA_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(at)}
    done = nova(cwd=folder, env={**os.environ, **asked})
    assert (done.returncode, done.stderr) == (0, "")
    return [
        value if kind == "plain" else kind
        for kind, _, value in (answer.partition(",") for answer in done.stdout.split())
    ]


def test_commands(folder: Path) -> None:
    """Every command, and those that begin as what is there."""
    assert offered("nova ", folder) == list(COMMANDS)
    assert offered("nova lo", folder) == ["logs"]
    assert "--version" in offered("nova --", folder)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("nova logs ", ["F1", "F2", "G1"]),
        ("nova logs F", ["F1", "F2"]),
        ("nova logs -f G", ["G1"]),
        ("nova retry F1 ", ["F2", "G1"]),
        ("nova logs --state docs/nothing.json ", ["P1", "P2"]),
        ("nova run P", ["file", "P1", "P2"]),
        ("nova run P1 ", ["file", "P2"]),
        ("nova run other.md ", ["file", "X1"]),
        ("nova run --until ", ["P1", "P2"]),
        ("nova run --agent qw", ["qwen"]),
        ("nova run --notify ", ["bell", "osc9", "none"]),
        ("nova run --permissions ", ["read", "edit", "full", "own"]),
        ("nova run --joblog ", ["file"]),
        ("nova exec --cwd ", ["dir"]),
        ("nova run --plai", ["--plain"]),
        ("nova completion f", ["fish"]),
        ("nova logs X", []),
        ("nova frobnicate --x y ", list(COMMANDS)),
        ("nova frobnicate --x", []),
    ],
)
def test_values(line: str, values: list[str], folder: Path) -> None:
    """Tasks of the run, then of the plan; agents; words; files and folders, which the shell knows better."""
    assert offered(line, folder) == values


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"tasks": 5}', b"\xff", b'{"tasks": {"F1": null}}'])
def test_it_never_fails(state: bytes, tmp_path: Path) -> None:
    """A state file that is none, and a plan that is none, offer nothing."""
    (tmp_path / "cascade_state.json").write_bytes(state)
    (tmp_path / "CASCADE.md").mkdir()
    assert offered("nova logs ", tmp_path) == []


def test_before_the_first_run(tmp_path: Path) -> None:
    """Nothing has run: the plan's tasks are what one can mean, also of a plan with mistakes."""
    assert offered("nova logs ", tmp_path) == []
    (tmp_path / "CASCADE.md").write_text(PLAN + "- [ ] P3 Pages (depends on P9)\n")
    assert offered("nova logs ", tmp_path) == ["P1", "P2", "P3"]


def test_which_words_stand_for_what() -> None:
    """A parameter is completed by the word that stands for it in the help; any other text is nobody's to guess."""
    assert all(
        completer_of(word) for word in ("TASK", "TASK…", "[PLAN]", "FILE", "DIR", "AGENT", "WHAT", "[PLAN] [TASK…]")
    )
    assert not any(completer_of(word) for word in ("TIME", "USD", "N", "", '"PROG … {prompt}"'))


def test_a_quick_answer() -> None:
    """Task ids of a run are offered without an event loop, a Markdown parser or a journal."""
    code = """
import contextlib, os, sys
from nova_async.cli.main import main
os.environ.update(_NOVA_COMPLETE="bash_complete", COMP_WORDS="nova logs ", COMP_CWORD="2")
sys.argv = ["nova"]
with contextlib.suppress(SystemExit):
    main()
print(*(name for name in ("asyncio", "markdown_it", "rich", "sqlite3") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("", "")


SHELLS = {
    "bash": """
eval "$(nova completion bash)"
COMP_WORDS=(nova logs F) COMP_CWORD=2
_nova_completion nova F logs
printf '%s\\n' "${COMPREPLY[@]}"
""",
    "zsh": """
compdef() { :; }
_describe() { print -l -- "${(@P)3}"; }
compadd() { print -l -- "${(@P)5}"; }
eval "$(nova completion zsh)"
words=(nova logs F) CURRENT=3
_nova_completion
""",
    "fish": """
nova completion fish | source
complete -C "nova logs F"
""",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_in_a_shell(shell: str, folder: Path) -> None:
    """Each shell understands its script, and gets the tasks by it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not there")
    (folder / "nova").write_text(f'#!/bin/sh\nexec {shlex.join(NOVA)} "$@"\n')
    (folder / "nova").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    flag = {"bash": "--norc", "zsh": "-f", "fish": "--no-config"}[shell]
    done = subprocess.run(
        [shell, flag, "-c", SHELLS[shell]], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    offers = [line.split(":")[0].split("\t")[0] for line in done.stdout.split()]
    assert {"F1", "F2"} <= set(offers), done.stderr
    assert "G1" not in offers
    assert done.stderr == ""


def test_ones_own_shell(tmp_path: Path) -> None:
    """Without a word it is the one of $SHELL; one that we do not know is told."""
    own = nova("completion", cwd=tmp_path, env={**os.environ, "SHELL": "/usr/bin/zsh"})
    assert own.stdout == nova("completion", "zsh", cwd=tmp_path).stdout != ""
    assert own.stdout.startswith("#compdef nova")
    other = nova("completion", cwd=tmp_path, env={**os.environ, "SHELL": "/bin/tcsh"})
    assert (other.returncode, other.stderr) == (2, "nova: name your shell: bash, zsh, fish\n")
