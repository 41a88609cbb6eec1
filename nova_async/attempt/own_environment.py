"""The environment of an attempt's programs, with the folders in it that only this attempt has."""

import asyncio
import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import final

from nova_async._core.own_places import user_states
from nova_async.agents import AGENTS
from nova_async.attempt.job import Job
from nova_async.attempt.own_configuration import bring_back_logins, fill_configuration
from nova_async.attempt.own_folders import OwnFolders
from nova_async.words import Leftovers

__all__ = ["OwnEnvironment"]

NOT_PREPARED = "the system could not start another thread"
USUAL_TMPDIR = "/tmp"
CONFIGURATIONS = "own"  # in our folder of the user's: no agent's sandbox lets its commands write there, as in /tmp


@final
class OwnEnvironment:
    """Makes the folders of one attempt and gives them back. ``here`` are the variables of this machine."""

    def __init__(self, job: Job, folders: OwnFolders | None, here: Mapping[str, str] = os.environ) -> None:
        self.variables = job.environment(here)
        agent = AGENTS.get(job.agent_name)
        self._configuration = agent.configuration if agent is not None and job.isolate_config else None
        self.trouble: OSError | None = None if self._configuration is None else OSError(errno.EAGAIN, NOT_PREPARED)
        """Why the agent has no configuration of its own, if it is to have one: until `prepare` has made it, too."""
        self._job = job
        self._folders = folders or OwnFolders()
        self._is_alone = folders is None
        self._here = here
        self._made: list[partial[None]] = []
        self._is_over = False

    def prepare(self) -> None:
        """Make the folders, in a thread; an attempt that ends meanwhile does not wait for it."""
        self._make_folders()
        if self._is_over:
            self._let_go()

    def _make_folders(self) -> None:
        usual = dict(self.variables)
        if self._job.leftovers is Leftovers.KILL and not {"TMPDIR"} & {*self._job.env, *self._job.account_env}:
            self._make_tmpdir(usual.get("TMPDIR") or USUAL_TMPDIR)
        if (configuration := self._configuration) is not None:
            try:
                parent = user_states(self._here) / CONFIGURATIONS
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder = self._folders.make(parent)
                bring_back = partial(bring_back_logins, configuration, usual, folder, cwd=self._job.cwd)
                self._made.append(partial(self._folders.remove_soon, folder, bring_back))
                self.variables |= fill_configuration(configuration, usual, folder, cwd=self._job.cwd)
                self.trouble = None
            except OSError as error:
                self.trouble = error

    def _make_tmpdir(self, parent: str) -> None:
        """Make a folder for temporary files; where that does not work, the usual one has to do."""
        if not Path(parent).is_absolute():
            return
        try:
            folder = self._folders.make(Path(parent))
        except OSError:
            return
        self._made.append(partial(self._folders.remove_soon, folder))
        self.variables["TMPDIR"] = str(folder)

    async def give_back(self) -> None:
        """Have the folders removed, soon; nobody uses them any more."""
        self._is_over = True  # before the look: a thread that is still at `prepare` lets go of what it adds after it
        self._let_go()
        if self._is_alone:
            with suppress(asyncio.CancelledError):  # of a wait at the very end
                await self._folders.settled()

    def _let_go(self) -> None:
        while self._made:
            try:
                remove = self._made.pop()
            except IndexError:  # the other thread has taken it
                return
            remove()
