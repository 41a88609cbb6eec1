"""What is known of each task: its attempts, the one that runs, and how both look from outside."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import final

from nova_async._core.threads import in_thread
from nova_async.attempt.earlier_logs import with_log_found
from nova_async.cascade import Task
from nova_async.orchestrator.budget import Budget, spent_by
from nova_async.orchestrator.placing import Placed
from nova_async.orchestrator.reporting import digest
from nova_async.orchestrator.retry import FREE, NO_VERDICT
from nova_async.records import Attempt, AttemptEnd, AttemptFacts, AttemptStart, EarlierAttempts
from nova_async.usage import Totals
from nova_async.views import TaskView
from nova_async.words import Outcome, TaskState

__all__ = ["TaskKnown", "answer_for"]

NO_USE_TO_KNOW = {*FREE, Outcome.SPAWN_ERROR, Outcome.LOG_ERROR, Outcome.EXECUTOR_ERROR, Outcome.AUTH}
"""What the agent of the next attempt cannot have caused, or undo: no agent worked, or somebody stopped it."""
FINAL = (TaskState.COMPLETED, TaskState.FAILED)


@final
class TaskKnown:
    """One task's attempts, oldest first, and the one that runs.

    ``this_try`` are those since the plan was begun anew: its sums hold them alone. ``earlier`` is what attempts before
    them came to.
    """

    def __init__(
        self,
        task: Task,
        attempts: Sequence[Attempt] = (),
        this_try: Sequence[Attempt] = (),
        earlier: EarlierAttempts | None = None,
    ) -> None:
        self.task = task
        self.attempts = list(attempts)
        self.earlier = earlier
        self._since = len(attempts) - len(this_try)
        ended = [attempt.end.outcome for attempt in this_try if attempt.end is not None]
        verdicts = [outcome for outcome in ended if outcome not in NO_VERDICT]
        self.has_failed_its_check = verdicts[-1:] == [Outcome.VERIFY]
        """Whether that was the last verdict of earlier runs, though it may have been begun again since."""
        self.placed: Placed | None = None
        self._taken = 0  # numbers of attempts
        self._began = 0.0  # by a clock that nobody sets
        before = Totals() if earlier is None else earlier.totals
        self._ended = replace(before, usage_by_model=dict(before.usage_by_model))  # of the attempts that are over
        self.spending = spent_by(self._ended)
        """The same as budgets count it."""
        for attempt in this_try:
            self._add(attempt)

    @property
    def outcomes(self) -> list[Outcome]:
        """How the attempts that count have ended, the latest last; those long ago in any order."""
        latest = [attempt.end.outcome for attempt in self.attempts if attempt.counts and attempt.end is not None]
        return latest if self.earlier is None else [*self.earlier.counting.elements(), *latest]

    @property
    def last_end(self) -> AttemptEnd | None:
        """How the last attempt ended."""
        return self.attempts[-1].end if self.attempts else None

    def take_number(self) -> int:
        """Return the number of the next attempt; none is given twice.

        Not even where the journal refused its beginning: nobody can be sure that it is not there after all.
        """
        taken = max((attempt.start.id.number for attempt in self.attempts), default=0)
        self._taken = max(self._taken, taken) + 1
        return self._taken

    def give_number_back(self) -> None:
        """Give the latest number back, which nobody has been told of."""
        self._taken -= 1

    @property
    def session_id(self) -> str | None:
        """The agent's session of the latest attempt that told one."""
        told = [attempt.end.session_id for attempt in self.attempts if attempt.end and attempt.end.session_id]
        return told[-1] if told else None

    def told_start(self) -> dict[str, str]:
        """Return the account and the session of the latest attempt for those who are told of it, if it has any."""
        start = self.attempts[-1].start if self.attempts else None
        about = {} if start is None else {"account": start.account, "resumes": start.resumes}
        return {name: value for name, value in about.items() if value}

    @property
    def answer(self) -> str | None:
        """What the agent answered in the latest attempt that completed the task; None where there is no answer."""
        told = [attempt.end.result for attempt in self.attempts if attempt.end and attempt.end.outcome is Outcome.OK]
        return told[-1] if told else None

    def told_answer(self) -> dict[str, str]:
        """Return the answer for those who are told that the task has completed; nothing where there is none."""
        return {} if self.answer is None else {"result": self.answer}

    @property
    def last_error(self) -> str | None:
        """Why this task has failed, by its last verdict since the plan was begun anew; None where that is a success."""
        for attempt in reversed(self.attempts[self._since :]):
            if (end := attempt.end) is not None and end.outcome not in NO_USE_TO_KNOW:
                return None if end.outcome is Outcome.OK else end.error or str(end.outcome)
        return None

    @property
    def is_out_of_budget(self) -> bool:
        """Whether its own budget is used up, and not only its check is left."""
        options = self.task.options
        budget = Budget(options.budget_tokens, options.budget_usd, self.spending)
        return budget.is_used_up and self.left_to_check() is None

    def begin(self, placed: Placed, start: AttemptStart | None = None) -> None:
        """Note that an attempt runs: one more, or the last one, which was begun in an earlier run."""
        if start is not None:
            self.attempts.append(Attempt(start=start))
        lasted = (datetime.now(UTC) - self.attempts[-1].start.started_at).total_seconds()
        self._began = time.monotonic() - max(0.0, lasted)
        self.placed = placed

    def forget(self) -> None:
        """Let no attempt so far count: the task is to run again as if it never had."""
        self.attempts = [replace(attempt, counts=False) for attempt in self.attempts]
        if self.earlier is not None:
            self.earlier = replace(self.earlier, counting=Counter())

    def note_finished(self, finished: AttemptEnd) -> None:
        """Note what the running attempt's agent has come to; its check is still to come."""
        self.attempts[-1] = replace(self.attempts[-1], finished=finished)

    async def find_logs(self, tell: Callable[[], object]) -> None:
        """Note where the logs of earlier attempts lie by now, and tell of it: each new one moves them aside."""
        earlier = self.attempts[:-1]
        with suppress(OSError):  # no thread is to be had
            found = await in_thread(lambda: [with_log_found(attempt) for attempt in earlier])
            for place, attempt in enumerate(earlier):
                if self.attempts[place] is attempt:  # it may have changed meanwhile
                    self.attempts[place] = found[place]
        tell()

    def end(self, end: AttemptEnd) -> None:
        """Note that the running attempt is over."""
        self.attempts[-1] = attempt = replace(self.attempts[-1], end=end)
        self.placed = None
        self._add(attempt)

    def totals(self) -> Totals:
        """Return what all attempts have used, up to this moment."""
        if self.placed is None:
            return self._ended
        facts = self.placed.latest()
        is_told = facts.cost_usd is not None and not facts.cost_is_behind
        total = replace(self._ended, usage_by_model=dict(self._ended.usage_by_model))
        total.add(
            facts.usage, usage_by_model=facts.usage_by_model, usage_is_final=False, cost_usd=facts.cost_usd,
            estimated_usd=facts.estimated_usd,
            # Of what runs, it is plain that more may come.
            cost_is_complete=is_told or facts.estimated_usd is not None,
            duration_seconds=time.monotonic() - self._began,
        )  # fmt: skip
        return total

    def view(
        self,
        state: TaskState,
        blocked_by: tuple[str, ...] = (),
        reason: str | None = None,
        retry_at: datetime | None = None,
    ) -> TaskView:
        """Return how the task looks at this moment."""
        last = self.attempts[-1] if self.attempts else None
        end = last.end if last else None
        facts = self.placed.latest() if self.placed is not None else AttemptFacts()
        log = facts.log or (end.log if end else None)
        total = self.totals()
        return TaskView(
            id=self.task.id,
            name=self.task.name,
            branch=self.task.branch,
            group=self.task.group,
            depends_on=self.task.depends_on,
            state=state,
            phase=facts.phase if self.placed is not None else None,
            phase_since=facts.phase_since,
            is_stopping=self.placed is not None and self.placed.is_stopping,
            attempt=last.start.id.number if last and last.counts else 0,  # begun anew, it has not begun yet
            agent=last.start.served_by if last else "",
            outcome=end.outcome if end else None,
            error=end.error if end else None,
            reason=reason,
            retry_at=retry_at,
            activity=facts.activity,
            blocked_by=blocked_by,
            host=facts.host,
            pid=facts.pid,
            pid_start_time=facts.pid_start_time,
            cookie=facts.cookie,
            started_at=last.start.started_at if last else None,
            completed_at=end.ended_at if end and state in FINAL else None,
            duration_seconds=total.duration_seconds,
            usage=total.usage,
            usage_by_model=total.usage_by_model,
            usage_is_final=total.usage_is_final,
            cost_usd=total.cost_usd,
            estimated_usd=total.estimated_usd,
            cost_is_complete=total.cost_is_complete,
            result=end.result if end else None,
            denied=end.denied if end else (),
            session_id=facts.session_id or self.session_id,
            log_path=log.path if log else None,
            log=log,
            log_error=facts.log_error or (end.log_error if end else None),
            commit_sha=end.commit_sha if end else None,
            files_changed=end.files_changed if end else (),
            attempts=tuple(self.attempts),
            earlier=self.earlier,
        )

    def left_to_check(self) -> Attempt | None:
        """Return the attempt whose agent succeeded and whose check was never finished, if that is the last one."""
        last = self.attempts[-1] if self.attempts else None
        if last is None or not last.counts or last.end is None or last.end.outcome not in FREE:
            return None
        finished = last.finished
        good = finished is not None and finished.outcome is Outcome.OK
        return last if good and last.start.prompt_digest == digest(self.task) else None

    def _add(self, attempt: Attempt) -> None:
        if (end := attempt.end) is not None:
            end.add_to(self._ended)
            self.spending = self.spending.plus(spent_by(end))


def answer_for(task_id: str, known: Mapping[str, TaskKnown], needed: str) -> str | None:
    """Return what the task ``needed`` answered, for the prompt of another one; None where there is no such task.

    Raises ``ValueError`` where it gave no answer: the agent would be paid for a prompt with a hole in it.
    """
    if needed not in known:
        return None
    if (answer := known[needed].answer) is not None:
        return answer
    ran = any(attempt.end and attempt.end.outcome is Outcome.OK for attempt in known[needed].attempts)
    why = "has reported no final answer" if ran else "was ticked off in the plan and has never completed a run"
    raise ValueError(f"the prompt of {task_id} asks for the result of {needed}, which {why}")
