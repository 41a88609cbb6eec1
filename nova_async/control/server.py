"""A run answers: it listens while it runs, tells its clients what changes, and does what they ask."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import final

from nova_async._core.cancellation import finish
from nova_async._core.threads import in_thread, open_in_thread
from nova_async.control.address import Listener, listen_beside
from nova_async.control.feed import Feed
from nova_async.control.obeying import obey
from nova_async.control.peer import is_trusted
from nova_async.control.protocol import (
    MOST_REQUEST,
    Approve,
    Kind,
    Request,
    Retry,
    Watch,
    answer,
    id_of,
    over,
    refusal,
    request_of,
)
from nova_async.control.subscriber import Subscriber
from nova_async.errors import ControlError, JournalError, NovaError
from nova_async.journal.taken_away import Watch as FolderWatch
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.records import Event
from nova_async.words import EventKind

__all__ = ["listening"]


MOST_CLIENTS = 64  # descriptors that clients may take; more than anybody has who watches a run
FIRST_WORD = 10.0  # seconds for a client to say what it wants: a silent one takes nobody's place for long
LAST_WORD = 1.0  # seconds for all clients to take what is left for them
MOST_MISTAKES = 10  # lines that are no requests: it is not for us
RECORDING = 10.0  # seconds for a command to be recorded before its client, who waits for 15, is told that it is not
SHOWING = 1.0  # seconds for the state file to tell of it; a disk may be slow, and the command is done
MOST_UNANSWERED = 100  # commands of one client that are being recorded; more in one transaction gain nothing
PAUSE = 1.0  # seconds until connections are accepted again after the system had no descriptor for one

FULL = ControlError(f"this run has {MOST_CLIENTS} clients already: close one of them")
NOT_YOURS = ControlError("this run belongs to another user")
TOO_LONG = ControlError(f"a line may have {MOST_REQUEST:,} bytes at most")
NOT_RECORDED = ControlError(
    "the run will do this as soon as it can write to its journal, which takes nothing at the moment: `nova status`"
    " says why; until then it is lost if the run is killed"
)
KEPT = (Approve, Retry)
"""What later runs know too: it is answered once a crash cannot lose it any more."""


@asynccontextmanager
async def listening(
    orchestrator: Orchestrator, on_begin: Callable[[str | None], object] = lambda address: None
) -> AsyncIterator[None]:
    """Let others watch and steer a run, from its beginning, which must be within this context, to its end.

    It listens as soon as the run's journal is its own, which names the address from then on, as ``run_view.control``
    does. Where it cannot listen the run goes on, with a warning. ``on_begin`` is called once, when that is known, with
    the address or None. The end of the run is told to all who are connected.
    """
    server = Server(orchestrator, on_begin)
    no_more = orchestrator.listen(server.changed, server.told)
    try:
        yield
    finally:
        no_more()
        await finish(asyncio.get_running_loop().create_task(server.close()), lambda: None)


@final
class Server:
    """The socket of a run, and its clients."""

    def __init__(self, orchestrator: Orchestrator, on_begin: Callable[[str | None], object]) -> None:
        self._orchestrator = orchestrator
        self._on_begin = on_begin
        self._feed = Feed(orchestrator)
        self._clients: set[Subscriber] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._has_begun = False
        self._listener: Listener | None = None
        self._opening: asyncio.Task[None] | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._folder: FolderWatch | None = None

    def changed(self, task_id: str | None) -> None:
        """Take note that a task, or the run, looks different now."""
        self._feed.changed(task_id)

    def told(self, event: Event) -> None:
        """Take note of what has happened; once the run has begun, listen."""
        self._feed.told(event)
        if event.kind is EventKind.RUN_STARTED:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def close(self) -> None:
        """Tell the clients how the run has ended, if they read it soon, and let them go."""
        if self._opening is not None and not self._has_begun:  # the run was quicker than we
            await asyncio.wait((self._opening,), timeout=LAST_WORD)
        await ended(self._opening)
        await ended(self._accepting)
        if self._folder is not None:
            self._folder.close()
        if self._listener is not None:
            await in_thread(self._listener.close)
        await self._feed.flush()
        await all_of([answering for client in self._clients for answering in client.unanswered])
        last = [over(self._orchestrator.run_view.end)]
        for client in self._clients:
            client.put(Kind.OVER, last)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                await asyncio.gather(*(client.flush() for client in self._clients))
        for client in self._clients:
            client.abort()
        if self._serving:
            await asyncio.wait(self._serving)

    # Where it listens.

    async def _open(self) -> None:
        """Listen, anew if the socket has been removed; what cannot be done is a warning."""
        gone, self._listener = self._listener, None
        address, trouble = None, ""
        try:
            if gone is not None:
                await ended(self._accepting)
                await in_thread(gone.close)
            self._listener = await open_in_thread(listen_beside, self._orchestrator.journal, gone is None)
            self._follow(self._listener)
            address = str(self._listener.path)
        except (OSError, JournalError) as error:
            trouble = f"nobody can watch or steer this run from elsewhere: {told(error)}"
        with suppress(JournalError):  # told by the journal itself
            await self._orchestrator.note_control(address, trouble)
        if not self._has_begun:
            self._has_begun = True
            self._on_begin(address)

    def _follow(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        self._accepting = loop.create_task(self._accept(listener.socket))
        if self._folder is not None:
            self._folder.close()
        self._folder = FolderWatch(listener.path.parent, loop, self._look)

    def _look(self) -> None:
        """Look after the socket: something in its folder was removed."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._look_after())

    async def _look_after(self) -> None:
        # Once more each time: what was removed while we looked has told nobody.
        while self._listener is not None and not await in_thread(self._listener.is_in_place):
            await self._open()

    # Who comes.

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # no descriptor is left, say: it waits, and so does the next who comes
                await asyncio.sleep(PAUSE)
                continue
            await asyncio.sleep(0)  # a thousand may come at once, and others have work to do
            if not is_trusted(connection):
                turn_away(connection, NOT_YOURS)
            elif len(self._serving) >= MOST_CLIENTS:
                turn_away(connection, FULL)
            else:
                serving = loop.create_task(self._serve(connection))
                self._serving.add(serving)
                serving.add_done_callback(self._serving.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Answer one client until it goes, or the run is over."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MOST_REQUEST)
        except OSError:
            connection.close()
            return
        client = Subscriber(writer, self._feed.catch_up)
        self._clients.add(client)
        try:
            await self._converse(client, reader)
            await all_of(client.unanswered)
            async with asyncio.timeout(LAST_WORD):
                await client.flush()
        except (OSError, TimeoutError):
            pass
        finally:
            self._clients.discard(client)
            self._feed.remove(client)
            client.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, client: Subscriber, reader: asyncio.StreamReader) -> None:
        mistakes = 0
        try:
            async with asyncio.timeout(FIRST_WORD):
                line = await reader.readuntil()
            while mistakes < MOST_MISTAKES:
                mistakes += not self._take(client, line)
                await client.room()
                if len(client.unanswered) >= MOST_UNANSWERED:
                    await all_of(client.unanswered)
                await asyncio.sleep(0)  # many lines may be here already, and others have work to do
                line = await reader.readuntil()
        except asyncio.IncompleteReadError:  # it has gone; what it had begun to say counts for nothing
            return
        except asyncio.LimitOverrunError:
            client.put(Kind.ANSWER, [refusal(None, TOO_LONG)])

    def _take(self, client: Subscriber, line: bytes) -> bool:
        """Do what a line asks for, and tell whether it was a request."""
        try:
            request = request_of(line)
        except NovaError as error:
            client.put(Kind.ANSWER, [refusal(id_of(line), error)])
            return False
        if isinstance(request, Watch):
            self._feed.add(client, request.since)
            return True
        try:
            said = answer(request.id, **obey(self._orchestrator, request))
        except NovaError as error:
            said = refusal(request.id, error)
            client.put(Kind.ANSWER, [said])
        else:
            self._answer_later(client, request, said)
        return True

    def _answer_later(self, client: Subscriber, request: Request, said: bytes) -> None:
        """Say it once what was asked is in the journal, and in the state file; meanwhile other commands are done."""
        recorded = self._orchestrator.recorded() if isinstance(request, KEPT) else None
        answering = asyncio.get_running_loop().create_task(self._once(recorded, client, request, said))
        client.unanswered.add(answering)
        answering.add_done_callback(client.unanswered.discard)

    async def _once(
        self, recorded: Awaitable[None] | None, client: Subscriber, request: Request, said: bytes
    ) -> None:  # fmt: skip
        try:
            if recorded is not None:
                async with asyncio.timeout(RECORDING):
                    await recorded
            with suppress(TimeoutError):
                async with asyncio.timeout(SHOWING):
                    await self._orchestrator.shown()
        except TimeoutError:
            said = refusal(request.id, NOT_RECORDED)
        except JournalError as error:
            said = refusal(request.id, error)
        if client in self._clients:
            client.put(Kind.ANSWER, [said])


def told(error: Exception) -> str:
    """Say what is wrong, and with which file."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


async def all_of(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Wait for the end of these tasks."""
    if tasks:
        await asyncio.wait(tasks)


async def ended(task: asyncio.Task[None] | None) -> None:
    """End a task."""
    if task is not None:
        task.cancel()
        await asyncio.wait([task])


def turn_away(connection: socket.socket, why: NovaError) -> None:
    """Say why not, and close the connection."""
    with connection, suppress(OSError):
        connection.send(refusal(None, why))
