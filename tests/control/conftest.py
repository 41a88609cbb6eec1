"""What the tests of running runs share."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(short_path: Path) -> Path:
    """Return a new folder in which a socket can be: each run has one."""
    return short_path
