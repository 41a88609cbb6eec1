"""Posting a notice to an address on the web, in a thread: resolving a name cannot be awaited, and may take long."""

import asyncio
import socket
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, final

from nova_async._core.threads import DiskThreads
from nova_async.cascade.notify import Address

if TYPE_CHECKING:
    from http.client import HTTPConnection

__all__ = ["Post"]

# Daemon threads of their own: at exit nobody waits for one, and logs need not wait for a name server.
THREADS = DiskThreads("nova-notice")


@final
class Post:
    """One request; ``send`` returns what went wrong."""

    def __init__(self, address: Address, headers: Mapping[str, str], body: bytes) -> None:
        self._address = address
        self._headers = {**headers, "Content-Type": "application/json", "Connection": "close"}
        self._body = body
        self._connection: HTTPConnection | None = None
        self._is_given_up = False

    async def send(self, seconds: float) -> str | None:
        """Post it, and return what went wrong; None if the answer's code is one of success.

        After so many seconds, or a cancellation, the connection is closed, whatever the other side does.
        """
        try:
            answer = asyncio.wrap_future(THREADS.submit(self._post, seconds))
            async with asyncio.timeout(seconds):
                status = await answer
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except Exception as error:  # of the network, of TLS, or of a server that does not speak HTTP
            return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        finally:
            self._give_up()
        return None if 200 <= status < 300 else f"the answer was HTTP {status}"

    def _post(self, seconds: float) -> int:
        connection = self._connection = self._connect(seconds)
        try:
            if self._is_given_up:
                return 0
            connection.request("POST", self._address.target, self._body, self._headers)
            return connection.getresponse().status  # nothing of the answer is read, and no redirection followed
        finally:
            connection.close()

    def _connect(self, seconds: float) -> "HTTPConnection":
        """Prepare a connection, through the proxy of the environment if there is one."""
        from http.client import HTTPConnection, HTTPSConnection  # 20 ms: for those who have something to post
        from urllib.parse import unquote, urlsplit
        from urllib.request import getproxies, proxy_bypass

        to = self._address
        if not to.is_encrypted:
            return HTTPConnection(to.host, to.port, timeout=seconds)
        proxy = urlsplit(getproxies().get("https", ""))
        if not proxy.hostname or proxy_bypass(to.host):
            return HTTPSConnection(to.host, to.port, timeout=seconds)
        connection = HTTPSConnection(proxy.hostname, proxy.port or 8080, timeout=seconds)
        login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
        basic = {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"} if proxy.username else {}
        connection.set_tunnel(to.host, to.port, basic)
        return connection

    def _give_up(self) -> None:
        """Wake a thread that still waits for the other side, which may send a byte a second."""
        self._is_given_up = True
        with suppress(AttributeError, OSError):  # there is no connection, or no more
            self._connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
