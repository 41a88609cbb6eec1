"""A plugin of pytest: every loop of the tests' own process is uvloop's; programs that they start choose their own."""

import asyncio

import pytest
import uvloop  # type: ignore[import-not-found, unused-ignore]


def pytest_configure() -> None:
    """Choose the loop of the blocking workers, too: theirs is made in a thread of its own."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


@pytest.fixture(scope="session")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Choose the loop of the tests."""
    return uvloop.EventLoopPolicy()  # type: ignore[no-any-return, unused-ignore]
