"""Attempts that are to stand still while they have no process yet, as by Ctrl-Z during their preparation."""

import asyncio
from pathlib import Path

import pytest

from nova_async.attempt.local_executor import LocalExecutor
from nova_async.words import Outcome
from tests.attempt.conftest import MakeJob

MOMENT = 0.3  # seconds; an attempt that does not wait has started and ended by then


@pytest.mark.parametrize("when", ["before", "during"])
async def test_nothing_is_started_meanwhile(when: str, tmp_path: Path, job: MakeJob) -> None:
    """Neither a new attempt nor one in its preparation starts its agent before it may go on."""
    executor = LocalExecutor(tmp_path / "logs")
    if when == "before":
        await executor.suspend()
    attempt = executor.submit(job("touch began"))
    if when == "during":
        await executor.suspend()
    ended = asyncio.create_task(attempt.ended())
    await asyncio.wait([ended], timeout=MOMENT)
    assert not (tmp_path / "began").exists()
    executor.resume()
    assert (await ended).outcome is Outcome.OK
    assert (tmp_path / "began").exists()
    await executor.close()


async def test_a_stop_meanwhile(tmp_path: Path, job: MakeJob) -> None:
    """It ends at once, and nothing is started any more."""
    executor = LocalExecutor(tmp_path / "logs")
    await executor.suspend()
    attempts = [executor.submit(job("touch began", task_id)) for task_id in ("A1", "A2")]
    await asyncio.sleep(0)
    attempts[0].stop(5.0)
    end = await attempts[0].ended()
    assert end.outcome is Outcome.CANCELLED
    await executor.close()
    assert (await attempts[1].ended()).outcome is Outcome.CANCELLED
    assert not (tmp_path / "began").exists()
