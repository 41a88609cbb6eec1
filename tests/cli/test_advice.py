"""Commands that people are advised to run: pasted as they stand, they are about the plan that was spoken of."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest

from nova_async._core.advice import FILES, run_command
from nova_async.cascade import parse_cascade
from nova_async.cli import init, run, status
from nova_async.cli.advised import place_of
from nova_async.cli.app import COMMANDS, app
from nova_async.cli.asking import failed
from nova_async.cli.detach import say_begun
from nova_async.cli.earlier import notes_on_earlier_runs
from nova_async.cli.ink import plain
from nova_async.cli.run_lines import RunLines
from nova_async.cli.run_summary import write_run_summary
from nova_async.cli.run_table import RunTable
from nova_async.control.board import Board
from nova_async.control.denials import cure_of
from nova_async.errors import ControlError
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.reporting import run_report
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind, TaskState
from tests.cli.command import nova
from tests.orchestrator.test_agents_on_hold import eight, run_refused
from tests.views import NOON, by_id, run_view, write_state

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


def test_which_commands_take_which_files() -> None:
    """What is added to a command, it takes: the table is that of the commands themselves."""
    takes: dict[str, set[str]] = {option: set() for option in ("--journal", "--state")}
    for name in COMMANDS:
        command = app.get_command(click.Context(app), name)
        assert command is not None
        for option in {word for parameter in command.params for word in parameter.opts} & takes.keys():
            takes[option].add(name)
    assert takes == {option: set(FILES[option]) for option in takes}


TEXT = "`nova retry F1`, then `nova run`, `nova status`; nova --x `ls`"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({}, TEXT),
        ({"folder": "."}, TEXT),
        ({"folder": "a b"}, TEXT.replace("`nova", "`cd 'a b' && nova")),
        (
            {"state": "s.json"},
            TEXT.replace("retry F1`", "retry F1 --state s.json`")
            .replace("run`", "run --state s.json`")
            .replace("status`", "status --state s.json`"),
        ),
        (
            {"journal": "j x.db", "state": "cascade_state.json", "cwd": "src"},
            "`nova retry F1 --journal 'j x.db'`, then `nova run --journal 'j x.db' --cwd src`,"
            " `nova status`; nova --x `ls`",
        ),
        ({"state": "../shop/cascade_state.json"}, TEXT.replace("`nova", "`cd ../shop && nova")),
        ({"journal": "/shop/.nova/journal.db"}, TEXT.replace("`nova", "`cd /shop && nova")),
        (
            {"folder": "/shop", "journal": "/j.db", "state": "/shop/cascade_state.json"},
            "`cd /shop && nova retry F1 --journal /j.db`, then `cd /shop && nova run --journal /j.db`,"
            " `cd /shop && nova status`; nova --x `ls`",
        ),
    ],
)
def test_commands_find_the_run_that_was_spoken_of(named: dict[str, str], told: str) -> None:
    """In another folder, or with files in other places: whatever a command was told, those that it advises are told."""
    assert place_of(**named).advice(TEXT) == told


def test_files_are_found_from_the_folder_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that somebody typed begins where it was typed."""
    monkeypatch.chdir(tmp_path)
    assert place_of("shop", journal="my.db").command("nova stop") == f"cd shop && nova stop --journal {tmp_path}/my.db"


def test_a_status_from_elsewhere_advises_what_works_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Approving, retrying, and going on; in the JSON document all is as the run itself says it."""
    stopped = TaskView(id="F2", state=TaskState.WAITING, is_stopped=True, reason="stopped; `nova retry F2` lets it run")
    gate = TaskView(id="F1", state=TaskState.WAITING, needs_approval=True, reason="waits for approval")
    talks = TaskView(id="F3", state=TaskState.IN_PROGRESS, activity="says `nova run`")
    write_state(tmp_path, run_view(), by_id(gate, stopped, talks))
    status.show_status(status.Options(directory=str(tmp_path)))
    cd = f"cd {tmp_path} && "
    shown = " ".join(capsys.readouterr().out.split())
    assert {f"{cd}nova approve F1", f"{cd}nova retry F2"} == set(advised(shown)) - {"nova run"}
    status.show_status(status.Options(directory=str(tmp_path), json=True))
    assert cd not in capsys.readouterr().out


def test_a_run_with_files_elsewhere_advises_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    """In its table, in its lines, in its summary, and where it says how to watch it."""
    place = run.Options(journal="j.db", state="s.json", plain=True).place
    gate = TaskView(id="F1", state=TaskState.WAITING, needs_approval=True, reason="waits: `nova approve F1`")
    board = Board(run_view(), by_id(gate), NOON)
    table = RunTable(lambda _: board, place=place)
    table.show({})
    wanted = "nova approve F1 --journal j.db --state s.json"
    assert advised(" ".join(plain(line) for line in table.picture(120, 30))) == [wanted]
    lines = RunLines(place=place)
    lines.say(Event(kind=EventKind.APPROVAL_NEEDED, at=NOON, task_id="F1", run_id="r1"))
    lines.draw()
    assert advised(capsys.readouterr().out) == [wanted]
    write_run_summary(run_report(run_view(), by_id(gate), NOON, 1.0), place=place)
    assert advised(capsys.readouterr().out) == [wanted, "nova run --journal j.db --state s.json"]
    say_begun({"pid": 1, "output": "out"}, place, as_json=False)
    assert "nova watch --journal j.db --state s.json · stop it: nova stop --journal j.db ·" in capsys.readouterr().out


def test_a_refusal_from_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """What the run advises is about its own folder; for programs it is as the run says it."""
    refusal = ControlError("F1 has failed already; `nova retry F1` lets it run again")
    assert failed(refusal, as_json=False, place=place_of("shop")) == 1
    assert advised(capsys.readouterr().err) == ["cd shop && nova retry F1"]
    failed(refusal, as_json=True, place=place_of("shop"))
    assert advised(capsys.readouterr().out) == ["nova retry F1"]
