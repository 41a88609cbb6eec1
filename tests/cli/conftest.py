"""What the tests of the command share."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def starts_are_quick(warm_nova: None) -> None:
    """Let `tests.cli.command.nova` ask the warm nova."""
