"""Budgets hold: what is used up begins nothing, what was spent is exact, and what has succeeded is never stopped."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.attempt.ends import bare_end
from nova_async.cascade import Cascade, Task
from nova_async.cascade.options import TaskOptions
from nova_async.orchestrator.actions import (
    Action,
    Begin,
    Completed,
    Failed,
    Finish,
    OutOfBudget,
    Overspent,
    Retrying,
    StopTask,
)
from nova_async.orchestrator.budget import NOTHING, Budget, Spending, ended_by_the_run, spent_by
from nova_async.orchestrator.decide import decide
from nova_async.orchestrator.happenings import Begun, Ended, Refused, Spent, Stop, Woken, Written
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.resume import resumed_state
from nova_async.orchestrator.run_state import RunState
from nova_async.records import Attempt, AttemptEnd, AttemptFacts, AttemptId, AttemptStart
from nova_async.usage import TokenUsage
from nova_async.words import OnBudget, Outcome, Phase, TaskState
from tests.orchestrator.test_decide import CURABLE, begun, plan, state_of
from tests.views import NOON, attempt

CENT = 10_000_000  # nano-dollars


def cents(amount: float) -> Spending:
    """Return so many cents."""
    return Spending(0, round(amount * CENT))


def stopped(actions: list[Action]) -> list[str]:
    """Return the tasks that are asked to stop."""
    return [action.task_id for action in actions if isinstance(action, StopTask)]


def told(actions: list[Action]) -> list[str]:
    """Return the warnings."""
    return [action.text for action in actions if isinstance(action, Overspent)]


def test_what_has_ended_is_counted_once() -> None:
    """Not as running and as ended."""
    budget = Budget(max_tokens=100, max_cost_usd=1.0)
    budget.note_running("A", Spending(40, 40 * CENT))
    budget.note_running("A", Spending(45, 45 * CENT))
    assert budget.total == (45, 45 * CENT)
    budget.note_end("A", Spending(50, 50 * CENT))
    assert (budget.total, budget.used) == ((50, 50 * CENT), 0.5)
    assert not budget.is_used_up


def test_what_is_left_of_a_budget() -> None:
    """It is exact, to nothing; what runs has used some of it already."""
    budget = Budget(max_cost_usd=10.0, spent=cents(300))
    budget.note_running("A", cents(400))
    assert budget.left_usd == 3.0
    budget.note_running("A", Spending(0, 7_000_000_000 - 1))
    assert (budget.left_usd, budget.is_used_up) == (1e-9, False)
    budget.note_running("B", cents(900))
    assert (budget.left_usd, budget.is_used_up) == (0.0, True)
    assert Budget(max_tokens=5).left_usd is None
    assert Budget(max_tokens=5, spent=Spending(5)).left_tokens == 0


@given(st.lists(st.floats(0, 100), max_size=50), st.randoms())
def test_sums_of_money_do_not_depend_on_their_order(costs: list[float], chance: random.Random) -> None:
    """As those of floats do."""
    one, other, shuffled = Budget(), Budget(), costs.copy()
    chance.shuffle(shuffled)
    for budget, order in ((one, costs), (other, shuffled)):
        for cost in order:
            end = replace(bare_end(AttemptId("r", "A", 1), Outcome.OK, None), cost_usd=cost)
            budget.note_end("A", spent_by(end))
    assert one.total == other.total


def test_a_budget_of_the_run() -> None:
    """It warns once at 80 %, and when it is used up nothing begins and all are asked to stop, with the reason."""
    budget = Budget(max_tokens=100, spent=Spending(10))
    state = state_of(plan(("A", ""), ("B", ""), ("C", "")), workers=2, budget=budget)
    decide(state, Begun(), 0.0)
    assert decide(state, Spent("A", Spending(60)), 1.0) == []
    assert told(decide(state, Spent("B", Spending(10)), 1.0)) == [
        "the run's budget of 100 tokens is 80 % used (80 tokens spent)"
    ]
    assert decide(state, Spent("B", Spending(11)), 1.0) == []
    warning, *stops = decide(state, Ended("A", Outcome.OK, Spending(95)), 2.0)[1:]
    assert isinstance(warning, Overspent)
    assert warning.text.endswith("nothing more starts, and running agents are asked to stop")
    assert stops == [StopTask("B", 5.0, "the run's budget of 100 tokens is used up")]
    assert decide(state, Ended("B", Outcome.CANCELLED, Spending(11)), 3.0) == [Finish()]
    assert state.schedule.state("C") is TaskState.READY
    (view,) = state.budgets_now()
    assert (view.tokens, view.stopped, view.waiting) == (116, ("B",), ("B", "C"))


def test_an_agent_that_ends_at_the_rest_of_the_budget_is_not_tried_again() -> None:
    """Its own end used the budget up: the task waits for the next run, and nobody is told of another attempt."""
    state = state_of(plan(("A", "")), budget=Budget(max_cost_usd=5.0))
    decide(state, Begun(), 0.0)
    warning, finish = decide(state, Ended("A", Outcome.CANCELLED, cents(500)), 1.0)
    assert isinstance(warning, Overspent)
    assert finish == Finish()
    assert state.schedule.state("A") is TaskState.WAITING


@pytest.mark.parametrize(
    "budget", [Budget(max_cost_usd=5.0, spent=cents(500)), Budget(max_tokens=9, spent=Spending(9))]
)
def test_a_budget_that_is_used_up_begins_nothing(budget: Budget) -> None:
    """The next run with the same budget pays for nothing."""
    state = state_of(plan(("A", "")), budget=budget)
    actions = decide(state, Begun(), 0.0)
    assert begun(actions) == []
    assert actions[-1] == Finish()


def test_who_has_told_its_result_is_not_stopped() -> None:
    """The result itself may have used the budget up: it is about to exit, and its task is completed."""
    state = state_of(plan(("A", ""), ("B", "")), budget=Budget(max_cost_usd=1.0))
    decide(state, Begun(), 0.0)
    assert stopped(decide(state, Spent("A", cents(150), is_done=True), 1.0)) == ["B"]
    assert stopped(decide(state, Spent("A", cents(150), is_done=True), 1.0)) == []
    assert decide(state, Ended("A", Outcome.OK, cents(150)), 2.0) == [Completed("A")]


def test_what_a_running_attempt_has_spent_is_told_by_its_facts() -> None:
    """By its agent's figure, or by the estimate before there is one; and a result of any kind means it is done."""
    spent = [
        Spent.by("A", facts)
        for facts in (
            AttemptFacts(usage=TokenUsage(1, 2, 3, 4), cost_usd=0.5),
            AttemptFacts(usage=TokenUsage(1), estimated_usd=0.25),
            AttemptFacts(is_error=True),
            AttemptFacts(is_error=False),
            AttemptFacts(finished=attempt("A").end, phase=Phase.VERIFY),
        )
    ]
    assert [(each.spending, each.is_done) for each in spent] == [
        (Spending(10, 500_000_000), False), (Spending(1, 250_000_000), False),
        (NOTHING, True), (NOTHING, True), (NOTHING, True),
    ]  # fmt: skip


def test_who_goes_on_after_its_result_is_stopped() -> None:
    """Another turn spends more, and comes to its end like all that spend."""
    state = state_of(plan(("A", "")), budget=Budget(max_cost_usd=1.0))
    decide(state, Begun(), 0.0)
    assert stopped(decide(state, Spent("A", cents(150), is_done=True), 1.0)) == []
    assert stopped(decide(state, Spent("A", cents(151)), 2.0)) == ["A"]
    assert stopped(decide(state, Spent("A", cents(152)), 2.0)) == []
    assert stopped(decide(state, Stop(0.0), 3.0)) == ["A"], "a user's stop stops everybody"


def task_with(on_budget: OnBudget = OnBudget.STOP, **more: object) -> Cascade:
    """Return a plan of A, with a budget of its own, and B after it."""
    options = TaskOptions(**{"budget_usd": 1.0, "on_budget": on_budget, **more})  # type: ignore[arg-type]
    return Cascade.of([Task(id="A", options=options), Task(id="B", depends_on=("A",))])


@pytest.mark.parametrize("outcome", [Outcome.BUDGET, CURABLE])
def test_a_task_out_of_budget_waits(outcome: Outcome) -> None:
    """It is not tried again, whether its budget ended it or something that a retry would cure; nor has it failed."""
    state = state_of(task_with(retries=3))
    decide(state, Begun(), 0.0)
    waits, finish = decide(state, Ended("A", outcome, cents(101)), 1.0)
    assert (waits, finish) == (OutOfBudget("A", "its budget of $1.00 is used up ($1.01 spent)"), Finish())
    assert state.schedule.state("A") is TaskState.WAITING
    (view,) = state.budgets_now()
    assert (view.task_id, view.cost_usd, view.waiting) == ("A", 1.01, ("A", "B"))
    assert state.has_halted


@pytest.mark.parametrize("outcome", [Outcome.BUDGET, CURABLE])
def test_a_task_out_of_budget_fails_where_the_plan_wants_that(outcome: Outcome) -> None:
    """Then others are blocked by it."""
    state = state_of(task_with(OnBudget.FAIL, retries=3))
    decide(state, Begun(), 0.0)
    assert decide(state, Ended("A", outcome, cents(101)), 1.0) == [Failed("A", ("B",)), Finish()]


def test_a_verdict_stands_whatever_is_left() -> None:
    """A failure that no retry cures is one with or without money."""
    state = state_of(task_with())
    decide(state, Begun(), 0.0)
    assert decide(state, Ended("A", Outcome.AGENT_ERROR, cents(101)), 1.0)[0] == Failed("A", ("B",))


def test_a_cap_of_the_agents_own_is_no_budget_of_ours() -> None:
    """It gave up at what its own arguments allowed it, with money left: that is its failure."""
    state = state_of(task_with())
    decide(state, Begun(), 0.0)
    assert decide(state, Ended("A", Outcome.BUDGET, cents(20)), 1.0)[0] == Failed("A", ("B",))


def test_what_succeeds_over_its_budget_is_completed() -> None:
    """That its budget is exceeded is only told."""
    state = state_of(task_with())
    decide(state, Begun(), 0.0)
    assert decide(state, Spent("A", cents(101)), 0.5) == []
    completed, warning, begin = decide(state, Ended("A", Outcome.OK, cents(101)), 1.0)
    assert (completed, begin) == (Completed("A"), Begin("B"))
    assert warning == Overspent("A's budget of $1.00 was exceeded by what succeeded ($1.01 spent)", "A")


def test_a_task_is_told_to_be_near_its_budget_once() -> None:
    """At 80 %, over all its attempts."""
    state = state_of(task_with(), spent={"A": cents(50)})
    decide(state, Begun(), 0.0)
    assert decide(state, Spent("A", cents(29)), 1.0) == []
    assert told(decide(state, Spent("A", cents(30)), 1.0)) == ["A's budget of $1.00 is 80 % used ($0.80 spent)"]
    assert decide(state, Spent("A", cents(31)), 1.0) == []


def test_a_task_begins_with_a_nano_dollar_and_not_without() -> None:
    """What is left is exact; with nothing left nobody is asked, and the rest of the plan goes on."""
    for left, begins in ((1, ["A", "C"]), (0, ["C"])):
        cascade = Cascade.of([*task_with().tasks.values(), Task(id="C")])
        state = state_of(cascade, spent={"A": Spending(0, 100 * CENT - left)})
        assert begun(decide(state, Begun(), 0.0)) == begins
        assert (state.budget_reason("A") is None) == (left == 1)


def test_a_check_needs_no_budget() -> None:
    """An agent that has succeeded with its last cent is not forgotten: the check costs nothing."""
    state = state_of(task_with(), spent={"A": cents(101)}, to_check=["A"])
    assert begun(decide(state, Begun(), 0.0)) == ["A"]
    retrying = decide(state, Ended("A", Outcome.NO_RESOURCES, needs_check=True), 1.0)[0]
    assert isinstance(retrying, Retrying)
    assert begun(decide(state, Woken(), 99.0)) == ["A"]
    assert isinstance(decide(state, Ended("A", Outcome.NO_RESOURCES), 100.0)[0], OutOfBudget)


def shares(actions: list[Action]) -> dict[str, float | None]:
    """Return what those that begin may spend of the run's budget."""
    return {action.task_id: action.share_usd for action in actions if isinstance(action, Begin)}


def test_caps_of_agents_at_work_add_up_to_what_is_left() -> None:
    """Where each tells its cost at its end alone: else three agents could spend three times what is left."""
    cascade = plan(("A", ""), ("B", ""), ("C", ""), ("D", ""))
    state = state_of(cascade, workers=3, budget=Budget(max_cost_usd=6.0), capped=cascade.tasks)
    assert shares(decide(state, Begun(), 0.0)) == {"A": 2.0, "B": 2.0, "C": 2.0}
    # A leaves 1.50 of its share; D may have that.
    assert shares(decide(state, Ended("A", Outcome.OK, cents(50)), 1.0)) == {"D": 1.5}
    # B's share was all spent: it goes on only when another share is free.
    gave_up = Ended("B", Outcome.CANCELLED, cents(200), is_at_its_share=True)
    assert decide(state, gave_up, 2.0) == []
    assert state.schedule.state("B") is TaskState.READY
    assert shares(decide(state, Ended("C", Outcome.OK, cents(100)), 3.0)) == {"B": 1.0}
    decide(state, Ended("D", Outcome.OK, cents(150)), 4.0)
    actions = decide(state, Ended("B", Outcome.CANCELLED, cents(103), is_at_its_share=True), 5.0)
    assert told(actions)[0].startswith("the run's budget of $6.00 is used up ($6.03 spent)")
    assert actions[-1] == Finish()
    assert state.schedule.state("B") is TaskState.WAITING


def test_who_tells_its_cost_while_it_works_needs_no_share() -> None:
    """The run watches it; the cap of its own is there in case that fails."""
    cascade = plan(("A", ""), ("B", ""), ("C", ""))
    state = state_of(cascade, workers=2, budget=Budget(max_cost_usd=6.0), capped=cascade.tasks)
    assert shares(decide(state, Begun(), 0.0)) == {"A": 3.0, "B": 3.0}
    assert decide(state, Spent("A", cents(100)), 1.0) == []
    assert shares(decide(state, Ended("B", Outcome.OK, cents(100)), 2.0)) == {"C": 4.0}


def test_a_share_that_was_not_used_is_free_again() -> None:
    """Also where nothing began after all."""
    cascade = plan(("A", ""), ("B", ""))
    state = state_of(cascade, workers=2, budget=Budget(max_cost_usd=6.0), capped=cascade.tasks)
    decide(state, Begun(), 0.0)
    decide(state, Refused("A"), 1.0)
    decide(state, Refused("B"), 1.0)
    assert shares(decide(state, Woken(), 9.0)) == {"A": 3.0}
    assert shares(decide(state, Written("A"), 9.0)) == {"B": 3.0}


def test_the_smaller_of_two_budgets_counts() -> None:
    """A task whose own budget ends first has no share to be ended by; what it cannot spend is set aside for nobody."""
    cascade = Cascade.of([Task(id="A", options=TaskOptions(budget_usd=1.0)), Task(id="B")])
    state = state_of(cascade, workers=2, budget=Budget(max_cost_usd=6.0), capped=cascade.tasks)
    assert shares(decide(state, Begun(), 0.0)) == {"A": None, "B": 5.0}


END = bare_end(AttemptId("run", "A", 1), Outcome.CANCELLED, "terminated")


@pytest.mark.parametrize(
    ("outcome", "cost", "cap", "then"),
    [
        (Outcome.AGENT_ERROR, 0.5, 0.5, Outcome.CANCELLED),
        (Outcome.AGENT_ERROR, 0.4, 0.5, Outcome.AGENT_ERROR),
        (Outcome.AGENT_ERROR, None, 0.5, Outcome.AGENT_ERROR),
        (Outcome.AGENT_ERROR, 9.0, None, Outcome.AGENT_ERROR),
        (Outcome.OK, 9.0, 0.5, Outcome.OK),
        (Outcome.VERIFY, 9.0, 0.5, Outcome.VERIFY),
        (Outcome.BUDGET, 0.5, 0.5, Outcome.CANCELLED),
        (Outcome.BUDGET, 0.4, 0.5, Outcome.BUDGET),
    ],
)
def test_who_ends_at_its_share_is_not_to_blame(
    outcome: Outcome, cost: float | None, cap: float | None, then: Outcome
) -> None:
    """An agent that gave up with all spent that it was given has not failed; any other verdict stands."""
    end = replace(END, outcome=outcome, cost_usd=cost)
    assert ended_by_the_run(end, cap, None, OnBudget.STOP).outcome is then
    assert ended_by_the_run(replace(end, ended_by_us=True), cap, None, OnBudget.STOP).outcome is outcome
    estimated = replace(end, cost_usd=None, estimated_usd=cost)
    assert ended_by_the_run(estimated, cap, None, OnBudget.STOP).outcome is then


def test_who_is_stopped_by_the_runs_budget_is_told_to_be() -> None:
    """The attempt says why; it counts as a failure only where the plan wants that."""
    why = "the run's budget of $5.00 is used up"
    waits = ended_by_the_run(END, None, why, OnBudget.STOP)
    assert (waits.outcome, waits.error) == (Outcome.CANCELLED, f"stopped: {why}")
    assert ended_by_the_run(END, None, why, OnBudget.FAIL).outcome is Outcome.BUDGET
    to_check = replace(END, phase=Phase.VERIFY)
    assert ended_by_the_run(to_check, None, why, OnBudget.FAIL).outcome is Outcome.CANCELLED, "the agent has succeeded"
    done = replace(END, outcome=Outcome.OK)
    assert ended_by_the_run(done, None, why, OnBudget.FAIL) is done


def test_of_two_limits_the_one_nearest_to_its_end_is_told() -> None:
    """The other says nothing about what happens."""
    assert str(Budget(1000, 2.0, Spending(500, 100 * CENT + 1))) == "the run's budget of $2.00"
    tokens = Budget(1000, 2.0, Spending(501, 100 * CENT))
    assert tokens.news() is None
    tokens.note_end("A", Spending(300))
    assert tokens.news() == "the run's budget of 1,000 tokens is 80 % used (801 tokens spent)"


def test_a_raised_budget_goes_on() -> None:
    """What its budget ended is no failure to the next run, and has used up no retry; without more it still waits."""
    spent = attempt("A", 1, Outcome.BUDGET, cost_usd=1.01)
    for more, begins in ((1.0, []), (2.0, ["A"])):
        cascade = task_with(budget_usd=more, retries=0)
        known = {task.id: TaskKnown(task, *[[spent]] * 2 if task.id == "A" else ()) for task in cascade.tasks.values()}
        state = resumed_state(cascade, known, max_workers=2)
        assert begun(decide(state, Begun(), 0.0)) == begins
        assert not state.schedule.failed


def test_a_used_up_budget_is_a_failure_to_the_next_run_where_the_plan_wants_that() -> None:
    """Whatever ended its attempt."""
    for outcome in (Outcome.BUDGET, CURABLE, Outcome.LOST):
        spent = attempt("A", 1, outcome, cost_usd=1.01)
        cascade = task_with(OnBudget.FAIL)
        known = {task.id: TaskKnown(task, *[[spent]] * 2 if task.id == "A" else ()) for task in cascade.tasks.values()}
        assert resumed_state(cascade, known, max_workers=2).schedule.failed == {"A"}


class Fleet:
    """A thousand tasks under the budget of a run, with the rows of their journal."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        options = [TaskOptions(retries=2, budget_usd=chance.choice([None, 0.5])) for _ in range(1000)]
        self.cascade = Cascade.of(Task(id=f"T{number}", options=each) for number, each in enumerate(options))
        self.rows: dict[str, list[Attempt]] = {task_id: [] for task_id in self.cascade.tasks}
        self.paid = 0  # the sum of all ended rows, in nano-dollars
        self.running: dict[str, Spending] = {}
        self.cap = 50.0

    def begin_run(self) -> RunState:
        """Begin a run: what still ran when the last one crashed is found to be lost, with what its log shows."""
        for task_id, spent in self.running.items():
            self.write(task_id, Outcome.LOST, spent)
        self.running = {}
        cascade = replace(self.cascade, settings=replace(self.cascade.settings, budget_usd=self.cap))
        known = {task.id: TaskKnown(task, self.rows[task.id], self.rows[task.id]) for task in cascade.tasks.values()}
        return resumed_state(cascade, known, max_workers=20, capped=cascade.tasks)

    def write(self, task_id: str, outcome: Outcome, spent: Spending) -> Ended:
        """Write the row of an attempt that has ended."""
        number = len(self.rows[task_id]) + 1
        start = AttemptStart(
            id=AttemptId("r", task_id, number), plan="p", started_at=NOON, agent="claude", prompt_digest=""
        )
        end = AttemptEnd(
            id=start.id, outcome=outcome, phase=Phase.SETTLE, ended_at=NOON, duration_seconds=1.0,
            usage=TokenUsage(spent.tokens), **{self.chance.choice(["cost_usd", "estimated_usd"]): spent.cost_usd},
        )  # fmt: skip
        self.rows[task_id].append(Attempt(start=start, end=end))
        self.paid += spent_by(end).nanodollars
        return Ended(task_id, outcome, spent_by(end))

    def sum_of_rows(self) -> int:
        """Add up all rows and all that runs, from the beginning."""
        ended = [spent_by(each.end) for rows in self.rows.values() for each in rows if each.end is not None]
        return sum(spent.nanodollars for spent in [*ended, *self.running.values()])

    def tell_more(self) -> Spent:
        """Have one of those that run spend something."""
        task_id = self.chance.choice(list(self.running))
        more = Spending(self.chance.randrange(1000), round(self.chance.random() * 3 * CENT))
        self.running[task_id] = self.running[task_id].plus(more)
        return Spent(task_id, self.running[task_id])

    def end_one(self) -> Ended:
        """Have one of those that run end somehow."""
        task_id = self.chance.choice(list(self.running))
        outcome = self.chance.choice([Outcome.OK, Outcome.OK, CURABLE, Outcome.LOST, Outcome.EXIT, Outcome.BUDGET])
        return self.write(task_id, outcome, self.running.pop(task_id))


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32))
def test_a_thousand_tasks_under_one_budget(seed: int) -> None:
    """At every moment the total is the sum of the journal's rows and of what runs, also after a crash."""
    chance = random.Random(seed)
    fleet, now = Fleet(chance), 0.0
    for run in range(4):
        state = fleet.begin_run()
        todo = decide(state, Begun(), now)
        for _ in range(100_000):
            if state.finished:
                break
            for task_id in begun(todo):
                assert fleet.paid + sum(each.nanodollars for each in fleet.running.values()) < fleet.cap * 1e9
                fleet.running[task_id] = NOTHING
            assert state.budget.total.nanodollars == fleet.paid + sum(
                each.nanodollars for each in fleet.running.values()
            )
            now += 1.0
            if run < 3 and chance.random() < 0.001:
                break  # a crash
            draw = chance.random()
            if not fleet.running:
                todo = decide(state, Woken(), now + 9999.0)
            else:
                todo = decide(state, fleet.tell_more() if draw < 0.6 and not state.stopping else fleet.end_one(), now)
        else:
            raise AssertionError("it never ends")
        assert state.budget.total.nanodollars == fleet.sum_of_rows()
        fleet.cap += chance.choice([0.0, 5.0, 20.0])
