"""A run in words and numbers: what is said of a task, of an attempt and of the whole."""

from dataclasses import replace
from typing import Any

import pytest

from nova_async.cascade import Task
from nova_async.cascade.options import TaskOptions
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.placing import Placed
from nova_async.orchestrator.reporting import (
    about,
    about_phase,
    all_completed,
    digest,
    numbers,
    reason,
    run_report,
    silent_denial,
    told_to_go_on,
    warnings_in,
)
from nova_async.records import Attempt, AttemptFacts, AttemptId
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, Hold, TaskView
from nova_async.words import Outcome, Permissions, Phase, TaskState
from tests.views import NOON, attempt, by_id, run_view

HOLD = Hold(agent="claude", program="claude", outcome=Outcome.AUTH, error="", cure="")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (TaskState.READY, "waits for a free worker"),
        (TaskState.WAITING, "waits for A, B"),
        (TaskState.RETRYING, "waits for its next attempt"),
        (TaskState.BLOCKED, "blocked by X"),
        (TaskState.IN_PROGRESS, None),
        (TaskState.COMPLETED, None),
    ],
)
def test_why_a_task_does_not_run(state: TaskState, told: str | None) -> None:
    """In words, while the run goes on; afterwards nothing waits but for what it is blocked by."""
    assert reason(state, ["X"], ["A", "B"], None, over=False) == told
    assert reason(state, ["X"], ["A", "B"], None, over=True) == (told if state is TaskState.BLOCKED else None)


def test_what_somebody_has_to_do() -> None:
    """A ready task of a paused run waits for it; a stopped one and a gate say which command lets them go on."""
    assert reason(TaskState.READY, [], [], None, over=False, is_paused=True) == "waits for the paused run to go on"
    assert told_to_go_on("A", is_stopped=False, over=False) == "waits for approval: `nova approve A`"
    assert told_to_go_on("A", is_stopped=True, over=False) == "stopped; `nova retry A` lets it run again"
    assert told_to_go_on("A", is_stopped=True, over=True) == "stopped; the next `nova run` goes on with it"


def test_a_task_that_waits_for_nobody_has_no_reason() -> None:
    """It waits for the run to begin; one that is not selected or on hold says that, whatever else it waits for."""
    assert reason(TaskState.WAITING, [], [], None, over=False) is None
    assert reason(TaskState.WAITING, [], ["A"], HOLD.reason, over=True) == HOLD.reason
    assert reason(TaskState.WAITING, [], ["A"], HOLD.reason, over=False, selected=False) == "not selected"


def test_a_run_is_complete_when_what_was_selected_is() -> None:
    """The other tasks may be anywhere."""
    done, other = TaskView(id="A", state=TaskState.COMPLETED), TaskView(id="B", is_selected=False)
    assert all_completed(by_id(done, other))
    assert not all_completed(by_id(done, replace(other, is_selected=True)))


def test_what_the_events_tell_of_an_attempt() -> None:
    """Nothing of one that has not ended; what was denied only where something was."""
    assert about(None) == {}
    told = about(
        attempt(
            outcome=Outcome.EXIT, error="exit code 3", usage=TokenUsage(1, 2), cost_usd=0.5, usage_is_final=True
        ).end
    )
    assert told == {"attempt": 1, "outcome": "exit", "error": "exit code 3", "duration_seconds": 5.25, "tokens": 3,
                    "usage_is_final": True, "cost_usd": 0.5, "estimated_usd": None}  # fmt: skip
    assert about(attempt(denied=("Bash",)).end)["denied"] == ["Bash"]


def test_what_the_events_tell_of_a_phase() -> None:
    """Its number and name, and what it does where it says so."""
    assert about_phase(2, AttemptFacts(phase=Phase.RUN)) == {"attempt": 2, "phase": "run"}
    assert about_phase(2, AttemptFacts(phase=Phase.VERIFY, activity="pytest"))["activity"] == "pytest"


def test_what_is_new_and_should_be_known_is_said_once() -> None:
    """A disk that fails, an output that is an agent's, and a program whose success only its exit code tells."""
    before = AttemptFacts(phase=Phase.RUN)
    bad = replace(before, log_error="full", looks_like="codex", pid=7)
    told = list(warnings_in("F1", ["aider", "x"], before, bad))
    assert told[0] == "log of F1: full"
    assert 'agent = "codex"' in told[1]
    assert "`aider`" in told[2]
    assert list(warnings_in("F1", ["aider", "x"], bad, bad)) == []
    silent = replace(bad, warning="no output for 300 s")
    assert list(warnings_in("F1", ["aider", "x"], bad, silent)) == ["F1: no output for 300 s"]
    assert list(warnings_in("F1", ["aider", "x"], silent, silent)) == []
    assert list(warnings_in("F1", ["aider", "x"], silent, bad)) == []
    assert list(warnings_in("F1", ["make"], before, replace(before, pid=7))) == []


def idle(agent: str, **end: Any) -> tuple[Task, list[Attempt]]:
    """Return a task and its one attempt, in a git checkout, which has changed nothing."""
    tried = attempt(commit_sha="abc", **end)
    return Task(id="F1"), [replace(tried, start=replace(tried.start, agent=agent))]


def test_an_agent_may_have_been_denied_everything_without_a_word() -> None:
    """If it reports no denials, had something to change, and changed nothing where git would know."""
    agents = {agent: silent_denial(*idle(agent)) for agent in ("claude", "codex", "opencode", "plain")}
    silent = [agent for agent, said in agents.items() if said is not None]
    assert silent, "no agent is silent about what it was denied: then this sentence can go"
    for agent in silent:
        assert agents[agent] == (
            f"F1 changed no file, and {agent} does not report what it was denied: see `nova result F1`"
        )
        task, tries = idle(agent)
        reads = replace(task, options=TaskOptions(permissions=Permissions.READ))
        assert silent_denial(reads, tries) is None
        checked = replace(task, options=TaskOptions(verify=("true",)))
        assert silent_denial(checked, tries) is None
        assert silent_denial(*idle(agent, files_changed=("a",))) is None
    assert silent_denial(Task(id="F1"), []) is None
    assert silent_denial(Task(id="F1"), [attempt(outcome=None)]) is None
    assert silent_denial(*idle("nobody")) is None


def test_the_report_of_a_run() -> None:
    """The sums of its tasks, and the counts of those that it was to run."""
    tasks = by_id(
        TaskView(id="A", state=TaskState.COMPLETED, usage=TokenUsage(1, 2), cost_usd=0.25),
        TaskView(id="B", state=TaskState.FAILED, usage=TokenUsage(3, 4), usage_is_final=False, cost_is_complete=False),
        TaskView(id="C", state=TaskState.BLOCKED, estimated_usd=0.125),
        TaskView(id="D", state=TaskState.COMPLETED, is_selected=False),
    )
    report = run_report(run_view(warnings=("w",)), tasks, NOON, 2.0004, (HOLD,), budgets=(BudgetView(is_used_up=True),))
    assert (report.holds, report.warnings, report.is_over_budget, report.started_at) == ((HOLD,), ("w",), True, NOON)
    assert numbers(report) == {
        "completed": 1, "failed": 1, "blocked": 1, "duration_seconds": 2.0,
        "token_usage": TokenUsage(4, 6).as_dict(), "usage_is_final": False, "cost_usd": 0.25, "estimated_usd": 0.125,
        "cost_is_complete": False,
    }  # fmt: skip


def test_a_changed_prompt_has_another_mark() -> None:
    """Also one that no encoding takes."""
    assert digest(Task(id="A", description="x")) != digest(Task(id="A", description="y"))
    assert len(digest(Task(id="A", description="\udcff"))) == 16


@pytest.mark.parametrize(("is_behind", "is_complete"), [(False, True), (True, False)])
async def test_a_running_cost_that_is_behind_is_a_lower_bound(is_behind: bool, is_complete: bool) -> None:
    """What its agent told before it began another turn is not what it has cost by now."""
    known = TaskKnown(Task(id="A1"), [attempt("A1", outcome=None)])
    placed = Placed(AttemptId("run", "A1", 1), on_facts=lambda before, now: None, on_cancel=lambda: None)
    placed.facts = AttemptFacts(usage=TokenUsage(5), cost_usd=0.1, cost_is_behind=is_behind)
    known.placed = placed
    assert (known.totals().cost_usd, known.totals().cost_is_complete) == (0.1, is_complete)
