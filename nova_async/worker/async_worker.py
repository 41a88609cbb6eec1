"""``AsyncWorker``: one supervised agent, for programs that run on asyncio."""

import asyncio
import os
import re
import time
import warnings
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, final

from nova_async._core.arguments import as_seconds, told
from nova_async._core.cancellation import complete, finish, outlast, told_once
from nova_async._core.own_places import LOG_DIR, chosen_by_us
from nova_async.agents import AGENTS, error_entrance, recognise
from nova_async.agents.registry import mode_of_output
from nova_async.errors import WorkerStateError
from nova_async.prices import Prices
from nova_async.process import blind
from nova_async.process.command import current_folder, environment_of, resolve, words_of
from nova_async.process.keeper import reason_against
from nova_async.process.spawn import spawn
from nova_async.redaction import check_rules, redaction_of
from nova_async.usage import TokenUsage
from nova_async.words import Leftovers, WorkerEnd, WorkerStatus
from nova_async.worker.life import STOP_GRACE, Life
from nova_async.worker.limits import Limits
from nova_async.worker.log.follower import follow_bytes, follow_lines
from nova_async.worker.log.writer import LogWriter
from nova_async.worker.pricing import Pricing
from nova_async.worker.questions import Questions
from nova_async.worker.record import Record, State
from nova_async.worker.session_files import SessionSource
from nova_async.worker.stdin_file import Stdin, as_file, stdin_of
from nova_async.worker.verdict import Stop

__all__ = ["AsyncWorker", "LeaveOrKill", "StrPath"]

StrPath = str | os.PathLike[str]
LeaveOrKill = Literal["kill", "leave"] | Leftovers
AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Environment = Mapping[str, AnyPath] | Mapping[bytes, AnyPath]

NO_LIMITS = Limits()
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@final
class AsyncWorker(Questions):
    """One agent as a supervised process: logged to the byte, counted to the token, ended with its whole family.

    ``agent`` names the reader of its output (a key of ``AGENTS``); by default it is recognised from the command's
    program. With ``leftovers="leave"``, processes that outlive the command's normal exit keep running.
    ``resumed_from`` is what this agent's thread had used before (Codex ``exec resume`` repeats it in its totals), and
    ``resumes`` the id of that thread: if the agent begins another one after all, nothing is taken off.
    ``redact`` names variables whose values are replaced by ``[redacted]`` in all that the worker prints (``"GH_*"``),
    and patterns (``"/sk-[A-Za-z0-9]{20,}/"``).
    With ``prices`` the cost of an agent that does not tell it is estimated, for ``estimated_usd`` and for the cost
    budget of its ``limits``.
    With ``keeper=True`` a small process of ours leads the family (``pid`` is its own) and adopts daemons that leave
    it, so that even one that hides is found and ended; Linux only, 12 ms of CPU and 4 MB for each worker.
    Leaving an ``async with`` block terminates the worker.

    Raises ``ValueError`` for an invalid task id, an unknown agent, a limit of memory where no process can be seen, or
    something to redact that is neither a name nor a pattern, and ``TypeError`` for an argument of the wrong type.
    """

    _face = "AsyncWorker"  # what its owner calls it

    def __init__(
        self,
        task_id: str,
        task_description: str = "",
        *,
        log_dir: StrPath = LOG_DIR,
        agent: str | None = None,
        limits: Limits | None = None,
        leftovers: LeaveOrKill = "kill",
        resumed_from: TokenUsage | None = None,
        resumes: str | None = None,
        redact: Collection[str] = (),
        prices: Prices | None = None,
        keeper: bool = False,
    ) -> None:
        if not isinstance(task_id, str) or not TASK_ID.fullmatch(task_id) or ".." in task_id:
            raise ValueError(
                f"invalid task id {task_id!r}: it names a log file, so use 1 to 128 letters, digits, '.', '_' or '-', "
                "starting with a letter or digit and without '..'"
            )
        if agent is not None and (not isinstance(agent, str) or agent not in AGENTS):
            raise ValueError(f"unknown agent {told(agent)}: choose one of {', '.join(AGENTS)}")
        if leftovers not in list(Leftovers):
            raise ValueError(f"leftovers must be 'kill' or 'leave', not {told(leftovers)}")
        if limits is not None and not isinstance(limits, Limits):
            raise TypeError(f"limits must be a Limits, not {told(limits)}: write Limits(timeout=600)")
        if resumed_from is not None and not isinstance(resumed_from, TokenUsage):
            raise TypeError(f"resumed_from must be a TokenUsage, not {told(resumed_from)}")
        if prices is not None and not isinstance(prices, Prices):
            raise TypeError(f"prices must be Prices, not {told(prices)}: write Prices({{'model': ModelPrice(3, 15)}})")
        if keeper and (reason := reason_against()):
            raise ValueError(f"keeper=True is not possible here: {reason}")
        if limits is not None and limits.max_memory is not None and blind.needed():
            raise ValueError("Limits.max_memory is not possible here: /proc is not mounted, or another pid namespace's")
        self._log_dir = Path(log_dir)
        self._record = Record(task_id, task_description, self._log_dir / f"{task_id}.log", current_folder())
        self._agent = agent
        self._limits = limits or NO_LIMITS
        self._leftovers = Leftovers(leftovers)
        self._resumed_from, self._resumes = resumed_from, resumes
        self._redact = check_rules(redact)
        self._prices = prices
        self._kept = keeper
        self._launching: asyncio.Task[Life] | None = None
        self._stands_still = False  # or is to, once it has been started
        self._loop: asyncio.AbstractEventLoop | None = None  # in which it was started
        self._process = os.getpid()

    @property
    def log_path(self) -> Path:
        """Where the output goes, as an absolute path; assignable until ``start``.

        It stays right when a later worker renames the log.
        """
        return self._record.absolute_log_path

    @log_path.setter
    def log_path(self, path: StrPath) -> None:
        if self._launching is not None:
            raise WorkerStateError(f"worker {self.task_id} has already been started: log_path can no longer be set")
        self._record.wanted_log_path, self._record.folder = Path(path), current_folder()

    async def start(
        self,
        command: Sequence[str],
        *,
        cwd: StrPath | None = None,
        env: Environment | None = None,
        stdin: Stdin | None = None,
    ) -> None:
        """Start the command, and log and count its output from then on.

        ``env`` replaces the inherited environment, as in ``subprocess``. ``stdin`` as text or bytes is passed to the
        command as a file; an open file or descriptor is passed on as it is (some agents wait forever for the end of a
        pipe). Without it the command's standard input is empty.

        Raises ``WorkerStateError`` on a second start, ``TypeError`` if the command is not a list of strings,
        ``ValueError`` if it is empty, and the system's own error (``FileNotFoundError``, ``PermissionError`` …) for a
        command that cannot run or a log that cannot be opened; in each case nothing is left running.
        """
        self._check_process()
        if self._launching is not None:
            raise WorkerStateError(
                f"worker {self.task_id} has already been started: a worker runs once; "
                f"create a new {self._face}({self.task_id!r}, …) to run again"
            )
        words, environment = words_of(command), environment_of(os.environ if env is None else env)
        self._record.redaction = redaction_of(self._redact, os.environ, environment)
        launch = self._launch(words, cwd, environment, stdin_of(stdin))
        self._loop = asyncio.get_running_loop()
        self._launching = self._loop.create_task(launch)
        try:
            await finish(self._launching, on_cancel=self._launching.cancel)
        except BaseException as error:
            if life := self._life:  # the cancellation came too late to prevent it
                life.stop(Stop(WorkerEnd.TERMINATED, "cancelled while starting"))
                life.hurry()
                await outlast(life.task, on_cancel=life.hurry)
                life.begin_again()
                await finish(life.task, on_cancel=life.hurry)
            else:
                why = self._record.redaction.text(reason_of(error))
                self._record.set_state(State(status=WorkerStatus.FAILED, end=WorkerEnd.NOT_STARTED, error=why))
            raise

    async def wait(self, timeout: float | None = None) -> int:
        """Wait until the worker has ended (its family gone, its output drained, its log closed); return its exit code.

        Raises ``TimeoutError`` after ``timeout`` seconds; the worker keeps running. Raises ``WorkerStateError`` if it
        was never started, and in another event loop than it was started in. Cancelling the wait does not affect the
        worker.
        """
        self._check_place()
        life = self._started()
        seconds = None if timeout is None else as_seconds("timeout", timeout)
        if self.end is None:
            async with nullcontext() if seconds is None else asyncio.timeout(seconds):
                await life.ended.wait()
        exit_code = self.get_exit_code()
        assert exit_code is not None
        return exit_code

    async def terminate(self, grace: float = STOP_GRACE) -> None:
        """End the worker with its whole process family, and return when no process of it is left.

        SIGTERM, ``grace`` seconds, SIGKILL; agents that print their totals when interrupted get SIGINT first.
        ``grace=0`` sends SIGKILL at once. It may be called at any time and any number of times: before the start and
        after the end it does nothing. Cancelling it goes straight to SIGKILL; the cancellation is raised once no
        process is left.
        """
        self._check_place()
        grace = as_seconds("grace", grace)
        cancelled = None
        if self._launching is not None:
            cancelled = await outlast(self._launching, on_cancel=lambda: None)
        life = self._life
        if life is not None and self.end is None:
            life.stop(Stop(WorkerEnd.TERMINATED, "terminated"), grace=0 if cancelled else grace)
            await finish(life.task, on_cancel=life.hurry)
        if cancelled is not None:
            raise cancelled

    async def suspend(self) -> None:
        """Stop the worker with its whole family where it stands, as Ctrl-Z does; ``resume`` lets it go on.

        Its time limits stand still meanwhile. Before the start and once it is to end it does nothing.
        """
        self._check_place()
        self._stands_still = True
        if self._launching is not None and not self._launching.done():
            await asyncio.wait([self._launching])  # its process may run already
        if (life := self._life) is not None and self.end is None and self._stands_still:
            await life.suspend()

    def resume(self) -> None:
        """Let the worker go on; one that was not suspended is left alone."""
        self._check_place()
        self._stands_still = False
        if (life := self._life) is not None and self.end is None:
            life.resume()

    def lines(self) -> AsyncGenerator[str, None]:
        r"""Iterate over the output's lines, without ``\n``, from the first byte until the worker has ended.

        It follows the log file, so any number of slow readers cost no memory. Bytes that are not valid UTF-8 are shown
        as ``\xff``; a line of more than 16 Mi characters comes in pieces. Raises ``WorkerStateError`` before the start
        and ``io.UnsupportedOperation`` if the log is a device or a FIFO.
        """
        return self._each_line(self._started_log())

    def output(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the raw output in chunks, as ``lines`` does over its lines."""
        return self._each_chunk(self._started_log())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with told_once():  # to leave is the first request to end; another one makes it faster
            await self.terminate()

    def __del__(self) -> None:
        life = self._life if hasattr(self, "_process") else None  # else the constructor has raised
        if life is None or self.end is not None or self._process != os.getpid():
            return
        loop = life.task.get_loop()
        if not loop.is_running():  # and may never run again
            life.end_without_loop()
        with suppress(RuntimeError):  # it is closed
            loop.call_soon_threadsafe(life.abandon)
        # Last, because it raises where warnings are errors.
        warnings.warn(f"{self!r} was dropped while running: killing it", ResourceWarning, stacklevel=2, source=self)

    @property
    def _life(self) -> Life | None:
        """The supervision of the process, once there is one."""
        launching = self._launching
        if launching is None or not launching.done() or launching.cancelled() or launching.exception():
            return None
        return launching.result()

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise WorkerStateError(
                f"worker {self.task_id} cannot be used in a forked child: it belongs to process {self._process}; "
                "create workers after the fork"
            )

    def _check_place(self) -> None:
        """Raise ``WorkerStateError`` in a forked child, and, until it has ended, in another event loop or thread."""
        self._check_process()
        if self._loop is None or self.end is not None or is_running_here(self._loop):
            return
        if (life := self._life) is not None and self._loop.is_closed():
            life.end_without_loop()
            raise WorkerStateError(
                f"worker {self.task_id} was still running when its event loop was closed; its processes have been "
                "killed: end a worker before its loop is closed"
            )
        raise WorkerStateError(
            f"worker {self.task_id} belongs to another event loop: use it in the loop, and the thread, in which it "
            "was started"
        )

    def _started(self) -> Life:
        self._check_process()
        if life := self._life:
            return life
        why = f": {self.error}" if self.error else ""
        raise WorkerStateError(f"worker {self.task_id} has not been started{why}")

    def _started_log(self) -> LogWriter:
        self._started()
        assert self._record.log is not None
        return self._record.log

    async def _each_chunk(self, log: LogWriter) -> AsyncGenerator[bytes, None]:
        self._check_place()
        async with aclosing(follow_bytes(log)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _each_line(self, log: LogWriter) -> AsyncGenerator[str, None]:
        self._check_place()
        async with aclosing(follow_lines(log)) as batches:
            async for lines in batches:
                for line in lines:
                    yield line

    async def _launch(
        self, command: list[str], cwd: StrPath | None, environment: dict[str, str], stdin: bytes | int
    ) -> Life:
        """Open the log, start the command, and hand both to their supervision; a failure leaves nothing behind."""
        agent = recognise(command) if self._agent is None else AGENTS[self._agent]
        mode = mode_of_output(agent, command)
        for name, value in {**agent.environment, "PYTHONUNBUFFERED": "1"}.items():
            environment.setdefault(name, value)
        environment["NOVA_TASK_ID"] = self.task_id
        reader = agent.reader(mode, self._resumed_from, self._resumes)
        program = resolve(command, cwd=cwd, env=environment)[0]  # before the previous log is moved aside
        # In the folder of logs we choose the name; whoever assigns a path elsewhere means what lies there.
        is_in_log_dir = self._record.wanted_log_path.parent == self._log_dir
        parts_of_ours = 1 + chosen_by_us(self._log_dir, LOG_DIR) if is_in_log_dir else 0
        log = await LogWriter.open(self.log_path, parts_of_ours)
        began_at = datetime.now(UTC)
        try:
            with await as_file(stdin) as descriptor:
                child = await spawn(
                    command,
                    cwd=cwd,
                    env=environment,
                    stdin=descriptor,
                    errors_apart=error_entrance(reader) is not None,
                    kept=self._kept,
                    file=program,
                )
        except BaseException:
            await complete(log.close)
            raise
        self._record.log = log
        files = agent.session_files
        session = None
        if files is not None and files.can_be_read:
            session = SessionSource(files, environment, str(Path(current_folder(), cwd or "")), began_at)
        self._record.set_state(
            State(
                status=WorkerStatus.RUNNING,
                pid=child.pid,
                pid_start_time=child.family.leader_start_time,
                is_alive=True,
                agent=agent.name,
                command=self._record.redaction.texts(command),
                started_at=datetime.now(UTC),
                started_clock=time.monotonic(),
                cookie=child.cookie,
            )
        )
        if self._prices is not None:
            self._record.pricing = Pricing(self._prices, agent.model_of(command))
        return Life(
            child,
            log,
            reader,
            self._record,
            limits=self._limits,
            silence_counts=mode is None or agent.streams(mode),
            interrupt_seconds=agent.interrupt_seconds,
            leftovers=self._leftovers,
            session=session,
            session_is_live=not agent.counts_live,
        )


def is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether this is the event loop that runs in this thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def reason_of(error: BaseException) -> str:
    """Say why nothing was started; an exception without words is at least named."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled before it started"
    return str(error) or type(error).__name__
