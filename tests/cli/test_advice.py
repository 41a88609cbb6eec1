"""Commands that people are advised to run: pasted as they stand, they are about the plan that was spoken of."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from nova_async._core.advice import run_command
from nova_async.cascade import parse_cascade
from nova_async.cli import init, status
from nova_async.cli.earlier import notes_on_earlier_runs
from nova_async.control.denials import cure_of
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.views import TaskView
from nova_async.words import EventKind, TaskState
from tests.cli.command import nova
from tests.orchestrator.test_agents_on_hold import eight, run_refused
from tests.views import by_id, run_view, write_state

PLAN = "my plans/next one.md"
CALLED = f"nova run {shlex.quote(PLAN)}"


def advised(text: str) -> list[str]:
    """Return the commands in a text."""
    return re.findall(r"`((?:cd [^`]*)?nova [^`]*)`", text)


def test_a_command_names_its_plan() -> None:
    """In quotes where the shell needs them, and not at all where it is the usual one, or stands in no file."""
    assert shlex.split(run_command(PLAN)) == ["nova", "run", PLAN]
    assert {run_command(name) for name in ("", "CASCADE.md", eight().name)} == {"nova run"}


async def test_what_is_on_hold_names_the_plan(tmp_path: Path) -> None:
    """In the warning, which the state file keeps, as in the summary."""
    report, events = await run_refused(replace(eight(), name=PLAN), tmp_path)
    [warning] = [event.data["message"] for event in events if event.kind is EventKind.WARNING]
    assert CALLED in advised(warning)
    assert CALLED in advised(report.holds[0].cure)
    assert warning in report.warnings


def test_a_dead_run_is_gone_on_with_from_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its plan, and in its folder."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    write_state(
        folder, run_view(pid=1, pid_start_time=1.0, cascade_file=PLAN), by_id(TaskView(id="F1", state=TaskState.READY))
    )
    status.show_status(status.Options(directory=str(folder)))
    assert advised(capsys.readouterr().out) == [f"cd '{folder}' && {CALLED}"]
    monkeypatch.chdir(folder)
    status.show_status(status.Options())
    assert advised(capsys.readouterr().out) == [CALLED]


def test_a_first_plan_is_checked_and_run_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it was written to."""
    monkeypatch.chdir(tmp_path)
    init.write_first_plan(init.Options(plan=PLAN))
    assert advised(capsys.readouterr().out) == [CALLED.replace("run", "plan", 1), CALLED]
    init.write_first_plan(init.Options())
    assert advised(capsys.readouterr().out) == ["nova plan", "nova run"]


async def test_a_retry_is_of_the_plan_that_was_spoken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of the one that was run last; and what it lets run again, the command that is advised then runs."""
    monkeypatch.chdir(tmp_path)
    for name in (PLAN, "other.md"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
        plan = replace(parse_cascade('+++\ncommand = "true"\n+++\n- [ ] F1 Do it\n'), name=name)
        assert (await Orchestrator(plan).run()).ok
    for name, command in ((PLAN, f"nova retry F1 --plan {shlex.quote(PLAN)}"), ("other.md", "nova retry F1")):
        changed = replace(parse_cascade("- [ ] F1 Do that\n"), name=name)
        [note] = notes_on_earlier_runs(changed, Path(".nova/journal.db"))
        assert advised(note) == [command]
    assert advised(nova("retry", "F1", "--plan", PLAN, cwd=tmp_path).stdout) == [CALLED]
    assert advised(nova("retry", "F1", cwd=tmp_path).stdout) == ["nova run other.md"]


def test_wider_permissions_are_given_to_the_plan() -> None:
    """A denied tool is cured by running the plan that met it."""
    assert advised(cure_of(["Bash"], CALLED)) == [f"{CALLED} --permissions full"]
