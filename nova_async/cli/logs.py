"""``nova logs``: what a task printed, and what it still prints; rendered for a person, byte for byte for a pipe."""

import contextlib
import errno
import io
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, final

import click

from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.ink import is_terminal
from nova_async.cli.numbers import Whole
from nova_async.cli.options import argument, command_of, flag, option, run_option
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE, folder_and_task, place_in
from nova_async.cli.say import OutputError, stop_writing_to, tell, write_all
from nova_async.errors import JournalError, NovaError, StateFileError
from nova_async.journal.condition import condition_of
from nova_async.journal.log_files import log_of, logs_by_name, open_log, open_own_log, places_of, why_no_log
from nova_async.journal.state_document import read_state
from nova_async.records import Attempt, LogRef
from nova_async.views import RunView, TaskView
from nova_async.words import Condition, TaskState

if TYPE_CHECKING:
    from nova_async.cli.rendered import Rendered

__all__ = ["command"]

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # our output's fault: nobody reads with these
CHUNK = 64 * 1024  # bytes
LOOK_AGAIN = 0.2  # seconds; another process writes the file, and nothing portable would wake us
TO_COME = (TaskState.WAITING, TaskState.READY, TaskState.RETRYING, TaskState.IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    words: tuple[str, ...] = argument("[DIR] TASK", nargs=-1)
    follow: bool = flag("--follow", "-f", help="Keep following while the task runs.")
    raw: bool = flag(help="Write the raw bytes, on a terminal too.")
    text: bool = flag(help="Show an agent's events as text, in a pipe too.")
    attempt: int | None = option(type=Whole(1), metavar="N", help="Show attempt number N instead of the latest.")
    run: str | None = run_option()
    agent: str | None = option(
        metavar="NAME", show_default="as recorded by the run", help="Agent whose output format to read."
    )
    log_dir: str | None = option(metavar="DIR", show_default="DIR/logs", help="Folder of the logs (TASK.log).")
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run journal, if it is elsewhere; for --run.")


class NoLogError(Exception):
    """There is no such log; the text says why."""


def show_log(options: Options) -> int:
    """Show what a task printed: text, tool calls and results; in a pipe, the raw bytes.

    TASK is a task id, DIR the folder of the run; by default, this folder. Attempts are numbered from 1, across all
    runs. --follow ends at once for a task, or a run, that is over.
    """
    try:
        source = Source(options)
        if options.agent is not None:
            check_agent(options.agent)
        if options.raw and options.text:
            raise click.UsageError("--raw and --text cannot be used together")
        if options.follow and options.attempt is None and source.is_to_come(source.look()):
            follow(source, options)
        else:
            log = source.open(options.attempt)
            with log.file:
                output = output_for(log, options)
                copy(log, output)
                output.end(is_over=log.is_over)
    except (NoLogError, NovaError) as problem:
        tell(str(problem))
        return BAD_INPUT
    except BrokenPipeError:
        stop_writing_to(sys.stdout)  # our reader has seen enough
    except OSError as error:
        if error.errno in NO_ROOM:
            raise OutputError(error.strerror or str(error)) from error
        tell(f"cannot read {error.filename or 'the log'}: {error.strerror or error}")
        return BAD_INPUT
    return 0


def check_agent(name: str) -> None:
    """Raise ``click.UsageError`` if there is no such agent."""
    from nova_async.agents import AGENTS

    if name not in AGENTS:
        raise click.UsageError(f"--agent: {name} is not one of {', '.join(AGENTS)}")


@final
class Bytes:
    """Passes a log on byte for byte."""

    def head(self, text: str) -> None:
        """Write nothing that is not in the log."""

    def write(self, chunk: bytes) -> None:
        """Write the next bytes of it."""
        sys.stdout.flush()
        write_all(sys.stdout.fileno(), chunk)

    def end(self, *, is_over: bool) -> None:
        """Hold nothing back."""


def output_for(log: "Log", options: Options) -> "Bytes | Rendered":
    """Choose how a log is written."""
    if options.raw or not (options.text or is_terminal(sys.stdout)):
        return Bytes()
    from nova_async.cli.rendered import Rendered  # with all agents: a pipe needs none

    return Rendered(sys.stdout, options.agent or log.agent)


@final
@dataclass(frozen=True, slots=True)
class Log:
    """A log that is open."""

    file: BinaryIO
    number: int = 0
    """The number of its attempt; 0 where no run knows it."""
    agent: str | None = None
    """Whose output it is; None where no run knows it."""
    is_over: bool = True
    """Whether its attempt has ended."""


@final
class Source:
    """Where a task's logs are: as the state file says, or by their names where no run knows the task.

    With ``--run`` the journal says where they are; raises ``NovaError`` if it knows no such run or task.
    """

    def __init__(self, options: Options) -> None:
        folder, self.task_id = folder_and_task(options.words)
        self._log_dir = place_in(folder, LOG_DIR, options.log_dir)
        self._state = place_in(folder, STATE_FILE, options.state)
        self._journal = place_in(folder, JOURNAL, options.journal)
        self._of_run: TaskView | None = None
        self._seen: os.stat_result | None = None
        self._run: RunView | None = None
        self._tasks: dict[str, TaskView] = {}
        if options.run is not None:
            from nova_async.cli.found_run import find_run  # with SQLite
            from nova_async.cli.found_task import find_task_of_run

            run = find_run(options.run, journal=self._journal, state=self._state)
            found = find_task_of_run(self.task_id, run).view
            is_live = self.look() is not None and self._run is not None and self._run.run_id == run.view.run_id
            if not (options.follow and is_live and run.condition is Condition.RUNNING):
                self._of_run = found

    def look(self) -> TaskView | None:
        """Return the task as it stands now; None where no run knows it. Reads the file only if it is a new one."""
        if self._of_run is not None:
            return self._of_run
        try:
            seen = self._state.stat()
            if self._seen is None or (seen.st_ino, seen.st_mtime_ns) != (self._seen.st_ino, self._seen.st_mtime_ns):
                self._run, self._tasks = read_state(self._state)
                self._seen = seen
        except (OSError, StateFileError):
            self._run, self._tasks, self._seen = None, {}, None
        return self._tasks.get(self.task_id)

    def is_to_come(self, task: TaskView | None) -> bool:
        """Tell whether more of this task is to be expected: its run goes on, and it has not come to its end."""
        if task is None or self._run is None or task.state not in TO_COME:
            return False
        return condition_of(self._run, self._tasks.values()) is Condition.RUNNING

    def open(self, number: int | None) -> Log:
        """Open the log of an attempt, or the latest there is. Raises ``NoLogError``."""
        task = self.look()
        if task is None:
            return Log(self._open_by_name(number))
        if number is not None and task.earlier is not None:
            task = self._with_all_attempts(task)
        numbers = {attempt.start.id.number: attempt for attempt in task.attempts}
        wanted = number or max(numbers, default=0)
        ref = log_of(task, wanted) if numbers else None
        if ref is None or (log := self.open_log(ref)) is None:
            raise NoLogError(why_no_log(task, wanted, self._log_dir))
        return log_of_attempt(log, numbers[wanted])

    def _with_all_attempts(self, task: TaskView) -> TaskView:
        from nova_async.journal.reader import JournalReader  # with SQLite

        with contextlib.suppress(JournalError):  # the state file has the latest
            return JournalReader(self._journal).with_all_attempts(task, self._run.run_id if self._run else "")
        return task

    def open_log(self, ref: LogRef) -> BinaryIO | None:
        """Open that very log, whatever its name is by now; None if it is gone."""
        log = open_log(ref, places_of(ref, self.task_id, self._state.parent, self._log_dir), self._log_dir)
        return io.BufferedReader(log) if log is not None else None

    def _open_by_name(self, number: int | None) -> BinaryIO:
        logs = logs_by_name(self._log_dir, self.task_id)
        if not logs:
            raise NoLogError(self._describe_absence())
        if number is not None and number > len(logs):
            raise NoLogError(f"{self.task_id} has only {len(logs)} logs in {self._log_dir}/")
        return io.BufferedReader(open_own_log(logs[-1 if number is None else number - 1]))

    def _describe_absence(self) -> str:
        known = {path.stem.partition("~")[0] for path in self._log_dir.glob("*.log")} | set(self._tasks)
        if not known:
            return f"no log of {self.task_id}: there are no logs in {self._log_dir}/"
        from nova_async.cascade.diagnostics import did_you_mean  # with all that reads plans: not for every log

        return f"no log of {self.task_id} in {self._log_dir}/{did_you_mean(self.task_id, sorted(known))}"


def log_of_attempt(file: BinaryIO, attempt: Attempt) -> Log:
    """Describe the log of an attempt."""
    return Log(file, attempt.start.id.number, attempt.start.agent or None, is_over=attempt.end is not None)


def follow(source: Source, options: Options) -> None:
    """Write the latest log, and go on while the task is under way, also to the logs of its next attempts.

    The state is asked before each look at the log, so that nothing is missed of what was written before it said "over".
    """
    log: Log | None = None
    output: Bytes | Rendered | None = None
    try:
        while True:
            task = source.look()
            goes_on = source.is_to_come(task)
            copied = copy(log, output) if log is not None and output is not None else 0
            following = next_log(source, task, log.number if log is not None else 0)
            if following is not None:
                if log is not None and output is not None:  # copied after its attempt was over, so to its end
                    output.end(is_over=True)
                    log.file.close()
                is_next, log, output = log is not None, following, output_for(following, options)
                if is_next:
                    output.head(f"attempt {log.number}")
            elif not goes_on and not copied:
                if output is not None:
                    output.end(is_over=True)
                return
            else:
                time.sleep(LOOK_AGAIN)
    finally:
        if log is not None:
            log.file.close()


def next_log(source: Source, task: TaskView | None, shown: int) -> Log | None:
    """Open the log of the next attempt that has one, of the latest at first; None if there is none yet."""
    attempts = task.attempts if task is not None else ()
    for attempt in attempts if shown else reversed(attempts):
        number = attempt.start.id.number
        if task is not None and number > shown and (ref := log_of(task, number)) and (log := source.open_log(ref)):
            return log_of_attempt(log, attempt)
    return None


def copy(log: Log, output: "Bytes | Rendered") -> int:
    """Write what is new in the log; return how many bytes that were."""
    copied = 0
    while chunk := log.file.read(CHUNK):
        output.write(chunk)
        copied += len(chunk)
    return copied


command = command_of(Options, show_log)
