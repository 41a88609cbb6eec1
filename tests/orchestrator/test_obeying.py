"""What a running run can be told of its tasks, and what follows from it."""

import math
import time
from typing import Any

import pytest

from nova_async.cascade import Cascade, parse_cascade
from nova_async.errors import RequestError
from nova_async.orchestrator.actions import (
    Begin,
    CameToGate,
    Completed,
    Failed,
    Finish,
    Forget,
    PassedGate,
    Reopened,
    Stopped,
    StopTask,
)
from nova_async.orchestrator.decide import decide
from nova_async.orchestrator.happenings import (
    Again,
    Approved,
    Approving,
    Begun,
    Ended,
    Forgotten,
    Happening,
    Kept,
    Memory,
    NewBudget,
    Pause,
    Refused,
    Resume,
    Stop,
    StopOne,
    Woken,
    Written,
)
from nova_async.orchestrator.obeying import check_approve, check_stop, to_run_again
from nova_async.orchestrator.retry import MOST_LOST
from nova_async.orchestrator.run_state import RunState
from nova_async.words import Outcome, TaskState
from tests.orchestrator.test_decide import CURABLE, ONE, begun, limited, plan, refused, state_of

CHAIN = plan(("A", ""), ("B", "A"), ("C", "B"), ("X", ""))
GATE = plan(("A", ""), ("B", "A"), B={"gate": True})


def after(cascade: Cascade, *happened: Happening, workers: int = 9, **more: object) -> RunState:
    """Return where a run stands after that."""
    state = state_of(cascade, workers, **more)
    for event in (Begun(), *happened):
        decide(state, event, 1.0)
    return state


def states(state: RunState) -> str:
    """Return where all tasks stand, by their first letters, in file order."""
    return " ".join(state.schedule.state(task_id)[0] for task_id in state.cascade.tasks)


# Stopping one task.


def test_a_running_task_is_asked_to_end_and_rests() -> None:
    """The run goes on with what does not need it, and ends without a failure; its end costs no retry."""
    state = after(CHAIN, Written("A"))
    assert decide(state, StopOne("A"), 2.0) == [StopTask("A", 5.0)]
    assert decide(state, StopOne("A", 0.0), 2.0) == [StopTask("A", 0.0)], "a second wish may be a stronger one"
    assert decide(state, Ended("A", Outcome.CANCELLED), 3.0) == [Stopped("A", has_run=True)]
    assert states(state) == "w w w i"
    assert (state.is_stopped("A"), state.has_halted) == (True, True)
    assert decide(state, Ended("X", Outcome.OK), 4.0) == [Completed("X"), Finish()]


@pytest.mark.parametrize("outcome", [Outcome.LOST, CURABLE, Outcome.NO_RESOURCES, Outcome.OVERLOAD])
def test_a_stopped_task_is_not_tried_again(outcome: Outcome) -> None:
    """However its attempt ends: what would be tried again waits."""
    state = after(CHAIN, Written("A"), StopOne("A"))
    assert decide(state, Ended("A", outcome), 3.0) == [Stopped("A", has_run=True)]
    assert (state.pauses, state.schedule.state("A")) == ([], TaskState.WAITING)


def test_an_end_before_the_stop_counts() -> None:
    """What has completed or failed for good when it is asked to end has done so."""
    state = after(CHAIN, Written("A"), StopOne("A"))
    assert decide(state, Ended("A", Outcome.OK), 3.0) == [Completed("A"), Begin("B")]
    state = after(plan(("A", "")), StopOne("A"))
    assert decide(state, Ended("A", Outcome.VERIFY), 3.0) == [Failed("A", ()), Finish()]
    assert not state.stopped


def test_a_task_that_has_not_begun_is_kept_from_it() -> None:
    """Whether it is ready, waits for others, pauses before a retry, or waits for its account."""
    state = after(CHAIN, workers=1)
    assert decide(state, StopOne("X"), 2.0) == [Stopped("X", has_run=False)]
    assert decide(state, StopOne("B"), 2.0) == [Stopped("B", has_run=False)]
    assert decide(state, Ended("A", Outcome.OK), 3.0) == [Completed("A"), Finish()]
    assert states(state) == "c w w w"
    state = after(CHAIN, Ended("A", CURABLE))
    assert decide(state, StopOne("A"), 2.0) == [Stopped("A", has_run=False)]
    assert (state.pauses, state.paused_until) == ([], {})
    state = after(plan(("A", ""), ("X", "")), refused("A"))
    assert state.held
    decide(state, StopOne("A"), 2.0)
    assert not state.held


@pytest.mark.parametrize("refusal", [Refused("A"), Kept("A", ONE)])
def test_a_stop_before_the_beginning_is_written(refusal: Happening) -> None:
    """If the journal or an account then keeps it from beginning, it rests as well."""
    state = after(CHAIN, StopOne("A"))
    assert Stopped("A", has_run=False) in decide(state, refusal, 2.0)
    assert (state.schedule.state("A"), state.held) == (TaskState.WAITING, {})


def test_what_a_stopped_task_was_to_try_another_tries() -> None:
    """The tasks that wait for it to show that a service answers again do not wait for ever."""
    two = plan(("A", ""), ("B", ""))
    state = after(two, Written("A", ONE), Written("B", ONE), refused("A", ONE, Outcome.OVERLOAD))
    decide(state, refused("B", ONE, Outcome.OVERLOAD), 2.0)
    assert (state.trying, list(state.held)) == ({ONE: "A"}, ["B"])
    assert begun(decide(state, StopOne("A"), 3.0)) == ["B"]
    state = after(two, Written("A", ONE), Written("B", ONE), limited("A", 100.0), limited("B", 100.0))
    assert begun(decide(state, Woken(), 900.0)) == ["A"]
    decide(state, Written("A", ONE), 900.0)
    decide(state, StopOne("A"), 901.0)
    assert begun(decide(state, Ended("A", Outcome.CANCELLED, account=ONE), 902.0)) == ["B"]


def test_whoever_was_to_try_first_and_is_stopped_lets_the_next_one_try() -> None:
    """Also if there was no place yet for it to try whether a limit is over."""
    state = after(plan(("A", ""), ("B", ""), ("X", "")), Written("A", ONE), limited("A", 100.0), workers=1)
    decide(state, Kept("B", ONE.parts()[2]), 2.0)
    (gate,) = state.gates
    assert begun(decide(state, Woken(), 900.0)) == []
    assert state.trying == {gate: "A"}
    check_stop(state, "A")
    decide(state, StopOne("A"), 901.0)
    assert state.trying == {gate: "B"}
    assert begun(decide(state, Ended("X", Outcome.OK), 902.0)) == ["B"]


def test_a_run_that_ends_stops_a_task_sooner() -> None:
    """While a run ends, one of its tasks can be killed."""
    state = after(CHAIN, Written("A"), Stop())
    check_stop(state, "A")
    assert decide(state, StopOne("A", 0.0), 3.0) == [StopTask("A", 0.0)]
    assert Stopped("A", has_run=True) in decide(state, Ended("A", Outcome.CANCELLED), 4.0)


def test_what_cannot_be_stopped() -> None:
    """Each refusal says why, and what to do."""
    state = after(CHAIN, Written("A"), Ended("A", Outcome.OK), Ended("B", Outcome.VERIFY), StopOne("X"))
    decide(state, Ended("X", Outcome.CANCELLED), 2.0)
    for task_id, why in {
        "A": "A has completed already",
        "B": r"B has failed already; `nova retry B` lets it run again",
        "X": r"X is stopped already; `nova retry X`",
        "Y": "there is no task 'Y' in this plan",
    }.items():
        with pytest.raises(RequestError, match=why):
            check_stop(state, task_id)
    assert decide(state, StopOne("A"), 3.0) == [], "nor if it ended in the meantime"
    with pytest.raises(RequestError, match="C does not run, and the run is ending"):
        check_stop(after(CHAIN, Stop()), "C")
    with pytest.raises(RequestError, match="B is not among the tasks of this run"):
        check_stop(after(CHAIN, only={"A"}), "B")


# Running tasks again.


def run_again(state: RunState, *task_ids: str, downstream: bool = False) -> list[object]:
    """Have tasks run again, and return what follows."""
    return list(decide(state, Again(to_run_again(state, task_ids, downstream=downstream)), 5.0))


def test_a_failed_task_runs_again_and_unblocks_the_others() -> None:
    """It begins once the journal has forgotten its end, with all its retries; what it blocked waits for it again."""
    state = after(CHAIN, Written("A"), Ended("A", CURABLE), Woken())
    state.lost["A"] = MOST_LOST
    decide(state, Woken(), 99.0)
    decide(state, Ended("A", CURABLE), 99.0)
    assert states(state) == "f b b i"
    assert run_again(state, "A") == [Reopened("A"), Forget(("A",))]
    assert states(state) == "w w w i"
    assert not state.schedule.failed
    decide(state, Ended("X", Outcome.OK), 5.5)
    assert not state.finished, "it waits for the journal"
    assert decide(state, Forgotten(("A",)), 6.0) == [Begin("A")]
    assert (state.outcomes["A"], state.lost["A"]) == ([], 0)
    decide(state, Ended("A", CURABLE), 7.0)
    assert state.schedule.state("A") is TaskState.RETRYING


def test_a_completed_task_runs_again_and_what_was_built_on_it_stays() -> None:
    """That is said; what has not begun yet waits for it, and what runs goes on."""
    cascade = plan(("A", ""), ("B", "A"), ("C", "B"), ("D", "A"), ("E", "A"), ("F", "A"))
    state = after(cascade, Ended("A", Outcome.OK), Ended("B", Outcome.OK), Ended("C", Outcome.OK), workers=2)
    decide(state, Ended("D", CURABLE), 2.0)
    assert states(state) == "c c c r i i"
    assert run_again(state, "A") == [Reopened("A", ("B", "C")), Forget(("A",))]
    assert states(state) == "w c c w i i"
    assert state.pauses == []
    decide(state, Ended("E", CURABLE), 6.0)
    assert decide(state, Woken(), 99.0) == [], "its pause is over, but it waits for what it needs"
    assert states(state) == "w c c w w i"
    assert begun(decide(state, Forgotten(("A",)), 99.0)) == ["A"]
    assert begun(decide(state, Ended("A", Outcome.OK), 100.0)) == ["D"]


def test_what_ran_on_and_failed_is_blocked_by_what_runs_again() -> None:
    """A task that is to be tried again, and needs one that has failed by then, waits in vain as any other."""
    cascade = plan(("A", ""), ("B", "A"), ("C", "B"))
    state = after(cascade, Ended("A", Outcome.OK))
    run_again(state, "A")
    decide(state, Forgotten(("A",)), 6.0)
    decide(state, Ended("A", Outcome.VERIFY), 7.0)
    assert states(state) == "f i w"
    decide(state, Ended("B", CURABLE), 8.0)
    assert Finish() in decide(state, Woken(), 99.0)
    assert states(state) == "f b b"
    assert state.schedule.blocked_by("C") == ("A",)


def test_all_that_is_built_on_it_runs_again_too() -> None:
    """With ``downstream``, whatever has come to an end; in the order of their dependencies."""
    state = after(CHAIN, Ended("A", Outcome.OK), Ended("B", Outcome.OK), Ended("C", Outcome.VERIFY))
    assert to_run_again(state, ["A"], downstream=True) == ("A", "B", "C")
    again = ("A", "B", "C")
    assert run_again(state, "A", downstream=True) == [*(Reopened(each) for each in again), Forget(again)]
    assert begun(decide(state, Forgotten(again), 6.0)) == ["A"]
    assert begun(decide(state, Ended("A", Outcome.OK), 7.0)) == ["B"]
    state = after(CHAIN, Ended("A", Outcome.OK))
    with pytest.raises(RequestError, match="B, which is built on what is to run again, is running: stop it first"):
        to_run_again(state, ["A"], downstream=True)
    state = after(CHAIN, only={"A", "B"}, completed=["C"])
    decide(state, Ended("A", Outcome.OK), 1.0)
    decide(state, Ended("B", Outcome.OK), 1.0)
    assert to_run_again(after(CHAIN, Ended("A", Outcome.OK), StopOne("B"), Ended("B", Outcome.CANCELLED)), ["A"],
                        downstream=True) == ("A",)  # fmt: skip


def test_a_blocked_task_runs_once_what_blocks_it_does() -> None:
    """Its retry is that of all failed tasks that it waits for, however many steps away they are."""
    cascade = plan(("A", ""), ("B", "A"), ("D", ""), ("C", "B D"), ("X", ""))
    state = after(cascade, Ended("A", Outcome.VERIFY), Ended("D", Outcome.VERIFY))
    assert to_run_again(state, ["C"], downstream=False) == ("A", "D", "C")
    assert run_again(state, "C") == [Reopened("A"), Reopened("D"), Forget(("A", "D"))]


def test_a_stopped_task_goes_on() -> None:
    """Nothing of it is forgotten: it resumes its session."""
    state = after(CHAIN, StopOne("A"), Ended("A", Outcome.CANCELLED))
    assert run_again(state, "A") == [Reopened("A"), Begin("A")]
    assert not state.stopped


def test_a_pause_before_a_retry_is_ended() -> None:
    """Who wants it to run again does not wait for the pause."""
    state = after(CHAIN, Ended("A", CURABLE))
    assert run_again(state, "A") == [Reopened("A"), Begin("A")]
    assert (state.pauses, state.paused_until) == ([], {})


class Counted(tuple[float, str]):
    """A moment and its task, which counts how often it is looked at."""

    looks = 0

    def __getitem__(self, place: Any) -> Any:
        Counted.looks += 1
        return super().__getitem__(place)

    def __lt__(self, other: Any) -> bool:
        Counted.looks += 1
        return super().__lt__(other)


def test_thousands_of_pauses_are_ended_in_linear_time() -> None:
    """One that is ended looks at no other: of 500 tasks each is looked at a few times, and none begins twice."""
    names = [f"T{number}" for number in range(500)]
    cascade = plan(*((name, "") for name in names))
    state = after(cascade, *(Ended(name, CURABLE) for name in names), workers=500)
    state.pauses = [Counted(each) for each in state.pauses]
    Counted.looks = 0
    assert len(begun(decide(state, Again(to_run_again(state, names, downstream=False)), 2.0))) == 500
    assert Counted.looks < 500 * 2 * math.log2(500) * 2, "each leaves the heap once"
    assert not decide(state, Woken(), 1e9)


def test_a_pause_that_was_ended_ends_no_later_one() -> None:
    """A task that was retried, and failed again, pauses as long as it is to, whenever the first pause would end."""
    state = after(plan(("A", ""), A={"retries": 5}), Ended("A", CURABLE))
    first = state.retry_at("A")
    assert first is not None
    run_again(state, "A")
    decide(state, Ended("A", CURABLE), first - 0.001)
    assert begun(decide(state, Woken(), first)) == []
    later = state.retry_at("A")
    assert later is not None
    assert later > first
    assert begun(decide(state, Woken(), later)) == ["A"]


def test_a_pause_that_was_ended_begins_nothing_when_others_end() -> None:
    """Whichever of three pauses ended first: at the end of all of them only those begin that still pause."""
    for retried in "ABC":
        options = {"retries": 5}
        cascade = plan(("A", ""), ("B", ""), ("C", ""), A=options, B=options, C=options)
        state = after(cascade, *(Ended(task_id, CURABLE) for task_id in "ABC"))
        run_again(state, retried)
        assert {*begun(decide(state, Woken(), 1e6))} == {*"ABC"} - {retried}


def test_a_task_whose_account_was_refused_tries_again() -> None:
    """After a login, say; the others follow once it is served."""
    state = after(plan(("A", ""), ("B", ""), ("X", "")), Written("A", ONE), refused("A", ONE))
    decide(state, refused("B", ONE), 2.0)
    assert list(state.held) == ["A", "B"]
    assert run_again(state, "A") == [Reopened("A"), Begin("A")]
    decide(state, Written("A", ONE), 6.0)
    assert begun(decide(state, Ended("A", Outcome.OK, account=ONE), 7.0)) == ["B"]


def test_what_cannot_run_again() -> None:
    """Each refusal says why, and what to do; then nothing at all is done."""
    state = after(CHAIN, Ended("A", Outcome.OK), workers=1)
    for task_id, why in {
        "B": r"B is running: stop it first \(`nova stop B`\)",
        "C": "C is still to run in this run: there is nothing to retry",
        "X": "X is still to run in this run",
        "Y": "there is no task 'Y' in this plan",
    }.items():
        with pytest.raises(RequestError, match=why):
            to_run_again(state, ["A", task_id], downstream=False)
    decide(state, StopOne("B"), 3.0)
    with pytest.raises(RequestError, match="B is still being stopped: retry it once it has ended"):
        to_run_again(state, ["B"], downstream=False)
    decide(state, Stop(), 4.0)
    with pytest.raises(RequestError, match=r"the run is ending.*: retry once it has ended, then run `nova run`"):
        to_run_again(state, ["A"], downstream=False)
    assert decide(state, Again(("A",)), 4.0) == []


def test_what_waits_for_a_usage_limit_cannot_be_hurried() -> None:
    """Its account would refuse it again; nor does it begin if the limit was met in the meantime."""
    state = after(plan(("A", ""), ("B", "")), Written("A", ONE), limited("A", 1000.0))
    with pytest.raises(RequestError, match="A waits for the usage limit of one: it tries as soon as that has reset"):
        to_run_again(state, ["A"], downstream=False)
    assert decide(state, Again(("A",)), 2.0) == []
    assert decide(state, Again(("B",)), 2.0) == [], "nor what runs by now"


def test_a_tick_stays() -> None:
    """Only its author can say that a task that is ticked off in the plan is not done."""
    cascade = parse_cascade("- [x] T1 do\n- [ ] T2 do\n", "tasks.md")
    state = after(cascade, completed=["T1"])
    with pytest.raises(RequestError, match="T1 is ticked off in the plan: remove its tick, then run `nova run`"):
        to_run_again(state, ["T1"], downstream=False)


# Gates.


def test_a_task_with_a_gate_waits_for_approval() -> None:
    """It is said once that it waits for nothing else; the run stays alive for it, and its approval lets it begin."""
    state = after(GATE)
    assert not state.needs_approval("B")
    assert decide(state, Ended("A", Outcome.OK), 2.0) == [Completed("A"), CameToGate("B")]
    assert (state.needs_approval("B"), state.waits_for_somebody, state.finished) == (True, True, False)
    assert decide(state, Woken(), 3.0) == []
    check_approve(state, "B")
    assert decide(state, Approved(("B",)), 4.0) == [PassedGate("B"), Begin("B")]
    assert decide(state, Approved(("B",)), 4.0) == []
    decide(state, Ended("B", CURABLE), 5.0)
    assert decide(state, Woken(), 99.0) == [Begin("B")], "a retry asks nobody"


def test_a_run_that_nobody_attends_ends_at_its_gates() -> None:
    """It has not failed: the next run goes on once they are approved."""
    state = after(GATE, waits_for_approval=False)
    assert decide(state, Ended("A", Outcome.OK), 2.0) == [Completed("A"), CameToGate("B"), Finish()]
    assert state.has_halted


def test_a_run_does_not_end_while_an_approval_is_written() -> None:
    """Nothing begins after the end, where nobody could stop it; so what was approved in time begins before."""
    state = after(plan(("A", ""), ("B", ""), B={"gate": True}), Approving(("B",)), waits_for_approval=False)
    assert decide(state, Ended("A", Outcome.OK), 2.0) == [Completed("A")]
    assert decide(state, Approved(("B",)), 3.0) == [PassedGate("B"), Begin("B")]
    assert decide(state, Ended("B", Outcome.OK), 4.0) == [Completed("B"), Finish()]
    state = after(GATE, Approving(("B",)), Stop())
    assert decide(state, Ended("A", Outcome.CANCELLED), 2.0) == [Finish()]
    assert decide(state, Approved(("B",)), 3.0) == [PassedGate("B")]


def test_a_task_may_be_approved_before_its_turn() -> None:
    """Then it begins as any other; what an earlier run was told counts, too."""
    state = after(GATE, Approved(("B",)))
    assert begun(decide(state, Ended("A", Outcome.OK), 2.0)) == ["B"]
    state = after(GATE, approved={"B"})
    assert begun(decide(state, Ended("A", Outcome.OK), 2.0)) == ["B"]


def test_a_stopped_task_with_a_gate_needs_both_words() -> None:
    """Its approval does not let it begin while it is stopped, nor does its retry before it is approved."""
    state = after(GATE, Ended("A", Outcome.OK), StopOne("B"))
    assert not state.needs_approval("B")
    assert state.finished, "nobody is asked for what is stopped"
    cascade = plan(("A", ""), ("B", ""), A={"gate": True})
    state = after(cascade, StopOne("A"))
    assert decide(state, Approved(("A",)), 2.0) == [PassedGate("A")]
    assert run_again(state, "A") == [Reopened("A"), Begin("A")]
    state = after(cascade, StopOne("A"))
    assert run_again(state, "A") == [Reopened("A"), CameToGate("A")]


def test_a_stopped_run_waits_for_no_approval() -> None:
    """Nor does one that a failure ends."""
    state = after(GATE, Ended("A", Outcome.OK))
    assert decide(state, Stop(), 3.0) == [Finish()]


def test_what_cannot_be_approved() -> None:
    """Each refusal says why."""
    state = after(GATE)
    for task_id, why in {"A": "A needs no approval: it has no gate", "Y": "there is no task 'Y'"}.items():
        with pytest.raises(RequestError, match=why):
            check_approve(state, task_id)
    decide(state, Approved(("B",)), 2.0)
    with pytest.raises(RequestError, match="B is approved already"):
        check_approve(state, "B")


# The whole run.


def test_nothing_begins_while_a_run_is_paused() -> None:
    """What runs goes on; nothing is forgotten, and no clock is set meanwhile."""
    state = after(CHAIN, workers=1)
    assert decide(state, Pause(), 2.0) == []
    assert decide(state, Ended("A", Outcome.OK), 3.0) == [Completed("A")]
    assert not state.finished
    assert decide(state, Woken(), 4.0) == []
    assert begun(decide(state, Resume(), 5.0)) == ["B"]


def test_a_paused_run_asks_a_failing_journal_and_the_memory_for_nothing() -> None:
    """It has nothing to write, and needs no room."""
    state = after(CHAIN, Refused("A"), Pause(), workers=2)
    state.memory.wanted = 100
    assert decide(state, Memory(1), 50.0) == []
    assert decide(state, Woken(), 500.0) == []
    assert state.memory.look_at is None
    decide(state, Resume(), 501.0)
    assert begun(decide(state, Woken(), 501.0)) == ["A"]


def test_another_budget() -> None:
    """A larger one is warned of anew; a smaller one that is used up ends the run as any used-up budget does."""
    state = after(CHAIN, NewBudget(None, 100))
    assert (state.budget.max_tokens, state.budget.max_cost_usd) == (100, None)
    state.budget.note_running("A", state.budget.total._replace(tokens=85))
    assert "80 % used" in str(decide(state, Woken(), 2.0))
    decide(state, NewBudget(2.0, 1000), 3.0)
    assert (state.budget.max_tokens, state.budget.max_cost_usd) == (1000, 2.0)
    state.budget.note_running("A", state.budget.total._replace(tokens=900))
    assert "80 % used" in str(decide(state, Woken(), 4.0))
    actions = decide(state, NewBudget(None, 500), 5.0)
    assert {action.task_id for action in actions if isinstance(action, StopTask)} == {"A", "X"}
    assert state.stopping


def test_thousands_of_tasks_run_again_in_linear_time() -> None:
    """Whether a whole chain is blocked or completed: each task is looked at a few times, not once for each other."""
    names = [f"T{number}" for number in range(5000)]
    chain = plan(("X", ""), *((name, names[place - 1] if place else "") for place, name in enumerate(names)))
    began = time.process_time()
    for state in (after(chain, failed=["T0"]), after(chain, completed=names)):
        again = to_run_again(state, names, downstream=True)
        decide(state, Again(again), 2.0)
        assert begun(decide(state, Forgotten(again), 3.0)) == ["T0"]
    assert time.process_time() - began < 1.5, "a tenth of that is usual; a walk for each of them takes three seconds"


def test_an_approval_does_not_begin_what_the_journal_has_not_forgotten() -> None:
    """A failed task that has got a gate since needs both, in either order."""
    state = after(plan(("B", ""), ("X", ""), B={"gate": True}), failed=["B"])
    again = to_run_again(state, ["B"], downstream=False)
    decide(state, Again(again), 2.0)
    assert begun(decide(state, Approved(("B",)), 3.0)) == []
    assert begun(decide(state, Forgotten(again), 4.0)) == ["B"]


def test_what_runs_again_begins_with_nothing_counted() -> None:
    """Neither its refusals nor that only its check was left is held for or against its new attempts."""
    state = after(CHAIN, failed=["A"], to_check=["A"])
    state.overloads["A"] = state.lost["A"] = 3
    decide(state, Again(to_run_again(state, ["A"], downstream=False)), 2.0)
    assert (state.overloads["A"], state.lost["A"], state.to_check) == (0, 0, set())


def test_a_stopped_attempt_is_not_a_lost_one() -> None:
    """Somebody wanted its end: only one that nobody wanted is counted as lost."""
    state = after(CHAIN, StopOne("A"), Ended("A", Outcome.CANCELLED))
    assert (state.outcomes["A"], state.lost["A"]) == ([Outcome.CANCELLED], 0)
