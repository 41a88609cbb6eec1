"""Where no process can be seen: what we start still ends, with its process group, and that is said (G60)."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from nova_async.process import blind
from nova_async.process.family import Family
from nova_async.process.signalling import send_signal
from nova_async.process.table import ProcessId, ProcessTable
from tests.cli.command import NOVA

from .watching import all_dead_within, announced, is_alive, running

WITHOUT_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
WITH_ANOTHERS = ["unshare", "--pid", "--fork", "--kill-child"]
GROUP = "sleep 60 & echo $! $$; "


def where_nobody_is_seen(place: list[str], *words: str) -> list[str]:
    """Return the command that runs nova there."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare, to hide /proc")
    if subprocess.run([*place, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("needs the right to make namespaces")
    return [*place, *NOVA, "exec", *words]


@pytest.mark.parametrize("place", [WITHOUT_PROC, WITH_ANOTHERS], ids=["no /proc", "another namespace's"])
@pytest.mark.parametrize(("script", "code"), [(f"{GROUP}exit 3", 3), (f"{GROUP}wait", 124)], ids=["leftover", "limit"])
def test_everyone_in_the_group_is_ended(place: list[str], script: str, code: int, tmp_path: Path) -> None:
    """After its own exit and by a limit; nova itself ends, and has said what it cannot do."""
    command = where_nobody_is_seen(place, "--timeout", "500ms", "--", "sh", "-c", script)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(f"nova: warning: {blind.SAID}\n")
    assert "could not be killed" not in done.stderr
    if place is WITHOUT_PROC:  # else these are numbers of a namespace that is gone
        assert not any(is_alive(int(pid)) for pid in done.stdout.split())


def test_a_killed_supervisor_where_nobody_is_seen(tmp_path: Path) -> None:
    """The guard ends the groups of the leaders that it was told of."""
    command = where_nobody_is_seen(WITHOUT_PROC, "--", "sh", "-c", f"{GROUP}wait")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    assert all_dead_within(pids, 2.0)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    """Have all families of this test see nobody."""
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", blind)
    monkeypatch.setattr(blind, "_groups", set())
    return blind


async def test_a_group_counts_until_nobody_is_in_it(table: ProcessTable) -> None:
    """It is a leftover after its leader's exit, hears signals, and is forgotten once it is empty."""
    async with running("sh", "-c", "sleep 60 & echo ready $!; exit 3") as child:
        [left] = await announced(child)
        assert await child.wait() == 3
        [group] = await child.family.look_for_others()
        assert (group.pid, group.name) == (-child.pid, f"process group {child.pid}")
        child.family.signal(signal.SIGTERM)
        assert await child.family.gone(5)
        assert not is_alive(left)
        assert table.look(-child.pid) is None
        assert await child.family.kill() == []


async def test_a_deaf_group_is_killed(table: ProcessTable) -> None:
    """Everyone in it, also without a loop."""
    async with running("sh", "-c", "trap '' TERM; sleep 60 & echo ready $!; wait") as child:
        [left] = await announced(child)
        child.family.signal(signal.SIGTERM)
        assert not await child.family.gone(0.1)
        child.family.kill_now(0.5)
        assert all_dead_within([child.pid, left], 1)


def test_no_other_group_is_known_or_signalled() -> None:
    """Nobody is found whom nobody has named, and our own group is never signalled."""
    assert blind.look(os.getpid()) is None
    assert blind.look(-os.getpgrp()) is None
    assert blind.everyone() == []
    blind.remember_group(os.getpgrp())
    try:
        assert send_signal(blind, ProcessId(-os.getpgrp(), 0.0), signal.SIGKILL)
    finally:
        blind._groups.clear()
