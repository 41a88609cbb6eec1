"""What the tests of the page share: a real server on a real socket, in the test's own loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.web.browser import Browser, Shown, browser_running, found_chromium
from tests.web.runs import write_run
from tests.web.serving import TOKEN, Served, serving


class Window(Protocol):
    """Opens the page that is served, in a new window."""

    async def __call__(self, served: Served, **options: Any) -> Shown:
        """Open it."""
        ...


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve a folder in which two tasks have run: T1 completed, T2 failed, T3 blocked by it."""
    await write_run(tmp_path)
    async with serving(tmp_path) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Keep one browser for all tests of the page."""
    pytest.importorskip("playwright", reason="no Playwright for Python: uv sync")
    chromium = found_chromium()
    if chromium is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with browser_running(chromium) as running:
        yield running


@pytest.fixture
async def window(browser: Browser) -> AsyncIterator[Window]:
    """Open pages that are closed after the test, and of which the browser must not complain."""
    opened: list[Shown] = []

    async def window(served: Served, **options: Any) -> Shown:
        shown = await browser.open(f"http://127.0.0.1:{served.port}/#token={TOKEN}", **options)
        opened.append(shown)
        return shown

    yield window
    for shown in opened:
        await shown.close()
    assert not [problem for shown in opened for problem in shown.problems]
