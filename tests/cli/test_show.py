"""``nova show`` and ``nova result``: everything about one task, and its answer alone."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.found_task import find_task
from nova_async.journal.rows import attempt_of
from nova_async.process.table import TABLE
from nova_async.records import Attempt
from nova_async.views import TaskView
from nova_async.words import Outcome, Phase, RunEnd, TaskState
from tests.agents.recordings import kept
from tests.cli.command import HAS_SETSID, NOVA, PROGRAMS, in_a_terminal, nova, read_to_the_end
from tests.views import attempt, by_id, log_at, run_view, write_state

PLAN = f"""+++
retries = 0
agent = "claude"
command = ["{sys.executable}", "{PROGRAMS / "replay.py"}", "burst", "{{prompt}}"]
+++
| ID | What | Depends |
|---|---|---|
| T1 | {kept("claude/refused-read.sj.stdout").path} | |
| T2 | {kept("claude/tools.sj.stdout").path} | |
| T3 | {kept("claude/maxturns.sj.stdout").path} | T2 |
| T4 | never | T3 |
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a plan has run: T1 and T2 are completed, T3 has failed, T4 is blocked."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "CASCADE.md").write_text(PLAN)
    done = nova("run", "--plain", cwd=folder)
    assert done.returncode == 1, done.stderr
    return folder


def test_everything_about_a_completed_task(ran: Path) -> None:
    """State, agent, tokens, cost, command, log, attempts, prompt and answer are there."""
    shown = nova("show", "T2", cwd=ran)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("T2 ")
    assert lines[0].endswith(": completed")
    facts = {line[2:11].strip(): line[11:] for line in lines if line.startswith("  ")}
    assert facts["plan"] == "CASCADE.md"
    assert facts["agent"].startswith("claude · claude-sonnet-4-6 · session ")
    assert facts["tokens"].startswith("57,459: 311 input · 3,041 output · ")
    assert facts["cost"] == "$0.18"
    assert facts["log"] == "logs/T2.log"
    assert " burst " in facts["command"]  # each word is cut where a checkout lies deep
    assert lines[lines.index("") + 2].split()[:2] == ["1", "ok"]
    assert lines[-2:] == ["Answer", "Final answer: all done (tools, step 2)."]


def test_refused_tools_with_their_cure(ran: Path) -> None:
    """What an agent was refused is told with what helps."""
    shown = nova("show", "T1", cwd=ran).stdout
    assert "refused" in shown
    assert "`nova run --permissions full`" in " ".join(shown.split())


def test_why_a_task_failed_or_did_not_run(ran: Path) -> None:
    """The reason stands first."""
    assert "  why      Reached maximum number of turns (2)\n" in nova("show", "T3", cwd=ran).stdout
    blocked = nova("show", "T4", cwd=ran).stdout
    assert blocked.startswith("T4 never: blocked\n  why   blocked by T3\n")
    assert blocked.endswith("\nPrompt\n  never\n")


def test_as_json(ran: Path) -> None:
    """A program gets one document with the same facts, and every attempt."""
    shown: dict[str, Any] = json.loads(nova("show", "T3", "--json", cwd=ran).stdout)
    assert (shown["id"], shown["state"], shown["outcome"]) == ("T3", "failed", "agent_error")
    assert shown["result"] is None
    assert shown["token_usage"]["output_tokens"] == 2022
    (only,) = shown["attempts"]
    assert (only["number"], only["agent"], only["exit_code"], only["log_path"]) == (1, "claude", 0, "logs/T3.log")
    assert only["command"][1:3] == [str(PROGRAMS / "replay.py"), "burst"]
    assert json.loads(nova("show", "T2", "--json", cwd=ran).stdout)["result"].startswith("Final answer")


def test_what_outlived_an_agent(tmp_path: Path) -> None:
    """How many processes a task has left is told, for each attempt in JSON."""
    view = TaskView(id="T1", state=TaskState.COMPLETED, attempt=1, attempts=(attempt("T1", leftovers=2),))
    write_state(tmp_path, run_view(), by_id(view))
    assert "2 processes that outlived the agent\n" in nova("show", "T1", cwd=tmp_path).stdout
    (only,) = json.loads(nova("show", "T1", "--json", cwd=tmp_path).stdout)["attempts"]
    assert only["leftovers"] == 2


def test_the_answer_alone(ran: Path) -> None:
    """A pipe gets the answer as it was given, without even a line end of ours."""
    done = subprocess.run([*NOVA, "result", "T2"], cwd=ran, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"Final answer: all done (tools, step 2).", b"")


@pytest.mark.skipif(not HAS_SETSID, reason="needs setsid")
def test_the_answer_on_a_terminal(ran: Path) -> None:
    """A person gets a line that ends."""
    with in_a_terminal("result", "T2", cwd=ran) as (_, terminal):
        assert read_to_the_end(terminal) == b"Final answer: all done (tools, step 2).\r\n"


def test_no_answer(ran: Path) -> None:
    """The exit code is 1, and a sentence says why there is none."""
    done = nova("result", "T3", cwd=ran)
    told = "nova: T3 has no answer: Reached maximum number of turns (2); `nova logs T3` shows what it printed\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    done = nova("result", "T4", cwd=ran)
    assert (done.returncode, done.stderr) == (1, "nova: T4 has no answer: it has not run yet: blocked by T3\n")


@pytest.mark.parametrize("command", ["show", "result", "logs", "retry"])
def test_a_task_that_there_is_not(ran: Path, command: str) -> None:
    """Every command says so, with the task that was probably meant."""
    done = nova(command, "t3", cwd=ran)
    assert done.returncode == 2
    assert "t3" in done.stderr
    assert done.stderr.endswith("; did you mean 'T3'?\n")


def test_other_tasks_are_not_read(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the journal only the attempts of the task itself: there may be hundreds of thousands of others."""
    read: list[str] = []

    def note(row: Sequence[Any]) -> Attempt:
        attempt = attempt_of(row)
        read.append(attempt.start.id.task_id)
        return attempt

    monkeypatch.setattr("nova_async.journal.history.attempt_of", note)
    assert find_task("T2", state=ran / "cascade_state.json", journal=ran / ".nova/journal.db").view.result
    assert set(read) == {"T2"}


def test_a_task_that_has_not_run(ran: Path) -> None:
    """It is no unknown one: why it has not run is said."""
    done = nova("logs", "T4", cwd=ran)
    assert done.returncode == 2
    assert done.stderr.startswith("nova: T4 has not run yet: blocked by T3")
    assert "did you mean" not in done.stderr


def test_without_the_state_file(ran: Path, tmp_path: Path) -> None:
    """The journal alone tells all but what never ran."""
    arguments = ["--journal", ran / ".nova" / "journal.db", "--state", tmp_path / "none.json"]
    assert nova("result", "T2", *arguments, cwd=tmp_path).stdout.startswith("Final answer")
    assert nova("show", "T2", *arguments, cwd=tmp_path).stdout.startswith("T2: completed\n")
    assert nova("show", "T3", *arguments, cwd=tmp_path).stdout.startswith("T3: failed\n  why      Reached maximum")
    assert nova("show", "T4", *arguments, cwd=tmp_path).returncode == 2


def test_without_the_journal(ran: Path, tmp_path: Path) -> None:
    """The state file alone tells how a task stands; answers are kept in the journal."""
    arguments = ["--journal", tmp_path / "none.db", "--state", ran / "cascade_state.json"]
    assert nova("show", "T2", *arguments, cwd=tmp_path).stdout.splitlines()[0].endswith(": completed")
    assert nova("result", "T2", *arguments, cwd=tmp_path).returncode == 1


def test_where_nothing_has_run(tmp_path: Path) -> None:
    """There is a sentence for that."""
    for command in ("show", "result"):
        done = nova(command, "T1", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("nova: no run here: cascade_state.json does not exist")


def test_a_task_of_another_plan(ran: Path, tmp_path: Path) -> None:
    """Results belong to a plan: --plan names it, and without it the plan that was run last is meant."""
    for name, text in (("one.md", "1"), ("two.md", "2")):
        (tmp_path / name).write_text(f"+++\ncommand = ['sh', '-c', 'echo {text}']\n+++\n| ID | What |\n|---|---|\n"
                                     f"| A{text} | x |\n| B | y |\n")  # fmt: skip
        assert nova("run", name, "--plain", cwd=tmp_path).returncode == 0
    assert "two.md" in nova("show", "B", cwd=tmp_path).stdout
    assert "echo 2" in nova("show", "B", cwd=tmp_path).stdout
    assert "echo 1" in nova("show", "B", "--plan", "one.md", cwd=tmp_path).stdout
    assert nova("show", "A1", cwd=tmp_path).returncode == 2
    assert nova("show", "A1", "--plan", "one.md", cwd=tmp_path).returncode == 0
    plain = nova("result", "B", cwd=tmp_path)
    assert plain.returncode == 1
    assert "its command is not an agent that nova can read; `nova logs B`" in plain.stderr


def test_a_long_answer_is_whole(tmp_path: Path) -> None:
    """The journal keeps 64 KiB of it; the rest is read from the log."""
    answer = "long é " * 20_000 + "the end"
    event = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": answer,
             "session_id": "s", "modelUsage": {"m": {"inputTokens": 1, "outputTokens": 1}}}  # fmt: skip
    (tmp_path / "long.json").write_text(json.dumps(event) + "\n")
    command = json.dumps([sys.executable, str(PROGRAMS / "replay.py"), "burst", str(tmp_path / "long.json")])
    (tmp_path / "CASCADE.md").write_text(f"+++\nagent = 'claude'\ncommand = {command}\n+++\n| ID | What |\n|---|---|\n"
                                         "| A1 | x |\n")  # fmt: skip
    assert nova("run", "--plain", cwd=tmp_path).returncode == 0
    assert nova("result", "A1", cwd=tmp_path).stdout == answer
    (tmp_path / "logs" / "A1.log").unlink()
    cut = nova("result", "A1", cwd=tmp_path)
    assert answer.startswith(cut.stdout)
    assert len(cut.stdout.encode()) > 65_000
    assert "only the first 64 KiB of the answer are kept, and its log is gone" in cut.stderr


def test_a_task_that_is_running(tmp_path: Path) -> None:
    """What it does now is told, its clock runs, and there is no answer yet."""
    entry = TABLE.look(os.getpid())
    assert entry is not None
    (tmp_path / "F1.log").write_text("x\n")
    begun = attempt(outcome=None)
    view = TaskView(id="F1", state=TaskState.IN_PROGRESS, phase=Phase.RUN, attempt=1, attempts=(begun,),
                    activity="Bash: pytest -q", started_at=begun.start.started_at,
                    log=log_at(tmp_path / "F1.log"))  # fmt: skip
    write_state(tmp_path, run_view(pid=os.getpid(), pid_start_time=entry.start_time), by_id(view))
    shown = nova("show", "F1", cwd=tmp_path).stdout
    assert shown.startswith("F1: running\n  doing  Bash: pytest -q\n")
    assert "\n      1  running" in shown
    done = nova("result", "F1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "nova: F1 has no answer: attempt 1 is still running\n")


def test_a_summary_names_the_answers(tmp_path: Path) -> None:
    """The end of a run has one line for what each agent answered in it."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    done = nova("run", "--plain", cwd=tmp_path)
    assert "\nT2: Final answer: all done (tools, step 2).\n" in done.stdout
    assert "Full answers: `nova result TASK`" in done.stdout
    again = nova("run", "--plain", cwd=tmp_path)
    assert "T2: Final answer" not in again.stdout


def test_the_words_of_the_table(tmp_path: Path) -> None:
    """A task of a run that was stopped is called here as it is there: it waits for nothing any more."""
    view = TaskView(id="F1", state=TaskState.WAITING, attempt=1, attempts=(attempt(outcome=Outcome.CANCELLED),))
    write_state(tmp_path, run_view(end=RunEnd.STOPPED), by_id(view, TaskView(id="F2", state=TaskState.WAITING)))
    assert nova("show", "F1", cwd=tmp_path).stdout.startswith("F1: stopped\n")
    assert nova("show", "F2", cwd=tmp_path).stdout.startswith("F2: not started\n")
