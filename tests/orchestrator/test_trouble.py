"""Trouble of the machine is no task's failure: journals, logs and state files that fail, and no room for a process."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nova_async.errors import JournalError, RunLockedError
from nova_async.orchestrator import run_records
from nova_async.records import Event
from nova_async.words import EventKind, Outcome, TaskState
from tests.cli.command import NOVA
from tests.orchestrator.test_running import orchestrator, plan, run, states

PROGRAMS = Path(__file__).parents[1] / "programs"
SECONDS = 40.0  # a run that hangs fails its test


async def until(path: Path) -> None:
    """Wait for a file that a child makes."""
    while not path.exists():
        await asyncio.sleep(0.01)


def git(folder: Path, *words: str) -> str:
    """Run git and return what it prints."""
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    return subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True).stdout


async def test_a_locked_journal_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the journal for longer than we wait, what runs goes on, and its end is written."""
    monkeypatch.setattr(run_records, "STOPPED_PATIENCE", 0.0)  # which is for a run that is to end
    cascade = plan("""ID | What | Deps
        A1 | touch begun; while [ ! -e go ]; do sleep 0.01; done; echo A1 >> ran | -
        B1 | echo B1 >> ran | A1""")
    runner = orchestrator(cascade, tmp_path)
    async with asyncio.timeout(SECONDS):
        running = asyncio.create_task(runner.run())
        await until(tmp_path / "begun")
        book = sqlite3.connect(tmp_path / ".nova/journal.db", isolation_level=None)
        book.execute("BEGIN IMMEDIATE")
        (tmp_path / "go").touch()
        while not any("locked by another process" in warning for warning in runner.run_view.warnings):
            await asyncio.sleep(0.05)
        assert runner.views["A1"].state is TaskState.IN_PROGRESS, "nothing may depend on what is not written down"
        assert (tmp_path / "ran").read_text() == "A1\n"
        book.execute("COMMIT")
        book.close()
        report = await running
    assert report.ok
    assert (tmp_path / "ran").read_text() == "A1\nB1\n"
    assert (await run(cascade, tmp_path))[0].ok
    assert (tmp_path / "ran").read_text() == "A1\nB1\n"


async def test_nothing_begins_without_a_journal(tmp_path: Path) -> None:
    """A task whose beginning is refused is not started; it is when there is room again."""
    cascade = plan("ID | What | Deps\nA1 | true | -\nB1 | echo B1 >> ran | A1")
    await run(plan("ID | What\nZ1 | true"), tmp_path)
    book = sqlite3.connect(tmp_path / ".nova/journal.db", isolation_level=None)
    book.execute(
        "create trigger full before insert on attempts when new.task_id = 'B1' "
        "begin select raise(abort, 'no room'); end"
    )
    runner = orchestrator(cascade, tmp_path)
    async with asyncio.timeout(SECONDS):
        running = asyncio.create_task(runner.run())
        while not any("no room" in warning for warning in runner.run_view.warnings):
            await asyncio.sleep(0.02)
        assert not (tmp_path / "ran").exists()
        book.execute("drop trigger full")
        book.close()
        report = await running
    assert report.ok
    assert (tmp_path / "ran").read_text() == "B1\n"


@pytest.mark.parametrize("how", [["clean", "-fdxq"], ["stash", "-aq"]])
async def test_an_agent_that_cleans_its_checkout_takes_no_result_away(tmp_path: Path, how: list[str]) -> None:
    """What git removes is written anew; the next run runs nothing again, and meanwhile no second run is let in."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("ran\nhere\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "start")
    cascade = plan(f"""ID | What | Deps
        A1 | echo A1 >> /tmp/{tmp_path.name}-ran | -
        B1 | git {" ".join(how)}; touch {tmp_path}/cleaned; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done | A1
        C1 | echo C1 >> /tmp/{tmp_path.name}-ran | B1""")
    ran = Path(f"/tmp/{tmp_path.name}-ran")
    ran.unlink(missing_ok=True)
    try:
        runner = orchestrator(cascade, tmp_path)
        async with asyncio.timeout(SECONDS):
            running = asyncio.create_task(runner.run())
            await until(tmp_path / "cleaned")
            while not any("deleted or moved" in warning for warning in runner.run_view.warnings):
                await asyncio.sleep(0.01)
            with pytest.raises(RunLockedError):
                await orchestrator(cascade, tmp_path).run()
            (tmp_path / "go").touch()
            report = await running
        assert report.ok
        assert ran.read_text() == "A1\nC1\n"
        again, events = await run(cascade, tmp_path)
        assert again.ok
        assert not [event for event in events if event.kind is EventKind.ATTEMPT_STARTED]
    finally:
        ran.unlink(missing_ok=True)


async def test_a_run_in_whose_place_another_one_works_ends_at_once(tmp_path: Path) -> None:
    """Both would run the same tasks: what runs is stopped, and nothing begins."""
    runner = orchestrator(plan("ID | What\nA1 | touch began; sleep 60\nB1 | true"), tmp_path, max_workers=1)
    path = tmp_path / ".nova/journal.db"
    async with asyncio.timeout(SECONDS):
        running = asyncio.create_task(runner.run())
        await until(tmp_path / "began")
        journal = runner._records.journal
        while runner.views["A1"].pid is None:
            await asyncio.sleep(0.01)
        await journal.open_attempts()  # whatever was told so far is written
        assert journal._watch is not None
        journal._watch.close()  # this run stands still, as in a suspended terminal
        shutil.rmtree(path.parent)
        holder = await asyncio.create_subprocess_exec(
            sys.executable, PROGRAMS / "lock_holder.py", path, stdout=asyncio.subprocess.PIPE
        )
        assert holder.stdout is not None
        await holder.stdout.readline()
        journal.record(Event(kind=EventKind.WARNING, at=datetime.now(UTC)))
        try:
            with pytest.raises(JournalError, match=rf"pid {holder.pid}.* has started in its place"):
                await running
        finally:
            holder.kill()
            await holder.communicate()
    assert {name: view.state for name, view in runner.views.items()} == {
        "A1": TaskState.WAITING, "B1": TaskState.READY,
    }  # fmt: skip


async def test_nothing_of_ours_is_committed(tmp_path: Path) -> None:
    """``git add -A`` in the middle of a run takes the agent's files, and no log, journal or temporary file of ours."""
    git(tmp_path, "init", "-q")
    commit = "git -c user.name=t -c user.email=t@t commit -qm $NOVA_TASK_ID"
    rows = "\n".join(f"T{number} | echo x > made{number}; git add -A && {commit}" for number in range(12))
    report, _ = await run(plan(f"ID | What\n{rows}"), tmp_path, max_workers=1)
    assert report.ok, [view.error for view in report.tasks.values()]
    committed = git(tmp_path, "ls-files").split()
    assert {name for name in committed if not name.startswith("made")} <= {"state.json"}
    assert len(committed) >= 12


async def test_a_log_that_fails_is_told_and_costs_no_task(tmp_path: Path) -> None:
    """A full disk under a log is an event, a fact of the attempt, and in the report."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/A1.log").symlink_to("/dev/full")
    report, events = await run(plan("ID | What\nA1 | echo hi"), tmp_path)
    assert report.ok
    assert "No space left" in (report.tasks["A1"].log_error or "")
    told = [event.data["message"] for event in events if event.kind is EventKind.WARNING]
    assert any("A1" in message and "No space left" in message for message in told)
    assert report.warnings == tuple(told)


async def test_a_state_file_that_cannot_be_written_is_told_and_costs_nothing(tmp_path: Path) -> None:
    """The journal is the truth; whoever polls the file is told why it does not move."""
    (tmp_path / "state.json").mkdir()
    report, events = await run(plan("ID | What\nA1 | true"), tmp_path)
    assert report.ok
    assert any("state.json" in event.data["message"] for event in events if event.kind is EventKind.WARNING)


async def test_two_journals_in_one_folder_are_two_runs(tmp_path: Path) -> None:
    """A lock belongs to its journal, not to the folder: runs with a journal each do not refuse each other."""
    script = "touch $NOVA_TASK_ID; while [ ! -e A1 ] \\|\\| [ ! -e B1 ]; do sleep 0.01; done"
    first = orchestrator(plan(f"ID | What\nA1 | {script}"), tmp_path)
    second = orchestrator(plan(f"ID | What\nB1 | {script}"), tmp_path)
    second._records.path = tmp_path / ".nova/other.db"
    async with asyncio.timeout(SECONDS):
        reports = await asyncio.gather(first.run(), second.run())
    assert [report.ok for report in reports] == [True, True]


async def test_a_count_beyond_all_bounds_fails_nothing(tmp_path: Path) -> None:
    """Whatever a command says that it has used, its run ends and is remembered."""
    line = "Token usage: input=999999999999999, output=999999999999999, cache_read=999999999999999, cache_creation=9"
    script = f"for n in 1 2 3 4 5 6 7 8 9 10 11 12; do for m in $(seq 1000); do echo '{line}'; done; done"
    cascade = plan(f"ID | What\nA1 | {script}\nB1 | {script}")
    report, _ = await run(cascade, tmp_path)
    assert report.ok
    again, events = await run(cascade, tmp_path)
    assert again.ok
    assert not [event for event in events if event.kind is EventKind.ATTEMPT_STARTED]


def test_a_machine_without_descriptors_finishes_the_plan(tmp_path: Path) -> None:
    """Where not all can run at once, fewer do; no task fails for it, and none is charged a retry."""
    rows = "\n".join(f"| T{number} | sleep 0.05 |" for number in range(40))
    (tmp_path / "CASCADE.md").write_text(
        f"+++\nretries = 0\ncommand = ['sh', '-c', '{{prompt}}']\n+++\n| ID | What |\n|---|---|\n{rows}\n"
    )
    words = " ".join(NOVA)
    script = f"ulimit -Hn 45; exec {words} run --plain -j 40"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "40 of 40 completed" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody whose processes are limited")
def test_a_machine_without_processes_finishes_the_plan(tmp_path: Path) -> None:
    """The same where the user may have no more processes at the moment."""
    rows = "\n".join(f"| T{number} | true |" for number in range(20))
    plan_file = tmp_path / "CASCADE.md"
    plan_file.write_text(f"+++\nretries = 0\ncommand = ['true']\n+++\n| ID | What |\n|---|---|\n{rows}\n")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.geteuid() and str(path).startswith("/tmp/"):
            path.chmod(0o777)
    # A user of its own, so that only these processes count.
    nobody = 61_234
    become = ["setpriv", f"--reuid={nobody}", "--clear-groups", "bash", "-c"]
    command = [*become, f"ulimit -u 24; exec {' '.join(NOVA)} run --plain -j 15"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    if subprocess.run([*become, f"{NOVA[0]} -c 'import nova_async'"], capture_output=True, check=False).returncode != 0:
        pytest.skip("another user cannot read this Python")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "20 of 20 completed" in done.stdout


async def test_somebody_elses_kill_is_no_put_back(tmp_path: Path) -> None:
    """An agent that was terminated by somebody else is an attempt that ended by a signal."""
    report, _ = await run(plan("ID | What | Retries\nA1 | kill $$ | 0"), tmp_path)
    assert states(report) == {"A1": TaskState.FAILED}
    assert report.tasks["A1"].outcome is Outcome.SIGNAL
