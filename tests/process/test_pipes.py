"""Output pipes are large, but never more than our part of what the system has."""

import asyncio
import fcntl
import os
from contextlib import AsyncExitStack

import pytest

from nova_async.process.pipes import F_SETPIPE_SZ, LARGEST, OURS, RATION, USUAL, OutputPipe, PipeRation
from nova_async.process.spawn import spawn

from .watching import running


def test_the_ration_is_shared_and_bounded() -> None:
    """The first get 1 MiB, later ones less, none below 64 KiB; the larger ones together stay within the budget."""
    ration = PipeRation(OURS)
    sizes = [ration.take() for _ in range(500)]
    assert sizes[0] == LARGEST
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) == {LARGEST, LARGEST // 2, LARGEST // 4, LARGEST // 8, USUAL}
    assert sum(size for size in sizes if size > USUAL) <= OURS


def test_what_is_given_back_can_be_taken_again() -> None:
    """A closed pipe makes room."""
    ration = PipeRation(OURS)
    for size in [ration.take() for _ in range(100)]:
        ration.give_back(size)
    assert (ration.taken, ration.take()) == (0, LARGEST)


def test_a_pipe_is_ours_alone() -> None:
    """Neither end is inherited; reading it never blocks; its size is what was taken (or the system's limit)."""
    before = RATION.taken
    for most in (LARGEST, USUAL):
        pipe = OutputPipe(most)
        try:
            assert not os.get_inheritable(pipe.read_end)
            assert not os.get_inheritable(pipe.write_end)
            assert not os.get_blocking(pipe.read_end)
            if F_SETPIPE_SZ is not None:
                assert fcntl.fcntl(pipe.read_end, fcntl.F_GETPIPE_SZ) in (min(RATION.taken - before, most), USUAL)
        finally:
            pipe.close()


async def test_closing_a_childs_output_gives_its_part_back() -> None:
    """A second close does nothing."""
    before = RATION.taken
    async with running("true") as child:
        assert RATION.taken > before
        await child.wait()
        child.close_output()
        child.close_output()
        assert (RATION.taken, child.output) == (before, -1)


async def test_a_start_that_fails_gives_its_part_back() -> None:
    """The system itself refuses it, after the pipe was made."""
    before = RATION.taken
    with pytest.raises(OSError, match="too long"):
        await spawn(["true"], env={**os.environ, "LONG": "x" * 300_000})
    assert RATION.taken == before


async def test_forty_live_children_stay_within_the_ration() -> None:
    """Nobody's pipe is below 64 KiB, and all together stay within the budget."""
    async with asyncio.timeout(20):
        async with AsyncExitStack() as stack:
            children = [await stack.enter_async_context(running("sleep", "60")) for _ in range(40)]
            if F_SETPIPE_SZ is None:
                return
            sizes = [fcntl.fcntl(child.output, fcntl.F_GETPIPE_SZ) for child in children]
            assert min(sizes) >= USUAL
            assert sum(sizes) <= RATION.budget + 40 * USUAL
