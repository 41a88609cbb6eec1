"""``nova run [PLAN] [TASK…] --only --until --dry-run``: some tasks of a plan, and a look before anything starts."""

import json
from pathlib import Path

import click
import pytest

from nova_async.cli.choosing import plan_and_tasks
from tests.cli.command import nova

PLAN = """+++
agent = "claude"
command = ["sh", "-c", "echo {task_id} >> ran; test {task_id} != B || test -e ok"]
+++
# Shop
| ID | Name | What | After | Tags |
|---|---|---|---|---|
| A | Types | do it | - | api |
| B | Store | do it | A | api |
| C | Docs | do it | B | |
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a plan, and be in it."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "plan", "tasks"),
    [
        ("", "CASCADE.md", ()),
        ("F1 F2", "CASCADE.md", ("F1", "F2")),
        ("other.md", "other.md", ()),
        ("other.md F1", "other.md", ("F1",)),
        ("here F1", "here", ("F1",)),
        ("specs/tasks F1", "specs/tasks", ("F1",)),
        ("F1 other.md", "CASCADE.md", ("F1", "other.md")),
    ],
)
def test_which_words_are_the_plan(folder: Path, words: str, plan: str, tasks: tuple[str, ...]) -> None:
    """The first one, if it is a file, a path or ends in .md; all others are tasks."""
    (folder / "here").touch()
    assert plan_and_tasks(words.split()) == (plan, tasks)


def test_tasks_need_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is no file is said to be none, where there is no plan that could have such a task."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match=r"plan\.txt is not a file, and there is no CASCADE\.md"):
        plan_and_tasks(["plan.txt"])


def test_named_tasks_run_alone(folder: Path) -> None:
    """Also one that has failed before; the exit code is about these; what they lack is said before anything starts."""
    done = nova("run", "C", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nova: C needs B: not completed and not selected; select them too, as `--until C` does\n"
    assert not (folder / ".nova").exists()
    done = nova("run", "A", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Shop: 3 tasks, 1 selected" in done.stdout
    assert "Shop: 1 of 1 completed, 2 not selected" in done.stdout
    assert nova("run", "--only", "tag:api", cwd=folder).returncode == 1
    (folder / "ok").touch()
    done = nova("run", "A", "B", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == "nova: A will not run: already completed; `nova retry A` lets it run again\n"
    assert (folder / "ran").read_text() == "A\nB\nB\n"
    status = nova("status", cwd=folder)
    assert "C Docs   - not selected\n" in status.stdout
    assert "2 of 3 completed · 1 not selected" in status.stdout


def test_the_plan_shows_what_would_be_skipped(folder: Path) -> None:
    """What earlier runs have completed, or left failed, stands beside each task."""
    assert "skipped" not in nova("plan", cwd=folder).stdout
    nova("run", cwd=folder)
    told = nova("plan", cwd=folder).stdout
    assert "A  Types  skipped: already completed · tags api" in told
    assert "B  Store  skipped: failed before (exit) · after A · tags api" in told
    assert "C  Docs   skipped: blocked by B · after B" in told
    assert json.loads(nova("plan", "--json", cwd=folder).stdout)["skipped"]["A"] == "already completed"


def test_until_brings_what_a_task_needs(folder: Path) -> None:
    """And --only takes some of it away."""
    (folder / "ok").touch()
    assert nova("run", "--until", "B", cwd=folder).returncode == 0
    assert (folder / "ran").read_text() == "A\nB\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Z"], "nova: CASCADE.md: no task is called 'Z'; there are A, B, C\n"),
        (["--only", "tag:apis"], "nova: CASCADE.md: no task has the tag 'apis'; did you mean 'api'?\n"),
        (["--until", "Z"], "nova: CASCADE.md: no task is called 'Z'; there are A, B, C\n"),
        (["A", "--until", "B"], "not both\n"),
    ],
)
def test_a_slip_starts_nothing(folder: Path, arguments: list[str], told: str) -> None:
    """A name that is none, or two ways of choosing at once, is said; the exit code is 2."""
    done = nova("run", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(told)
    assert not (folder / "ran").exists()


def test_a_dry_run_starts_and_writes_nothing(folder: Path) -> None:
    """It shows the order, as whom, where, and what is skipped and why; with --json for programs."""
    done = nova("run", "--dry-run", "--agent", "codex", "--cwd", "app", "--until", "B", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Shop: 2 of 3 tasks would run, up to 3 at once",
        "as codex, permissions edit: codex exec --json --skip-git-repo-check --sandbox workspace-write -- …",
        f"in {folder / 'app'}",
        "1.       A  Types  tags api",
        "2.       B  Store  after A · tags api",
        "skipped  C  Docs   not selected",
    ]
    assert [path.name for path in folder.iterdir()] == ["CASCADE.md"]
    nova("run", cwd=folder)
    done = nova("run", "--dry-run", cwd=folder)
    assert done.stdout.splitlines()[-1] == "`--retry-failed` would also run what failed before: B"
    told = json.loads(nova("run", "--dry-run", "--json", "--retry-failed", cwd=folder).stdout)
    assert (told["rounds"], told["skipped"]) == ([["B"], ["C"]], {"A": "already completed"})
    assert nova("run", "--dry-run", "C", cwd=folder).returncode == 2
