"""Notifying those whom a plan names, beside the run: whatever becomes of it, the run does not notice."""

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import final

from nova_async._core.cancellation import finish
from nova_async._core.text import one_line
from nova_async.attempt.passing import passed
from nova_async.cascade.notify import PLACEHOLDERS, Address, Bell, Notify, address_of, filled
from nova_async.cascade.settings import RunSettings
from nova_async.notice.due import Due, Notice
from nova_async.notice.posting import Post
from nova_async.notice.running import run
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.secrets import Secrets
from nova_async.process.command import resolve
from nova_async.records import Event
from nova_async.words import EventKind, NoticeKind

__all__ = ["notifying"]

SECONDS = 10.0  # for one notice; a person's browser waits no longer either
LAST_SECONDS = 5.0  # for what is still under way when the run is over
AT_ONCE = 4  # notices under way; each may be a process or a thread
LONGEST_TEXT = 500  # characters; more does not fit on a desktop's notification
PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS)))

_log = logging.getLogger("nova_async")


@asynccontextmanager
async def notifying(
    orchestrator: Orchestrator,
    *,
    ring: Callable[[str], object] | None = None,
    on_trouble: Callable[[str], object] = _log.warning,
) -> AsyncIterator[None]:
    """Notify those whom the plan's ``notify`` names of what happens to a run, which must be within this context.

    ``ring`` writes to the terminal, where the caller has one. What goes wrong is a warning of the run; once that is
    over, ``on_trouble`` is told. At the end this waits for at most five seconds;
    a cancellation ends at once what is under way.
    """
    settings = orchestrator.cascade.settings
    if not settings.notify:
        yield
        return
    desk = Desk(orchestrator, settings, ring, on_trouble)
    no_more = orchestrator.listen(lambda task_id: None, desk.told)
    try:
        yield
    except asyncio.CancelledError:
        desk.hurry()
        raise
    finally:
        no_more()
        await finish(asyncio.get_running_loop().create_task(desk.close()), desk.hurry)


@final
class Desk:
    """Takes note of what happens, and sends what is due."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        settings: RunSettings,
        ring: Callable[[str], object] | None,
        on_trouble: Callable[[str], object],
    ) -> None:
        self._receivers = settings.notify
        self._warn = orchestrator.warn
        self._ring = ring
        self._on_trouble = on_trouble
        # The same as the plan's commands get, and with the same left out.
        self._env = {**passed(os.environ, settings.pass_env), **settings.env}
        self._secrets = Secrets(orchestrator.cascade)
        # Redacted before anything is cut: half of a secret is not found any more.
        project, plan = self._secrets.redaction.texts((orchestrator.cascade.project, orchestrator.cascade.name))
        self._due = Due(project, plan)
        self._turn, self._last_turn = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._is_over = False

    def told(self, event: Event) -> None:
        """Send what is due because of an event."""
        loop = asyncio.get_running_loop()
        if event.kind is EventKind.RUN_STARTED:
            loop.call_soon(self._check)
        if (notice := self._due.notice(event)) is None:
            return
        self._is_over = self._is_over or event.kind is EventKind.RUN_ENDED
        for receiver in self._receivers:
            if notice.kind in receiver.on:
                sending = loop.create_task(self._send(receiver, notice))
                self._sending.add(sending)
                sending.add_done_callback(self._sending.discard)

    def _check(self) -> None:
        """Say now what would go wrong in the night, and do not try it then."""
        for receiver in self._receivers:
            try:
                if receiver.command:
                    resolve(receiver.command, env=self._env)
                elif receiver.url:
                    self._where(receiver)
            except (OSError, ValueError) as error:
                self._receivers = tuple(other for other in self._receivers if other is not receiver)
                self._complain(receiver, (error.strerror if isinstance(error, OSError) else None) or str(error))

    async def _send(self, receiver: Notify, notice: Notice) -> None:
        if receiver.bell is not None:
            if self._ring is not None:
                self._ring("\a" if receiver.bell is Bell.BELL else f"\x1b]9;{self._shown(notice.text)}\x1b\\")
            return
        # The end is told beside whatever still waits for its turn: it has the least time.
        try:
            async with self._last_turn if notice.kind is NoticeKind.END else self._turn:
                trouble = await self._run(receiver, notice) if receiver.command else await self._post(receiver, notice)
        except asyncio.CancelledError:
            if self._is_over:
                self._complain(receiver, "given up, because the run is over")
            raise
        except Exception as error:  # whatever it is: the run goes on
            trouble = str(error) or type(error).__name__
        if trouble is not None:
            self._complain(receiver, trouble)

    async def _run(self, receiver: Notify, notice: Notice) -> str | None:
        words = {"{title}": self._shown(notice.title), "{text}": self._shown(notice.text), "{notice}": notice.kind}
        told = {"NOVA_TITLE": words["{title}"], "NOVA_TEXT": words["{text}"], "NOVA_NOTICE": str(notice.kind)}
        command = [with_words(word, words) for word in receiver.command]
        return await run(command, {**self._env, **told}, self._document(notice), SECONDS)

    async def _post(self, receiver: Notify, notice: Notice) -> str | None:
        try:
            address, headers = self._where(receiver)
        except ValueError as error:
            return str(error)
        return await Post(address, headers, self._document(notice)).send(SECONDS)

    def _where(self, receiver: Notify) -> tuple[Address, dict[str, str]]:
        headers = {name: filled(text, os.environ) for name, text in receiver.headers.items()}
        return address_of(filled(receiver.url, os.environ)), headers

    def _document(self, notice: Notice) -> bytes:
        return json.dumps(self._secrets.of_event(notice.as_dict())).encode() + b"\n"

    def _shown(self, text: str) -> str:
        return self._secrets.redaction.text(one_line(text, LONGEST_TEXT))

    def _complain(self, receiver: Notify, trouble: str) -> None:
        text = self._secrets.redaction.text(f"notify: {receiver.name}: {trouble}")
        (self._on_trouble if self._is_over else self._warn)(text)

    async def close(self) -> None:
        """Wait a while for what is under way, then end it."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=LAST_SECONDS)
        self.hurry()
        if self._sending:
            await asyncio.wait(self._sending)

    def hurry(self) -> None:
        """End what is under way."""
        for sending in self._sending:
            sending.cancel()


def with_words(word: str, words: Mapping[str, str]) -> str:
    """Fill a word of a command in one go: what is filled in may look like a placeholder itself."""
    return PLACEHOLDER.sub(lambda found: words[found[0]], word)
