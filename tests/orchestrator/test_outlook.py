"""What a run would do, told before it does anything; and that it then does just that."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from nova_async.cascade import Cascade, Task, parse_cascade
from nova_async.cascade.options import TaskOptions
from nova_async.errors import SelectionError
from nova_async.journal.history import History
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator.outlook import look_ahead
from nova_async.records import Attempt
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome
from tests.orchestrator.test_running import plan, run
from tests.views import NOON, attempt

PLAN = parse_cascade("""+++
retries = 0
+++
| ID | What | After | Priority |
|---|---|---|---|
| A | a | | |
| B | b | A | |
| C | c | B | |
| X | x | | P0 |

- [x] Y1 y
""")


def history(**outcomes: Outcome) -> History:
    """Return what a journal knows where each of these tasks has ended once."""
    attempts: Mapping[str, tuple[Attempt, ...]] = {
        task_id: (attempt(task_id, outcome=outcome),) for task_id, outcome in outcomes.items()
    }
    return History(attempts=attempts)


def test_the_first_run() -> None:
    """In the order in which tasks begin: by what they need, then by priority; ticked ones are skipped."""
    outlook = look_ahead(PLAN, History())
    assert outlook.rounds == (("X", "A"), ("B",), ("C",))
    assert outlook.skipped == {"Y1": "ticked off in the plan"}
    assert look_ahead(PLAN, History(), max_workers=1).rounds == (("X",), ("A",), ("B",), ("C",))


def test_after_a_failure() -> None:
    """What has completed, failed or is blocked is skipped, and why is said; the same after a retry is not."""
    past = history(A=Outcome.OK, B=Outcome.EXIT)
    outlook = look_ahead(PLAN, past)
    assert outlook.rounds == (("X",),)
    assert outlook.skipped == {
        "A": "already completed", "B": "failed before (exit)", "C": "blocked by B", "Y1": "ticked off in the plan",
    }  # fmt: skip
    assert look_ahead(PLAN, past, retry_failed=True).rounds == (("X", "B"), ("C",))
    assert look_ahead(PLAN, past, fresh=True).rounds == (("X", "A"), ("B",), ("C",))


def test_of_some_tasks() -> None:
    """What is not selected is skipped for that, and what could never begin is an error."""
    past = history(A=Outcome.OK, B=Outcome.EXIT, X=Outcome.EXIT)
    outlook = look_ahead(PLAN, past, only={"B", "C"}, retry_failed=True)
    assert outlook.rounds == (("B",), ("C",))
    assert outlook.skipped["X"] == "not selected"
    assert look_ahead(PLAN, past, only={"A"}, fresh=True).rounds == (("A",),)
    assert look_ahead(PLAN, past, only={"B"}, fresh=True).rounds == (("B",),)
    with pytest.raises(SelectionError, match="C needs B"):
        look_ahead(PLAN, past, only={"C"})


def test_a_budget_that_is_used_up_lets_nothing_begin() -> None:
    """And that is said of every task that could."""
    cascade = Cascade.of(PLAN.tasks.values())
    assert look_ahead(cascade, History()).rounds
    spent = parse_cascade("+++\nbudget_tokens = 1\n+++\n- [ ] T1 a\n- [ ] T2 b\n")
    used = attempt("T1", usage=attempt().end.usage.__class__(5))  # type: ignore[union-attr]
    outlook = look_ahead(spent, History(attempts={"T1": (used,)}))
    assert (outlook.rounds, outlook.skipped["T2"]) == ((), "the budget of the run is used up")


def test_a_task_without_budget_waits_and_so_does_what_needs_it() -> None:
    """What has a budget of its own left begins all the same, and each of the others says what it waits for."""
    tasks = (("A", (), 3), ("B", ("A",), None), ("C", (), 9))
    cascade = Cascade.of(
        Task(id=name, depends_on=needs, options=TaskOptions(budget_tokens=tokens)) for name, needs, tokens in tasks
    )
    used = attempt("A", outcome=Outcome.LOST, usage=TokenUsage(5))
    outlook = look_ahead(cascade, History(attempts={"A": (used,)}))
    assert outlook.rounds == (("C",),)
    assert outlook.skipped == {"A": "its budget of 3 tokens is used up (5 tokens spent)", "B": "waits for A"}


def test_what_has_to_be_approved_first() -> None:
    """A task with a gate is foretold as any other, and named; what was approved is not, unless all begins anew."""
    cascade = Cascade.of(
        Task(id=name, depends_on=needs, options=TaskOptions(gate=True)) for name, needs in (("A", ()), ("B", ("A",)))
    )
    outlook = look_ahead(cascade, History())
    assert (outlook.rounds, outlook.to_approve) == ((("A",), ("B",)), {"A", "B"})
    past = History(approved={"A": NOON, "B": NOON})
    assert look_ahead(cascade, past).to_approve == set()
    assert look_ahead(cascade, past, fresh=True).to_approve == {"A", "B"}
    assert look_ahead(cascade, past, fresh=True, only={"A"}).to_approve == {"A"}


async def test_a_run_does_what_was_foretold(tmp_path: Path) -> None:
    """The tasks that begin are those, in that order, in the first run and in the one after a failure."""
    cascade = plan("""ID | What | Deps | Priority
        A | true | - | -
        B | test -e ok | A | -
        C | true | B | -
        X | true | - | P0""")
    for options in ({}, {}, {"retry_failed": True}, {"only": {"A"}, "fresh": True}):
        journal = tmp_path / ".nova/journal.db"
        past = JournalReader(journal).history(plan_key(Path(cascade.name), journal)) if journal.exists() else History()
        outlook = look_ahead(cascade, past, max_workers=1, **options)  # type: ignore[arg-type]
        _, events = await run(cascade, tmp_path, max_workers=1, **options)
        began = [event.task_id for event in events if event.kind is EventKind.ATTEMPT_STARTED]
        foretold = [task_id for tasks in outlook.rounds for task_id in tasks]
        assert began == foretold[: len(began)]
        assert began or not foretold
        (tmp_path / "ok").touch() if "B" in began else None
