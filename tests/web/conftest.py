"""What the tests of the page share: a real server on a real socket, in the test's own loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.runs import write_run
from tests.web.serving import Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve a folder in which two tasks have run: T1 completed, T2 failed, T3 blocked by it."""
    await write_run(tmp_path)
    async with serving(tmp_path) as served:
        yield served
