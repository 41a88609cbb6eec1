"""Usage limits across runs: one that another run has met holds here too, and one run alone tries whether it is over."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import final

from nova_async._core.home import below_home, home_in
from nova_async._core.one_by_one import OneByOne
from nova_async.agents import AGENTS
from nova_async.agents.resets import FURTHEST
from nova_async.attempt.job import Job
from nova_async.orchestrator import actions
from nova_async.orchestrator.happenings import Heard, Served, Told
from nova_async.orchestrator.holding import Account, with_plan
from nova_async.orchestrator.limits_file import NOT_SHARED, Entry, LimitsFile, limits_path
from nova_async.orchestrator.pacing import is_paced
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.shared_gauges import hear, write_gauges
from nova_async.views import Hold
from nova_async.words import Outcome

__all__ = ["SharedLimits", "login_key"]

CLAIM_SECONDS = 75.0  # for a task to show that it is served; a run that was killed meanwhile keeps the others no longer
LOOK_SECONDS = 5.0  # until it is looked again whether the task of another run was served
PATIENCE = 2.0  # seconds for a disk to answer; then this run begins by what it knows itself
SLACK = 0.5  # seconds by which clocks and roundings may differ


def login_key(job: Job, here: Mapping[str, str]) -> str:
    """Return a digest of what chooses the login of a job; empty if nothing is known to.

    That is its agent's folder of settings, by whatever name it is reached, its login variables, and what else the plan
    sets for the account. What the plan calls the account does not count: two plans may call one account differently,
    and two accounts alike.
    """
    agent, environment = AGENTS.get(job.agent_name), job.environment(here)
    home = home_in(environment)
    chosen = {name: environment[name] for name in job.account_env}
    folder = ""
    if agent is not None and (files := agent.session_files) is not None:
        folder = real(str(Path(job.cwd, below_home(files.folder_in(environment, home), home))))
        chosen |= {name: environment[name] for name in agent.login_signs.variables if name in environment}
        for name in ("HOME", files.variable, files.home_variable, files.sessions_variable):
            chosen.pop(name or "", None)  # the folder tells
    elif not chosen:
        return ""
    return digest(folder, *(f"{name}={value}" for name, value in sorted(chosen.items())))


@lru_cache(maxsize=1000)  # a disk that hangs later is not asked again
def real(folder: str) -> str:
    """Return the one true path of a folder."""
    return os.path.realpath(folder)


def digest(*texts: str) -> str:
    """Return a short mark of texts, from which none of them can be told."""
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:32]


@final
class SharedLimits:
    """What a run asks and tells other runs of this user on this machine."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        # What follows is touched in one thread at a time; a disk that hangs must not hold up the event loop.
        self._calls = OneByOne(PATIENCE, lambda: warn(f"{path} does not answer. {NOT_SHARED}"))
        self._warn = warn
        self._troubles: deque[str] = deque()  # found in that thread, told in the event loop
        path = limits_path()
        self._file = LimitsFile(path, self._troubles.append)
        self._me = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._known: set[str] = set()  # digests of the limits that were in the file

    async def ask(self, state: RunState, task_id: str, account: Account) -> Told | Served | Heard | None:
        """Ask what another run knows that may keep a task from beginning on an account; None if that is nothing.

        A task that tries whether a limit is over claims that for this run, and so does one that starts near a limit.
        """
        if not account.key or state.cascade.settings.on_usage_limit == "fail":
            return None
        parts = account.parts()[1:]
        tries = [part for part in parts if state.trying.get(part) == task_id and part in state.gates]
        open_here = [part for part in parts if part not in state.holds]
        is_near, started_at = is_paced(state, parts[0], time.time()), state.last_start(parts[0])

        def look() -> Told | Served | Heard | None:
            if (found := self._look(task_id, parts, tries, open_here)) is not None or tries:
                return found
            return hear(self._file, parts[0], key_of(parts[0]), is_near, started_at, time.time())

        found = await self._calls.call(look)
        self._tell_troubles()
        return replace(found, hold=with_plan(found.hold, state.cascade.name)) if isinstance(found, Told) else found

    def _look(
        self, task_id: str, parts: Iterable[Account], tries: Collection[Account], open_here: Collection[Account]
    ) -> Told | Served | None:
        entries = self._file.entries()
        for part in parts:
            key, now = key_of(part), time.time()
            entry = entries.get(key)
            if entry is not None:
                self._known.add(key)
            if part in tries:
                if (found := self._claim(part, key, entry, task_id, now)) is not None:
                    return found
            elif entry is not None and part in open_here and (until := closed_until(entry, self._me, now)):
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
                self._calls.soon(partial(self._write_down, key_of(account), hold, hold.until.timestamp()))
            case actions.Share(account, gauges, started_at) if account.key:
                self._calls.soon(lambda: write_gauges(self._file, key_of(account), gauges, started_at, time.time()))
            case actions.Opened(account, _) if account.key:
                self._calls.soon(partial(self._take_out, key_of(account)))
            case _:
                pass

    async def settle(self) -> None:
        """Wait until other runs can see what this one has told, if the disk lets it be written."""
        await self._calls.settle()
        self._tell_troubles()

    def _tell_troubles(self) -> None:
        while self._troubles:
            self._warn(self._troubles.popleft())

    def _write_down(self, key: str, hold: Hold, opens_at: float) -> None:
        resets_at = None if hold.resets_at is None else hold.resets_at.timestamp()
        new = {"opens_at": opens_at, "resets_at": resets_at, "kind": hold.kind}
        if self._file.change(key, lambda stands: new, time.time()):
            self._known.add(key)

    def _take_out(self, key: str) -> None:
        if key in self._known:
            self._file.change(key, lambda stands: None, time.time())
            self._known.discard(key)


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
