"""``nova logs``: what a task printed, attempt by attempt, whatever its logs are called by now."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from nova_async.journal.store import Journal
from nova_async.process.table import TABLE
from nova_async.records import LogRef
from nova_async.views import RunView, TaskView
from nova_async.words import Outcome, RunEnd, TaskState
from tests.cli.command import NOVA, nova
from tests.journal import making
from tests.views import attempt, by_id, log_at, run_view, write_state


def ourselves(**more: object) -> RunView:
    """Return a run that this process supervises."""
    entry = TABLE.look(os.getpid())
    assert entry is not None
    return run_view(pid=os.getpid(), pid_start_time=entry.start_time, **more)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder with three logs of F1 and one of F2."""
    (tmp_path / "logs").mkdir()
    for name, text in {"F1~1": "first\n", "F1~2": "second\n", "F1": "third\n", "F2": "other\n"}.items():
        (tmp_path / "logs" / f"{name}.log").write_text(text)
    return tmp_path


def log(folder: Path, name: str) -> LogRef:
    """Return which log has that name now, under the path that it had when its attempt ran."""
    found = log_at(folder / "logs" / f"{name}.log")
    return LogRef(path="logs/F1.log", device=found.device, inode=found.inode)


def done_and_failed(folder: Path) -> TaskView:
    """Return F1 after four attempts, the second of which could not be started and has no log."""
    attempts = (
        attempt(number=1, outcome=Outcome.STALLED, log=log(folder, "F1~1")),
        attempt(number=2, outcome=Outcome.SPAWN_ERROR),
        attempt(number=3, outcome=Outcome.SIGNAL, log=log(folder, "F1~2")),
        attempt(number=4, outcome=Outcome.OK, log=log(folder, "F1")),
    )
    return TaskView(id="F1", state=TaskState.COMPLETED, attempt=4, attempts=attempts, log=log(folder, "F1"))


def test_the_newest_log(logs: Path) -> None:
    """Without a number the newest attempt's log is written, byte for byte."""
    odd = b"\x1b[31mred\x1b[0m \xff\x00\r\nno end"
    (logs / "logs" / "F1.log").write_bytes(odd)
    done = subprocess.run([*NOVA, "logs", "F1"], cwd=logs, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, odd, b"")


@pytest.mark.parametrize(("number", "text"), [(1, "first\n"), (3, "second\n"), (4, "third\n")])
def test_attempts_are_counted_as_everywhere(logs: Path, number: int, text: str) -> None:
    """--attempt is the number that events and status give, though fewer logs than attempts are there."""
    write_state(logs, run_view(), by_id(done_and_failed(logs)))
    done = nova("logs", "F1", "--attempt", str(number), cwd=logs)
    assert (done.stdout, done.stderr) == (text, "")


def test_an_attempt_that_never_had_a_log_says_so(logs: Path) -> None:
    """It is not another attempt's log that is shown."""
    write_state(logs, run_view(), by_id(done_and_failed(logs)))
    done = nova("logs", "F1", "--attempt", "2", cwd=logs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nova: attempt 2 of F1 has no log: it ended before there was one (spawn_error)\n"


def test_a_strangers_log_of_that_name(logs: Path) -> None:
    """After something else was logged as F1, the task's own logs are found where they are by now."""
    write_state(logs, run_view(), by_id(done_and_failed(logs)))
    (logs / "logs" / "F1.log").rename(logs / "logs" / "F1~3.log")
    (logs / "logs" / "F1.log").write_text("of nova exec\n")
    assert nova("logs", "F1", cwd=logs).stdout == "third\n"
    assert nova("logs", "F1", "--attempt", "4", cwd=logs).stdout == "third\n"


def test_a_log_that_is_gone(logs: Path) -> None:
    """What was removed is said to be so, and no other log is shown for it."""
    write_state(logs, run_view(), by_id(done_and_failed(logs)))
    kept = os.open(logs / "logs" / "F1.log", os.O_RDONLY)  # or its inode might be given to the next file
    (logs / "logs" / "F1.log").unlink()
    (logs / "logs" / "F1.log").write_text("of somebody else\n")
    done = nova("logs", "F1", cwd=logs)
    os.close(kept)
    assert (done.returncode, done.stdout) == (2, "")
    told = "nova: the log of attempt 4 of F1 is no longer in logs/; logs/F1.log is another file, or a copy of it\n"
    assert done.stderr == told
    (logs / "logs" / "F1.log").unlink()
    assert nova("logs", "F1", cwd=logs).stderr == "nova: the log of attempt 4 of F1 is no longer in logs/\n"


def test_a_log_of_another_machine(logs: Path) -> None:
    """A log without an identity is taken by its path."""
    ref = LogRef(path="logs/F2.log")
    view = TaskView(id="F2", state=TaskState.COMPLETED, attempts=(attempt("F2", log=ref),), log=ref)
    write_state(logs, run_view(), by_id(view))
    assert nova("logs", "F2", cwd=logs).stdout == "other\n"


def test_from_another_folder(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Paths in a state file are seen from the folder that it lies in, too."""
    state = write_state(logs, run_view(), by_id(done_and_failed(logs)))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert nova("logs", "F1", "--state", state, "--attempt", "3", cwd=elsewhere).stdout == "second\n"


@pytest.mark.parametrize(("number", "text"), [(1, "first\n"), (2, "second\n"), (3, "third\n")])
def test_logs_that_no_run_knows(logs: Path, number: int, text: str) -> None:
    """Those of nova exec, say, are counted by their names, from the oldest."""
    write_state(logs, run_view(), {})
    assert nova("logs", "F1", "--attempt", str(number), cwd=logs).stdout == text


def test_no_such_log(logs: Path) -> None:
    """An unknown task or attempt is an error that helps."""
    done = nova("logs", "f1", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: no log of f1 in logs/; did you mean 'F1'?\n")
    done = nova("logs", "F1", "--attempt", "4", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: F1 has only 3 logs in logs/\n")
    done = nova("logs", "F1", "--log-dir", "nowhere", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: no log of F1: there are no logs in nowhere/\n")
    write_state(logs, run_view(), by_id(done_and_failed(logs)))
    done = nova("logs", "F1", "--attempt", "7", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: F1 has no attempt 7, only 1, 2, 3, 4\n")


def test_a_task_that_has_not_run(logs: Path) -> None:
    """It is known, and why it has no log is said; no other task is offered for it."""
    view = TaskView(id="F12", state=TaskState.BLOCKED, blocked_by=("F1",), reason="blocked by F1")
    write_state(logs, run_view(end=RunEnd.FAILED), by_id(view))
    for words in ([], ["-f"]):
        done = nova("logs", "F12", *words, cwd=logs)
        assert (done.returncode, done.stderr) == (2, "nova: F12 has not run yet: blocked by F1\n")


def test_an_attempt_that_has_only_just_begun(logs: Path) -> None:
    """While there is no log yet, that of an earlier attempt is not taken for it."""
    view = TaskView(id="F1", state=TaskState.IN_PROGRESS, attempts=(attempt(outcome=None),))
    write_state(logs, ourselves(), by_id(view))
    done = nova("logs", "F1", cwd=logs)
    assert (done.returncode, done.stderr) == (2, "nova: attempt 1 of F1 has no log: it has only just started\n")


@contextmanager
def following(folder: Path, task_id: str, *more: str) -> Iterator[IO[bytes]]:
    """Follow a task's log; give what is written, and see that it ends well."""
    process = subprocess.Popen([*NOVA, "logs", task_id, "-f", *more], cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        try:
            yield process.stdout
            assert process.stdout.read() == b""
            assert process.wait(20) == 0
        finally:
            process.kill()


def at_work(number: int, ref: LogRef | None, *earlier: LogRef) -> TaskView:
    """Return F1 in an attempt, after others that have ended."""
    ended = (attempt(number=place, outcome=Outcome.STALLED, log=found) for place, found in enumerate(earlier, 1))
    attempts = (*ended, attempt(number=number, outcome=None))
    return TaskView(id="F1", state=TaskState.IN_PROGRESS, attempt=number, attempts=attempts, log=ref)


def test_following_to_the_end_over_attempts(logs: Path) -> None:
    """-f writes what comes, goes on with the next attempt's log, and ends with the task."""
    newest, first = logs / "logs" / "F1.log", log(logs, "F1")
    write_state(logs, ourselves(), by_id(at_work(1, first)))
    with following(logs, "F1") as output:
        assert output.readline() == b"third\n"
        with newest.open("a") as old:
            old.write("more\n")
            old.flush()
            assert output.readline() == b"more\n"
            pausing = TaskView(id="F1", state=TaskState.RETRYING, attempts=(attempt(log=first),), log=first)
            write_state(logs, ourselves(), by_id(pausing))
            newest.rename(logs / "logs" / "F1~3.log")
            old.write("last words\n")
        newest.write_text("fourth\n")
        write_state(logs, ourselves(), by_id(at_work(2, None, first)))  # it has begun, and nobody knows its log yet
        assert output.readline() == b"last words\n"
        write_state(logs, ourselves(), by_id(at_work(2, log(logs, "F1"), first)))
        assert output.readline() == b"fourth\n"
        with newest.open("a") as new:
            new.write("the end\n")
        write_state(logs, ourselves(end=RunEnd.COMPLETED), by_id(TaskView(id="F1", state=TaskState.COMPLETED)))
        assert output.readline() == b"the end\n"


def test_the_run_that_is_running_is_followed(logs: Path) -> None:
    """Also where somebody names it by its id."""

    async def begin() -> None:
        book, us = await Journal.open(logs / ".nova/journal.db"), ourselves()
        await book.begin_run(making.run("abcdef", pid=us.pid, pid_start_time=us.pid_start_time))
        await book.begin_attempt(making.start("F1", run_id="abcdef"))
        await book.close()

    asyncio.run(begin())
    first = log(logs, "F1")
    write_state(logs, ourselves(run_id="abcdef"), by_id(at_work(1, first)))
    with following(logs, "F1", "--run", "abc") as output:
        assert output.readline() == b"third\n"
        with (logs / "logs/F1.log").open("a") as more:
            more.write("more\n")
        assert output.readline() == b"more\n"
        write_state(logs, ourselves(run_id="abcdef", end=RunEnd.COMPLETED), by_id(at_work(1, first)))


def test_following_misses_no_attempt(logs: Path) -> None:
    """Attempts that came and went between two looks are written in their order."""
    refs = [log(logs, name) for name in ("F1~1", "F1~2", "F1")]
    write_state(logs, ourselves(), by_id(at_work(1, refs[0])))
    with following(logs, "F1") as output:
        assert output.readline() == b"first\n"
        write_state(logs, ourselves(), by_id(at_work(3, refs[2], *refs[:2])))
        assert output.readline() == b"second\n"
        assert output.readline() == b"third\n"
        write_state(logs, ourselves(), by_id(TaskView(id="F1", state=TaskState.FAILED)))


def test_following_a_task_that_has_not_begun(logs: Path) -> None:
    """-f waits for the first log of a task that a living run will come to."""
    write_state(logs, ourselves(), by_id(TaskView(id="F2", state=TaskState.WAITING, reason="waits for F1")))
    with following(logs, "F2") as output:
        ref = log_at(logs / "logs" / "F2.log")
        running = TaskView(
            id="F2", state=TaskState.IN_PROGRESS, attempts=(attempt("F2", outcome=None),), log=ref, attempt=1
        )
        write_state(logs, ourselves(), by_id(running))
        assert output.readline() == b"other\n"
        write_state(logs, ourselves(), by_id(TaskView(id="F2", state=TaskState.FAILED)))


@pytest.mark.parametrize("state", [TaskState.READY, TaskState.WAITING, TaskState.RETRYING, TaskState.BLOCKED])
def test_following_ends_with_the_run(logs: Path, state: TaskState) -> None:
    """A task that a run leaves pending is not waited for, though the program that ran it lives on."""
    ref = log(logs, "F1")
    write_state(logs, ourselves(), by_id(at_work(1, ref)))
    with following(logs, "F1") as output:
        assert output.readline() == b"third\n"
        left = TaskView(id="F1", state=state, attempts=(attempt(outcome=Outcome.CANCELLED, log=ref),), log=ref)
        write_state(logs, ourselves(end=RunEnd.STOPPED), by_id(left))


def test_following_what_is_over_ends_at_once(logs: Path) -> None:
    """-f on a finished task, of a run that is over or dead, writes the log and ends."""
    dead = run_view(pid=os.getpid(), pid_start_time=1.0)
    running = at_work(1, log(logs, "F1"))
    for run, view in (
        (ourselves(), done_and_failed(logs)),
        (ourselves(end=RunEnd.STOPPED), running),
        (dead, running),
    ):
        write_state(logs, run, by_id(view))
        began = time.monotonic()
        assert nova("logs", "F1", "-f", cwd=logs).stdout == "third\n"
        assert time.monotonic() - began < 10


def test_a_reader_that_has_seen_enough(logs: Path) -> None:
    """``nova logs F1 | head`` ends without a complaint."""
    (logs / "logs" / "F1.log").write_bytes(b"x" * 99 + b"\n" + b"y" * 5_000_000)
    process = subprocess.Popen([*NOVA, "logs", "F1"], cwd=logs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"x" * 99 + b"\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_our_output(tmp_path: Path) -> None:
    """It is the output that cannot be written, and no fault of the log."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/F1.log").write_text("hello\n")
    with Path("/dev/full").open("w") as full:
        command = [*NOVA, "logs", "F1"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "nova: cannot write the output: No space left on device\n")


def test_an_attempt_long_ago(tmp_path: Path) -> None:
    """The state file tells only the latest one by one; the journal knows where the log of each lies."""
    settings = 'retries = 12\nretry_on = ["exit"]\nbackoff = "0s..0s"\n'
    command = 'command = ["sh", "-c", "echo this is $NOVA_ATTEMPT; exit 1", "{prompt}"]\n'
    (tmp_path / "CASCADE.md").write_text(f"+++\n{settings}{command}+++\n| ID | What |\n|---|---|\n| T1 | try |\n")
    for _ in range(2):  # the second finds a long past
        assert nova("run", "--plain", cwd=tmp_path).returncode == 1
    told = json.loads((tmp_path / "cascade_state.json").read_text())["tasks"]["T1"]["nova"]
    assert [attempt["number"] for attempt in told["attempts"]] == list(range(4, 14))
    assert told["earlier"]["outcomes"] == {"exit": 3}
    assert nova("logs", "T1", "--attempt", "2", cwd=tmp_path).stdout == "this is 2\n"
    shown = json.loads(nova("show", "T1", "--json", cwd=tmp_path).stdout)
    logs = [(tmp_path / attempt["log_path"]).read_text() for attempt in shown["attempts"]]
    assert logs == [f"this is {number}\n" for number in range(1, 14)]
