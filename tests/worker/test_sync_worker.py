"""The blocking face: from any thread, inside a running loop, after a fork, with Ctrl-C, at the interpreter's exit."""

import asyncio
import inspect
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Worker, WorkerEnd, WorkerStateError, WorkerStatus
from tests.children import is_alive, program, ready_now


def test_the_two_faces_are_one() -> None:
    """Both faces have the same names with the same parameters."""

    def surface(face: type) -> dict[str, object]:
        names = [name for name in dir(face) if not name.startswith("_")]
        members = {name: inspect.getattr_static(face, name) for name in names}
        return {
            name: [(p.name, p.kind, p.default) for p in inspect.signature(member).parameters.values()]
            if inspect.isfunction(member)
            else type(member)
            for name, member in members.items()
        }

    assert surface(Worker) == surface(AsyncWorker)
    assert str(inspect.signature(Worker)) == str(inspect.signature(AsyncWorker))


def test_waiting_too_long(tmp_path: Path) -> None:
    """wait(timeout) raises TimeoutError and harms nothing."""
    with Worker("F1", log_dir=tmp_path) as worker:
        worker.start(program("silent"))
        with pytest.raises(TimeoutError):
            worker.wait(0.01)
        assert worker.is_alive()
    assert worker.end is WorkerEnd.TERMINATED


def test_errors_come_through(tmp_path: Path) -> None:
    """A command that is not found, a second start, a wait before the start: the same errors as ever."""
    worker = Worker("F1", log_dir=tmp_path)
    with pytest.raises(WorkerStateError):
        worker.wait()
    with pytest.raises(FileNotFoundError):
        worker.start(["no-such-program-anywhere"])
    with pytest.raises(WorkerStateError):
        worker.start(["true"])
    assert worker.end is WorkerEnd.NOT_STARTED


def test_eight_threads_at_once(tmp_path: Path) -> None:
    """Workers of eight threads live on one background loop, and each thread gets its own answer."""

    def work(number: int) -> tuple[int, str]:
        worker = Worker(f"T{number}", log_dir=tmp_path)
        worker.start(["sh", "-c", f"echo {number}; exit {number}"])
        return worker.wait(), worker.log_path.read_text()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    assert answers == [(number, f"{number}\n") for number in range(8)]
    loops = [thread for thread in threading.enumerate() if "portal" in thread.name.lower() or "AnyIO" in thread.name]
    assert len(loops) <= 1


def test_one_worker_from_many_threads(tmp_path: Path) -> None:
    """Several threads may wait for one worker while another ends it."""
    worker = Worker("F1", log_dir=tmp_path)
    worker.start(program("silent"))
    ready_now(worker)
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(worker.wait) for _ in range(3)]
        pool.submit(worker.terminate).result()
        assert {wait.result() for wait in waits} == {-signal.SIGTERM}


async def test_inside_a_running_loop(tmp_path: Path) -> None:
    """In a program that runs on asyncio the facade blocks, and works."""
    worker = Worker("F1", log_dir=tmp_path)
    worker.start(["echo", "hi"])
    assert worker.wait() == 0
    assert worker.status is WorkerStatus.COMPLETED


async def test_from_threads_of_a_running_loop(tmp_path: Path) -> None:
    """In a thread of an asyncio program it does not even block the loop."""
    worker = Worker("F1", log_dir=tmp_path)
    await asyncio.to_thread(worker.start, ["echo", "hi"])
    assert await asyncio.to_thread(worker.wait) == 0
    await asyncio.get_running_loop().shutdown_default_executor()


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts to its end."""
    command = [sys.executable, "-W", "error", *program(name, *map(str, arguments))[1:]]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_at_the_interpreters_exit(tmp_path: Path) -> None:
    """A script that forgets its worker ends at once, without a complaint, and its child is gone."""
    done = run("forgets_its_worker", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert not is_alive(int(done.stdout))
    assert (tmp_path / "F1.log").read_text() == "ready\n"


def test_after_a_fork(tmp_path: Path) -> None:
    """A forked child gets a clear error for its parent's worker, and may have workers of its own."""
    done = run("forks_with_a_worker", tmp_path)
    assert done.stderr == ""
    assert [line.rstrip("0123456789") for line in done.stdout.splitlines()] == [
        *["child: worker parent cannot be used in a forked child"] * 3,
        "child: own worker ended with ",
        "parent: still alive: True",
        "parent: ended: terminated",
    ]


def test_ctrl_c_while_waiting(tmp_path: Path) -> None:
    """Ctrl-C ends the waiting, not the worker."""
    script = subprocess.Popen(program("waits_for_a_worker", tmp_path), stdout=subprocess.PIPE, text=True)
    assert script.stdout is not None
    with script:
        pid = int(script.stdout.readline().split()[1])
        script.send_signal(signal.SIGINT)
        assert script.stdout.read() == "interrupted; still alive: True\nended: terminated\n"
    assert script.returncode == 0
    assert not is_alive(pid)


def test_an_iteration_that_is_kept_until_the_exit(tmp_path: Path) -> None:
    """A script that keeps an unfinished iteration ends at once, without a complaint."""
    done = run("keeps_an_iteration", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


@pytest.mark.parametrize(("call", "wanted", "alive"), [("lines", "ready", True), ("terminate", "asked", False)])
def test_ctrl_c_in_a_call(call: str, wanted: str, alive: bool, tmp_path: Path) -> None:
    """Ctrl-C comes through as such; in terminate() when nobody is left."""
    command = program("interrupted_in_a_call", tmp_path, call)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "ready\n"
        while wanted not in (tmp_path / "F1.log").read_text():
            assert script.poll() is None
        script.send_signal(signal.SIGINT)
        said, errors = script.communicate(timeout=30)
    assert (said, errors) == (f"interrupted; still alive: {alive}\n", "")
