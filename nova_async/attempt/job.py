"""What an attempt needs in order to run anywhere: plain values, with nothing of the machine that they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from nova_async._core.home import below_home, home_in
from nova_async.agents import AGENTS, recognise
from nova_async.attempt.passing import passed
from nova_async.prices import Prices
from nova_async.records import AttemptEnd, AttemptId
from nova_async.usage import TokenUsage
from nova_async.words import Leftovers
from nova_async.worker.limits import Limits

__all__ = ["Job"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt of a task, ready to run on any machine; submitted twice, it runs once."""

    id: AttemptId
    name: str = ""
    """The task's name, for people to read."""
    command: tuple[str, ...]
    stdin: str | None = None
    """The command's standard input; None means empty."""
    cwd: str = "."
    """The working directory."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The plan's own environment variables. The rest comes from the machine that it runs on."""
    account: str = ""
    """The name of the account that it runs under; empty for the agent's usual one."""
    account_env: Mapping[str, str] = field(default_factory=dict)
    """The variables that choose this account; ``~/`` in front is the home folder of the machine that it runs on."""
    pass_env: tuple[str, ...] | None = None
    """Names of that machine's variables that it sees, besides what programs need to run; None means all."""
    isolate_config: bool = False
    """Whether its agent gets a configuration folder of its own."""
    redact: tuple[str, ...] = ()
    """Names of variables whose values are not to be written down, and patterns; the values stay where they are."""
    agent: str | None = None
    """The agent whose output format is read; None means to recognise it from the command's program."""
    reads_only: bool = False
    """Whether it may only read: then no change is expected, and a denied tool is not a failure."""
    limits: Limits = field(default_factory=Limits)
    prices: Prices = field(default_factory=Prices)
    """By which the cost of an agent is estimated that does not tell it."""
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    leftovers: Leftovers = Leftovers.KILL
    verify: tuple[str, ...] | None = None
    """The task's own check; it must exit with 0 after the agent's success."""
    log_name: str = ""
    """The file name of its log; the executor chooses the folder."""
    resume: str | None = None
    """The agent's session that its command resumes."""
    resumed_from: TokenUsage | None = None
    """What that session had used before, for agents whose totals are the session's; None where nothing is resumed."""
    finished: AttemptEnd | None = None
    """The agent's result in an earlier attempt that was stopped during its check: only the check is left to run."""

    @property
    def agent_name(self) -> str:
        """The agent whose output it is, as given or as its command tells."""
        return self.agent or recognise(self.command).name

    def environment(self, here: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of its programs on a machine with these variables."""
        agent = AGENTS.get(self.agent_name)
        inherited = passed(here, self.pass_env, agent.own_variables if agent is not None else ())
        found = {**inherited, "NOVA_ATTEMPT": str(self.id.number), **self.env}
        home = home_in({"HOME": found.get("HOME") or here.get("HOME") or ""})
        return {**found, **{name: below_home(value, home) for name, value in self.account_env.items()}}
