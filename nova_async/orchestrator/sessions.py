"""Which session of its agent the next attempt of a task resumes, and what it is told about the last one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from nova_async.agents import AGENTS, recognise
from nova_async.cascade import Cascade, Task
from nova_async.orchestrator.reporting import digest
from nova_async.records import Attempt, AttemptEnd, EarlierAttempts
from nova_async.usage import TokenUsage
from nova_async.words import Outcome

__all__ = ["Session", "session_after", "session_for", "told_agent", "used_in"]

PLACEHOLDER = "{session_id}"

ALL_OVER = frozenset({Outcome.OK, Outcome.DENIED, Outcome.SESSION_REFUSED})
"""Outcomes after which the session is of no use: it has done its work, was denied it, or does not exist any more."""
NEVER_AT_WORK = frozenset({Outcome.AUTH, Outcome.SPAWN_ERROR, Outcome.NO_RESOURCES, Outcome.LOG_ERROR})
"""Outcomes of attempts that never got to work, if they used no tokens: all is as the attempt before has left it."""
ITS_OWN = frozenset({Outcome.AGENT_ERROR, Outcome.EXIT})
"""Failures that may come from what the session holds: a history too long for its model, say."""
NO_PROGRESS = ITS_OWN | {Outcome.LOST_TAIL, Outcome.STALLED, Outcome.TIMEOUT, Outcome.SIGNAL}
"""Outcomes that show, where no tokens were used, that the agent cannot go on in this session."""
IN_WORDS = {
    Outcome.CANCELLED: "it was stopped",
    Outcome.LOST: "it was killed",
    Outcome.LIMIT: "the account had reached its usage limit",
    Outcome.BUDGET: "its budget was used up",
}
FAILED = ITS_OWN | {Outcome.VERIFY}


@final
@dataclass(frozen=True, slots=True)
class Session:
    """A session of an agent that can be resumed."""

    id: str
    attempt: int
    """The number of the attempt that was last in it."""
    why: str
    """Why that attempt ended, as words to follow a colon."""
    failed: bool
    """Whether it had come to an end of its own; otherwise it was cut short."""
    used: TokenUsage
    """What all attempts in it have used."""

    def told(self, task: str, *, why: bool = True) -> str:
        """Return the prompt that resumes it.

        The task is there once more: after a kill nobody knows what of it the session holds, and a long session may
        have been compacted.
        """
        how = "failed" if self.failed else "was interrupted"
        because = f": {self.why.rstrip('.')}" if why else ""
        return f"Your previous run of this task {how}{because}. Continue where you left off. The task was:\n\n{task}"


def session_for(
    cascade: Cascade, task: Task, attempts: Sequence[Attempt], cwd: str, earlier: EarlierAttempts | None = None
) -> Session | None:
    """Return the session that the plan's next attempt of a task resumes; None if it is to begin a new one.

    ``attempts`` are the latest, oldest first, and ``earlier`` is what those before them came to; ``cwd`` is the task's
    working folder as an absolute path.
    """
    template = cascade.command_of(task)
    takes_one = template is None or any(PLACEHOLDER in word for word in template)
    if not takes_one or not task.options.resume_session:
        return None
    return session_after(
        [attempt for attempt in attempts if attempt.counts],
        agent=task.options.agent if template is None else told_agent(cascade, task) or recognise(template).name,
        account=task.options.account,
        cwd=cwd,
        prompt_digest=digest(task),
        earlier=earlier,
    )


def told_agent(cascade: Cascade, task: Task) -> str | None:
    """Return whose output a command of the plan's own prints; None where only the program's name tells."""
    is_told = cascade.is_written(task, "agent") and task.options.agent in AGENTS
    return task.options.agent if is_told else None


def session_after(
    attempts: Sequence[Attempt], *, agent: str, account: str, cwd: str, prompt_digest: str,
    earlier: EarlierAttempts | None = None,
) -> Session | None:  # fmt: skip
    """Return the session that the next attempt of a task resumes; None if it is to begin a new one.

    ``attempts`` are those that count, oldest first, and ``earlier`` is what those before them came to. A session
    belongs to one agent, account, working folder and prompt. It is given up where an attempt that resumed it used no
    tokens, or failed with the same error as the one before it.
    """
    for place in range(len(attempts) - 1, -1, -1):
        attempt = attempts[place]
        end, start = attempt.end, attempt.start
        if end is None or was_idle(end, is_ours=(start.agent, start.account) == (agent, account)):
            continue
        session_id = attempt.session_id
        same = (start.agent, start.account, start.cwd, start.prompt_digest) == (agent, account, cwd, prompt_digest)
        if session_id is None or not same or end.outcome in ALL_OVER or is_stuck(attempts[: place + 1]):
            return None
        return Session(
            id=session_id,
            attempt=start.id.number,
            why=why_ended(end),
            failed=end.outcome in FAILED,
            used=used_in(session_id, attempts, earlier),
        )
    return None


def was_idle(end: AttemptEnd, *, is_ours: bool) -> bool:
    """Tell whether an attempt left everything as it was; ``is_ours`` if it ran on the same agent and account."""
    never_at_work = end.outcome in NEVER_AT_WORK or (end.outcome is Outcome.LIMIT and not is_ours)
    return never_at_work and not end.usage.total


def used_in(session_id: str, attempts: Sequence[Attempt], earlier: EarlierAttempts | None = None) -> TokenUsage:
    """Return what these attempts, and those before them, have used in a session."""
    ends = [attempt.end for attempt in attempts if attempt.end is not None and attempt.session_id == session_id]
    before = earlier.used_in.get(session_id, TokenUsage()) if earlier is not None else TokenUsage()
    return sum((end.usage for end in ends), before)


def is_stuck(attempts: Sequence[Attempt]) -> bool:
    """Tell whether the last of these attempts shows that its session leads nowhere."""
    last = attempts[-1]
    end, resumed = last.end, last.start.resumes
    if end is None or resumed is None or end.files_changed:
        return False
    if end.outcome in NO_PROGRESS and not end.usage.total:
        return True
    before = [each.end for each in attempts[:-1] if each.end is not None and each.session_id == resumed]
    if end.outcome not in ITS_OWN or not before:
        return False
    return (before[-1].outcome, before[-1].error) == (end.outcome, end.error)


def why_ended(end: AttemptEnd) -> str:
    """Say why an attempt ended, to its agent."""
    return IN_WORDS.get(end.outcome) or end.error or str(end.outcome)
