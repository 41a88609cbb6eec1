"""Running git in a folder that an agent may have prepared: it runs nothing that the checkout configures (G68)."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import final

from nova_async.process import at_exit
from nova_async.process.cookie import COOKIE_VARIABLE, new_cookie

__all__ = ["Git"]

GIT_SECONDS = 10.0  # a huge working tree takes seconds; beyond this a finished task should not have to wait

# What the checkout itself configures is not ours to run: an agent may have written it.
UNTOUCHED = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")

# GIT_DIR and its kin, set by a hook that started us, are about another checkout; GIT_EXTERNAL_DIFF names a program.
KEPT_VARIABLES = ("GIT_CONFIG", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH")
OURS = {
    "GIT_OPTIONAL_LOCKS": "0",  # looking must not disturb an agent that is committing at that moment (G31)
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone fetches what is missing, by programs of its configuration
    "GIT_ALLOW_PROTOCOL": "",  # the same, for git before 2.44
    "GIT_TERMINAL_PROMPT": "0",
}

# Where a setting is the checkout's own, not the user's or the machine's.
CHECKOUTS_OWN = {"local", "worktree"}


@final
class Git:
    """Runs git in a folder; ``cancel``, from any thread, ends the running command and prevents any further one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Kill what is running, with whatever it has started; from now on ``ask`` returns None."""
        with self._lock:
            self._cancelled = True
            if self._running is not None:
                kill_with_children(self._running)

    def ask(self, *arguments: str) -> list[str] | None:
        """Run git and return its output, split at NULs; None if it fails or takes too long."""
        cookie = new_cookie()  # if we are killed, the orphan guard ends it
        at_exit.expect(cookie)
        try:
            process = self._start(arguments, cookie)
            if process is None:
                return None
            with process:
                try:
                    said, _ = process.communicate(timeout=GIT_SECONDS)
                except subprocess.TimeoutExpired:
                    kill_with_children(process)
                    return None
                finally:
                    with self._lock:
                        self._running = None
        finally:
            at_exit.forget(cookie)
        return None if process.returncode else [part for part in os.fsdecode(said).split("\0") if part]

    def without_filters(self) -> list[str] | None:
        """Return the options that keep git from running filters which the checkout configures; None if it cannot say.

        ``git status`` runs them on every file whose time has changed. Filters of the user's own configuration (git-lfs)
        are left alone.
        """
        told = self.ask("config", "--null", "--show-scope", "--name-only", "--get-regexp", r"^filter\.")
        if told is None:  # there is none; or git fails
            return [] if self.ask("rev-parse", "--git-dir") else None
        pairs = zip(told[::2], told[1::2], strict=False)
        drivers = {name.rpartition(".")[0] for scope, name in pairs if scope in CHECKOUTS_OWN}
        if any("=" in driver for driver in drivers):  # no option can name it
            return None
        return [word for driver in sorted(drivers) for word in disabled(driver)]

    def _start(self, arguments: Iterable[str], cookie: str) -> "subprocess.Popen[bytes] | None":
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name.startswith(KEPT_VARIABLES)
        }
        with self._lock:
            if self._cancelled:
                return None
            try:
                self._running = subprocess.Popen(
                    ["git", *UNTOUCHED, "-C", str(self.folder), *arguments],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    env={**environment, **OURS, COOKIE_VARIABLE: cookie}, start_new_session=True,
                )  # fmt: skip
            except OSError:
                return None
            return self._running


def disabled(driver: str) -> tuple[str, ...]:
    """Return options that make a filter do nothing: with a ``process``, even an empty one, git runs no ``clean``."""
    return "-c", f"{driver}.process=", "-c", f"{driver}.clean=", "-c", f"{driver}.required=false"


def kill_with_children(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command that leads a session of its own: what it has started holds its output open."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
