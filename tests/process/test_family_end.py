"""A family's end: everyone is signalled, waited for, and proven gone."""

import asyncio
import signal
import time

import pytest

from .watching import all_dead_within, announced, is_alive, program, running, text_until


@pytest.fixture(params=["pidfd", "no pidfd"])
def pidfds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with and without pidfds."""
    if request.param == "no pidfd":
        for module in ("exits", "signalling"):  # not os itself: asyncio may need it
            monkeypatch.setattr(f"nova_async.process.{module}.open_pidfd", lambda pid: None)


async def test_shell_child_and_grandchild_are_gone(pidfds: None) -> None:
    """SIGTERM reaches all three (G11)."""
    async with running("sh", "-c", "sh -c 'sleep 60 & echo ready $! $$; wait' & wait") as child:
        pids = await announced(child)
        child.family.signal(signal.SIGTERM)
        assert await child.family.gone(5)
        assert child.returncode == -signal.SIGTERM
        assert not any(map(is_alive, pids))


async def test_gone_waits_for_members_after_a_polite_leader(pidfds: None) -> None:
    """The leader obeys, its child does not: gone says no, kill ends it (G12)."""
    async with running(*program("polite_parent")) as child:
        [deaf] = await announced(child)
        child.family.signal(signal.SIGTERM)
        assert await child.wait() == 0
        assert not await child.family.gone(0.2)
        assert is_alive(deaf)
        assert await child.family.kill() == []
        assert not is_alive(deaf)


async def test_gone_is_woken_by_the_last_exit(pidfds: None) -> None:
    """It returns soon after the last member has ended by itself, with no signal of ours."""
    async with running("sh", "-c", "sleep 0.3 & exit 0") as child:
        start = time.monotonic()
        assert await child.family.gone(5)
        assert 0.1 < time.monotonic() - start < 4  # seconds; a busy machine's, and still before any look again


async def test_gone_without_a_limit_can_be_cancelled() -> None:
    """Nothing of it stays in the loop, and the family is unharmed."""
    async with running("sh", "-c", "sleep 60 & echo ready $!") as child:
        [left] = await announced(child)
        waiting = asyncio.create_task(child.family.gone(None))
        await child.wait()
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert is_alive(left)


async def test_a_stopped_child_still_gets_its_sigterm() -> None:
    """SIGCONT follows, so its handler runs and no SIGKILL is needed (G49)."""
    async with running(*program("tidy")) as child:
        await announced(child)
        child.family.signal(signal.SIGSTOP)
        child.family.signal(signal.SIGTERM)
        assert await child.family.gone(5)
        assert child.returncode == 3
        assert "tidied up" in await text_until(child, "tidied up")


async def test_a_wrappers_child_may_clean_up() -> None:
    """The wrapper dies at once of SIGTERM; gone waits for the one that does the work (G36)."""
    async with running(*program("wrapper")) as child:
        [worker] = await announced(child)
        child.family.signal(signal.SIGTERM)
        assert await child.family.gone(5)
        assert "cleaned up" in await text_until(child, "cleaned up")
        assert not is_alive(worker)


async def test_kill_catches_those_who_are_born_meanwhile() -> None:
    """A family that keeps on forking into new sessions comes to an end too."""
    script = "trap '' TERM; echo ready; while :; do setsid sleep 60 & sleep 0.005; done"
    async with running("sh", "-c", script) as child:
        await text_until(child)
        assert await child.family.kill() == []
        assert child.family.members() == []


async def test_kill_now_needs_no_loop() -> None:
    """For interpreter exit: everyone is dead when it returns."""
    async with running(*program("deaf_tree.sh")) as child:
        pids = await announced(child)
        child.family.kill_now()
        assert not any(map(is_alive, pids))
        assert await child.wait() == -signal.SIGKILL


async def test_a_nested_supervisors_workers_are_family() -> None:
    """Its workers carry our path in front; all end with the outer worker, whatever they ignore."""
    async with running(*program("supervisor", "2")) as child:
        guard, *pids = await announced(child)
        assert {guard, *pids} <= {member.pid for member in child.family.members()}
        assert await child.family.kill() == []
        assert not any(map(is_alive, [guard, *pids]))


async def test_a_nested_guard_does_not_hold_up_a_graceful_end() -> None:
    """It ignores SIGTERM, but ends by itself once its supervisor is gone and nobody is left."""
    async with running(*program("supervisor", "1", "mild")) as child:
        await announced(child)
        start = time.monotonic()
        child.family.signal(signal.SIGTERM)
        assert await child.family.gone(5)
        assert time.monotonic() - start < 3  # seconds; half of one on a quiet machine, five where somebody waits for it


async def test_leftovers_with_a_dead_leader_are_ended() -> None:
    """After a normal exit the others are found, signalled and gone (G2)."""
    async with running("sh", "-c", "setsid sleep 60 & sleep 60 & exit 0") as child:
        assert await child.wait() == 0
        left = [member.pid for member in child.family.others()]
        assert len(left) == 2
        child.family.signal(signal.SIGTERM, child.family.others())
        assert await child.family.gone(5)
        assert all_dead_within(left, 0)
