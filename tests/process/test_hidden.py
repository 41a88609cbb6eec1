"""Processes that /proc does not show us: hidepid, and programs that make themselves undumpable (G53)."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nova_async.process import procfs
from nova_async.process.family import Family
from nova_async.process.kinship import ProcessEntry
from tests.ordinary_user import ordinary_environment, ordinary_folder, ordinary_python, where_proc_hides

from .watching import DEADLINE, PROGRAMS, announced, is_alive, program, running


class HidingTable:
    """The process table as it is seen where everyone's processes are hidden from us, from the first moment or later."""

    def __init__(self) -> None:
        self.hides = True

    def __getattr__(self, name: str) -> object:
        return getattr(procfs, name)

    def look(self, pid: int) -> ProcessEntry | None:
        """Return nobody while it hides."""
        return None if self.hides else procfs.look(pid)

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return nobody while it hides."""
        return [] if self.hides else procfs.everyone(since)


@pytest.fixture(params=["from its start", "later on"])
def hidden(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> HidingTable:
    """Hide every process; those started in this test from their start, or once the test says so."""
    table = HidingTable()
    table.hides = request.param == "from its start"
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    return table


async def test_a_hidden_leader_is_signalled_and_awaited(hidden: HidingTable) -> None:
    """It is our own child: nobody has to show it to us, whenever it began to hide."""
    async with running("sleep", "60") as child:
        hidden.hides = True
        assert [member.pid for member in await child.family.look()] == [child.pid]
        assert [member.pid for member in child.family.known()] == [child.pid]
        assert not await child.family.gone(0.01)
        child.family.signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE):
            assert await child.wait() == -signal.SIGTERM
        assert await child.family.gone(DEADLINE)
        assert child.family.members() == []


async def test_a_hidden_leader_is_killed(hidden: HidingTable) -> None:
    """With an event loop, without one, and as a group."""
    for kill in ("kill", "kill_now", "group"):
        async with running(*program("escapee", "stay")) as child:
            await announced(child)
            hidden.hides = True
            if kill == "kill":
                async with asyncio.timeout(DEADLINE):
                    assert await child.family.kill() == []
            elif kill == "kill_now":
                child.family.kill_now()
            else:
                child.family.signal_group(signal.SIGKILL)
            async with asyncio.timeout(DEADLINE):
                assert await child.wait() == -signal.SIGKILL, kill
            hidden.hides = False


async def test_the_unknown_start_of_a_hidden_leader_is_not_told(hidden: HidingTable) -> None:
    """Nobody may take a made-up time for a process's identity."""
    shown = not hidden.hides
    async with running("sleep", "60") as child:
        real = procfs.look(child.pid)
        assert real is not None
        hidden.hides = True
        assert child.family.leader_start_time == (real.start_time if shown else None)


def test_a_limit_ends_an_undumpable_leader_under_hidepid(tmp_path: Path) -> None:
    """As an ordinary user, with a real /proc that hides it."""
    folder, python = ordinary_folder(tmp_path), ordinary_python()
    command = [python, str(PROGRAMS / "undumpable.py"), "30"]
    nova = [python, "-m", "nova_async", "exec", "--task", "A", "--timeout", "0.3s", "--", *command]
    began = time.monotonic()
    done = subprocess.run(
        where_proc_hides(*nova), cwd=folder, env=ordinary_environment(folder), capture_output=True, text=True
    )
    assert done.returncode == 124, done.stderr
    assert time.monotonic() - began < 5, "the grace alone takes that long"
    assert not is_alive(int(done.stdout.split()[1]))
