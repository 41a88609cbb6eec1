"""What an attempt needs to know to run anywhere: plain values, and nothing of the machine that it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from nova_async.records import AttemptEnd, AttemptId
from nova_async.words import Leftovers
from nova_async.worker.limits import Limits

__all__ = ["Job"]

ALWAYS_PASSED = frozenset({"PATH", "HOME", "TMPDIR", "NOVA_WORKER"})
"""Without the first three hardly any program finds its files, and the cookie is how a family is found."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt of a task, ready to run on any machine; submitted twice, it runs once."""

    id: AttemptId
    name: str = ""
    """For people."""
    command: tuple[str, ...]
    stdin: str | None = None
    """What the command reads; None is nothing."""
    cwd: str = "."
    """Where it works."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The plan's own environment variables. The rest comes from the machine that it runs on."""
    pass_env: tuple[str, ...] | None = None
    """Names of that machine's variables that it sees, besides ``PATH HOME TMPDIR NOVA_WORKER``; None is all."""
    agent: str | None = None
    """Whose output it is; None lets the command's program tell."""
    reads_only: bool = False
    """Whether it was allowed to look only: then nothing changes, and a refused tool is no failure."""
    limits: Limits = field(default_factory=Limits)
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    leftovers: Leftovers = Leftovers.KILL
    verify: tuple[str, ...] | None = None
    """The task's own check; it must exit with 0 after the agent's success."""
    log_name: str = ""
    """The name of its log; whoever runs it knows the folder."""
    finished: AttemptEnd | None = None
    """What the agent came to in an earlier attempt that was stopped at its check: only the check is left to run."""

    def environment(self, here: Mapping[str, str]) -> dict[str, str]:
        """Return what its programs see on a machine with these variables."""
        allowed = self.pass_env
        inherited = {
            name: value for name, value in here.items() if allowed is None or name in allowed or name in ALWAYS_PASSED
        }
        return {**inherited, "NOVA_ATTEMPT": str(self.id.number), **self.env}
