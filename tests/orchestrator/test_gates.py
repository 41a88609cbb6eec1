"""What a usage limit that is waited out means for the tasks of its account: who tries, when, and what is told."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from nova_async.orchestrator.actions import (
    Action,
    Begin,
    Closed,
    Completed,
    Failed,
    Finish,
    HeldBack,
    Opened,
    Retrying,
    Suspended,
    WakeAt,
)
from nova_async.orchestrator.decide import decide
from nova_async.orchestrator.gates import BACKOFF, JITTER, NO_NEWS, SERVED_SECONDS
from nova_async.orchestrator.happenings import Begun, Ended, Kept, StartedWell, Told, Woken, Written
from nova_async.orchestrator.run_state import RunState
from nova_async.words import Outcome, TaskState
from tests.orchestrator.test_decide import ONE, OTHER, begun, limited, plan, refused, state_of

RESET = 100.0  # when the limit of these tests resets; it is met at 10.0
LATE = RESET + JITTER[-1]  # by then every gate of it has opened


def run_of(tasks: str, workers: int = 1, **settings: Any) -> RunState:
    """Return a run of these tasks that has begun as many as it may."""
    cascade = plan(*((task, "") for task in tasks))
    state = state_of(replace(cascade, settings=replace(cascade.settings, **settings)), workers)
    decide(state, Begun(), 0.0)
    return state


def limited_run(tasks: str = "ABC", **settings: Any) -> RunState:
    """Return a run whose first task has met a usage limit at 10.0, while the others wait for the same account."""
    state = run_of(tasks, **settings)
    decide(state, limited(tasks[0], RESET), 10.0)
    for task in tasks[1:]:
        decide(state, Kept(task, ONE), 10.0)
    return state


def kinds(actions: Iterable[Action]) -> list[type[Action]]:
    """Return what is done, without when the run looks again."""
    return [type(each) for each in actions if not isinstance(each, WakeAt)]


def told(until: float, outcome: Outcome = Outcome.LIMIT) -> Told:
    """Return the news that another run has met a limit."""
    ended = refused("A", outcome=outcome)
    assert ended.hold is not None
    return Told(ONE, replace(ended.hold, until=datetime.fromtimestamp(until, UTC)))


def until(state: RunState) -> float:
    """Return how long the tasks of the account wait, as everybody is told."""
    moment = state.holds[ONE].until
    assert moment is not None
    return moment.timestamp()


def with_kind(ended: Ended, kind: str) -> Ended:
    """Return an end by a limit of this kind."""
    assert ended.hold is not None
    return replace(ended, hold=replace(ended.hold, kind=kind))


def test_who_tries_too_early_waits_for_the_new_reset() -> None:
    """A try that is refused closes the gate again, until the later reset, and the first task tries again then."""
    state = limited_run()
    assert begun(decide(state, Woken(), RESET)) == []
    assert begun(decide(state, Woken(), LATE)) == ["A"]
    actions = decide(state, limited("A", 1000.0), LATE + 1)
    assert kinds(actions) == [HeldBack, Closed]
    assert 1000.0 < until(state) <= 1000.0 + JITTER[-1]
    assert begun(decide(state, Woken(), 1000.0)) == []
    assert begun(decide(state, Woken(), 1000.0 + JITTER[-1])) == ["A"]


def test_a_reset_that_passes_while_an_attempt_ends_costs_no_long_wait() -> None:
    """One that has passed is tried again within seconds; if that was wrong, after a longer and longer pause."""
    state = run_of("A")
    decide(state, limited("A", 9.0), 10.0)
    assert 10.0 < until(state) <= 10.0 + JITTER[1]
    assert begun(decide(state, Woken(), 20.0)) == ["A"]
    decide(state, limited("A", 9.0), 30.0)
    assert 30.0 + BACKOFF[0] / 2 < until(state)


def test_a_task_that_has_run_for_a_minute_was_not_refused() -> None:
    """Some agents tell their tokens only at their end: the others need not wait for that."""
    state = limited_run(workers=9)
    assert begun(decide(state, Woken(), LATE)) == ["A"]
    decide(state, StartedWell("A"), LATE)
    nearly = LATE + SERVED_SECONDS - 5
    assert decide(state, Woken(), nearly) == [WakeAt(LATE + SERVED_SECONDS)]
    opened, *rest = decide(state, Woken(), LATE + SERVED_SECONDS)
    assert isinstance(opened, Opened)
    assert (begun(rest), state.holds) == (["B", "C"], {})


def test_a_minute_is_no_proof_that_a_rejected_key_is_taken() -> None:
    """An agent may well ask for a login for so long: only its end tells."""
    state = run_of("AB", retry_on=(Outcome.AUTH,))
    decide(state, refused("A"), 1.0)
    [login] = state.holds
    decide(state, Kept("B", login), 1.0)
    assert begun(decide(state, Woken(), 9999.0)) == ["A"]
    decide(state, Written("A", ONE), 9999.0)
    assert kinds(decide(state, StartedWell("A"), 9999.0)) == []
    assert kinds(decide(state, Woken(), 9999.0 + 2 * SERVED_SECONDS)) == []
    assert state.held == {"B": login}
    assert begun(decide(state, Ended("A", Outcome.OK, account=ONE), 10999.0)) == ["B"]


def test_a_process_that_could_not_be_made_lets_the_next_one_try() -> None:
    """It has not asked its service, so nobody waits for it to come back."""
    state = limited_run()
    assert begun(decide(state, Woken(), LATE)) == ["A"]
    actions = decide(state, Ended("A", Outcome.NO_RESOURCES, account=ONE), LATE + 1)
    assert begun(actions) == ["B"]
    assert state.held_by("C", ONE) == ONE


def test_who_tries_and_is_kept_by_another_account_lets_the_next_one_try() -> None:
    """A task that waits for something else cannot show whether the first account serves again."""
    state = limited_run()
    assert begun(decide(state, Woken(), LATE)) == ["A"]
    assert begun(decide(state, Kept("A", OTHER), LATE)) == ["B"]
    assert state.held == {"A": OTHER, "C": ONE}


def test_a_gate_that_nobody_waits_for_is_tried_by_who_comes_first() -> None:
    """Where its time has come before a task wants to begin, that one tries at once, and alone."""
    state = run_of("ABC", workers=3)
    decide(state, told(RESET), 10.0)
    assert decide(state, Woken(), LATE) == []
    assert begun(decide(state, Kept("A", ONE), LATE)) == ["A"]
    assert state.held_by("A", ONE) is None
    assert begun(decide(state, Kept("B", ONE), LATE)) == []


def test_a_task_tries_both_limits_of_its_account() -> None:
    """One of the whole login and one of its model, both reset by now: it does not wait for one because of the other."""
    state = run_of("A")
    login = ONE._replace(model=None)
    decide(state, told(RESET), 10.0)
    decide(state, replace(told(RESET), account=login), 10.0)
    assert begun(decide(state, Kept("A", login), LATE)) == ["A"]
    assert begun(decide(state, Kept("A", ONE), LATE)) == ["A"]
    assert state.held_by("A", ONE) is None
    assert kinds(decide(state, Ended("A", Outcome.OK, account=ONE), LATE)) == [Opened, Opened, Completed, Finish]


def test_what_another_run_has_met_is_waited_for_until_the_same_moment() -> None:
    """It is told once, and again only if the moment has changed by more than the two runs' clocks may differ."""
    state = run_of("A")
    [closed] = decide(state, told(RESET), 10.0)
    assert isinstance(closed, Closed)
    assert (closed.is_ours, until(state)) == (False, RESET)
    assert decide(state, told(RESET + NO_NEWS), 11.0) == []
    assert kinds(decide(state, told(RESET + 3 * NO_NEWS), 12.0)) == [Closed]
    assert until(state) == RESET + 3 * NO_NEWS


def test_what_another_run_has_met_ends_no_hold_of_another_kind() -> None:
    """An account that rejects its key serves nobody after the reset either; one that was only busy waits for it."""
    state = run_of("AB")
    decide(state, refused("A"), 1.0)
    [login] = state.holds
    tell = replace(told(RESET), account=login)
    assert kinds(decide(state, tell, 10.0)) == []
    assert state.holds[login].outcome is Outcome.AUTH
    busy = run_of("AB")
    decide(busy, refused("A", outcome=Outcome.OVERLOAD), 1.0)
    assert kinds(decide(busy, told(RESET), 10.0)) == [Closed]
    assert busy.holds[ONE].outcome is Outcome.LIMIT


def test_a_task_that_is_about_to_try_waits_if_the_reset_is_put_off() -> None:
    """It has not begun, and another run has met the limit again: it tries at the new moment, not before."""
    state = run_of("AB")
    decide(state, limited("A", RESET), 10.0)  # B runs elsewhere, in the only place
    decide(state, Woken(), LATE)
    assert (state.trying, state.schedule.state("A")) == ({ONE: "A"}, TaskState.READY)
    assert kinds(decide(state, told(1000.0), LATE)) == [Closed]
    assert state.held_by("A", ONE) == ONE
    assert begun(decide(state, Ended("B", Outcome.OK, account=OTHER), LATE)) == ["A"]
    assert begun(decide(state, Kept("A", ONE), LATE)) == []
    assert begun(decide(state, Woken(), 1000.0)) == ["A"]


def test_a_limit_that_resets_too_late_is_not_waited_for() -> None:
    """Beyond max_wait the run ends, whether it or another run has met the limit; its tasks are left for the next."""
    state = run_of("AB", max_wait=60.0)
    held, suspended, *_ = decide(state, limited("A", 3600.0), 10.0)
    assert isinstance(held, HeldBack)
    assert isinstance(suspended, Suspended)
    assert held.hold == suspended.hold == state.holds[ONE]
    assert suspended.hold.until is None
    assert kinds(decide(state, Kept("B", ONE), 10.0)) == [Finish]
    other = run_of("A", max_wait=60.0)
    assert kinds(decide(other, told(3600.0), 10.0)) == [Suspended]
    assert other.gates == {}


def test_used_up_credit_is_not_waited_for() -> None:
    """It ends when somebody pays, not with time: that is said once, and the run ends when nothing else is left."""
    state = run_of("ABC", workers=2)
    credit = with_kind(limited("A", RESET), "credit")
    assert kinds(decide(state, credit, 10.0)) == [HeldBack, Suspended, Begin]
    assert kinds(decide(state, replace(credit, task_id="B"), 11.0)) == [HeldBack]
    assert kinds(decide(state, Kept("C", ONE), 11.0)) == [Finish]
    assert [hold.waiting for hold in state.holds_now()] == [("A", "B", "C")]


def test_an_account_that_is_refused_is_not_tried_after_a_reset() -> None:
    """A limit that a sibling tells of afterwards makes no gate of a hold that no waiting ends."""
    state = run_of("AB", workers=2)
    refusal = refused("A")
    assert refusal.hold is not None
    decide(state, replace(refusal, account=ONE), 10.0)
    [login] = state.holds
    late = limited("B", RESET, login)
    assert late.hold is not None
    actions = decide(state, replace(late, hold=replace(late.hold, model=None)), 11.0)
    assert kinds(actions) == [HeldBack, Finish]
    assert (state.gates, state.holds[login].outcome) == ({}, Outcome.AUTH)


def test_a_limit_that_a_retry_meets_is_waited_for() -> None:
    """A key that was rejected is taken by now, or no limit would be met: what holds the tasks ends with time."""
    state = run_of("AB", retry_on=(Outcome.AUTH,))
    decide(state, refused("A"), 1.0)
    [login] = state.holds
    decide(state, Kept("B", login), 1.0)
    assert begun(decide(state, Woken(), 9999.0)) == ["A"]
    late = limited("A", 20_000.0, login)
    assert late.hold is not None
    actions = decide(state, replace(late, hold=replace(late.hold, model=None)), 10_000.0)
    assert kinds(actions) == [HeldBack, Closed]
    assert [(hold.outcome, hold.waiting) for hold in state.holds_now()] == [(Outcome.LIMIT, ("A", "B"))]
    assert begun(decide(state, Woken(), 20_000.0 + JITTER[-1])) == ["A"]


def test_an_overload_is_tried_out_by_one_task_alone() -> None:
    """Another one that meets it waits for how the first one's next attempt ends, and uses up no try of its own."""
    state = run_of("AB", workers=2)
    assert kinds(decide(state, refused("A", outcome=Outcome.OVERLOAD), 1.0)) == [Retrying]
    assert kinds(decide(state, refused("B", outcome=Outcome.OVERLOAD), 2.0)) == [HeldBack]
    assert begun(decide(state, Woken(), 9999.0)) == ["A"]
    assert kinds(decide(state, Ended("A", Outcome.OK, account=ONE), 9999.0)) == [Completed, Begin]


def test_an_overload_that_is_not_retried_fails_its_own_task_alone() -> None:
    """Nobody waits for a task that is not tried again, even if its account is on hold for another's sake."""
    state = run_of("AB", workers=2, retry_on=(Outcome.EXIT,))
    assert kinds(decide(state, refused("A", outcome=Outcome.OVERLOAD), 1.0)) == [Failed]
    assert state.holds == {}
    decide(state, told(RESET), 2.0)
    assert Failed in kinds(decide(state, refused("B", outcome=Outcome.OVERLOAD), 3.0))
    assert list(state.gates) == [ONE]


def test_an_overload_after_the_reset_shows_nothing_of_the_limit() -> None:
    """The task that tried comes back later by itself, and the next one tries in the meantime."""
    state = limited_run()
    assert begun(decide(state, Woken(), LATE)) == ["A"]
    actions = decide(state, refused("A", outcome=Outcome.OVERLOAD), LATE + 1)
    assert kinds(actions) == [Retrying, Begin]
    assert begun(actions) == ["B"]
    assert state.holds[ONE].outcome is Outcome.LIMIT
    assert state.held_by("C", ONE) == ONE


def test_who_is_served_elsewhere_lets_those_begin_that_wait_for_its_retry() -> None:
    """A refused key that one task was to try again says nothing more if that task begins on another account."""
    state = run_of("ABC", retry_on=(Outcome.AUTH,))
    decide(state, refused("A"), 1.0)
    [login] = state.holds
    decide(state, Kept("B", login), 1.0)
    decide(state, Kept("C", login), 1.0)
    assert begun(decide(state, Woken(), 9999.0)) == ["A"]
    decide(state, Written("A", OTHER), 9999.0)
    assert (state.holds, state.held) == ({}, {})
    assert begun(decide(state, Ended("A", Outcome.OK, account=OTHER), 9999.0)) == ["B"]


def test_an_overload_where_a_limit_has_just_reset_is_not_tried_at_once() -> None:
    """A task that was under way when another run told of a limit waits as long as after any overload."""
    state = run_of("A")
    decide(state, Written("A", ONE), 0.0)
    decide(state, told(RESET), 1.0)
    actions = decide(state, refused("A", outcome=Outcome.OVERLOAD), LATE)
    assert kinds(actions) == [Retrying]
    assert state.schedule.state("A") is TaskState.RETRYING


def test_a_task_that_fails_while_it_tries_lets_the_next_one_try() -> None:
    """It has met an overload of its own model, which is not tried again: whether the limit is over, nobody knows."""
    state = run_of("AB", retry_on=())
    login, big = ONE._replace(model=None), ONE._replace(model="big")
    decide(state, replace(told(RESET), account=login), 10.0)
    decide(state, Kept("A", login), 10.0)
    decide(state, Kept("B", login), 10.0)
    assert begun(decide(state, Woken(), LATE)) == ["A"]
    decide(state, Written("A", big), LATE)
    assert begun(decide(state, refused("A", big, Outcome.OVERLOAD), LATE + 1)) == ["B"]
