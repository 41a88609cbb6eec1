"""The threads for log files: as many as needed, none that is not, and none that holds up the program."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from nova_async._core import threads as disk_threads
from nova_async._core.threads import DiskThreads


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiskThreads]:
    """Return an executor whose idle threads end at once, and wait for their end."""
    monkeypatch.setattr(disk_threads, "IDLE_SECONDS", 0.05)
    before = set(threading.enumerate())
    yield DiskThreads("nova-disk")
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_results_and_errors(threads: DiskThreads) -> None:
    """A job's result and its error come back."""
    assert threads.submit(divmod, 7, 2).result() == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result()


def test_one_thread_is_enough_for_one_after_another(threads: DiskThreads) -> None:
    """Jobs that do not overlap share a thread, or nearly: the last one may just be about to be free."""
    seen = {threads.submit(threading.get_ident).result() for _ in range(200)}
    assert len(seen) <= 3


def test_a_job_that_hangs_holds_up_nobody(threads: DiskThreads) -> None:
    """While one job hangs, others run."""
    gate = threading.Event()
    hanging = threads.submit(gate.wait)
    assert [threads.submit(abs, -number).result(5) for number in range(50)] == list(range(50))
    gate.set()
    assert hanging.result(5) is True


def test_more_jobs_than_threads(threads: DiskThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs beyond the limit of threads wait their turn; none is lost."""
    monkeypatch.setattr(disk_threads, "MOST_THREADS", 3)
    gate = threading.Event()
    jobs = [threads.submit(lambda number=number: gate.wait() and number) for number in range(40)]
    gate.set()
    assert [job.result(5) for job in jobs] == list(range(40))


def test_a_thread_that_has_ended_makes_room_for_another(threads: DiskThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for those that live."""
    monkeypatch.setattr(disk_threads, "MOST_THREADS", 1)
    first = threads.submit(threading.current_thread).result(5)
    first.join(5)
    assert threads.submit(threading.current_thread).result(5) is not first


def test_a_backlog_that_is_done_is_not_counted_on(threads: DiskThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once one thread has done the work of two, it still is one thread."""
    monkeypatch.setattr(disk_threads, "MOST_THREADS", 1)
    gate, backlog = threading.Event(), threading.Event()
    jobs = [threads.submit(gate.wait), threads.submit(abs, -1), threads.submit(backlog.wait)]
    gate.set()
    assert jobs[1].result(5) == 1
    monkeypatch.setattr(disk_threads, "MOST_THREADS", 3)
    assert threads.submit(abs, -2).result(5) == 2
    backlog.set()


def test_from_many_threads_at_once(threads: DiskThreads) -> None:
    """Submitting from several threads while idle threads end loses nothing."""
    done: list[int] = []

    def submit() -> None:
        done.extend(threads.submit(abs, -number).result(5) for number in range(300))

    submitters = [threading.Thread(target=submit) for _ in range(4)]
    for submitter in submitters:
        submitter.start()
    for submitter in submitters:
        submitter.join()
    assert sum(done) == 4 * sum(range(300))


def test_a_hanging_job_does_not_hold_up_the_exit() -> None:
    """The interpreter exits although a job hangs: a dead disk must not hang the program."""
    code = (
        "import threading; from nova_async._core.threads import DISK_THREADS; "
        "DISK_THREADS.submit(threading.Event().wait)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0


def test_no_thread_is_granted(threads: DiskThreads) -> None:
    """Without any thread a job is refused as the system refuses; with one, however busy, it waits its turn."""
    usual = threading.stack_size(2**46)  # more than any machine has
    try:
        with pytest.raises(OSError, match="thread"):
            threads.submit(abs, -1)
    finally:
        threading.stack_size(usual)
    gate = threading.Event()
    busy = threads.submit(gate.wait)
    threading.stack_size(2**46)
    try:
        waiting = threads.submit(abs, -1)
    finally:
        threading.stack_size(usual)
    gate.set()
    assert (busy.result(5), waiting.result(5)) == (True, 1)
