"""When one attempt shows that others cannot work either, and which: without a process or a clock."""

import pytest

from nova_async.attempt.job import Job
from nova_async.cascade import Task
from nova_async.cascade.options import TaskOptions
from nova_async.orchestrator.holding import Account, account_of, hold_after, login_of, warning_of, with_waiting
from nova_async.records import AttemptId
from nova_async.views import Hold
from nova_async.words import Outcome, TaskState
from tests.orchestrator.test_decide import ONE, OTHER, plan, state_of
from tests.views import attempt

CLAUDE = Account("claude", "claude", ())


def job(*command: str, agent: str | None = None) -> Job:
    """Return a job with this command."""
    return Job(id=AttemptId("r1", "T1", 1), command=command, cwd="/work", agent=agent)


def hold(account: Account, outcome: Outcome, error: str | None = "no", missing: str | None = None) -> Hold | None:
    """Return what an attempt that ended so on this account puts on hold."""
    end = attempt(outcome=outcome, error=error).end
    assert end is not None
    return hold_after(end, account, (account.program, "-p"), missing)


def test_an_account_is_a_program_a_login_and_a_model() -> None:
    """A program in the task's folder is another one in another folder; commands of the plan share one login."""
    task = Task(id="T1", options=TaskOptions(model="opus"))
    assert account_of(job("claude", "-p", "x"), task, by_plan=True) == Account("claude", "claude", (), "opus")
    assert account_of(job("./agent"), Task(id="T1"), by_plan=True).program == "/work/./agent"
    assert account_of(job("/bin/agent", agent="codex"), task, by_plan=True)[:2] == ("codex", "/bin/agent")
    own = account_of(job("env", "HOME=/home/ann", "claude", "-p", "x"), task, by_plan=False)
    assert own.login == ("env", "HOME=/home/ann", "claude")


def test_the_words_of_a_command_that_may_choose_a_login() -> None:
    """All but those of the task itself, where no agent is recognised."""
    task = Task(id="T1", name="Pay", description="Add payment to the shop")
    words = ("run.sh", "--user", "ann", "T1", "Pay", "do: Add payment to the shop", "Add payment to the shop")
    assert login_of(words, task) == ("run.sh", "--user", "ann")
    assert login_of(("run.sh", "build", "rebuild"), Task(id="T1", description="build")) == ("run.sh", "rebuild")


@pytest.mark.parametrize(
    ("outcome", "model", "account", "part"),
    [
        (Outcome.SPAWN_ERROR, None, ONE._replace(login=("a",)), ONE._replace(login=None, model=None, key=None)),
        (Outcome.AUTH, None, ONE, ONE._replace(model=None)),
        (Outcome.LIMIT, "m", ONE, ONE),
        (Outcome.LIMIT, None, ONE, ONE._replace(model=None)),
        (Outcome.OVERLOAD, "m", ONE, ONE),
    ],
)
def test_a_hold_covers_what_its_cause_is_about(
    outcome: Outcome, model: str | None, account: Account, part: Account
) -> None:
    """The program, its login, or only one model of it."""
    held = Hold(agent="one", program="/bin/one", model=model, outcome=outcome, error="", cure="")
    assert account.held_by(held) == part
    assert part in account.parts()


def test_what_shows_that_others_cannot_work_either() -> None:
    """A refused key, a used-up account and a program that cannot be had: each says what to do."""
    auth = hold(CLAUDE, Outcome.AUTH)
    assert auth is not None
    assert auth.cure.endswith(", then run `nova run` again")
    assert auth.cure[0].isupper()
    unknown = hold(Account("", "/opt/agent", ()), Outcome.AUTH)
    assert unknown is not None
    assert (unknown.agent, unknown.cure) == ("agent", "Log in to it, then run `nova run` again")
    limit = hold(CLAUDE._replace(model="opus"), Outcome.LIMIT, error=None)
    assert limit is not None
    assert (limit.model, limit.error) == ("opus", "limit")
    gone = hold(CLAUDE, Outcome.SPAWN_ERROR, missing="claude is not on PATH")
    assert gone is not None
    assert (gone.error, gone.model) == ("claude is not on PATH", None)
    assert hold(CLAUDE, Outcome.SPAWN_ERROR) is None  # a folder that is missing is the task's own
    assert hold(CLAUDE, Outcome.EXIT) is None


@pytest.mark.parametrize("outcome", [Outcome.OVERLOAD, Outcome.NETWORK])
def test_a_busy_service_holds_the_tasks_of_its_model(outcome: Outcome) -> None:
    """Other models are often served meanwhile; and there is nothing to do but wait, so no cure is told."""
    account = CLAUDE._replace(model="opus")
    busy = hold(account, outcome)
    assert busy is not None
    assert (busy.model, busy.cure) == ("opus", "")
    assert account.held_by(busy) == account
    assert CLAUDE._replace(model="haiku").held_by(busy) != account


def test_a_hold_is_told_in_one_warning() -> None:
    """With its reason, unless the cure follows from it, and the model if only that is concerned."""
    auth, limit = hold(CLAUDE, Outcome.AUTH), hold(CLAUDE._replace(model="opus"), Outcome.LIMIT)
    assert auth is not None
    assert limit is not None
    assert warning_of(auth).startswith("claude is not logged in, or its key was rejected; its remaining tasks wait. ")
    assert warning_of(limit).startswith(
        "claude has reached its usage limit (no); its remaining tasks with model opus wait. "
    )


def test_a_hold_names_all_that_waits_for_it() -> None:
    """Directly and through others, in the order of the file; what is over or waits for another is not among them."""
    cascade = plan(("A", ""), ("B", "A"), ("C", "B"), ("D", ""), ("E", "B D"), ("F", ""))
    held = Hold(agent="one", program="one", outcome=Outcome.AUTH, error="", cure="")
    unfinished = [task for task in cascade.tasks if task != "C"]
    [one, other] = with_waiting({ONE: held, OTHER: held}, {"A": ONE, "F": OTHER}, cascade, unfinished)
    assert (one.waiting, other.waiting) == (("A", "B", "E"), ("F",))


def test_nothing_is_on_hold_at_first() -> None:
    """No task waits for an account, and the run has not halted."""
    state = state_of(plan(("A", "")))
    assert (state.holds_now(), state.hold_of("A"), state.has_halted) == ((), None, False)
    assert state.schedule.count(TaskState.READY) == 1
