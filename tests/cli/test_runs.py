"""``nova runs``, and looking back at one of them: ``--run`` of ``nova show``, ``nova logs`` and ``nova result``."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agents.recordings import kept
from tests.cli.command import PROGRAMS, nova
from tests.cli.test_completion import offered

PLAN = f"""+++
retries = 0
agent = "claude"
command = ["{sys.executable}", "{PROGRAMS / "replay.py"}", "burst", "{{prompt}}"]
+++
# Shop

| ID | What | Depends |
|---|---|---|
| T1 | {kept("claude/tools.sj.stdout").path} | |
| T2 | ANSWER | T1 |
| T3 | {kept("claude/tools.sj.stdout").path} | T2 |
"""
FAILING, WELL = (str(kept(f"claude/{name}.sj.stdout").path) for name in ("maxturns", "tools"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs: in the first T2 fails, and the second completes it and T3."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "CASCADE.md").write_text(PLAN.replace("ANSWER", FAILING))
    assert nova("run", "--plain", cwd=folder).returncode == 1
    (folder / "CASCADE.md").write_text(PLAN.replace("ANSWER", WELL))
    assert nova("run", "--plain", "--retry-failed", cwd=folder).returncode == 0
    return folder


def runs(folder: Path) -> list[dict[str, Any]]:
    """Return what --json says of the runs there, newest first."""
    document = json.loads(nova("runs", "--json", cwd=folder).stdout)
    assert document["schema"] == 1
    found: list[dict[str, Any]] = document["runs"]
    return found


def test_the_runs_of_a_folder(ran: Path) -> None:
    """Newest first, with its plan, how each ended and what it did itself; the sums of all are those of the journal."""
    newest, first = runs(ran)
    assert (first["condition"], first["tasks"], first["completed"], first["failed"]) == ("failed", 2, 1, 1)
    assert (newest["condition"], newest["tasks"], newest["completed"], newest["failed"]) == ("completed", 2, 2, 0)
    assert (newest["plan"], newest["project"], newest["attempts"]) == ("CASCADE.md", "Shop", 2)
    assert newest["cost_usd"] + first["cost_usd"] == pytest.approx(
        json.loads(nova("cost", "--json", cwd=ran).stdout)["totals"]["totalCost"]
    )
    lines = nova("runs", cwd=ran).stdout.splitlines()
    assert lines[0].split() == ["run", "started", "plan", "ended", "tasks", "tokens", "cost", "time"]
    assert lines[1].startswith(newest["run_id"])
    assert " completed  2 completed " in lines[1]
    assert " failed     1 completed, 1 failed " in lines[2]
    latest = nova("runs", "-n", "1", cwd=ran).stdout.splitlines()
    assert [line.split() for line in latest] == [line.split() for line in lines[:2]]


def test_a_run_that_died_or_was_stopped(tmp_path: Path, ran: Path) -> None:
    """A run whose supervisor is gone is dead, and nobody knows how long it took; its task is unfinished, not failed."""
    journal = tmp_path / "journal.db"
    with sqlite3.connect(ran / ".nova/journal.db") as source, sqlite3.connect(journal) as copy:
        source.backup(copy)
        copy.execute("UPDATE runs SET ended_at = NULL, how = NULL, pid_start_time = 1")
        copy.execute("UPDATE attempts SET outcome = 'cancelled' WHERE task_id = 'T2'")
    source.close()
    copy.close()
    done = nova("runs", "--json", "--journal", journal, cwd=ran)
    newest, first = json.loads(done.stdout)["runs"]
    assert (first["condition"], first["duration_seconds"], first["failed"]) == ("dead", None, 0)
    assert (newest["condition"], newest["completed"]) == ("dead", 1)
    assert "1 completed, 1 unfinished" in nova("runs", "--journal", journal, cwd=ran).stdout


def test_nothing_has_been_run_here(tmp_path: Path) -> None:
    """Without a journal the exit code is 2, and nothing is created."""
    done = nova("runs", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nova: .nova/journal.db does not exist: nothing has been run here yet\n"
    assert list(tmp_path.iterdir()) == []


def test_a_task_as_it_was_in_a_run(ran: Path) -> None:
    """Its state, attempts and sums are those of that run, found by the beginning of its id; so is the answer."""
    newest, first = (found["run_id"] for found in runs(ran))
    then = json.loads(nova("show", "T2", "--json", "--run", first[:8], cwd=ran).stdout)
    assert (then["state"], [each["number"] for each in then["attempts"]]) == ("failed", [1])
    assert then["prompt"] is None, "the plan has another one by now"
    now = json.loads(nova("show", "T2", "--json", "--run", newest, cwd=ran).stdout)
    assert (now["state"], [each["number"] for each in now["attempts"]]) == ("completed", [2])
    assert now["prompt"] == WELL
    assert now["cost_usd"] < json.loads(nova("show", "T2", "--json", cwd=ran).stdout)["cost_usd"]
    assert nova("result", "T2", "--run", newest, cwd=ran).stdout == nova("result", "T2", cwd=ran).stdout
    assert nova("result", "T2", "--run", first, cwd=ran).returncode == 1


def test_the_log_of_a_run(ran: Path, tmp_path: Path) -> None:
    """It is found by its identity though a later attempt has taken its name; one that is gone is said to be gone."""
    first = runs(ran)[1]["run_id"]
    assert nova("logs", "T2", "--raw", "--run", first, cwd=ran).stdout == Path(FAILING).read_text()
    assert nova("logs", "T2", "--raw", cwd=ran).stdout == Path(WELL).read_text()
    shown = nova("show", "T2", "--run", first, cwd=ran).stdout
    assert "logs/T2~1.log" in shown, "where it lies now"
    log = ran / "logs/T2~1.log"
    log.rename(tmp_path / "kept")
    try:
        gone = nova("logs", "T2", "--run", first, cwd=ran)
    finally:
        (tmp_path / "kept").rename(log)
    assert gone.returncode == 2
    assert "the log of attempt 1 of T2 is no longer in logs/" in gone.stderr


@pytest.mark.parametrize("command", ["show", "logs", "result"])
def test_no_such_run_or_task(command: str, ran: Path) -> None:
    """What is meant is guessed, and a task that the run did not have is refused."""
    first = runs(ran)[1]["run_id"]
    told = nova(command, "T2", "--run", f"{first[:-1]}-", cwd=ran)
    assert (told.returncode, told.stdout) == (2, "")
    assert f"did you mean '{first}'?" in told.stderr
    assert "`nova runs` lists them" in nova(command, "T2", "--run", "zzz", cwd=ran).stderr
    assert f"no task T3 in run {first}" in nova(command, "T3", "--run", first, cwd=ran).stderr
    assert nova(command, "T2", "--run", "", cwd=ran).returncode == 2


def test_an_id_that_begins_several_runs(ran: Path, tmp_path: Path) -> None:
    """All that it may mean are named."""
    journal = tmp_path / "journal.db"
    with sqlite3.connect(ran / ".nova/journal.db") as source, sqlite3.connect(journal) as copy:
        source.backup(copy)
        copy.execute("PRAGMA foreign_keys = OFF")
        copy.execute("UPDATE runs SET run_id = 'abc' || rowid")
    source.close()
    copy.close()
    told = nova("show", "T2", "--run", "abc", "--journal", journal, cwd=ran)
    assert told.returncode == 2
    assert "several runs begin with abc: abc2, abc1; name more of its id" in told.stderr
    assert "no task T2 in run abc1" in nova("show", "T2", "--run", "abc1", "--journal", journal, cwd=ran).stderr


def test_a_log_of_the_past_is_followed_to_its_end(ran: Path) -> None:
    """Which is there already: with -f it is printed as without, of whichever run."""
    for found in runs(ran):
        followed = nova("logs", "T2", "--run", found["run_id"], "-f", cwd=ran)
        assert (followed.returncode, followed.stderr) == (0, "")
        assert followed.stdout == nova("logs", "T2", "--run", found["run_id"], cwd=ran).stdout != ""


@pytest.mark.parametrize("words", [["runs"], ["show", "T2"], ["logs", "T2"], ["result", "T2"]])
def test_a_run_elsewhere_is_named_by_its_folder(words: list[str], ran: Path, tmp_path: Path) -> None:
    """As for nova status, watch, stop and the others: from any folder one is told what one is told there."""
    command, *task = words
    there, here = nova(*words, cwd=ran), nova(command, f"{ran}/", *task, cwd=tmp_path)
    assert (here.returncode, here.stderr) == (0, "")
    assert told(here.stdout) == told(there.stdout) != []


def told(text: str) -> list[str]:
    """Return what is told, but for where the plan is and how its columns are set."""
    return [word for word in text.split() if "CASCADE.md" not in word]


def test_a_shell_offers_the_runs(ran: Path, tmp_path: Path) -> None:
    """By their ids, newest first, of the folder that is named; none where nothing has run."""
    newest, first = (found["run_id"] for found in runs(ran))
    assert offered("nova show T2 --run ", ran) == [newest, first]
    assert offered(f"nova logs --run {first[:8]}", ran) == [first]
    assert offered(f"nova report {ran} --run ", tmp_path) == [newest, first]
    assert offered("nova show T2 --run ", tmp_path) == []
