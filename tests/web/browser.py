"""A browser for the tests of the page: one for all of them, in a thread and an event loop of its own.

Each test has a loop of its own, and what Playwright gives belongs to the loop in which it was made.
"""

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from playwright.async_api import Browser as Chromium
    from playwright.async_api import BrowserContext, ConsoleMessage, Page

__all__ = ["Browser", "Shown", "browser_running", "found_chromium"]

T = TypeVar("T")

PATIENCE = 20_000  # milliseconds; far more than anything takes: the test fails, and does not hang
DESK = {"width": 1280, "height": 800}


def found_chromium() -> str | None:
    """Return where Chromium is; None if it is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass
class Shown:
    """A page in a window of its own."""

    loop: asyncio.AbstractEventLoop
    context: "BrowserContext"
    page: "Page"
    problems: list[str] = field(default_factory=list)
    """What the browser complained about: a broken policy, an error in a script."""

    async def do(self, act: Callable[["Page"], Coroutine[Any, Any, T]]) -> T:
        """Do something with the page, where it belongs."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(act(self.page), self.loop))

    async def see(self, selector: str, text: str | None = None) -> str:
        """Wait until something is there, with this text in it if one is named; return all its text."""

        async def wait(page: "Page") -> str:
            found = page.locator(selector)
            if text is not None:
                found = found.filter(has_text=text)
            await found.first.wait_for()
            return await found.first.inner_text()

        return await self.do(wait)

    async def miss(self, selector: str) -> None:
        """Wait until something is not there any more."""
        await self.do(lambda page: page.locator(selector).first.wait_for(state="detached"))

    async def click(self, selector: str) -> None:
        """Click on something as soon as it can be clicked on."""
        await self.do(lambda page: page.locator(selector).first.click())

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.do(lambda page, key=key: page.keyboard.press(key))  # type: ignore[misc]

    async def ask(self, script: str, argument: Any = None) -> Any:
        """Return what a script gives in the page."""
        return await self.do(lambda page: page.evaluate(script, argument))

    async def until(self, script: str, argument: Any = None) -> None:
        """Wait until a script gives something true."""
        await self.do(lambda page: page.wait_for_function(script, arg=argument))

    async def go(self, path: str) -> None:
        """Show another part of the page."""
        await self.ask("path => { location.hash = `#/${path}` }", path)

    async def close(self) -> None:
        """Close the window."""
        await self.do(lambda _: self.context.close())


@dataclass
class Browser:
    """The one that is running."""

    loop: asyncio.AbstractEventLoop
    chromium: "Chromium"

    async def open(self, url: str, **options: Any) -> Shown:
        """Open an address in a new window, which has no cookies yet."""

        async def opened() -> Shown:
            context = await self.chromium.new_context(**{"viewport": DESK, **options})
            context.set_default_timeout(PATIENCE)
            page = await context.new_page()
            shown = Shown(self.loop, context, page)
            page.on("pageerror", lambda error: shown.problems.append(str(error)))
            page.on("console", lambda said: shown.problems.append(said.text) if is_problem(said) else None)
            page.on("dialog", lambda dialog: shown.problems.append(f"a dialog: {dialog.message}"))
            await page.goto(url)
            return shown

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(opened(), self.loop))


def is_problem(said: "ConsoleMessage") -> bool:
    """Tell whether the browser complains; that something has an answer such as 404, or none, is for the page to say."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


@contextmanager
def browser_running(chromium: str) -> Iterator[Browser]:
    """Keep a browser running meanwhile."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="browser")
    thread.start()

    def done(act: Awaitable[T]) -> T:
        async def wait() -> T:
            return await act

        return asyncio.run_coroutine_threadsafe(wait(), loop).result(60)

    try:
        from playwright.async_api import async_playwright

        playwright = done(async_playwright().start())
        try:
            running = done(playwright.chromium.launch(executable_path=chromium, args=["--disable-dev-shm-usage"]))
            try:
                yield Browser(loop, running)
            finally:
                done(running.close())
        finally:
            done(playwright.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
