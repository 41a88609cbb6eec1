"""What the tests of this folder share."""

import pytest

from nova_async.process import orphan_guard


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Start the guard again, after the hunt for leaks, where a test has ended it: the next one counts it in."""
    orphan_guard.ensure()
