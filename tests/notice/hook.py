"""A web hook on this machine, for the tests of who posts to one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

__all__ = ["OK", "Hook", "hooked"]

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Hook:
    """What was posted, and how it is answered: None is never, ``slowly`` is a byte now and then."""

    def __init__(self, answer: bytes | None, *, slowly: bool = False) -> None:
        self.port = 0
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.came = asyncio.Event()
        self._answer = answer
        self._slowly = slowly

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        try:
            await self._answer_one(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((first, headers, json.loads(body)))
        self.came.set()
        if self._answer is None:
            await reader.read()
        for byte in self._answer or b"":
            writer.write(bytes([byte]))
            if self._slowly:
                await asyncio.sleep(0.05)
        await writer.drain()


@asynccontextmanager
async def hooked(answer: bytes | None = OK, *, slowly: bool = False) -> AsyncIterator[Hook]:
    """Answer meanwhile."""
    hook = Hook(answer, slowly=slowly)
    serving: set[asyncio.Task[None]] = set()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.get_running_loop().create_task(hook.serve(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()
        for each in serving:
            each.cancel()
        if serving:
            await asyncio.wait(serving)
