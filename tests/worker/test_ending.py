"""How a worker ends: by itself, by us, with leftovers; always with its whole family, and always finally."""

import asyncio
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from nova_async import AsyncWorker, WorkerEnd, WorkerStatus
from nova_async._core.threads import DISK_THREADS
from nova_async.process import family, procfs
from nova_async.process.family import Family
from nova_async.process.kinship import ProcessEntry
from nova_async.process.table import TABLE
from nova_async.worker import life
from tests.children import is_alive, program, ready


async def started(tmp_path: Path, *command: str, **options: object) -> AsyncWorker:
    """Start a worker and wait until its child is ready."""
    worker = AsyncWorker("F1", log_dir=tmp_path, **options)  # type: ignore[arg-type]
    await worker.start(list(command))
    await ready(worker)
    return worker


async def test_waiting_too_long_harms_nothing(tmp_path: Path) -> None:
    """wait(timeout) raises TimeoutError and the child goes on; so does cancelling a wait."""
    worker = await started(tmp_path, *program("silent"))
    with pytest.raises(TimeoutError):
        await worker.wait(0.01)
    waiting = asyncio.create_task(worker.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert worker.is_alive()
    assert worker.status is WorkerStatus.RUNNING
    await worker.terminate()


async def test_many_may_wait(tmp_path: Path) -> None:
    """Everybody who waits gets the exit code, also after the end."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "exit 7"])
    assert await asyncio.gather(*(worker.wait() for _ in range(10))) == [7] * 10
    assert await worker.wait(0) == 7


async def test_terminating_from_everywhere_at_once(tmp_path: Path) -> None:
    """terminate() may be called any number of times, at once and again."""
    worker = await started(tmp_path, *program("silent"))
    await asyncio.gather(*(worker.terminate() for _ in range(5)))
    await worker.terminate()
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.TERMINATED)
    assert worker.get_exit_code() == -signal.SIGTERM


async def test_a_final_status_is_final(tmp_path: Path) -> None:
    """Terminating a worker that has completed changes nothing."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["true"])
    await worker.wait()
    before = worker.get_status_dict()
    await worker.terminate()
    assert worker.get_status_dict() == before
    assert worker.status is WorkerStatus.COMPLETED


async def test_a_polite_exit_on_our_signal_is_still_our_doing(tmp_path: Path) -> None:
    """A child that exits with 0 when asked to end was terminated, and has not completed."""
    worker = await started(tmp_path, "sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    await worker.terminate()
    assert worker.get_exit_code() == 0
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.TERMINATED)


async def test_somebody_elses_signal(tmp_path: Path) -> None:
    """A child that another's signal ended says so."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "kill -KILL $$"])
    assert await worker.wait() == -9
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.SIGNALED)
    assert worker.error == "killed by SIGKILL; was the machine out of memory?"


async def test_a_stubborn_child_is_killed_after_the_grace(tmp_path: Path) -> None:
    """Who ignores SIGTERM is killed when the grace is over, and not before it."""
    worker = await started(tmp_path, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await worker.terminate(grace=0.3)
    assert loop.time() - begin >= 0.3
    assert worker.get_exit_code() == -signal.SIGKILL


async def test_no_grace_is_a_kill_at_once(tmp_path: Path) -> None:
    """terminate(grace=0) does not ask, also where a gentler end has begun."""
    worker = await started(tmp_path, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    gently = asyncio.create_task(worker.terminate(grace=600))
    await asyncio.sleep(0)
    await worker.terminate(grace=0)
    await gently
    assert worker.get_exit_code() == -signal.SIGKILL


async def test_a_stopped_child_still_gets_its_term(tmp_path: Path) -> None:
    """A stopped child is continued, so that its handler runs (G49)."""
    script = "trap 'echo handled; exit 0' TERM; echo ready; kill -STOP $$; while :; do sleep 0.01; done"
    worker = await started(tmp_path, "sh", "-c", script)
    await worker.terminate(grace=10)
    assert worker.log_path.read_text() == "ready\nhandled\n"


async def test_agents_are_interrupted_first(tmp_path: Path) -> None:
    """An agent is interrupted before it is terminated, because that makes it print its totals (G37)."""
    worker = await started(tmp_path, *program("interruptible"), agent="claude")
    await worker.terminate()
    assert worker.get_token_usage()["output_tokens"] == 1009
    assert worker.report.usage_is_final
    assert worker.get_status_dict()["cost_usd"] == 0.5
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.TERMINATED)


async def test_leaving_the_block_terminates(tmp_path: Path) -> None:
    """The end of ``async with`` ends the worker, also through an exception."""
    worker = AsyncWorker("F1", log_dir=tmp_path)

    async def fail() -> None:
        async with worker:
            await worker.start(program("silent"))
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert worker.end is WorkerEnd.TERMINATED
    assert worker.pid is not None
    assert not is_alive(worker.pid)


@pytest.mark.parametrize("how", ["group", "setsid"])
async def test_a_background_child_that_holds_the_pipe(how: str, tmp_path: Path) -> None:
    """The exit code is there at the leader's exit; then what it left behind is ended and counted (G1, G2)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("leaves_a_child", "7", how))
    left = int((await ready(worker)).split()[1])
    async with asyncio.timeout(1):
        while worker.is_alive():
            await asyncio.sleep(0.005)  # the question of the documented API, asked as its users ask it
    assert worker.get_exit_code() == 7
    assert await worker.wait(10) == 7
    assert not is_alive(left)
    facts = worker.get_status_dict()
    assert facts["leftovers"] == 1
    assert facts["leftover_processes"] == [{"pid": left, "name": "sleep"}]
    assert worker.end is WorkerEnd.EXITED


async def test_leftovers_may_stay(tmp_path: Path) -> None:
    """With leftovers="leave" they live on and are named."""
    worker = AsyncWorker("F1", log_dir=tmp_path, leftovers="leave")
    await worker.start(program("leaves_a_child", "0"))
    left = int((await ready(worker)).split()[1])
    try:
        assert await worker.wait(10) == 0
        assert is_alive(left)
        assert worker.get_status_dict()["leftover_processes"] == [{"pid": left, "name": "sleep"}]
    finally:
        os.kill(left, signal.SIGKILL)


HANDLER = "trap 'touch cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done"


@pytest.mark.parametrize("leader", ["wait", "exit 0"])
async def test_whoever_has_left_the_session_is_asked_before_he_is_killed(tmp_path: Path, leader: str) -> None:
    """The first signal already comes after a look: nobody has told us of him, with or without his leader (G12)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", f'setsid sh -c "$0" & {leader}', HANDLER], cwd=tmp_path)
    await ready(worker)
    if leader == "wait":
        await worker.terminate(grace=20)
    await worker.wait(20)
    assert (tmp_path / "cleaned").exists()


class Halting:
    """A process table whose looks at everyone take until they may go on."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(TABLE, name)

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Look, and wait."""
        found = TABLE.everyone(since)
        self.begun.release()
        self.go_on.wait()
        return found


async def test_a_stop_while_we_look_for_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop's own grace counts, and not the shorter one for leftovers."""
    table = Halting()
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    monkeypatch.setattr(procfs, "_pid_limit", 1000)  # so that only a look at everyone can tell
    monkeypatch.setattr(life, "LEFTOVER_GRACE", 0.0)
    handler = "trap 'sleep 0.3; touch cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", 'setsid sh -c "$0" & exit 0', handler], cwd=tmp_path)
    await ready(worker)
    await asyncio.get_running_loop().run_in_executor(DISK_THREADS, table.begun.acquire)
    stopping = asyncio.create_task(worker.terminate(grace=20))
    await asyncio.sleep(0)
    table.go_on.set()
    await stopping
    assert (tmp_path / "cleaned").exists()
    assert worker.end is WorkerEnd.EXITED


class Haunted:
    """A process table in which somebody of a session never goes, whatever is sent to him."""

    session = 0

    def __getattr__(self, name: str) -> object:
        return getattr(TABLE, name)

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return everyone, and him."""
        ghost = ProcessEntry(2**22 + 1, 1, self.session, self.session, since, "ghost", alive=True)
        return [*TABLE.everyone(since), ghost]


async def test_who_cannot_be_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker ends all the same, and says who is left."""
    table = Haunted()
    monkeypatch.setitem(Family.__init__.__kwdefaults__, "table", table)
    monkeypatch.setattr(family, "UNKILLABLE_AFTER", 0.5)
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sleep", "60"])
    table.session = worker.pid or 0
    await worker.terminate(grace=0)
    assert worker.error == f"terminated; could not be killed: ghost (pid {2**22 + 1})"
    assert worker.end is WorkerEnd.TERMINATED


def test_leftovers_that_may_stay_outlive_us_too(tmp_path: Path) -> None:
    """Neither our own exit nor our guard ends them."""
    script = """
import asyncio, sys
from nova_async import AsyncWorker
async def main():
    worker = AsyncWorker("F1", log_dir=sys.argv[1], leftovers="leave")
    await worker.start(["sh", "-c", "sleep 60 & echo $!"])
    await worker.wait()
    print(worker.log_path.read_text(), worker.leftovers[0].pid)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    told, left = map(int, done.stdout.split())
    assert told == left
    assert is_alive(left)
    os.kill(left, signal.SIGKILL)


async def test_a_late_talker_is_heard_to_the_end(tmp_path: Path) -> None:
    """What a grandchild still says after the leader's exit is logged while it keeps talking (G1)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("late_talker"))
    assert await worker.wait(20) == 0
    assert worker.log_path.read_text() == "".join(f"line {number}\n" for number in range(10))


async def test_a_word_after_a_long_silence_is_heard(tmp_path: Path) -> None:
    """The half second without a byte counts from the leader's exit, however silent it was before (G1)."""
    script = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; sleep 0.2; echo late) & exec sleep 0.8"
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", script])
    assert await worker.wait(20) == 0
    assert worker.log_path.read_text() == "late\n"


async def test_an_endless_talker_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who talks on for ever after the leader's exit is heard for so many seconds and then ended (G1)."""
    monkeypatch.setattr(life, "DRAIN_SECONDS", 1.0)  # five are promised, and here nobody need wait for them
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("endless_talker"))
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await worker.wait(30) == 0
    assert loop.time() - begin >= 1.0
    assert worker.get_status_dict()["leftovers"] == 1


async def test_terminate_while_it_starts(tmp_path: Path) -> None:
    """A terminate() that comes during the start ends what has just begun."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    starting = asyncio.create_task(worker.start(program("silent")))
    await asyncio.sleep(0)
    await worker.terminate()
    await starting
    assert worker.end is WorkerEnd.TERMINATED
    assert worker.pid is not None
    assert not is_alive(worker.pid)


async def test_ending_in_the_middle_of_a_flood(tmp_path: Path) -> None:
    """Whatever a flooding child wrote before it was ended is in the log."""
    worker = await started(tmp_path, "sh", "-c", "echo ready; exec yes")
    async with aclosing(worker.lines()) as lines:
        while await anext(lines) != "y":
            pass
    await worker.terminate()
    log = worker.log_path.read_bytes()
    assert log.startswith(b"ready\ny\n")
    assert set(log[6:].split(b"\n")) <= {b"y", b""}


async def test_terminating_while_leftovers_may_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """terminate() before the worker's end ends also whoever might have stayed, and returns when they are gone."""
    monkeypatch.setattr(life, "DRAIN_SECONDS", 0.5)
    worker = AsyncWorker("F1", log_dir=tmp_path, leftovers="leave")
    await worker.start(["sh", "-c", "(trap '' TERM; while :; do echo x; sleep 0.1; done) & echo ready $!"])
    left = int((await ready(worker)).split()[1])
    async with asyncio.timeout(20):
        while not worker.get_status_dict()["leftovers"]:
            await asyncio.sleep(0.01)  # they are told when the first drain is over
    await worker.terminate(grace=1.5)
    assert not is_alive(left)
    assert worker.end is WorkerEnd.EXITED


async def test_dropping_a_worker_where_warnings_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running worker that nobody holds is ended, whatever becomes of the warning (G39)."""
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    worker = await started(tmp_path, *program("silent"))
    supervision, pid = worker._life, worker.pid
    assert supervision is not None
    assert pid is not None
    del worker
    gc.collect()
    async with asyncio.timeout(20):
        await supervision.ended.wait()
    assert not is_alive(pid)
    assert [complaint.exc_type for complaint in complaints] == [ResourceWarning]


async def test_without_descriptors_an_end_has_to_wait(tmp_path: Path) -> None:
    """Where no look at the family is possible, the worker ends as soon as it is."""
    script = "echo ready; while [ ! -e go ]; do sleep 0.01; done; exit 3"
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", script], cwd=tmp_path)
    await ready(worker)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (tmp_path / "go").touch()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        async with asyncio.timeout(20):
            while worker.status is WorkerStatus.RUNNING and not worker.error:
                await asyncio.sleep(0.01)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert await worker.wait(20) == 3
    assert (worker.end, worker.error) == (WorkerEnd.EXITED, "exit code 3")
