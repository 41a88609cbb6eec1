"""Whoever survives a killed supervisor is ended by its guard, and the guard is never in the way (G15)."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nova_async.process import orphan_guard, procfs
from nova_async.process.cookie import new_cookie, supervisor_id
from nova_async.process.guard_program import Instructions
from nova_async.process.spawn import spawn
from nova_async.process.sweep import Orphans
from nova_async.process.table import TABLE
from tests.leak_guard import descriptors

from .watching import DEADLINE, all_dead_within, announced, is_alive, popen, program, running

SOON = 2.0  # seconds: the promise


def supervisor(*words: str) -> tuple["subprocess.Popen[str]", int, list[int]]:
    """Start a supervisor; return it, its guard, and everyone it has started."""
    process = popen(*program("supervisor", *words))
    line = process.stdout.readline() if process.stdout else ""
    assert line.startswith("ready"), line
    guard, *pids = map(int, line.split()[1:])
    return process, guard, pids


def guard_of_ours() -> int:
    """Return the pid of this process's guard, which must be there."""
    guard = orphan_guard.guard_pid()
    assert guard is not None
    return guard


def end(process: "subprocess.Popen[str]", *survivors: int) -> None:
    """Leave nothing of a test, whether it failed or not."""
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
    for pid in survivors:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_nobody_outlives_a_killed_supervisor() -> None:
    """Twenty families, deaf to all signals, half in sessions of their own: all gone in 2 s, the guard too."""
    process, guard, pids = supervisor("20")
    try:
        assert len(pids) == 40
        assert all(map(is_alive, [guard, *pids]))
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
    finally:
        end(process, *pids)


@pytest.mark.parametrize("words", [[], ["stray"], ["full"]], ids=["descends", "has lost its parent", "full pipe"])
def test_a_family_without_a_cookie_is_known_by_its_leader(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are its session, all its descendants, and who was seen while the parent lived (G57)."""
    monkeypatch.chdir(tmp_path)
    process, guard, pids = supervisor("1", "bare", *words)
    try:
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
    finally:
        end(process, *pids)


def test_a_new_guard_knows_what_the_last_one_knew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of the leader again, and of who was seen."""
    monkeypatch.chdir(tmp_path)
    process, guard, pids = supervisor("1", "bare", "stray")
    try:
        os.kill(guard, signal.SIGKILL)
        successor = guard_of(process.pid, but=guard)
        process.kill()
        assert all_dead_within([*pids, successor], SOON)
    finally:
        end(process, *pids)


def test_an_orphaned_agent_does_not_ask_its_model_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents are ended before their tools: one whose tool has ended would go on with the next call, which costs."""
    monkeypatch.chdir(tmp_path)
    process, guard, pids = supervisor("2", "agents")
    try:
        assert len(pids) == 4
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
        assert not Path("calls").exists()
    finally:
        end(process, *pids)


def test_a_released_family_without_a_cookie_is_spared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known by its leader any more."""
    monkeypatch.chdir(tmp_path)
    process, guard, pids = supervisor("1", "bare", "stray", "leave")
    try:
        process.kill()
        assert all_dead_within([guard], SOON)
        assert all(map(is_alive, pids))
    finally:
        end(process, *pids)


def test_what_the_guard_is_told() -> None:
    """A line cut anywhere is read whole, and what is over or begun again is forgotten."""
    lines = b"lead f.1 5 7\nlead f.2 9 9\nrelease f.3\nlead f.4 1 1\nagain\nlead f.1 5 7\n"
    lines += b"seen f.1 6 8.5\nlead f.5 2 2\nover f.5\nhalf"
    for cut in range(len(lines)):
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        instructions = Instructions(read_end)
        for part in (lines[:cut], lines[cut:]):
            os.write(write_end, part)
            instructions.read()
        os.close(write_end)
        instructions.read()
        os.close(read_end)
        assert instructions.families == {"f.1": {5: (7.0, True), 6: (8.5, False)}}
        assert instructions.released == {"f.3"}
        assert (instructions.ended, instructions.stop) == (True, False)


async def test_a_family_that_has_ended_is_forgotten() -> None:
    """Its leader's pid may be a stranger's before long."""
    async with running("true") as child:
        assert child.cookie in orphan_guard._guarded
        await child.wait()
        assert child.family.others() == []
        assert child.cookie not in orphan_guard._guarded


def test_a_helper_that_keeps_the_pipe_open_changes_nothing() -> None:
    """The guard watches the supervisor itself, too; the helper is no family and lives on."""
    process, guard, [*pids, helper] = supervisor("3", "helper", "mild")
    try:
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
        assert is_alive(helper)
    finally:
        end(process, helper, *pids)


@pytest.mark.parametrize("words", [[], ["helper"]])
def test_all_of_it_works_with_psutil_and_without_pidfds(words: list[str]) -> None:
    """As on macOS: the end of the pipe tells, or where a helper keeps that open, another parent pid."""
    process, guard, pids = supervisor("2", "foreign", "mild", *words)
    helper = pids.pop() if words else 0
    try:
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
        assert not helper or is_alive(helper)
    finally:
        end(process, *pids, *([helper] if helper else []))


def test_orphans_are_asked_before_they_are_killed(tmp_path: Path) -> None:
    """Whoever tidies up when he is asked may do so."""
    script = "trap 'touch tidy; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    environment = {**os.environ, "NOVA_WORKER": "/feed.1"}
    command = ["sh", "-c", script]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE) as orphan:
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == b"ready\n"
        Orphans("feed", os.getpid(), TABLE).end(set())
    assert orphan.returncode == 0
    assert (tmp_path / "tidy").exists()


def test_who_was_being_born_at_an_ordinary_exit_is_ended() -> None:
    """Its supervisor had not seen it yet, so the guard does it."""
    script = """
import os, subprocess
from nova_async.process import at_exit, orphan_guard
from nova_async.process.guard_program import Instructions
from nova_async.process.cookie import new_cookie
orphan_guard.ensure()
cookie = new_cookie()
at_exit.expect(cookie)
child = subprocess.Popen(["sleep", "60"], env={**os.environ, "NOVA_WORKER": cookie}, stdout=subprocess.DEVNULL)
print(child.pid)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    pid = int(done.stdout)
    try:
        assert all_dead_within([pid], SOON)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_released_family_is_spared() -> None:
    """It lives on after the supervisor was killed; everyone else is gone."""
    process, guard, [first, firsts_child, *pids] = supervisor("3", "leave")
    try:
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
        assert is_alive(first)
        assert is_alive(firsts_child)
    finally:
        end(process, first, firsts_child, *pids)


def test_a_killed_guard_is_replaced() -> None:
    """The supervisor starts another, which does the work; what was released stays so."""
    process, guard, [first, *pids] = supervisor("2", "leave", "mild")
    try:
        os.kill(guard, signal.SIGKILL)
        successor = guard_of(process.pid, but=guard)
        process.kill()
        assert all_dead_within([*pids, successor], SOON)
        assert is_alive(first)
    finally:
        end(process, first, *pids)


def kill_the_guard() -> int | None:
    """Kill our guard, and return its successor, None where there is to be none."""
    guard = guard_of_ours()
    os.kill(guard, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        watched = orphan_guard.THREAD_NAME in [thread.name for thread in threading.enumerate()]
        if (successor := orphan_guard.guard_pid()) not in (None, guard) or not watched:
            return successor
    raise AssertionError("nobody noticed")


def test_a_guard_that_dies_now_and_then_is_always_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deaths long ago do not count."""
    monkeypatch.setattr(orphan_guard, "WINDOW", 0.0)
    assert None not in [kill_the_guard() for _ in range(orphan_guard.MOST_RESTARTS + 2)]
    orphan_guard.stop()  # the successor's descriptors need not have its predecessor's numbers


def test_a_guard_that_cannot_live_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """Killed again and again at once, it is not started for ever, and that is said; the next worker tries anew."""
    orphan_guard.stop()
    orphan_guard.ensure()  # with its deaths uncounted
    found = [kill_the_guard() for _ in range(orphan_guard.MOST_RESTARTS + 1)]
    assert found[-1] is None
    assert None not in found[:-1]
    assert "the orphan guard keeps dying" in caplog.text
    orphan_guard.ensure()
    assert orphan_guard.guard_pid() is not None
    orphan_guard.stop()


def guard_of(pid: int, *, but: int) -> int:
    """Wait until a process has a child that calls itself a guard, other than the given one; return its pid."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        for entry in procfs.everyone():
            if entry.parent == pid and entry.name == "nova-guard" and entry.pid != but:
                return entry.pid
    raise AssertionError("no new guard")


def test_a_fork_of_the_host_has_a_guard_of_its_own() -> None:
    """Its workers end with it, not with its parent."""
    process, guard, pids = supervisor("2", "fork", "mild")
    try:
        entry = procfs.look(guard) or pytest.fail("the guard should run")
        assert entry.parent != process.pid
        os.kill(entry.parent, signal.SIGKILL)
        assert all_dead_within([*pids, guard], SOON)
        assert process.wait(DEADLINE) == 0
    finally:
        end(process, *pids)


@pytest.mark.parametrize("words", [["1", "exit"], ["1", "abandon"], ["1", "executor"], ["0", "exit"]])
def test_nobody_outlives_an_ordinary_exit(words: list[str]) -> None:
    """With a live family in a closed loop, in an abandoned one, or waited for by an executor: gone, the guard too."""
    process, guard, pids = supervisor(*words)
    try:
        assert process.wait(DEADLINE) == 0
        assert all_dead_within([*pids, guard], 0.2)
    finally:
        end(process, *pids)


@pytest.mark.skipif((3, 12) <= sys.version_info < (3, 12, 2), reason="starts nothing by then, gh-113964")
def test_families_of_a_thread_that_python_waits_for_are_left_alone() -> None:
    """The main thread has ended, the supervising thread goes on; so do its workers."""
    process, guard, pids = supervisor("1", "thread", "mild")
    try:
        assert not all_dead_within(pids, 0.3)
        assert process.poll() is None
        process.kill()
        assert all_dead_within([*pids, guard], SOON)
    finally:
        end(process, *pids)


def test_the_guard_has_only_its_own_descriptors_and_environment() -> None:
    """Streams on /dev/null, the pipe and the supervisor's pidfd; cwd is the root; no cookie of its supervisor."""
    orphan_guard.ensure()
    place = Path(f"/proc/{orphan_guard.guard_pid()}")
    expected = ["/dev/null", "/dev/null", "/dev/null", "anon_inode", "pipe"]
    deadline = time.monotonic() + DEADLINE
    while (opened := kinds(opened_by(guard_of_ours()))) != expected and time.monotonic() < deadline:
        continue  # it has just begun, and reads its modules
    assert opened == expected
    assert str((place / "cwd").readlink()) == "/"
    assert supervisor_id() not in (place / "environ").read_text()
    assert procfs.look(int(place.name)).session == int(place.name)  # type: ignore[union-attr]


def opened_by(pid: int) -> list[str]:
    """Return what a process has open, as far as it still is when it is looked at."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return found


def kinds(opened: list[str]) -> list[str]:
    """Return the kinds of open files, sorted: a path is its own."""
    return sorted(link.partition(":")[0] for link in opened)


async def test_the_guard_is_deaf_from_its_birth() -> None:
    """INT, TERM and HUP at any moment do nothing: whoever ends us politely does not end it."""
    orphan_guard.stop()
    orphan_guard.ensure()
    guard = guard_of_ours()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(guard, sig)
    assert not all_dead_within([guard], 0.2)
    orphan_guard.stop()


async def test_the_guard_is_nobodys_family() -> None:
    """Not even when it is named it is signalled."""
    async with running("sleep", "60") as child:
        guard = procfs.look(guard_of_ours())
        assert guard is not None
        child.family.signal(signal.SIGKILL, [guard])  # type: ignore[list-item]
        assert not all_dead_within([guard.pid], 0.1)


async def test_one_guard_serves_all_loops_and_threads() -> None:
    """Eight threads that start at once find the same one."""
    orphan_guard.stop()
    assert orphan_guard.guard_pid() is None
    barrier = threading.Barrier(8)
    found: list[int | None] = []

    async def one() -> None:
        async with running("true") as child:
            await child.wait()
            found.append(orphan_guard.guard_pid())

    def thread() -> None:
        barrier.wait()
        asyncio.run(one())

    threads = [threading.Thread(target=thread) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 1
    assert None not in found
    orphan_guard.stop()


async def test_stop_spares_everyone_and_closes_everything() -> None:
    """The guard and its thread are gone, the worker is not; the next worker starts another."""
    child = await spawn(["sleep", "60"], env=os.environ)
    try:
        guard = guard_of_ours()
        orphan_guard.stop()
        orphan_guard.stop()
        assert all_dead_within([guard], 0)
        assert orphan_guard.THREAD_NAME not in [thread.name for thread in threading.enumerate()]
        assert is_alive(child.pid)
        orphan_guard.ensure()
        assert orphan_guard.guard_pid() != guard
        orphan_guard.stop()
    finally:
        await child.family.kill()
        child.close_output()


async def test_a_nested_supervisors_orphans_are_ended_by_its_own_guard() -> None:
    """The inner supervisor is killed inside of a worker: its families are gone, the worker's family is not."""
    command = program("supervisor", "1", "mild")
    async with running("sh", "-c", '"$@" & wait $!; sleep 60', "sh", *command) as child:
        guard, *pids = await announced(child)
        inner = procfs.look(guard) or pytest.fail("the inner guard should run")
        os.kill(inner.parent, signal.SIGKILL)
        assert all_dead_within([*pids, guard], SOON)
        assert is_alive(child.pid)


def test_a_fork_is_another_supervisor() -> None:
    """Its cookies and ours are told apart, and it holds nothing of our guard, which would wait for its end as well."""
    orphan_guard.ensure()
    pipe = next(link for link in opened_by(guard_of_ours()) if link.startswith("pipe:"))
    assert pipe in descriptors().values()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        holds_it = pipe in descriptors().values()
        os.write(write_end, f"{supervisor_id()} {orphan_guard.guard_pid()} {new_cookie()} {holds_it}".encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as said:
        supervisor, guard, cookie, holds_it = said.read().split()
    os.waitpid(child, 0)
    assert supervisor != supervisor_id()
    assert guard == "None"
    assert holds_it == "False"
    assert cookie.endswith(f"/{supervisor}.1")


def test_a_program_that_is_no_python_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an embedding program the interpreter beside it serves, or a warning says that there is no guard."""
    monkeypatch.setattr("sys.executable", "/usr/sbin/some-server")
    found = orphan_guard.find_interpreter()
    assert found is not None
    assert Path(found).name.startswith("python")
    monkeypatch.setattr("sys.frozen", True, raising=False)
    assert orphan_guard.find_interpreter() is None
    orphan_guard.stop()
    # Said first, so that what stands there now comes back: it warns once, and then has no guard for good.
    monkeypatch.setattr("nova_async.process.orphan_guard._warned", False)
    with pytest.warns(RuntimeWarning, match="no orphan guard"):
        orphan_guard.ensure()
    assert orphan_guard.guard_pid() is None


LOADED = """
import os, sys  # it cannot do without os, which older Pythons have loaded by then
from importlib.util import spec_from_file_location, module_from_spec
spec = spec_from_file_location("guard_program", sys.argv[1])
program = module_from_spec(spec)
before = set(sys.modules)
spec.loader.exec_module(program)
program.let_imports_find_this_folder()
from nova_async.process import sweep, procfs
print(*sorted(set(sys.modules) - before))
"""


def test_the_guard_loads_next_to_nothing() -> None:
    """Its own few files and two of C: every further module costs each `nova` time at its start and memory."""
    command = [sys.executable, "-S", "-s", "-P", "-c", LOADED, str(orphan_guard.PROGRAM)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    own = {f"nova_async.process.{name}" for name in ("blind", "cookie", "kinship", "procfs", "signalling", "sweep")}
    assert set(loaded) - {"nova_async", "nova_async.process", *own} <= {"_signal", "itertools", "select", "time"}
