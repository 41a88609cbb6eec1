"""A server of the page, as `nova serve` starts one, but in this loop; and a client that shows its token."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from nova_async.cli.page_documents import FolderDocuments
from nova_async.web.app import application
from nova_async.web.server import Server, listen_on
from nova_async.web.source import Places, Source

TOKEN = "0123456789abcdef0123456789abcdef0123456789a"
QUICK = 20.0  # seconds; far more than any answer takes: the test fails, and does not hang


@dataclass
class Served:
    """A folder that is being served."""

    folder: Path
    port: int
    source: Source
    client: httpx.AsyncClient
    server: Server
    ended: asyncio.Event

    async def json(self, path: str, **params: Any) -> Any:
        """Return what stands at a path of the API."""
        answer = await self.client.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def raw(self, request: bytes) -> tuple[int, bytes]:
        """Send bytes as they are, and return the answer's status and all that came until the server ended it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        async with asyncio.timeout(QUICK):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return int(answer.split(b" ", 2)[1]) if answer else 0, answer

    @contextlib.asynccontextmanager
    async def events(self, **headers: str) -> AsyncIterator["Events"]:
        """Read what changes."""
        about = {name.replace("_", "-"): value for name, value in headers.items() if name != "query"}
        async with self.client.stream("GET", f"/api/v1/events{headers.get('query', '')}", headers=about) as answer:
            assert answer.status_code == 200
            events = Events(answer.aiter_lines())  # kept: the stream ends with its last reader
            yield events


@dataclass
class Events:
    """Server-sent events, as a browser reads them."""

    lines: AsyncIterator[str]

    async def next(self) -> tuple[str, int | None, Any]:
        """Return the next event: its kind, its id and its data."""
        kind, number, data = "", None, ""
        async with asyncio.timeout(QUICK):
            async for line in self.lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    number = int(value)
                elif name == "data":
                    data += value
                elif not line and data:
                    return kind, number, json.loads(data)
        raise EOFError


@contextlib.asynccontextmanager
async def serving(
    folder: Path, sockets: list[socket.socket] | None = None, *, state: Path | None = None
) -> AsyncIterator[Served]:
    """Serve a folder meanwhile."""
    places = Places.of(folder)
    places = replace(places, state=state or places.state)
    source = Source(places)
    app, pages = application(source, FolderDocuments(places), TOKEN)
    server = Server(app)
    sockets = sockets or listen_on(0)
    port = sockets[0].getsockname()[1] if sockets[0].family != socket.AF_UNIX else 0
    async with source.following():
        running = asyncio.create_task(server.serve(sockets))
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=QUICK) as client:
            try:
                yield Served(folder, port, source, client, server, pages.ended)
            finally:
                pages.ended.set()
                server.stop()
                await running
