"""Runs that answer, for the tests of their clients."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nova_async.control.protocol import Message
from nova_async.control.server import listening
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.views import RunReport
from tests.orchestrator.test_running import orchestrator, plan

__all__ = ["Answering", "answering", "ask_raw", "connect", "lines_of", "ready", "said"]


class Answering:
    """A run that answers."""

    def __init__(self, runner: Orchestrator, folder: Path) -> None:
        self.runner = runner
        self.folder = folder
        self.running: asyncio.Task[RunReport]

    @property
    def journal(self) -> Path:
        """Where its journal is."""
        return self.folder / ".nova/journal.db"

    @property
    def address(self) -> Path:
        """Where its socket is."""
        assert self.runner.run_view.control is not None
        return Path(self.runner.run_view.control)

    def warnings(self) -> list[str]:
        """Return what it has warned of."""
        return [*self.runner.run_view.warnings]


@asynccontextmanager
async def answering(rows: str, folder: Path, **options: Any) -> AsyncIterator[Answering]:
    """Run a plan until the end of the test, from when it listens, or has said why it does not."""
    run = Answering(orchestrator(plan(rows), folder, **options), folder)

    async def go() -> RunReport:
        async with listening(run.runner):
            return await run.runner.run()

    began = asyncio.Event()
    no_more = run.runner.listen(lambda _: began.set(), lambda _: None)
    run.running = asyncio.create_task(go())
    try:
        await ready(run, lambda: run.runner.run_view.control is not None or bool(run.warnings()))
        no_more()
        yield run
    finally:
        run.runner.stop(grace=0.0)
        await asyncio.wait((run.running,), timeout=20)
        run.running.result()


async def ready(run: Answering, condition: Any) -> None:
    """Wait until something about a run is so."""
    changed = asyncio.Event()
    no_more = run.runner.listen(lambda _: changed.set(), lambda _: None)
    try:
        async with asyncio.timeout(20):
            while not condition():
                changed.clear()
                await changed.wait()
    finally:
        no_more()


def connect(path: Path) -> socket.socket:
    """Connect to a socket, however long its path."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(path))
    return client


def said(client: socket.socket, kind: str = "answer") -> Message:
    """Return the next line of that kind."""
    return next(message for message in lines_of(client) if message["kind"] == kind)


def lines_of(client: socket.socket) -> list[Message]:
    """Return all lines until the run closes the connection."""
    with client.makefile("rb") as file:
        return [json.loads(line) for line in file]


async def ask_raw(path: Path, *lines: bytes) -> list[Message]:
    """Send lines, and return all that is answered until the connection is closed."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.writelines(lines)
        writer.write_eof()
        return [json.loads(line) for line in (await reader.read()).splitlines()]
    finally:
        writer.close()
        await writer.wait_closed()
