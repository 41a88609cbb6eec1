"""An attempt before anything of it is written or started."""

import os
from collections import ChainMap
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import final

from nova_async.attempt.job import Job
from nova_async.cascade import Cascade, Task
from nova_async.cascade.agent_order import AgentChoice
from nova_async.orchestrator import reporting
from nova_async.orchestrator.budget import Budget
from nova_async.orchestrator.commands import PROMPT_VARIABLE, CommandMaker, make_job, told_their_caps
from nova_async.orchestrator.happenings import Ended, Happening, Starting, Told
from nova_async.orchestrator.holding import Account, account_of, hold_after, with_plan
from nova_async.orchestrator.known import TaskKnown, answer_for
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.secrets import Secrets
from nova_async.orchestrator.serving import choose
from nova_async.orchestrator.sessions import session_for
from nova_async.orchestrator.shared_limits import login_key
from nova_async.records import AttemptEnd, AttemptId, AttemptStart
from nova_async.views import Hold
from nova_async.words import Outcome

__all__ = ["Attempts", "Prepared"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An attempt that is ready to begin."""

    job: Job | None
    """None if no command could be made."""
    refusal: str
    """Why no command could be made."""
    account: Account | None
    """What it runs on; None without a job."""
    share_usd: float | None
    """The most that its agent may spend of what the run's budget had left, where it is told so."""
    _secrets: Secrets
    _digest: str
    known: TaskKnown

    def hold_after(self, end: AttemptEnd, missing: str | None) -> Hold | None:
        """Return why other attempts like it cannot work either, if its end shows that."""
        if self.job is None or self.account is None:
            return None
        return hold_after(end, self.account, self.job.command, missing)

    def start(self, attempt: AttemptId, plan: str, log_dir: Path) -> AttemptStart:
        """Return how the attempt begins, now, as it is written down."""
        job = self.job
        return AttemptStart(
            id=attempt,
            plan=plan,
            started_at=datetime.now(UTC),
            agent=job.agent_name if job is not None else self.known.task.options.agent,
            account=job.account if job is not None else self.known.task.options.account,
            prompt_digest=self._digest,
            command=self._secrets.redaction.texts(job.command) if job is not None else (),
            log_path=str(log_dir / job.log_name) if job is not None else "",
            limits=job.limits.as_dict() if job is not None else {},
            resumes=job.resume if job is not None else None,
            cwd=str(Path(job.cwd).absolute()) if job is not None else "",
        )


@final
@dataclass(slots=True, kw_only=True)
class Attempts:
    """Prepares the attempts of one run."""

    cascade: Cascade
    known: Mapping[str, TaskKnown]
    root: Path
    agent: str | None
    command_for: CommandMaker | None
    secrets: Secrets
    variables_of: Callable[[AttemptId], Mapping[str, str]] = lambda attempt: {}
    """What the programs of an attempt see besides the plan's variables."""
    _logins: dict[tuple[object, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What chooses the login of each kind of job, once it was worked out."""

    def told_their_caps(self) -> Collection[str]:
        """Return the tasks whose agents are told how many dollars they may spend."""
        return () if self.command_for is not None else list(told_their_caps(self.cascade))

    def in_order(
        self, known: TaskKnown, attempt: AttemptId, budget: Budget | None = None, share_usd: float | None = None
    ) -> Iterator[tuple[Prepared, Account | None]]:
        """Prepare an attempt for each agent that may run it, in their order; each with what it would run on."""
        task = self.cascade.tasks[known.task.id]
        for served in self.cascade.in_order(task) if self.command_for is None else (task,):
            prepared = self.prepare(known, attempt, served, budget, share_usd)
            yield prepared, prepared.account

    def choose(
        self, state: RunState, attempt: AttemptId, share_usd: float | None, told: Mapping[Account, Hold]
    ) -> tuple[Prepared, Account | None]:
        """Prepare the attempt by the first agent that is not on hold, or say what is waited for.

        ``told`` is on hold for this attempt by the word of other runs.
        """
        task_id = attempt.task_id

        def held_by(account: Account) -> Account | None:
            return state.held_by(task_id, account) or next((part for part in account.parts() if part in told), None)

        candidates = self.in_order(self.known[task_id], attempt, state.task_budgets.get(task_id), share_usd)
        return choose(candidates, held_by, ChainMap(dict(told), dict(state.all_holds())))

    async def confirmed(
        self,
        state: RunState,
        prepared: Prepared,
        attempt: AttemptId,
        ask: Callable[[RunState, str, Account], Awaitable[Happening | None]],
        happens: Callable[[Happening], object],
    ) -> tuple[Prepared, Account | None]:
        """Choose again until no other run keeps the attempt from beginning where it was to begin.

        ``ask`` asks for what other runs know of an account, of which ``happens`` is told, and of where it begins.
        """
        told: dict[Account, Hold] = {}
        held = None
        while held is None and (account := prepared.account) is not None:
            if (found := await ask(state, attempt.task_id, account)) is not None:
                happens(found)
            if isinstance(found, Told):
                told[found.account] = found.hold
            elif state.held_by(attempt.task_id, account) is None:  # nor was it closed while we asked
                break
            prepared, held = self.choose(state, attempt, prepared.share_usd, told)
        if held is None:  # told before anything else can be about to start
            happens(Starting(attempt.task_id, prepared.account))
        return prepared, held

    def with_hold(self, ended: Ended, prepared: Prepared, end: AttemptEnd, missing: str | None) -> Ended:
        """Add what an attempt ran on and, if that shows to be on hold, what the task may run on otherwise."""
        hold, known = prepared.hold_after(end, missing), prepared.known
        hold = None if hold is None else with_plan(hold, self.cascade.name)
        ended = replace(ended, account=prepared.account, hold=hold)
        order = self.cascade.in_order(self.cascade.tasks[known.task.id])
        if hold is None or self.command_for is not None or len(order) == 1:
            return ended
        accounts = tuple(account for _, account in self.in_order(known, end.id) if account is not None)
        return replace(ended, accounts=accounts)

    def prepare(
        self, known: TaskKnown, attempt: AttemptId, task: Task, budget: Budget | None, share_usd: float | None
    ) -> Prepared:
        """Make an attempt's job, or say why there can be none; ``command_for`` may raise what it likes."""
        digest = reporting.digest(known.task)
        job, refusal, session = None, "", None
        if self.command_for is None:
            cwd = str((self.root / task.options.cwd).absolute())
            session = session_for(self.cascade, task, known.attempts, cwd, known.earlier)
        try:
            job = make_job(
                self.cascade, task, attempt,
                session=session, root=self.root, agent=self.agent, budget=budget,
                command_for=self.command_for, left_to_check=known.left_to_check(), share_usd=share_usd,
                result_of=partial(answer_for, known.task.id, self.known),
                last_error=error_for(task.options.choice, known),
            )  # fmt: skip
        except Exception as error:
            refusal = str(error) if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {error}"
        account = None
        if job is not None:
            account = account_of(job, task, by_plan=self.command_for is None, key=self._login_of(job))
            if more := self.variables_of(attempt):  # last: no login depends on them
                job = replace(job, env={**job.env, **more})
        return Prepared(
            job=job, refusal=refusal, account=account, share_usd=share_usd, _secrets=self.secrets,
            _digest=digest, known=known,
        )  # fmt: skip

    def _login_of(self, job: Job) -> str:
        """Return what chooses a job's login.

        Thousands of tasks may be prepared in one go, only to wait for one limit: the whole environment is looked at
        once for all of a kind. Their prompts choose no login.
        """
        variables = tuple(each for each in job.env.items() if each[0] != PROMPT_VARIABLE)
        kind = job.agent_name, job.account, job.cwd, variables
        if kind not in self._logins:
            self._logins[kind] = login_key(job, os.environ)
        return self._logins[kind]


def error_for(choice: AgentChoice, known: TaskKnown) -> str | None:
    """Return why the last attempt failed, for the agent of the next: another one's usage limit is none of its own."""
    last = known.attempts[-1] if known.attempts else None
    if last is not None and last.end is not None and last.end.outcome is Outcome.LIMIT:
        before = AgentChoice(last.start.agent, last.start.account)
        if before != choice and known.last_error is not None:
            return f"{before} stopped at its usage limit"
    return known.last_error
