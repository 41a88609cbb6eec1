"""What the tests of running runs share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a new folder whose path is short: a socket in it can have about a hundred bytes, which pytest's exceed."""
    with TemporaryDirectory(prefix="nova-") as folder:
        yield Path(folder)
