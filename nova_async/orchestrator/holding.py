"""When one attempt shows that others cannot work either: same program, same login, same model. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from nova_async._core.advice import run_command
from nova_async.agents import AGENTS
from nova_async.agents.invocation import agent_and_arguments
from nova_async.agents.registry import NAMES
from nova_async.attempt.job import Job
from nova_async.cascade import Cascade, Task
from nova_async.records import AttemptEnd
from nova_async.views import Hold
from nova_async.words import Outcome

__all__ = ["Account", "account_of", "hold_after", "warning_of", "with_dependents", "with_plan", "with_waiting"]

AGAIN = "then run `nova run` again"


class Account(NamedTuple):
    """What an attempt runs on. If one attempt is refused there, so is the next.

    None matches anything.
    """

    agent: str
    program: str
    login: tuple[str, ...] | None = None
    """The words of a command that may choose a login; empty if none do."""
    model: str | None = None
    """The model that the task names; empty if it names none."""
    key: str | None = ""
    """A digest of what chooses the login in its environment: the same for each run on this machine, whatever its plan
    calls the account. Empty if nothing is known to."""

    def parts(self) -> tuple["Account", "Account", "Account"]:
        """Return the program, the login and the model: each may be on hold by itself."""
        return self._replace(login=None, model=None, key=None), self._replace(model=None), self

    def held_by(self, hold: Hold) -> "Account":
        """Return what a hold covers: the program, the login or, as some limits do, only one model."""
        program, login, all_of_it = self.parts()
        match hold.outcome:
            case Outcome.SPAWN_ERROR:
                return program
            case Outcome.LIMIT | Outcome.OVERLOAD | Outcome.NETWORK if hold.model is not None:
                return all_of_it
            case _:
                return login


def account_of(job: Job, task: Task, *, by_plan: bool, key: str = "") -> Account:
    """Return what a job runs on.

    ``key`` is a digest of what chooses its login. ``by_plan`` says that the plan makes the commands: then no word
    of theirs chooses one.
    """
    program = job.command[0]
    if "/" in program and not program.startswith("/"):
        program = f"{job.cwd}/{program}"
    login = () if by_plan else login_of(job.command, task)
    return Account(job.agent_name, program, login, task.options.model or "", key)


def login_of(command: tuple[str, ...], task: Task) -> tuple[str, ...]:
    """Return the words that may choose a login in a command that a function made: all but the task's own.

    If an agent is recognised, these are the words before its arguments: ``env HOME=/home/ann claude``.
    """
    agent, arguments, _ = agent_and_arguments(command, NAMES)
    before = len(command) - len(arguments)
    if agent is not None and tuple(arguments) == command[before:]:
        return command[:before]
    prompt = task.description if " " in task.description else None
    own = {task.id, task.name, task.description}
    return tuple(word for word in command if word not in own and not (prompt and prompt in word))


def hold_after(end: AttemptEnd, account: Account, command: tuple[str, ...], missing: str | None) -> Hold | None:
    """Return why other attempts on this account cannot work either, if this end shows that.

    ``missing`` says why its program cannot be started, if it cannot. A usage limit counts for one model only, unless
    the agent is known to have it for all of them.
    """
    agent = AGENTS.get(account.agent)
    name = agent.name if agent is not None and agent.program else account.program.rpartition("/")[2]
    model, error, cure = None, end.error or str(end.outcome), ""
    if end.outcome is Outcome.AUTH:
        how = agent.login if agent is not None else None
        cure = f"{how[0].upper()}{how[1:]}, {AGAIN}" if how else f"Log in to it, {AGAIN}"
    elif end.outcome is Outcome.LIMIT:
        model = None if agent is not None and end.limit_kind in agent.whole_account_limits else account.model
        cure = "Run `nova run` again once the limit has reset, or now with another agent (`--agent NAME`)"
    elif end.outcome in (Outcome.OVERLOAD, Outcome.NETWORK):
        model = account.model
    elif end.outcome is Outcome.SPAWN_ERROR and missing is not None:
        error, cure = missing, f"Fix that, {AGAIN}"
    else:
        return None
    return Hold(
        agent=name, program=command[0], model=model, outcome=end.outcome, error=error, cure=cure, kind=end.limit_kind,
        resets_at=end.limit_resets_at,
    )  # fmt: skip


def with_plan(hold: Hold, plan: str) -> Hold:
    """Return a hold whose cure names the plan, where it has to be named for the run to go on."""
    return replace(hold, cure=hold.cure.replace("`nova run`", f"`{run_command(plan)}`"))


def warning_of(hold: Hold) -> str:
    """Say what is wrong and what to do, once, when a hold begins."""
    why = "" if hold.outcome is Outcome.AUTH else f" ({hold.error})"  # the reason says it, and the summary quotes it
    which = f" with model {hold.model}" if hold.model else ""
    return f"{hold.reason}{why}; its remaining tasks{which} wait. {hold.cure}"


def with_waiting(
    holds: Mapping[Account, Hold], held: Mapping[str, Account], cascade: Cascade, unfinished: Iterable[str]
) -> tuple[Hold, ...]:
    """Return the holds with the tasks that wait for each: those held, and what depends on them."""
    left = set(unfinished)
    found = []
    for account, hold in holds.items():
        waiting = {task_id for task_id, where in held.items() if where == account}
        found.append(replace(hold, waiting=with_dependents(waiting, cascade, left)))
    return tuple(found)


def with_dependents(tasks: Iterable[str], cascade: Cascade, unfinished: Collection[str]) -> tuple[str, ...]:
    """Return these tasks and those that wait for them, directly or through others, in file order."""
    waiting = set(tasks)
    todo = list(waiting)
    while todo:
        more = [each for each in cascade.dependents(todo.pop()) if each in unfinished and each not in waiting]
        waiting.update(more)
        todo += more
    return tuple(task_id for task_id in cascade.tasks if task_id in waiting)
