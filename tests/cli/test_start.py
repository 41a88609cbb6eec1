"""Each command starts by itself, and then does what a fork of the warm nova does, which stands for it in most tests."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import NOVA, nova

PLAN = "- [ ] F1 Types\n- [ ] F2 Errors (depends: F1)\n"
CALLS = {
    "cost": "cost",
    "init": "init new.md",
    "demo": "demo --help",
    "plan": "plan",
    "run": "run --plain --command true",
    "runs": "runs --help",  # its ids and times are as wide as they happen to be
    "report": "report --help",  # a page as long as its style
    "watch": "watch",  # of a finished run
    "status": "status",
    "show": "show F1",
    "result": "result F1",  # a plain command answers nothing
    "logs": "logs F1",
    **{name: f"{name} --help" for name in ("stop", "pause", "resume", "jobs", "approve")},  # no run is running
    "retry": "retry F1",
    "exec": "exec --task E1 sh -c 'echo hi; echo no >&2; exit 3'",
    "completion": "completion bash",
    "serve": "serve --help",  # it would not end
    "doctor": "doctor --help",  # what it finds is about the machine
    "agents": "agents",
}
NUMBER = re.compile(r"\d[\d.]*|[0-9a-f]{8}-[0-9a-f-]{27}")


def shape(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """Return how a command ended and what it said, without times and chances."""
    return done.returncode, NUMBER.sub("N", done.stdout), NUMBER.sub("N", done.stderr)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two folders in which the same plan has been run."""
    made = [tmp_path_factory.mktemp("real") / "work", tmp_path_factory.mktemp("warm") / "work"]
    for folder in made:
        folder.mkdir()
        (folder / "CASCADE.md").write_text(PLAN)
        assert nova("run", "--plain", "--command", "echo {task_id}", cwd=folder).returncode == 0
    return made


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_command_starts(call: str, folders: list[Path]) -> None:
    """Started and forked, the same command says the same, on both streams, and ends the same."""
    words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", call)]
    real = subprocess.run([*NOVA, *words], cwd=folders[0], capture_output=True, text=True, timeout=60)
    assert shape(real) == shape(nova(*words, cwd=folders[1]))
    assert real.returncode in (0, 1, 3)
    assert "Traceback" not in real.stderr


def test_every_command_is_started(tmp_path: Path) -> None:
    """None that the help lists is left out here."""
    told = nova("--help", cwd=tmp_path).stdout
    listed = set(re.findall(r"^[│ ] +([a-z][a-z-]*)  ", told[told.index("Commands") :], flags=re.M))
    assert listed
    assert listed <= set(CALLS)
