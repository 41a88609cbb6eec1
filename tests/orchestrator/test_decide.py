"""What follows from what happens, whatever the order: no task runs twice, none is forgotten, the end is reached."""

import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nova_async.cascade import Cascade, Task, parse_cascade
from nova_async.cascade.options import TaskOptions
from nova_async.errors import RequestError
from nova_async.orchestrator import retry as room
from nova_async.orchestrator.actions import (
    Action,
    Begin,
    CameToGate,
    Closed,
    Completed,
    Failed,
    Finish,
    Forget,
    GiveUp,
    HeldBack,
    Opened,
    OutOfBudget,
    PassedGate,
    Reached,
    Reopened,
    Retrying,
    Stopped,
    StopTask,
    Suspended,
    WakeAt,
)
from nova_async.orchestrator.budget import NOTHING, Budget, Spending
from nova_async.orchestrator.decide import JOURNAL_PATIENCE, decide
from nova_async.orchestrator.happenings import (
    Again,
    Approved,
    Approving,
    Begun,
    Ended,
    Forgotten,
    Gauged,
    Happening,
    Heard,
    Kept,
    NewBudget,
    Offset,
    Pause,
    Refused,
    Resume,
    Served,
    Spent,
    StartedWell,
    Starting,
    Stop,
    StopOne,
    Told,
    Woken,
    Workers,
    Written,
)
from nova_async.orchestrator.holding import Account, with_dependents, with_waiting
from nova_async.orchestrator.noticing import noticed
from nova_async.orchestrator.obeying import check_approve, check_stop, to_run_again
from nova_async.orchestrator.pace import Setting
from nova_async.orchestrator.retry import BUSY, UNSERVED
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.schedule import UNFINISHED
from nova_async.records import AttemptFacts
from nova_async.usage import Gauge, TokenUsage
from nova_async.views import Hold
from nova_async.words import OnBudget, OnFailure, Outcome, TaskState

CURABLE = Outcome.SIGNAL
ONE, OTHER = Account("one", "/bin/one", (), "m"), Account("other", "/bin/other", (), "m")


def refused(task_id: str, account: Account = ONE, outcome: Outcome = Outcome.AUTH) -> Ended:
    """Return the end of an attempt whose agent its account has refused."""
    model = account.model if outcome is Outcome.LIMIT or outcome in BUSY else None
    hold = Hold(agent=account.agent, program=account.program, model=model, outcome=outcome, error="no", cure="do")
    return Ended(task_id, outcome, account=account, hold=hold)


def limited(task_id: str, resets_at: float, account: Account = ONE) -> Ended:
    """Return the end of an attempt whose account has reached a usage limit."""
    ended = refused(task_id, account, Outcome.LIMIT)
    assert ended.hold is not None
    return replace(ended, hold=replace(ended.hold, resets_at=datetime.fromtimestamp(resets_at, UTC)))


def try_to_begin(state: RunState, task_id: str, account: Account = ONE) -> list[Action] | None:
    """Do as the orchestrator does where a task is to begin; None where it may."""
    held = state.held_by(task_id, account)
    return None if held is None else decide(state, Kept(task_id, held), 1.0)


def plan(*tasks: tuple[str, str], **options: dict[str, object]) -> Cascade:
    """Make a cascade of (id, dependencies) pairs, with options by id."""
    return Cascade.of(
        Task(id=name, depends_on=tuple(needs.split()), options=TaskOptions(**options.get(name, {})))  # type: ignore[arg-type]
        for name, needs in tasks
    )


def state_of(cascade: Cascade, workers: int = 9, **more: object) -> RunState:
    """Return the state of a run that is about to begin."""
    return RunState.of(cascade, max_workers=workers, chance=random.Random(1), **more)  # type: ignore[arg-type]


def begun(actions: list[Action]) -> list[str]:
    """Return the tasks that are to begin."""
    return [action.task_id for action in actions if isinstance(action, Begin)]


def test_the_life_of_a_chain() -> None:
    """Each task begins when the one before it has completed, and the run is over after the last."""
    state = state_of(plan(("A", ""), ("B", "A")))
    assert decide(state, Begun(), 0.0) == [Begin("A")]
    assert decide(state, Written("A"), 0.1) == []
    assert decide(state, Ended("A", Outcome.OK), 1.0) == [Completed("A"), Begin("B")]
    assert decide(state, Ended("B", Outcome.OK), 2.0) == [Completed("B"), Finish()]


def test_a_chain_waits_for_nothing_but_its_tasks() -> None:
    """Each task of a chain begins with the end of the one before it, and no clock is set."""
    state = RunState.of(
        plan(*((f"T{number}", f"T{number - 1}" if number else "") for number in range(100))), max_workers=3
    )
    actions = decide(state, Begun(), 0.0)
    for number in range(100):
        assert actions[-1] == Begin(f"T{number}")
        assert not any(isinstance(action, WakeAt) for action in actions)
        decide(state, Written(f"T{number}"), 0.0)
        actions = decide(state, Ended(f"T{number}", Outcome.OK), 0.0)
    assert actions[-1] == Finish()


def test_a_retry_waits_and_then_begins() -> None:
    """What a retry can cure is paused, woken when its time has come and not before, and begun again."""
    state = state_of(plan(("A", "")))
    decide(state, Begun(), 0.0)
    retrying, wake = decide(state, Ended("A", CURABLE), 10.0)
    assert isinstance(retrying, Retrying)
    assert isinstance(wake, WakeAt)
    assert wake.moment == 10.0 + retrying.delay
    assert state.retry_at("A") == wake.moment
    assert begun(decide(state, Woken(), wake.moment - 0.01)) == []
    assert decide(state, Woken(), wake.moment) == [Begin("A")]
    failed, finish = decide(state, Ended("A", CURABLE), 99.0)
    assert (failed, finish) == (Failed("A", ()), Finish())


def test_thousands_of_pauses_are_asked_for_quickly() -> None:
    """A fleet that an overload has put aside as a whole can still be looked at."""
    state = state_of(plan(*((f"T{number}", "") for number in range(10_000))), workers=10_000)
    for task_id in begun(decide(state, Begun(), 0.0)):
        decide(state, Ended(task_id, Outcome.LOST), 0.0)
    began = time.process_time()
    assert all(state.retry_at(task_id) is not None for task_id in state.cascade.tasks)
    assert time.process_time() - began < 1.0  # going through all pauses for each takes five times as long


class Looked(dict[str, Account]):
    """Held tasks that count how often somebody looks at one."""

    looks = 0

    def values(self) -> Iterator[Account]:  # type: ignore[override]
        """Give the accounts, each counted when it is taken."""
        for account in super().values():
            Looked.looks += 1
            yield account


def test_thousands_of_tasks_wait_for_one_account_at_little_cost() -> None:
    """What happens meanwhile is decided without going through all of them."""
    count = 1000
    state = state_of(plan(*((f"T{number}", "") for number in range(count))), workers=1)
    state.held, now = Looked(), time.time()
    decide(state, Begun(), now)
    waiting = decide(state, limited("T0", now + 3600), now)
    while begin := begun(waiting):
        waiting = decide(state, Kept(begin[0], state.held_by(begin[0], ONE) or ONE), now)
    assert len(state.held) == count
    assert Looked.looks <= 3 * count


def test_a_failure_blocks_and_the_rest_goes_on() -> None:
    """All that depends on a failed task is named once, directly or not."""
    state = state_of(plan(("A", ""), ("B", "A"), ("C", "B"), ("D", "")))
    decide(state, Begun(), 0.0)
    assert decide(state, Ended("A", Outcome.EXIT), 1.0) == [Failed("A", ("B", "C"))]
    assert decide(state, Ended("D", Outcome.OK), 1.0) == [Completed("D"), Finish()]


@pytest.mark.parametrize(("policy", "stops"), [(OnFailure.DRAIN, []), (OnFailure.STOP, ["B"])])
def test_a_failure_may_end_the_run(policy: OnFailure, stops: list[str]) -> None:
    """Nothing new begins after it; what runs goes on to its end or is stopped, as the task says."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", ""), A={"on_failure": policy}), workers=2)
    assert begun(decide(state, Begun(), 0.0)) == ["A", "B"]
    actions = decide(state, Ended("A", Outcome.EXIT), 1.0)
    assert [action.task_id for action in actions if isinstance(action, StopTask)] == stops
    assert begun(actions) == []
    last = Outcome.CANCELLED if stops else Outcome.OK
    assert decide(state, Ended("B", last), 2.0)[-1] == Finish()
    assert state.schedule.state("C") is TaskState.READY
    assert state.schedule.state("B") is (TaskState.WAITING if stops else TaskState.COMPLETED)


def test_a_drain_forgets_no_pause() -> None:
    """A task that waited for its next attempt shows so no longer, and its change is told."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", ""), C={"on_failure": OnFailure.DRAIN}))
    decide(state, Begun(), 0.0)
    decide(state, Ended("A", CURABLE), 1.0)
    state.schedule.changed.clear()
    decide(state, Ended("C", Outcome.EXIT), 2.0)
    assert "A" in state.schedule.changed
    assert state.retry_at("A") is None
    assert decide(state, Ended("B", Outcome.OK), 3.0)[-1] == Finish()


def test_an_end_that_nobody_asked_for() -> None:
    """An attempt that somebody else cancelled is lost, not put back for ever; after a few such ends it has failed."""
    state = state_of(plan(("A", "")))
    decide(state, Begun(), 0.0)
    now = 0.0
    for _ in range(room.MOST_LOST):
        actions = decide(state, Ended("A", Outcome.CANCELLED), now)
        assert isinstance(actions[0], Retrying)
        now += 1000
        assert begun(decide(state, Woken(), now)) == ["A"]
    assert decide(state, Ended("A", Outcome.LOST), now) == [Failed("A", ()), Finish()]


def test_our_own_stop_is_no_failure() -> None:
    """A task that was stopped waits for the next run, and the run is over when the last has ended."""
    state = state_of(plan(("A", ""), ("B", ""), A={"grace": 7.0}))
    decide(state, Begun(), 0.0)
    assert decide(state, Stop(), 1.0) == [StopTask("A", 7.0), StopTask("B", 5.0)]
    assert decide(state, Stop(0.0), 1.5) == [StopTask("A", 0.0), StopTask("B", 0.0)]
    assert decide(state, Ended("A", Outcome.CANCELLED), 2.0) == []
    assert decide(state, Ended("B", Outcome.OK), 2.0) == [Completed("B"), Finish()]
    assert state.schedule.state("A") is TaskState.WAITING


def test_a_machine_without_room() -> None:
    """Where no process is to be had, fewer run at once until one more has started well; no task is charged."""
    state = state_of(plan(*((f"T{number}", "") for number in range(6)), T0={"retries": 0}), workers=4)
    assert len(begun(decide(state, Begun(), 0.0))) == 4
    decide(state, StartedWell("T1"), 0.1)
    for task in ("T0", "T2", "T3"):
        assert isinstance(decide(state, Ended(task, Outcome.NO_RESOURCES), 0.2)[0], Retrying)
    assert state.schedule.slots_in_use == 1
    assert begun(decide(state, Woken(), 100.0)) == []
    assert len(begun(decide(state, StartedWell("T1"), 100.0))) == 1
    assert begun(decide(state, Ended("T1", Outcome.OK), 101.0)) != []


def test_a_machine_that_has_room_now_and_then() -> None:
    """Only shortages in a row count against a task."""
    state = state_of(plan(("A", "")))
    decide(state, Begun(), 0.0)
    now = 0.0
    for _ in range(room.MOST_SHORTAGES + 5):
        decide(state, StartedWell("A"), now)
        decide(state, Ended("A", Outcome.NO_RESOURCES), now)
        now += 100.0
        assert begun(decide(state, Woken(), now)) == ["A"]


def test_woken_too_early() -> None:
    """A clock may be early: the same moment is asked for again, but never twice at once."""
    state = state_of(plan(("A", ""), ("B", "")), budget=Budget(max_tokens=100))
    decide(state, Begun(), 0.0)
    _, wake = decide(state, Ended("A", CURABLE), 10.0)
    assert isinstance(wake, WakeAt)
    assert decide(state, Spent("B", Spending(1)), 10.1) == []
    assert decide(state, Woken(), wake.moment - 0.01) == [wake]


def test_nothing_is_retried_once_nothing_may_begin() -> None:
    """What fails then waits for the next run, and this one ends."""
    state = state_of(plan(("A", "")))
    decide(state, Begun(), 0.0)
    decide(state, Stop(), 1.0)
    assert decide(state, Ended("A", CURABLE), 2.0) == [Finish()]
    assert state.schedule.state("A") is TaskState.WAITING


def test_a_machine_that_never_has_room() -> None:
    """A task is not tried for ever."""
    state = state_of(plan(("A", "")))
    now = 0.0
    actions = decide(state, Begun(), now)
    for _ in range(room.MOST_SHORTAGES):
        assert begun(actions) == ["A"]
        decide(state, Ended("A", Outcome.NO_RESOURCES), now)
        now += 100
        actions = decide(state, Woken(), now)
    assert decide(state, Ended("A", Outcome.NO_RESOURCES), now) == [Failed("A", ()), Finish()]


def test_nothing_begins_without_a_journal() -> None:
    """A beginning that was not written down starts nothing; one is tried now and then, and then all that may."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", "")))
    assert begun(decide(state, Begun(), 0.0)) == ["A", "B", "C"]
    decide(state, Written("A"), 0.0)
    for task in ("B", "C"):
        assert begun(decide(state, Refused(task), 0.1)) == []
    assert begun(decide(state, Ended("A", Outcome.OK), 0.2)) == []
    assert state.journal is not None
    assert begun(decide(state, Woken(), state.journal.again_at - 0.01)) == []
    assert begun(decide(state, Woken(), state.journal.again_at)) == ["B"]
    assert begun(decide(state, Woken(), 50.0)) == []
    assert begun(decide(state, Written("B"), 50.0)) == ["C"]


def test_a_journal_that_never_works_again() -> None:
    """With nothing running, the run gives up after a while, and not before."""
    state = state_of(plan(("A", "")))
    decide(state, Begun(), 0.0)
    now = 0.0
    while now < JOURNAL_PATIENCE:
        decide(state, Refused("A"), now)
        assert state.journal is not None
        now = state.journal.again_at
        actions = decide(state, Woken(), now)
    assert actions == [GiveUp(), Finish()]


def test_a_journal_that_fails_while_something_runs() -> None:
    """The run does not give up on an agent that is at work, however long that takes."""
    state = state_of(plan(("A", ""), ("B", "")), workers=2)
    decide(state, Begun(), 0.0)
    decide(state, Written("A"), 0.0)
    decide(state, Refused("B"), 0.0)
    assert begun(decide(state, Woken(), 2 * JOURNAL_PATIENCE)) == ["B"]


def test_a_journal_is_tried_behind_what_has_no_budget_left() -> None:
    """A task whose own budget is used up is told to wait, and the next one tries whether the journal works."""
    cascade = plan(("A", ""), ("B", "A"), ("C", ""), B={"budget_tokens": 1})
    state = state_of(cascade, workers=2, spent={"B": Spending(5)})
    assert begun(decide(state, Begun(), 0.0)) == ["A", "C"]
    decide(state, Refused("C"), 0.1)
    decide(state, Ended("A", Outcome.OK), 0.2)
    waits, begins, *_ = decide(state, Woken(), 50.0)
    assert isinstance(waits, OutOfBudget)
    assert (waits.task_id, begins) == ("B", Begin("C"))
    assert begun(decide(state, Woken(), 60.0)) == []  # the answer to this one comes first


def test_milestones_come_once() -> None:
    """A milestone is told when it is reached, never again, and not where an earlier run has reached it."""
    half = "[[milestone]]\nid='half'\nmessage='Half'\npercent=50\n"
    first = "[[milestone]]\nid='a'\nmessage='A'\ntasks=['A']\n"
    cascade = parse_cascade(f"+++\n{half}{first}+++\n| ID | What |\n|---|---|\n| A | x |\n| B | x |\n")
    state = state_of(cascade, reached=["a"])
    decide(state, Begun(), 0.0)
    actions = decide(state, Ended("A", Outcome.OK), 1.0)
    assert [action.milestone.id for action in actions if isinstance(action, Reached)] == ["half"]
    assert not [action for action in decide(state, Ended("B", Outcome.OK), 2.0) if isinstance(action, Reached)]


def test_a_refused_account_stops_its_tasks_and_no_others() -> None:
    """The first refusal is the last: no task of that account begins, those of others go on, and nothing has failed."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", ""), ("D", "A")), workers=1)
    assert begun(decide(state, Begun(), 0.0)) == ["A"]
    held, suspended, begin = decide(state, refused("A"), 1.0)
    assert isinstance(suspended, Suspended)
    assert held == HeldBack("A", suspended.hold)
    assert begin == Begin("B")
    assert try_to_begin(state, "B") == [Begin("C")]
    assert try_to_begin(state, "C", OTHER) is None
    assert decide(state, Ended("C", Outcome.OK, account=OTHER), 2.0) == [Completed("C"), Finish()]
    assert {task: state.schedule.state(task) for task in "ABD"} == dict.fromkeys("ABD", TaskState.WAITING)
    assert [hold.waiting for hold in state.holds_now()] == [("A", "B", "D")]


def test_those_under_way_go_on_when_their_account_is_refused() -> None:
    """They end as they end; another refusal is told for its task, and the hold once."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", ""), ("D", "")), workers=3)
    decide(state, Begun(), 0.0)
    assert [type(each) for each in decide(state, refused("A"), 1.0)] == [HeldBack, Suspended, Begin]
    assert try_to_begin(state, "D") == []
    assert [type(each) for each in decide(state, refused("B"), 1.0)] == [HeldBack]
    assert decide(state, Ended("C", Outcome.OK, account=ONE), 1.0) == [Completed("C"), Finish()]


def test_a_limit_holds_the_tasks_of_its_model() -> None:
    """Many limits are those of one model: tasks that name another are tried."""
    state = state_of(plan(("A", ""), ("B", "")), workers=1)
    decide(state, Begun(), 0.0)
    decide(state, refused("A", outcome=Outcome.LIMIT), 1.0)
    assert state.held_by("B", ONE) == ONE
    assert state.held_by("B", ONE._replace(model="small")) is None
    assert state.held_by("B", OTHER) is None


@pytest.mark.parametrize("then", [Outcome.OK, Outcome.EXIT])
def test_a_listed_refusal_is_tried_again_by_one_task_alone(then: Outcome) -> None:
    """The others wait for how that ends, and begin once it was served, however it ended."""
    cascade = plan(("A", ""), ("B", ""), ("C", ""))
    state = state_of(replace(cascade, settings=replace(cascade.settings, retry_on=("auth",))), workers=2)
    assert begun(decide(state, Begun(), 0.0)) == ["A", "B"]
    retrying, _, begin, wake = decide(state, refused("A"), 1.0)
    assert isinstance(retrying, Retrying)
    assert begin == Begin("C")
    assert isinstance(wake, WakeAt)
    assert try_to_begin(state, "C") == []
    assert [type(each) for each in decide(state, refused("B"), 1.0)] == [HeldBack]
    assert begun(decide(state, Woken(), wake.moment)) == ["A"]
    assert try_to_begin(state, "A") is None
    assert begun(decide(state, Ended("A", then, account=ONE), 99.0)) == ["B", "C"]
    assert (state.holds_now(), try_to_begin(state, "B")) == ((), None)


def with_a_refused_task_retried() -> RunState:
    """Return a run in which A was refused and has begun again, since its refusal is listed, while B waits for it."""
    cascade = plan(("A", ""), ("B", ""))
    state = state_of(replace(cascade, settings=replace(cascade.settings, retry_on=("auth",))), workers=1)
    decide(state, Begun(), 0.0)
    decide(state, refused("A"), 1.0)
    try_to_begin(state, "B")
    assert begun(decide(state, Woken(), 9999.0)) == ["A"]
    return state


def test_an_attempt_that_was_lost_shows_no_account_to_serve() -> None:
    """The others go on waiting for the one task that is retried."""
    state = with_a_refused_task_retried()
    assert begun(decide(state, Ended("A", Outcome.LOST, account=ONE), 9999.0)) == []
    assert state.held_by("B", ONE) is not None


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [(None, 0, 300), (-1.0, 0, 300), (math.nan, 0, 300), (600.0, 600, 660), (1e9, 3600, 3960), (math.inf, 3600, 3960)],
)
@pytest.mark.parametrize("outcome", [Outcome.OVERLOAD, Outcome.NETWORK])
def test_a_busy_service_is_left_alone_as_long_as_it_asked(
    outcome: Outcome, told: float | None, least: float, most: float
) -> None:
    """It is not tried sooner than it said, nor much later, and after an hour in any case."""
    state = state_of(plan(("A", ""), ("B", "")), workers=1)
    decide(state, Begun(), 0.0)
    actions = decide(state, replace(refused("A", outcome=outcome), retry_after=told), 0.0)
    (retrying,) = (action for action in actions if isinstance(action, Retrying))
    assert least <= retrying.delay <= most
    assert state.held_by("B", ONE) is not None


def test_what_an_agent_was_asked_for_is_no_matter_of_other_ends() -> None:
    """A task that failed for a reason of its own is tried again as usual."""
    state = state_of(plan(("A", ""), A={"retries": 1}))
    decide(state, Begun(), 0.0)
    actions = decide(state, Ended("A", CURABLE, account=ONE, retry_after=3000.0), 0.0)
    (retrying,) = (action for action in actions if isinstance(action, Retrying))
    assert retrying.delay <= 300


def test_what_is_noticed_of_a_running_attempt() -> None:
    """Tokens show that its account serves it, if that was to be tried; what it spends matters where a budget is set."""
    facts = AttemptFacts(usage=TokenUsage(1, 2))
    state = state_of(plan(("A", ""), ("B", "")), budget=Budget(100))
    assert list(noticed(state, "A", facts)) == [Spent.by("A", facts)]
    state = state_of(plan(("A", ""), ("B", "")))
    state.trying[ONE] = "A"
    assert list(noticed(state, "A", facts)) == [Served("A")]
    assert list(noticed(state, "A", AttemptFacts())) == []
    assert list(noticed(state, "B", facts)) == []


@given(st.lists(st.sampled_from(sorted(BUSY)), min_size=room.MOST_OVERLOADS + 2, max_size=40), st.integers(0, 2))
def test_a_service_that_stays_busy_is_tried_so_often_and_no_more(outcomes: list[Outcome], retries: int) -> None:
    """Its bound is its own, whatever retries the task has."""
    state, now, tries = state_of(plan(("A", ""), A={"retries": retries})), 0.0, 0
    actions = decide(state, Begun(), now)
    for outcome in outcomes:
        if not begun(actions):
            break
        tries += 1
        decide(state, refused("A", outcome=outcome), now)
        now += 9999.0
        actions = decide(state, Woken(), now)
    assert tries == room.MOST_OVERLOADS + 1
    assert state.schedule.state("A") is TaskState.FAILED


def test_nothing_begins_on_the_word_of_a_clock() -> None:
    """What the machine tells of its clock may come before the first happening, a stop or fewer places."""
    state = state_of(plan(("A", ""), ("B", "")), workers=2)
    assert decide(state, Offset(1e9), 0.0) == []
    assert state.utc_offset == 1e9
    assert (decide(state, Workers(1), 0.0), state.schedule.slots_in_use) == ([Begin("A")], 1)
    assert decide(state, Offset(2e9), 1.0) == []
    decide(state, Stop(), 1.0)
    assert decide(state, Offset(3e9), 1.0) == []
    assert decide(state, Ended("A", Outcome.CANCELLED), 2.0) == [Finish()]


def test_others_do_not_wait_for_one_that_tries_no_more() -> None:
    """Where the task that met an overload is lost too often, and so fails, the next one tries."""
    state = state_of(plan(("A", ""), ("B", "")), workers=1)
    now = 0.0
    assert begun(decide(state, Begun(), now)) == ["A"]
    decide(state, refused("A", outcome=Outcome.OVERLOAD), now)
    try_to_begin(state, "B")
    for _ in range(room.MOST_LOST):
        now += 9999.0
        assert begun(decide(state, Woken(), now)) == ["A"]
        decide(state, Ended("A", Outcome.LOST, account=ONE), now)
    assert begun(decide(state, Woken(), now + 9999.0)) == ["A"]
    assert decide(state, Ended("A", Outcome.LOST, account=ONE), now + 9999.0) == [Failed("A", ()), Begin("B")]
    assert state.held_by("B", ONE) is None


def test_who_is_served_elsewhere_has_not_tried() -> None:
    """A task that was to try one account, and that another of its order serves, says nothing of the first."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", "")), workers=1)
    decide(state, Begun(), 0.0)
    decide(state, limited("A", 60.0, OTHER), 1.0)
    assert begun(decide(state, Kept("B", OTHER), 1.0)) == ["C"]
    decide(state, Kept("C", OTHER), 1.0)
    assert begun(decide(state, Woken(), 70.0)) == ["A"]
    decide(state, Written("A", ONE), 70.0)
    assert decide(state, Served("A"), 71.0) == []
    assert OTHER in state.holds
    assert decide(state, Ended("A", Outcome.OK, account=ONE), 72.0) == [Completed("A"), Begin("B")]
    decide(state, Written("B", OTHER), 72.0)
    assert [type(each) for each in decide(state, Served("B"), 73.0)] == [Opened]


def test_others_try_where_a_refused_task_runs_elsewhere() -> None:
    """A refusal that is to be tried again is tried by the next task, if the first is served by another account."""
    state = with_a_refused_task_retried()
    decide(state, Written("A", OTHER), 9999.0)
    assert state.held_by("B", ONE) is None
    assert decide(state, Ended("A", Outcome.OK, account=OTHER), 9999.0) == [Completed("A"), Begin("B")]


def test_a_listed_refusal_that_stays_is_held_in_the_end() -> None:
    """With its retries used up the task waits as all others of its account do."""
    state = with_a_refused_task_retried()
    held, finish = decide(state, refused("A"), 9999.0)
    assert isinstance(held, HeldBack)
    assert finish == Finish()
    assert [hold.waiting for hold in state.holds_now()] == [("A", "B")]


def test_a_journal_is_tried_by_a_task_that_may_begin() -> None:
    """Where the one that was to try it is on hold, the next one does, at once."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", "")), workers=3)
    decide(state, Begun(), 0.0)
    decide(state, Refused("B"), 0.1)
    decide(state, Refused("C"), 0.1)
    decide(state, refused("A"), 0.2)
    assert begun(decide(state, Woken(), 20.0)) == ["B"]
    (wake,) = decide(state, Kept("B", ONE.parts()[1]), 20.0)
    assert wake == WakeAt(20.0)
    assert begun(decide(state, Woken(), 20.0)) == ["C"]


def test_what_was_never_started_fails_its_own_task_alone() -> None:
    """Where nothing says that the program itself is missing, the others are none the worse for it."""
    state = state_of(plan(("A", ""), ("B", "")), workers=1)
    decide(state, Begun(), 0.0)
    assert decide(state, Ended("A", Outcome.SPAWN_ERROR, account=ONE), 1.0) == [Failed("A", ()), Begin("B")]
    assert state.held_by("B", ONE) is None


def test_a_thousand_held_tasks_are_counted_quickly() -> None:
    """A long chain behind a refused agent is gone through once."""
    chain = [(f"T{number}", f"T{number - 1}" if number else "") for number in range(5_000)]
    cascade = plan(*chain)
    began = time.process_time()
    (hold,) = with_waiting(
        {ONE: Hold(agent="one", program="one", outcome=Outcome.AUTH, error="", cure="")},
        {"T0": ONE}, cascade, cascade.tasks,
    )  # fmt: skip
    assert len(hold.waiting) == 5_000
    assert time.process_time() - began < 1.0


def test_a_sibling_that_meets_the_same_limit_tells_no_news() -> None:
    """The gate stays as it is, and is told once; a reset that is really later moves it."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", "")))
    decide(state, Begun(), 0.0)
    closed = []
    for task_id, seconds in (("A", 600.0), ("B", 600.0), ("C", 6000.0)):
        closed.append([type(each) for each in decide(state, limited(task_id, seconds), 1.0)].count(Closed))
    assert closed == [1, 0, 1]
    assert state.gates[ONE].opens_at > 6000


def test_fewer_workers_in_the_middle_of_a_run() -> None:
    """A lower limit ends nothing, and lets nothing begin until there is a place under it."""
    state = state_of(plan(*((f"T{number}", "") for number in range(5))), workers=3)
    assert len(begun(decide(state, Begun(), 0.0))) == 3
    decide(state, Workers(1), 0.0)
    assert begun(decide(state, Ended("T0", Outcome.OK), 1.0)) == []
    assert begun(decide(state, Ended("T1", Outcome.OK), 1.0)) == []
    assert begun(decide(state, Ended("T2", Outcome.OK), 1.0)) == ["T3"]


def test_an_attempt_that_goes_on_from_an_earlier_run() -> None:
    """It takes its place from the start, and its end is an end like any other."""
    state = state_of(plan(("A", ""), ("B", ""), ("C", "A")), workers=1, running=["A"])
    assert begun(decide(state, Begun(), 0.0)) == []
    assert begun(decide(state, Ended("A", Outcome.OK), 1.0)) != []


@settings(max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, told as the orchestrator tells it."""

    @initialize(
        edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12),
        workers=st.integers(1, 4),
        retries=st.integers(0, 2),
        slots=st.lists(st.integers(1, 3), min_size=8, max_size=8),
        on_failure=st.sampled_from(OnFailure),
        accounts=st.lists(st.sampled_from([ONE, ONE._replace(model="big"), OTHER]), min_size=8, max_size=8),
        retry_on=st.sampled_from([("signal", "overload"), ("auth", "limit", "spawn_error", "signal")]),
        budgets=st.tuples(st.none() | st.integers(1, 60), st.none() | st.floats(0.01, 60)),
        of_tasks=st.lists(st.none() | st.integers(1, 20), min_size=8, max_size=8),
        on_budget=st.sampled_from(OnBudget),
        on_limit=st.sampled_from(["wait", "fail"]),
        max_wait=st.sampled_from([None, 0.0, 600.0]),
        pace=st.sampled_from(["on", "off", 0.3]),
        gates=st.sets(st.integers(0, 7), max_size=3),
        attended=st.booleans(),
    )
    def begin(
        self,
        edges: list[tuple[int, int]],
        workers: int,
        retries: int,
        slots: list[int],
        on_failure: OnFailure,
        accounts: list[Account],
        retry_on: tuple[str, ...],
        budgets: tuple[int | None, float | None],
        of_tasks: list[int | None],
        on_budget: OnBudget,
        on_limit: Literal["wait", "fail"],
        max_wait: float | None,
        pace: Setting,
        gates: set[int],
        attended: bool,
    ) -> None:
        """Begin a run of eight tasks."""
        needs = {later: sorted({earlier for earlier, other in edges if other == later and earlier < later})
                 for later in range(8)}  # fmt: skip
        cascade = Cascade.of(
            Task(
                id=f"T{number}",
                depends_on=tuple(f"T{earlier}" for earlier in needs[number]),
                options=TaskOptions(
                    retries=retries,
                    slots=slots[number],
                    on_failure=on_failure,
                    on_budget=on_budget,
                    budget_tokens=of_tasks[number],
                    gate=number in gates,
                ),
            )
            for number in range(8)
        )
        settings = replace(cascade.settings, backoff=(1.0, 8.0), retry_on=retry_on)
        self.cascade = replace(
            cascade, settings=replace(settings, on_usage_limit=on_limit, max_wait=max_wait, pace=pace)
        )
        self.signals: Counter[str] = Counter()
        self.workers = workers
        self.accounts = {f"T{number}": account for number, account in enumerate(accounts)}
        self.now = 0.0
        self.state = state_of(
            self.cascade, workers, budget=Budget(*budgets), capped=self.cascade.tasks, waits_for_approval=attended
        )
        self.approved: set[str] = set()
        self.approving: list[str] = []  # in the journal soon
        self.forgetting: list[tuple[str, ...]] = []
        self.stopped: set[str] = set()  # and at rest
        self.paused = False
        self.spent: dict[str, Spending] = {}  # by those that run
        self.rows: list[tuple[str, Spending]] = []  # what ended attempts have used
        self.shares: dict[str, float | None] = {}
        self.asked: set[str] = set()  # to begin, and not yet written
        self.running: set[str] = set()
        self.done: set[str] = set()
        self.verdicts: dict[str, type] = {}
        self.finished = self.stopping = False
        self.wake: float | None = None
        self.happens(Begun())

    def happens(self, event: Happening) -> None:
        """Tell what happens, and do what follows; what may not begin is kept, as the orchestrator does."""
        self.now += 0.01
        kept: list[Kept] = []
        for action in decide(self.state, event, self.now):
            match action:
                case Begin(task_id) if (held := self.state.held_by(task_id, self.accounts[task_id])) is not None:
                    kept.append(Kept(task_id, held))
                case HeldBack(task_id):
                    assert task_id not in self.verdicts, "what waits has not failed"
                    assert isinstance(event, Ended)
                    assert event.account is not None
                    assert event.hold is not None
                    where = event.account.held_by(event.hold)
                    gate = self.state.gates.get(where)
                    is_due = gate is not None and gate.opens_at <= self.now + self.state.utc_offset
                    assert is_due or self.state.trying.get(where) != task_id, "it is not tried again"
                case OutOfBudget(task_id):
                    used = sum(row.tokens for task, row in self.rows if task == task_id)
                    assert used >= (self.cascade.tasks[task_id].options.budget_tokens or 0)
                case Begin(task_id, share):
                    assert not self.stopping, "nothing begins after a stop"
                    assert not self.finished, "nothing begins after the end"
                    assert not self.paused, "nothing begins while it is paused"
                    assert task_id not in self.stopped, "what was stopped waits to be retried"
                    assert not self.cascade.tasks[task_id].options.gate or task_id in self.approved
                    assert not any(task_id in each for each in self.forgetting), "its old end still counts"
                    assert not self.state.budget.is_used_up, "nothing begins without money"
                    assert not self.state.is_out_of_budget(task_id)
                    self.shares[task_id] = share
                    assert task_id not in self.asked | self.running, f"{task_id} would run twice at once"
                    for part in self.accounts[task_id].parts():
                        if (gate := self.state.gates.get(part)) is not None:
                            assert self.state.trying.get(part) == task_id, "one task tries, no other"
                            assert gate.opens_at <= self.now + self.state.utc_offset, (
                                "nothing begins while it is closed"
                            )
                    assert task_id not in self.verdicts, f"{task_id} is over"
                    assert set(self.cascade.tasks[task_id].depends_on) <= self.done
                    self.asked.add(task_id)
                case Completed(task_id) | Failed(task_id):
                    assert task_id not in self.verdicts, "a final state is final"
                    self.verdicts[task_id] = type(action)
                    if isinstance(action, Failed) and isinstance(event, Ended) and event.outcome is Outcome.SIGNAL:
                        retries = self.cascade.tasks[task_id].options.retries
                        may_fail = self.signals[task_id] > retries or self.state.is_out_of_budget(task_id)
                        self.signals[task_id] = 0
                        assert may_fail, "a limit or an overload has burnt a retry"
                    if isinstance(action, Completed):
                        self.done.add(task_id)
                case StopTask(task_id):
                    assert task_id in self.asked | self.running
                case Stopped(task_id):
                    assert task_id not in self.asked | self.running
                    assert task_id not in self.verdicts
                    self.stopped.add(task_id)
                case Reopened(task_id, stay):
                    assert task_id not in self.asked | self.running
                    assert self.done >= set(stay)
                    self.verdicts.pop(task_id, None)
                    self.stopped.discard(task_id)
                    self.done.discard(task_id)
                case Forget(task_ids):
                    self.forgetting.append(task_ids)
                case PassedGate(task_id):
                    self.approved.add(task_id)
                case CameToGate(task_id):
                    assert set(self.cascade.tasks[task_id].depends_on) <= self.done
                    assert task_id not in self.approved
                case WakeAt(moment):
                    self.wake = moment
                case GiveUp():
                    self.stopping = True
                case Finish():
                    assert not self.finished, "a run ends once"
                    assert not self.asked | self.running, "nobody is left behind"
                    waits = set(self.state.held.values()) & self.state.gates.keys()
                    assert not waits or self.state.schedule.is_draining, "a limit that is waited for would have reset"
                    self.finished = True
                    may_go_on = self.forgetting or (self.state.waits_for_approval and self.at_gates())
                    assert not may_go_on or self.state.schedule.is_draining
        for each in kept:
            self.happens(each)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), written=st.booleans())
    def journal_answers(self, data: st.DataObject, written: bool) -> None:
        """Have the journal take the beginning of an attempt, or refuse it."""
        task_id = data.draw(st.sampled_from(sorted(self.asked)))
        self.asked.discard(task_id)
        if not self.is_starting(task_id):
            return
        if written:
            self.running.add(task_id)
            self.happens(Written(task_id, self.accounts[task_id]))
        else:
            self.happens(Refused(task_id))

    def is_starting(self, task_id: str) -> bool:
        """Tell that a task starts, unless its account has been closed meanwhile."""
        if (held := self.state.held_by(task_id, self.accounts[task_id])) is not None:
            self.happens(Kept(task_id, held))
            return False
        pace = self.state.paces.get(self.accounts[task_id].parts()[1])
        if pace is not None and pace.hold is not None and not self.state.trying:
            assert pace.hold.until is not None
            assert pace.hold.until.timestamp() <= self.now + self.state.utc_offset + 1e-3, "its moment has come"
        self.happens(Starting(task_id, self.accounts[task_id]))
        return True

    @precondition(lambda self: self.running)
    @rule(data=st.data(), used=st.floats(0.0, 1.0), seconds=st.none() | st.floats(-100.0, 90_000.0))
    def agent_gauges(self, data: st.DataObject, used: float, seconds: float | None) -> None:
        """Have an agent tell how full its account is."""
        task_id = data.draw(st.sampled_from(sorted(self.running)))
        self.happens(Gauged(task_id, (Gauge("five_hour", used, None if seconds is None else self.utc(seconds)),)))

    @rule(used=st.floats(0.5, 1.0), seconds=st.floats(-100.0, 20_000.0), ago=st.none() | st.floats(-100.0, 9000.0))
    def another_run_gauges(self, used: float, seconds: float, ago: float | None) -> None:
        """Hear how full an account is, and when another run has started something there."""
        started_at = None if ago is None else self.utc(-ago).timestamp()
        self.happens(Heard(ONE.parts()[1], (Gauge("five_hour", used, self.utc(seconds)),), started_at))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(0, 9), usd=st.floats(0, 9), is_done=st.booleans())
    def attempt_spends(self, data: st.DataObject, tokens: int, usd: float, is_done: bool) -> None:
        """Have an agent tell that it has used more."""
        task_id = data.draw(st.sampled_from(sorted(self.running)))
        self.spent[task_id] = self.spent.get(task_id, NOTHING).plus(Spending(tokens, round(usd * 1e9)))
        self.happens(Spent(task_id, self.spent[task_id], is_done))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), usd=st.floats(0, 9), at_share=st.booleans())
    def attempt_ends(self, data: st.DataObject, outcome: Outcome, usd: float, at_share: bool) -> None:
        """End a running attempt somehow; it tells what it has used in all."""
        task_id = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(task_id)
        self.signals[task_id] += outcome is Outcome.SIGNAL
        spending = self.spent.pop(task_id, NOTHING).plus(Spending(1, round(usd * 1e9)))
        self.rows.append((task_id, spending))
        share = self.shares.pop(task_id, None)
        gave_up = at_share and share is not None and spending.cost_usd >= share
        outcome = Outcome.CANCELLED if gave_up else outcome
        self.happens(Ended(task_id, outcome, spending, is_at_its_share=gave_up, account=self.accounts[task_id]))

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(sorted(UNSERVED | BUSY)),
        seconds=st.none() | st.floats(-100.0, 4000.0),
        whole=st.booleans(),
    )
    def account_refuses(self, data: st.DataObject, outcome: Outcome, seconds: float | None, whole: bool) -> None:
        """End a running attempt because its account or this machine does not serve its agent."""
        task_id = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(task_id)
        if (spent := self.spent.pop(task_id, None)) is not None:
            self.rows.append((task_id, spent))
        ended = refused(task_id, self.accounts[task_id], outcome)
        assert ended.hold is not None
        resets_at = None if seconds is None or outcome is not Outcome.LIMIT else self.utc(seconds)
        model = None if whole and outcome is Outcome.LIMIT else ended.hold.model
        ended = replace(ended, spending=spent or NOTHING)
        self.happens(replace(ended, hold=replace(ended.hold, resets_at=resets_at, model=model)))

    def utc(self, seconds: float) -> datetime:
        """Return the moment in so many seconds."""
        return datetime.fromtimestamp(self.now + self.state.utc_offset + seconds, UTC)

    @precondition(lambda self: self.state.cascade.settings.on_usage_limit == "wait")
    @rule(account=st.sampled_from([ONE, ONE._replace(model=None)]), seconds=st.floats(-5.0, 2000.0))
    def another_run_tells(self, account: Account, seconds: float) -> None:
        """Hear of a limit that another run has met."""
        hold = Hold(agent="one", program="one", outcome=Outcome.LIMIT, error="", cure="", until=self.utc(seconds))
        self.happens(Told(account, hold))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def account_serves(self, data: st.DataObject) -> None:
        """Let the first tokens of a running attempt come."""
        self.happens(Served(data.draw(st.sampled_from(sorted(self.running)))))

    @rule(seconds=st.floats(0.0, 7200.0))
    def clock_is_set(self, seconds: float) -> None:
        """Let the machine sleep, or set its clock ahead."""
        self.happens(Offset(self.state.utc_offset + seconds))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def attempt_starts_well(self, data: st.DataObject) -> None:
        """Let a process run."""
        self.happens(StartedWell(data.draw(st.sampled_from(sorted(self.running)))))

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        """Fire the timer, in time or late or early."""
        self.now += seconds
        self.happens(Woken())

    @precondition(lambda self: not self.finished)
    @rule(data=st.data(), grace=st.sampled_from([None, 0.0]))
    def somebody_stops_a_task(self, data: st.DataObject, grace: float | None) -> None:
        """Want one task to stop, if that makes sense."""
        task_id = data.draw(st.sampled_from(sorted(self.cascade.tasks)))
        with suppress(RequestError):
            check_stop(self.state, task_id)
            self.happens(StopOne(task_id, grace))

    @precondition(lambda self: not self.finished)
    @rule(data=st.data(), downstream=st.booleans())
    def somebody_retries(self, data: st.DataObject, downstream: bool) -> None:
        """Want tasks to run again, if that makes sense."""
        wanted = data.draw(st.lists(st.sampled_from(sorted(self.cascade.tasks)), min_size=1, max_size=2))
        with suppress(RequestError):
            again = to_run_again(self.state, wanted, downstream=downstream)
            assert set(wanted) <= set(again)
            self.signals.update({task_id: -self.signals[task_id] for task_id in again if task_id in self.verdicts})
            self.happens(Again(again))

    @precondition(lambda self: self.forgetting)
    @rule()
    def journal_forgets(self) -> None:
        """Have it written down that the end of a task no longer counts."""
        self.happens(Forgotten(self.forgetting.pop()))

    @precondition(lambda self: not self.finished)
    @rule(data=st.data())
    def somebody_approves(self, data: st.DataObject) -> None:
        """Approve a task that has a gate."""
        task_id = data.draw(st.sampled_from(sorted(self.cascade.tasks)))
        with suppress(RequestError):
            check_approve(self.state, task_id)
            self.approving.append(task_id)
            self.happens(Approving((task_id,)))

    @precondition(lambda self: self.approving)
    @rule()
    def journal_takes_an_approval(self) -> None:
        """Have it written down that a task is approved; the run may be over by then."""
        self.happens(Approved((self.approving.pop(),)))

    @precondition(lambda self: not self.finished)
    @rule(really=st.integers(0, 3))
    def somebody_pauses(self, really: int) -> None:
        """Pause the run, or let it go on."""
        self.paused = really == 0
        self.happens(Pause() if self.paused else Resume())

    @precondition(lambda self: not self.finished)
    @rule(usd=st.none() | st.floats(0.01, 90), tokens=st.none() | st.integers(1, 90))
    def somebody_sets_the_budget(self, usd: float | None, tokens: int | None) -> None:
        """Raise or lower what the run may use."""
        self.happens(NewBudget(usd, tokens))

    def at_gates(self) -> list[str]:
        """Return the tasks that wait for nothing but approval."""
        return [
            task_id for task_id, task in self.cascade.tasks.items()
            if task.options.gate and task_id not in self.approved | self.stopped | self.verdicts.keys()
            and set(task.depends_on) <= self.done and task_id not in self.asked | self.running
            and not any(task_id in each for each in self.forgetting)
        ]  # fmt: skip

    @rule(limit=st.integers(1, 5))
    def workers_change(self, limit: int) -> None:
        """Want more or fewer at once."""
        self.workers = limit
        self.happens(Workers(limit))

    @rule(grace=st.sampled_from([None, 0.0, 3.0]), really=st.integers(0, 9))
    def somebody_stops(self, grace: float | None, really: int) -> None:
        """Want it to end; not in every run."""
        if really == 0:
            self.stopping = True
            self.happens(Stop(grace))

    @invariant()
    def what_is_known_is_true(self) -> None:
        """Check that the states are true, and that what cannot go on by itself will be woken."""
        if not hasattr(self, "state"):
            return
        schedule, budget = self.state.schedule, self.state.budget
        assert budget.total.tokens == sum(used.tokens for used in [*self.spent.values(), *self.rest()])
        assert budget.total.nanodollars == sum(used.nanodollars for used in [*self.spent.values(), *self.rest()])
        for task_id in self.state.out_of_budget:
            assert schedule.state(task_id) is TaskState.WAITING
        assert set(schedule.with_state(TaskState.IN_PROGRESS)) == self.asked | self.running
        assert schedule.completed == self.done
        assert schedule.left == len(schedule.with_state(*UNFINISHED))
        slots = sum(min(self.cascade.tasks[task].options.slots, 9) for task in self.asked | self.running)
        assert slots >= schedule.slots_in_use
        paused = schedule.with_state(TaskState.RETRYING)
        assert self.state.paused_until.keys() == {*paused}
        assert {(moment, task) for task, moment in self.state.paused_until.items()} <= {*self.state.pauses}
        for task_id, account in self.state.held.items():
            assert account in self.state.holds
            assert schedule.state(task_id) is TaskState.WAITING
        for task_id in self.state.paced:
            assert schedule.state(task_id) is TaskState.WAITING
            assert task_id not in self.state.held
        assert self.state.trying.keys() <= self.state.holds.keys()
        for account, hold in self.state.holds.items():
            if hold.outcome in BUSY:
                assert self.state.trying[account] not in self.verdicts, "the others would wait for nobody"
        waits_for_somebody = (
            self.paused or self.forgetting or self.approving or (self.state.waits_for_approval and self.at_gates())
        )
        if not self.finished and not self.asked | self.running and not waits_for_somebody:
            assert self.wake is not None, "it would wait for ever"
            assert self.state.wake_at is not None

    def rest(self) -> list[Spending]:
        """Return what ended attempts have used."""
        return [spending for _, spending in self.rows]

    def teardown(self) -> None:
        """See that it reaches its end from wherever it stands, with every task accounted for."""
        if not hasattr(self, "state"):
            return
        if self.paused and not self.finished:
            self.paused = False
            self.happens(Resume())
        for _ in range(2000):
            if self.finished:
                break
            while self.forgetting:
                self.happens(Forgotten(self.forgetting.pop()))
            while self.approving:
                self.happens(Approved((self.approving.pop(),)))
            if self.state.waits_for_approval and (waiting := self.at_gates()):
                self.happens(Approved(tuple(waiting)))
            for task_id in sorted(self.asked):
                self.asked.discard(task_id)
                if self.is_starting(task_id):
                    self.running.add(task_id)
                    self.happens(Written(task_id, self.accounts[task_id]))
            for task_id in sorted(self.running):
                self.running.discard(task_id)
                self.rows.append((task_id, self.spent.pop(task_id, NOTHING)))
                self.happens(Ended(task_id, Outcome.OK, self.rows[-1][1]))
            self.now = max(self.now, self.state.wake_at or self.now)
            self.happens(Offset(self.state.utc_offset + 900.0))  # or the longest limit would take thousands of looks
            self.happens(Woken())
        assert self.finished
        if not self.stopping and not self.state.schedule.is_draining:
            waiting = {task_id for hold in self.state.holds_now() for task_id in hold.waiting}
            waiting |= {task_id for each in self.state.budgets_now() if each.task_id for task_id in each.waiting}
            kept = {*self.stopped, *self.at_gates()}
            waiting |= set(with_dependents(kept, self.cascade, set(self.cascade.tasks) - self.verdicts.keys()))
            for task_id in self.cascade.tasks:
                blocked = self.state.schedule.blocked_by(task_id)
                assert task_id in self.verdicts or blocked or task_id in waiting, f"{task_id} was forgotten"
                assert task_id not in waiting or task_id not in self.verdicts


TestAnyOrder = AnyOrder.TestCase


def test_never_more_than_the_limit() -> None:
    """While the limit stays as it is, the places that are taken never pass it, but for one task alone."""
    chance = random.Random(7)
    state = state_of(plan(*((f"T{number}", "") for number in range(40)), T3={"slots": 5}), workers=3)
    running = begun(decide(state, Begun(), 0.0))
    while running:
        assert state.schedule.slots_in_use <= 3 or len(running) == 1
        ended = running.pop(chance.randrange(len(running)))
        running += begun(decide(state, Ended(ended, Outcome.OK), 1.0))
    assert state.finished


def test_a_stopped_run_asks_a_failing_journal_for_nothing() -> None:
    """Nothing may begin any more, whether it would be written down or not."""
    state = state_of(plan(("A", ""), ("B", "")))
    decide(state, Begun(), 0.0)
    decide(state, Written("A"), 0.0)
    decide(state, Refused("B"), 0.0)
    decide(state, Stop(None), 0.1)
    assert begun(decide(state, Woken(), 50.0)) == []
