"""What the tests of the journal share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nova_async.journal.store import Journal
from tests.journal.making import run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a journal that does not exist yet."""
    return tmp_path / ".nova" / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    """Open a journal in which a run has begun."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    yield journal
    await journal.close()
