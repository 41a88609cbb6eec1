"""Which session the next attempt of a task resumes, and what its agent is told. All pure."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nova_async.cascade import parse_cascade
from nova_async.journal.history import History
from nova_async.orchestrator.outlook import look_ahead
from nova_async.orchestrator.reporting import digest
from nova_async.orchestrator.sessions import Session, session_after, session_for
from nova_async.records import Attempt
from nova_async.usage import TokenUsage
from nova_async.words import Outcome
from tests.views import attempt

USED = TokenUsage(1, 2, 3, 4)
HERE = {"agent": "claude", "account": "", "cwd": "/w", "prompt_digest": "abc"}
CUT_SHORT = [
    Outcome.CANCELLED, Outcome.LOST, Outcome.LIMIT, Outcome.TIMEOUT, Outcome.STALLED, Outcome.LOST_TAIL, Outcome.SIGNAL,
    Outcome.OVERLOAD, Outcome.NETWORK, Outcome.BUDGET, Outcome.OUT_OF_MEMORY, Outcome.VERIFY, Outcome.AGENT_ERROR,
    Outcome.EXIT, Outcome.EXIT_UNKNOWN, Outcome.EXECUTOR_ERROR,
]  # fmt: skip


def past(*outcomes: Outcome, session: str | None = "s1", resumes: bool = True, **end: Any) -> list[Attempt]:
    """Return attempts in one session; all but the first have resumed it."""
    made = []
    for number, outcome in enumerate(outcomes, 1):
        told = attempt("F1", number, outcome, **{"session_id": session, "usage": USED, **end})
        start = replace(told.start, cwd="/w", resumes=session if resumes and number > 1 else None)
        made.append(replace(told, start=start))
    return made


def resumed(attempts: list[Attempt], **where: str) -> str | None:
    """Return the id of the session that the next attempt resumes."""
    found = session_after(attempts, **{**HERE, **where})
    return found.id if found is not None else None


def test_the_first_attempt_begins_a_session() -> None:
    """There is none to resume."""
    assert session_after([], **HERE) is None


@pytest.mark.parametrize("outcome", CUT_SHORT)
def test_what_was_cut_short_or_failed_is_gone_on_with(outcome: Outcome) -> None:
    """After a limit, a stop, a kill, a failed check and each other end of an agent at work."""
    assert resumed(past(outcome)) == "s1"


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.DENIED, Outcome.SESSION_REFUSED])
def test_a_session_that_is_of_no_use_is_left(outcome: Outcome) -> None:
    """It has done its work, was denied it, or is gone."""
    assert resumed(past(outcome)) is None
    assert resumed(past(Outcome.TIMEOUT, outcome)) is None


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.SPAWN_ERROR, Outcome.NO_RESOURCES, Outcome.LOG_ERROR])
def test_an_attempt_that_never_got_to_work_is_passed_over(outcome: Outcome) -> None:
    """The session before it is as it was; by itself it has none worth resuming."""
    idle = past(outcome, usage=TokenUsage())
    assert resumed(idle) is None
    assert resumed([*past(Outcome.LIMIT), *idle]) == "s1"
    assert resumed(past(Outcome.AUTH)) == "s1"  # the login was lost after an hour of work


@pytest.mark.parametrize("name", sorted(HERE))
def test_a_session_belongs_to_its_agent_account_folder_and_prompt(name: str) -> None:
    """With any other it is not resumed: agents look a session up by folder, and its history is about that prompt."""
    assert resumed(past(Outcome.TIMEOUT), **{name: "another"}) is None


def test_a_limit_of_another_account_is_passed_over() -> None:
    """It was tried in between and did nothing; had it worked, the session would know nothing of that."""
    (elsewhere,) = past(Outcome.LIMIT, session="s2", usage=TokenUsage())
    elsewhere = replace(elsewhere, start=replace(elsewhere.start, account="second"))
    assert resumed([*past(Outcome.LIMIT), elsewhere]) == "s1"
    assert elsewhere.end is not None
    assert resumed([*past(Outcome.LIMIT), replace(elsewhere, end=replace(elsewhere.end, usage=USED))]) is None


def test_an_attempt_that_was_killed_before_it_told_its_session_was_in_the_one_that_it_resumed() -> None:
    """Without one to resume, there is nothing to go on with: what came before was left for a reason."""
    silent = past(Outcome.LOST, session=None)[0]
    waiting = replace(silent, start=replace(silent.start, resumes="s1"))
    assert resumed([*past(Outcome.TIMEOUT), waiting]) == "s1"
    assert resumed([*past(Outcome.TIMEOUT), silent]) is None


@pytest.mark.parametrize("outcome", [Outcome.AGENT_ERROR, Outcome.EXIT, Outcome.STALLED, Outcome.TIMEOUT])
def test_a_session_that_leads_nowhere_is_left_after_one_attempt(outcome: Outcome) -> None:
    """The resumed agent used nothing and changed nothing; that its own history is the fault, cannot be excluded."""
    nothing = past(Outcome.TIMEOUT, outcome, usage=TokenUsage())
    assert resumed(nothing[:1]) == "s1"
    assert resumed(nothing) is None
    assert resumed(past(Outcome.TIMEOUT, outcome, usage=TokenUsage(), files_changed=("a",))) == "s1"


@pytest.mark.parametrize("outcome", [Outcome.LIMIT, Outcome.OVERLOAD, Outcome.NETWORK, Outcome.LOST, Outcome.CANCELLED])
def test_no_progress_is_no_fault_of_the_session_where_something_else_was_in_the_way(outcome: Outcome) -> None:
    """A limit that still holds, a network that is still away, another kill."""
    assert resumed(past(Outcome.TIMEOUT, outcome, outcome, usage=TokenUsage())) == "s1"


def test_the_same_failure_twice_in_one_session_is_enough() -> None:
    """A history too long for its model is refused again; a timeout or a failed check may come closer each time."""
    assert resumed(past(Outcome.AGENT_ERROR, Outcome.AGENT_ERROR, error="prompt is too long")) is None
    first, second = past(Outcome.AGENT_ERROR, Outcome.AGENT_ERROR, error="max turns")
    assert first.end is not None
    first = replace(first, end=replace(first.end, error="something else"))
    assert resumed([first, second]) == "s1"
    assert resumed(past(Outcome.TIMEOUT, Outcome.TIMEOUT, error="ran for 1h")) == "s1"
    assert resumed(past(Outcome.VERIFY, Outcome.VERIFY, error="verify failed")) == "s1"


@given(some.lists(some.tuples(some.sampled_from(CUT_SHORT[:4]), some.sampled_from(["s1", "s2"])), min_size=1))
def test_what_a_session_had_used_is_the_sum_of_its_attempts(ends: list[tuple[Outcome, str]]) -> None:
    """So an agent whose total is the session's is counted once, whatever was killed when."""
    attempts = [past(outcome, session=session)[0] for outcome, session in ends]
    found = session_after(attempts, **HERE)
    assert found is not None
    assert found.id == ends[-1][1]
    assert found.used == sum((USED for _, session in ends if session == found.id), TokenUsage())


@pytest.mark.parametrize(
    ("outcome", "error", "first"),
    [
        (Outcome.CANCELLED, "stopped", "was interrupted: it was stopped."),
        (Outcome.LOST, None, "was interrupted: it was killed."),
        (Outcome.LIMIT, "limit 'five_hour'", "was interrupted: the account had reached its usage limit."),
        (Outcome.TIMEOUT, "ran for 1h.", "was interrupted: ran for 1h."),
        (Outcome.VERIFY, "verify failed: exit code 1", "failed: verify failed: exit code 1."),
        (Outcome.SIGNAL, None, "was interrupted: signal."),
    ],
)
def test_an_agent_is_told_what_happened(outcome: Outcome, error: str | None, first: str) -> None:
    """In one sentence, with the task once more: nobody knows how much of it the session still holds."""
    session = session_after(past(outcome, error=error), **HERE)
    assert session is not None
    rest = "Continue where you left off. The task was:\n\nDo it."
    assert session.told("Do it.") == f"Your previous run of this task {first} {rest}"


def test_what_the_prompt_tells_itself_is_not_told_twice() -> None:
    """A prompt with {error} in it says why."""
    session = Session("s1", 1, "boom", True, USED)
    assert session.told("Do it: boom", why=False).startswith("Your previous run of this task failed. Continue")


@pytest.mark.parametrize(
    ("front", "agent", "resumes"),
    [
        ("", "claude", True),
        ("agent = 'codex'", "claude", False),
        ("resume_session = false", "claude", False),
        ("command = ['claude', '-p', '{prompt}', '--resume={session_id}']", "claude", True),
        ("command = ['claude', '-p', '{prompt}']", "claude", False),
        ("agent = 'codex'\ncommand = ['my-codex', '{prompt}', '{session_id}']", "codex", True),
        ("command = ['my-codex', '{prompt}', '{session_id}']", "codex", False),
    ],
)
def test_what_the_plan_says_about_sessions(front: str, agent: str, resumes: bool) -> None:
    """It may want none; a command of its own must have a place for one, and the agent must be known to be the same."""
    cascade = parse_cascade(f"+++\n{front}\n+++\n- [ ] F1 Do it.\n")
    task = cascade.tasks["F1"]
    (told,) = past(Outcome.TIMEOUT)
    told = replace(told, start=replace(told.start, agent=agent, prompt_digest=digest(task)))
    found = session_for(cascade, task, [told], "/w")
    assert (found is not None) is resumes
    assert session_for(cascade, task, [replace(told, counts=False)], "/w") is None
    history = History(attempts={"F1": (told,)})
    outlook = look_ahead(cascade, history, folder_of=lambda cwd: "/w")
    assert outlook.resumed == ({"F1": "s1"} if resumes else {})
    assert look_ahead(cascade, history).resumed == {}
