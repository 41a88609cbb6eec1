"""uvicorn inside our own event loop: it listens for no signal, wakes up for nothing, and no client can hold it up."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from nova_async.errors import NovaError

__all__ = ["AddressError", "Server", "listen", "listen_at"]

REQUEST_SECONDS = 15.0  # for a whole request to arrive, from the connection or the last answer on
STALL_SECONDS = 30.0  # for a client to take something of an answer that waits for it
MOST_CONNECTIONS = 256  # at once; a browser opens six for a page
END_SECONDS = 0.5  # for answers under way at the end
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class AddressError(NovaError):
    """Nobody can listen at an address; the text says why."""


@final
class Connection(H11Protocol):
    """One connection; a client that is slow to ask, or to read, loses it. uvicorn itself would wait for ever."""

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there is room for one more."""
        if len(self.connections) >= MOST_CONNECTIONS:
            transport.abort()
            return
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Take what has come of a request."""
        if self.transport is None:  # there was no room
            return
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._forget(self._deadline)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # ours takes its place, and counts while a request comes in bit by bit
        if self.cycle is None or self.cycle.response_complete:
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget(self._deadline)
        self._forget(self._stalled)
        if self.transport is not None:
            super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Take note that the client takes nothing."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Take note that it takes something again."""
        super().resume_writing()
        self._forget(self._stalled)

    def _expect_request(self) -> None:
        self._forget(self._deadline)
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    @staticmethod
    def _forget(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


@final
class Server(uvicorn.Server):
    """Serves an application on sockets until it is told to stop."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app, http=Connection, ws="none", lifespan="off", log_config=None, access_log=False,
                server_header=False, date_header=False, proxy_headers=False,
                # We end what is still open at the end; uvicorn's own patience is for answers that are under way.
                timeout_graceful_shutdown=1,
            )
        )  # fmt: skip
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End it; answers that are under way have half a second."""
        self.should_exit = True
        self._stopped.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen for no signal: who started us does."""
        yield

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn's own loop wakes up ten times a second."""
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End everything: who has not got his answer by then gets none."""
        asyncio.get_running_loop().call_later(END_SECONDS, self._cut_off)
        await super().shutdown(sockets)

    def _cut_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def listen(port: int | None, usual: int) -> list[socket.socket]:
    """Listen on the loopback addresses of this machine, and on no other.

    Without a port on the usual one, or on any that is free if that is not. Raises ``AddressError``.
    """
    try:
        return listen_on(usual if port is None else port)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise AddressError(f"cannot listen on port {port or usual}: {said_of(error)}") from error
        return listen_on(0)


def said_of(error: OSError) -> str:
    """Say why nobody can listen, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return "another program has it; choose another with --port, or leave --port out for any that is free"
    return error.strerror or str(error)


def listen_on(port: int) -> list[socket.socket]:
    """Listen on one port of both loopback addresses, or of the one that this machine has."""
    found: list[socket.socket] = []
    with contextlib.ExitStack() as on_error:
        for family, address in LOOPBACK:
            if not found or socket.has_ipv6:
                try:
                    listening = socket.socket(family, socket.SOCK_STREAM)
                    on_error.callback(listening.close)
                    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    listening.bind((address, port))
                    listening.listen(socket.SOMAXCONN)
                except OSError as error:
                    if family == socket.AF_INET or error.errno == errno.EADDRINUSE:
                        raise
                    continue  # a machine without IPv6
                found.append(listening)
                port = listening.getsockname()[1]
        on_error.pop_all()
    return found


def listen_at(path: Path) -> socket.socket:
    """Listen on a Unix socket that only this user can open. Raises ``AddressError``."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        remove_dead_socket(path)
        before = os.umask(0o177)  # from its first moment on
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        raise AddressError(f"cannot listen at {path}: {error.strerror or error}") from error
    return listening


def remove_dead_socket(path: Path) -> None:
    """Remove a socket that a server which was killed has left. Raises ``OSError`` for anything else in its place."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "something else has this name", str(path))
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as asking:
            try:
                asking.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise FileExistsError(errno.EADDRINUSE, "another server answers there", str(path))
