"""Usage limits across runs: one that another run has met holds here too, and one run alone tries whether it is over."""

import hashlib
import os
import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from nova_async._core.home import below_home, home_in
from nova_async.agents import AGENTS
from nova_async.agents.resets import FURTHEST
from nova_async.attempt.job import Job
from nova_async.orchestrator import actions
from nova_async.orchestrator.happenings import Happening, Served, Told
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.limits_file import Entry, LimitsFile, limits_path
from nova_async.orchestrator.run_state import RunState
from nova_async.views import Hold
from nova_async.words import Outcome

__all__ = ["SharedLimits", "login_key"]

CLAIM_SECONDS = 75.0  # for a task to show that it is served; a run that was killed meanwhile keeps the others no longer
LOOK_SECONDS = 5.0  # until it is looked again whether the task of another run was served
SLACK = 0.5  # seconds by which clocks and roundings may differ


def login_key(job: Job, here: Mapping[str, str]) -> str:
    """Return a digest of what chooses the login of a job's agent: its folder of settings, and its login variables."""
    agent = AGENTS.get(job.agent_name)
    if agent is None or agent.session_files is None:
        return ""
    environment = job.environment(here)
    home = home_in(environment)
    folder = Path(job.cwd, below_home(agent.session_files.folder_in(environment, home), home))
    values = [f"{name}={environment[name]}" for name in agent.login_signs.variables if name in environment]
    return digest(os.path.realpath(folder), *values)


def digest(*texts: str) -> str:
    """Return a short mark of texts, from which none of them can be told."""
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:32]


@final
class SharedLimits:
    """What a run asks and tells other runs of this user on this machine."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._file = LimitsFile(limits_path(), warn)
        self._me = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._told: dict[Account, Hold] = {}  # by other runs; the state of this one hears of it in its turn
        self._known: set[str] = set()  # digests of the limits that were in the file

    def what_holds(
        self, state: RunState, happens: Callable[[Happening], object], task_id: str, account: Account | None
    ) -> Account | None:
        """Return what keeps a task from beginning on an account, in this run or in another; None if it may."""
        if account is None:
            return None
        if (held := state.held_by(task_id, account)) is not None:
            return held
        if (found := self._look(state, task_id, account)) is not None:
            happens(found)
        if not isinstance(found, Told):
            return None
        self._told[found.account] = found.hold
        return found.account

    def holds(self, state: RunState) -> Mapping[Account, Hold]:
        """Return what is on hold, as far as this run or another has told."""
        return ChainMap(state.holds, self._told)

    def _look(self, state: RunState, task_id: str, account: Account) -> Told | Served | None:
        """Look whether a task may begin on an account; None if no other run knows of anything."""
        if not account.key or state.cascade.settings.on_usage_limit == "fail":
            return None
        entries = self._file.entries()
        for part in account.parts()[1:]:
            key, now = key_of(part), time.time()
            entry = entries.get(key)
            if entry is not None:
                self._known.add(key)
            if state.trying.get(part) == task_id and part in state.gates:
                if (found := self._claim(part, key, entry, task_id, now)) is not None:
                    return found
            elif entry is not None and part not in state.holds and (until := closed_until(entry, self._me, now)):
                return Told(part, hold_of(part, entry, until))
        return None

    def _claim(self, part: Account, key: str, entry: Entry | None, task_id: str, now: float) -> Told | Served | None:
        if entry is None:
            if key not in self._known:
                return None  # nobody could write it down: this run goes by what it knows
            self._known.discard(key)
            return Served(task_id)  # another run's task was served
        claimed = {"claimed_by": self._me, "claimed_until": now + CLAIM_SECONDS}
        found: list[float | None] = []

        def claim(stands: Entry | None) -> Entry | None:
            found.append(None if stands is None else closed_until(stands, self._me, now))
            return stands if stands is None or found[0] else {**stands, **claimed}

        if not self._file.change(key, claim, now) or not found or found[0] is None:
            return None
        return Told(part, hold_of(part, entry, found[0]))

    def follow(self, action: actions.Action) -> None:
        """Tell other runs of a limit that this one has met, and that it is over."""
        match action:
            case actions.Closed(account, hold, is_ours=True) if account.key and hold.until is not None:
                key, resets_at = key_of(account), hold.resets_at
                new = {
                    "opens_at": hold.until.timestamp(),
                    "resets_at": None if resets_at is None else resets_at.timestamp(),
                    "kind": hold.kind,
                }
                if self._file.change(key, lambda stands: new, time.time()):
                    self._known.add(key)
            case actions.Opened(account, _) if account.key:
                key = key_of(account)
                if key in self._known:
                    self._file.change(key, lambda stands: None, time.time())
                    self._known.discard(key)
            case _:
                pass


def key_of(account: Account) -> str:
    """Return the digest by which all runs know an account, or one model of it."""
    return digest(
        account.agent, account.key or "", *(account.login or ())[:-1], "*" if account.model is None else account.model
    )


def closed_until(entry: Entry, me: str, now: float) -> float | None:
    """Return until when a limit keeps a task from beginning; None if it does not.

    A moment too far ahead was written while the clock was wrong, and counts for nothing.
    """
    if now + SLACK < entry["opens_at"] <= now + FURTHEST.total_seconds():
        return float(entry["opens_at"])
    by_another = entry.get("claimed_by") not in (None, me)
    is_claimed = now < (entry.get("claimed_until") or 0.0) <= now + CLAIM_SECONDS + SLACK
    return now + LOOK_SECONDS if by_another and is_claimed else None


def hold_of(account: Account, entry: Entry, until: float) -> Hold:
    """Return what keeps an account's tasks from beginning here, as another run has told it."""
    resets_at = entry.get("resets_at")
    return Hold(
        agent=account.agent, program=account.program, model=account.model, outcome=Outcome.LIMIT,
        error="another run has reached the usage limit", cure="Run `nova run` again once the limit has reset",
        kind=entry.get("kind"), until=datetime.fromtimestamp(until, UTC),
        resets_at=None if resets_at is None else datetime.fromtimestamp(resets_at, UTC),
    )  # fmt: skip
