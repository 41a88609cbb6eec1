"""Talking to a running run, from another process: watching it, and telling it what to do."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, final

from msgspec.structs import replace

from nova_async._core.threads import in_thread
from nova_async.control.peer import is_trusted
from nova_async.control.protocol import MOST_MESSAGE, Kind, Message, Request, Watch, message_of, request_line
from nova_async.errors import ControlError, NoRunError
from nova_async.journal.reader import JournalReader
from nova_async.process.signalling import is_still
from nova_async.process.table import TABLE, ProcessId

__all__ = ["TO_DO", "Control", "RunningRun", "connected", "running_run"]

PATIENCE = 15.0  # seconds for a run to answer; the busiest does within one
MOST_UNREAD = 1000  # changes that wait for whoever watches; then we read no more, and the run sends a snapshot later
OVER = "the run is over"
TO_DO = "start one with `nova run`, or name the folder of the run"


class RunningRun(NamedTuple):
    """A run that is running, and where it can be reached."""

    run_id: str
    plan: str
    """By the name that the journal has for it."""
    pid: int
    address: Path


def running_run(journal: Path) -> RunningRun:
    """Find the run that is running with a journal; it waits for the disk.

    Raises ``NoRunError`` if there is none, ``ControlError`` if it cannot be reached, and ``JournalError`` if the
    journal cannot be read or was written by somebody else.
    """
    if not journal.exists():
        raise NoRunError(f"no run is running here: {journal} does not exist; {TO_DO}")
    reader = JournalReader(journal)
    run = next(iter(reader.runs(limit=1)), None)
    if run is None or run.ended_at is not None:
        raise NoRunError(f"no run is running here ({journal}); {TO_DO}")
    if run.control is None:
        if not is_still(TABLE, ProcessId(run.start.pid, run.start.pid_start_time)):
            raise NoRunError(f"no run is running here ({journal}): pid {run.start.pid} has died; {TO_DO}")
        raise ControlError(f"the run here (pid {run.start.pid}) cannot be reached: it has no socket, or not yet")
    reader.require_ours()  # it says where we connect to
    return RunningRun(run.start.run_id, run.start.plan, run.start.pid, place_of(Path(run.control), journal))


def place_of(address: Path, journal: Path) -> Path:
    """Return where a socket is: its folder may have been moved, or be elsewhere in a container."""
    beside = journal.absolute().with_name(address.name)
    return beside if beside.exists() and not address.exists() else address


@asynccontextmanager
async def connected(journal: Path) -> AsyncIterator["Control"]:
    """Connect to the run that is running with a journal.

    Raises ``NoRunError`` if there is none, ``ControlError`` if it cannot be reached, and ``JournalError`` if the
    journal cannot be read or was written by somebody else.
    """
    run = await in_thread(running_run, journal)
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(str(run.address), limit=MOST_MESSAGE)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoRunError(f"no run is running here ({journal}): pid {run.pid} does not answer; {TO_DO}") from None
    except PermissionError:
        raise ControlError(f"the run here (pid {run.pid}) belongs to another user") from None
    except (OSError, TimeoutError) as error:
        raise ControlError(f"the run here (pid {run.pid}) cannot be reached: {error or 'it does not answer'}") from None
    control = Control(run, reader, writer)
    try:
        if not is_trusted(writer.get_extra_info("socket")):
            raise ControlError(f"{run.address} belongs to another user")
        yield control
    finally:
        await control.close()


@final
class Control:
    """A connection to a run; ``connected`` makes one."""

    def __init__(self, run: RunningRun, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.run = run
        self.end: str | None = None
        """How the run ended, in the words of ``RunEnd``; None while it runs, and where it did not say so."""
        self.is_over = False
        """Whether the run has said that it is over."""
        self._writer = writer
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._messages: deque[Message] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._why_closed: ControlError | None = None
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))

    async def ask(self, request: Request) -> Message:
        """Have the run do something, and return its answer.

        Raises ``ControlError`` with the reason if it does not do it, or does not answer.
        """
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._room.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(replace(request, id=number))
                await asyncio.wait((answer, self._reading), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise ControlError(f"the run (pid {self.run.pid}) does not answer: is it stopped by Ctrl-Z?") from None
        finally:
            del self._answers[number]
        if not answer.done():
            raise self._why_closed or ControlError(OVER if self.is_over else "the run has closed the connection")
        said: Message = answer.result()
        if not said.get("ok"):
            raise ControlError(
                str(said.get("error") or "the run did not say why"), reason=str(said.get("reason") or "")
            )
        return said

    async def watch(self, since: int | None = None) -> AsyncGenerator[Message, None]:
        """Iterate over the run's messages: a snapshot, what changes, now and then another snapshot, and ``over``.

        With ``since``, the number of the last event that is known, later ones come with the snapshot. Raises
        ``ControlError`` if the connection ends before the run is over.
        """
        await self._send(Watch(since=since))
        while True:
            while self._messages:
                message = self._messages.popleft()
                self._room.set()
                yield message
                if message["kind"] == Kind.OVER:
                    return
            if self._reading.done():
                raise self._why_closed or ControlError(f"the run (pid {self.run.pid}) is gone: it said nothing more")
            self._news.clear()
            await self._news.wait()

    async def wait(self) -> None:
        """Wait until the run is over, or gone."""
        await asyncio.wait((self._reading,))

    async def close(self) -> None:
        """Go; the run goes on."""
        self._reading.cancel()
        await asyncio.wait((self._reading,))
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _send(self, request: Request) -> None:
        try:
            self._writer.write(request_line(request))
            await self._writer.drain()
        except OSError:
            gone = OVER if self.is_over else f"the run (pid {self.run.pid}) is gone"
            raise self._why_closed or ControlError(gone) from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read until the end: answers go to who waits for them, all else to who watches."""
        try:
            while True:
                self._take(message_of(await reader.readuntil()))
                while len(self._messages) >= MOST_UNREAD and not self._answers:
                    self._room.clear()
                    await self._room.wait()
        except (asyncio.IncompleteReadError, OSError):
            pass
        except ControlError as error:
            self._why_closed = error
        except asyncio.LimitOverrunError:
            self._why_closed = ControlError("the run has sent a line that is too long to be one of ours")
        finally:
            self._news.set()

    def _take(self, message: Message) -> None:
        match message["kind"]:
            case Kind.ANSWER:
                waiting = self._answers.get(message.get("id") or 0)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
                elif message.get("id") is None and not message.get("ok"):  # it has turned us away
                    self._why_closed = ControlError(str(message.get("error")))
                return
            case Kind.OVER:
                self.is_over, self.end = True, message.get("end")
        self._messages.append(message)
        self._news.set()
