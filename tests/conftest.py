"""What every test shares: who may be signalled, and the hunt for whatever a test left behind."""

import asyncio
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from nova_async.process import orphan_guard
from nova_async.worker import sync_worker
from nova_async.worker.published_prices import PUBLISHED
from tests import leak_guard, signal_guard
from tests.cli.command import warm_nova_running

settings.register_profile("nova", deadline=None)  # a busy machine is no fault of an example
settings.load_profile("nova")

INHERITED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share the tests out among four processes, of which two mostly wait; a few files are sooner done by one."""
    few = config.args_source is pytest.Config.ArgsSource.ARGS and all(".py" in argument for argument in config.args)
    return 0 if few else 4


def pytest_configure(config: pytest.Config) -> None:
    """Begin to refuse signals to strangers, and begin as in a terminal, whoever started us."""
    signal_guard.begin()
    state = tempfile.TemporaryDirectory(prefix="nova-state-")  # journals are sealed with a key of the user
    config.add_cleanup(state.cleanup)
    os.environ["XDG_STATE_HOME"] = state.name
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in INHERITED:
        # An ignored signal is inherited by every child, and nobody could interrupt it. A handler that does nothing is
        # not inherited, and ignores as well.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def what_lasts() -> Iterator[leak_guard.LeakGuard]:
    """Start what lasts before the first count, so that it is nobody's leak: the guard and the facade's loop.

    So are the published prices: the first worker that uses tokens has them read, and may end long before that is done.
    """
    PUBLISHED.read()
    orphan_guard.ensure()
    sync_worker.LOOP.call(asyncio.sleep, 0)
    gc.collect()
    gc.freeze()  # what is there by now stays: a collection after a test need not look at it again
    yield leak_guard.LeakGuard()
    orphan_guard.stop()


@pytest.fixture(scope="session")
def warm_nova() -> Iterator[None]:
    """Keep one nova that has been started already, for the tests that are not about its start."""
    with warm_nova_running():
        yield


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Return a new folder whose path is short: a socket in it can have about a hundred bytes, which pytest's exceed."""
    with tempfile.TemporaryDirectory(prefix="nova-") as folder:
        yield Path(folder)


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail the test that leaves a task in its loop, before that is closed."""
    yield
    leaks = await leak_guard.leaked_tasks()
    assert not leaks, f"left behind: {leaks}"


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, what_lasts: leak_guard.LeakGuard) -> Iterator[None]:
    """Fail the test that leaves a thread, a descriptor, a child or anyone's descendant; end what it left."""
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("no_task_left")
    if not leak_guard.CAN_LOOK:
        yield
        return
    before = what_lasts.before()
    yield
    leaks = what_lasts.after(before)
    assert not leaks, f"left behind: {leaks}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Fail the test that tried to signal a stranger, even if whoever did it caught the refusal."""
    signal_guard.take_refusals()
    yield
    refused = signal_guard.take_refusals()
    assert not refused, f"refused: {refused}"


def pytest_unconfigure() -> None:
    """Leave the environment as it was: other runs in this process have marks of their own."""
    os.environ.pop(signal_guard.MARK, None)
    shutil.rmtree(os.environ.pop("XDG_STATE_HOME"), ignore_errors=True)
