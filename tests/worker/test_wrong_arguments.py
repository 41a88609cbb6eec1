"""What a caller cannot have meant is refused with a sentence that says what to write, and harms nothing."""

import asyncio
import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nova_async import AsyncWorker, Orchestrator, Worker, WorkerStateError, WorkerStatus, parse_cascade
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.worker.async_worker import reason_of
from tests.children import program

CASCADE = parse_cascade("- [ ] F1 Types\n")


async def later(_: object) -> None:
    """Be what nobody awaits."""


@pytest.mark.parametrize("face", [AsyncWorker, Worker])
@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"limits": {"timeout": 3}}, TypeError, r"limits must be a Limits, not {'timeout': 3}: write Limits\("),
        ({"limits": 600}, TypeError, r"write Limits\(timeout=600\)"),
        ({"resumed_from": {"input_tokens": 1}}, TypeError, "resumed_from must be a TokenUsage"),
        ({"agent": ["a"]}, ValueError, r"unknown agent \['a'\]: choose one of"),
        ({"leftovers": ["kill"]}, ValueError, "must be 'kill' or 'leave'"),
    ],
)
def test_a_worker(face: Callable[..., object], given: dict[str, Any], error: type[Exception], says: str) -> None:
    """Both faces refuse the same, in the same words."""
    with pytest.raises(error, match=says):
        face("F1", **given)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("CASCADE.md", TypeError, r"write Orchestrator\(load_cascade\('CASCADE.md'\)\)"),
        (Path("CASCADE.md"), TypeError, r"write Orchestrator\(load_cascade\('CASCADE.md'\)\)"),
        ("# X\n- [ ] F1 x\n", TypeError, r"write Orchestrator\(parse_cascade\(text\)\)"),
        ([CASCADE], TypeError, r"read a plan with load_cascade\(path\)"),
        ("x\n" * 10_000, TypeError, r"^.{1,250}$"),
        ({"max_workers": "3"}, TypeError, "max_workers must be a whole number, not '3'"),
        ({"max_workers": 2.5}, TypeError, "max_workers must be a whole number, not 2.5"),
        ({"max_workers": 0}, ValueError, "at least 1"),
        ({"command_for": ["echo"]}, TypeError, r"command_for must be a function, not \['echo'\]"),
        ({"command_for": later}, TypeError, "command_for must be an ordinary function"),
        ({"on_change": later}, TypeError, "on_change must be an ordinary function"),
        ({"on_change": 5}, TypeError, "on_change must be a function, not 5"),
        ({"executor": LocalExecutor}, TypeError, r"not its class: write LocalExecutor\("),
        ({"executor": 5}, TypeError, "executor has no submit, reclaim, close: 5"),
        ({"agent": ["a"]}, ValueError, r"unknown agent 'a'"),
    ],
)
def test_an_orchestrator(given: object, error: type[Exception], says: str) -> None:
    """A path, a text or a list is no cascade; what is called must be callable."""
    cascade, options = (CASCADE, given) if isinstance(given, dict) else (given, {})
    with pytest.raises(error, match=says):
        Orchestrator(cascade, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [b"- [ ] F1 x", Path("CASCADE.md"), None])
def test_a_plans_text(given: object) -> None:
    """Neither bytes nor a path are a text."""
    with pytest.raises(TypeError, match=r"load_cascade\(path\) reads a file"):
        parse_cascade(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "options", "error", "says"),
    [
        ("echo hi", {}, TypeError, "must be a list of strings, not 'echo hi' .shlex.split"),
        (None, {}, TypeError, "command must be a list of strings, not None"),
        ({"echo": 1}, {}, TypeError, "command must be a list of strings, not {'echo': 1}"),
        ({"echo"}, {}, TypeError, "command must be a list of strings"),
        (["echo", 5], {}, TypeError, "word 2 is 5"),
        (["true"], {"env": ["A=1"]}, TypeError, r"env must be a dict such as {\*\*os.environ"),
        (["true"], {"env": {"A": 1}}, TypeError, "env: 'A' is 1; write a string"),
        (["true"], {"env": {1: "A"}}, TypeError, "env: the name 1 must be a string"),
        (["cat"], {"stdin": Path("x")}, TypeError, "stdin must be text, bytes, an open file or a descriptor"),
        (["cat"], {"stdin": True}, TypeError, "stdin must be text"),
        (["cat"], {"stdin": io.BytesIO(b"x")}, TypeError, "stdin must be text"),
        (["cat"], {"stdin": -2}, OSError, "Bad file descriptor"),
    ],
)
async def test_a_start(
    command: Any, options: dict[str, Any], error: type[Exception], says: str, tmp_path: Path
) -> None:
    """A start that cannot be meant leaves the worker as it was: the right one may follow."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        with pytest.raises(error, match=says):
            await worker.start(command, **options)
        assert worker.status is WorkerStatus.PENDING
        assert list(tmp_path.iterdir()) == []
        await worker.start(["true"])
        assert await worker.wait() == 0


@pytest.mark.parametrize(
    ("given", "error"),
    [(math.nan, ValueError), (10**400, ValueError), ("5", TypeError), ([1], TypeError), (True, TypeError)],
)
async def test_a_time(given: Any, error: type[Exception], tmp_path: Path) -> None:
    """What is no time is refused everywhere, and the loop goes on: a NaN among its timers would stop it for ever."""
    orchestrator = Orchestrator(CASCADE, journal=tmp_path / "journal.db")
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(program("silent"))
        with pytest.raises(error, match="timeout must be a number of seconds"):
            await worker.wait(given)
        with pytest.raises(error, match="grace must be a number of seconds"):
            await worker.terminate(given)
        with pytest.raises(error, match="grace must be a number of seconds"):
            orchestrator.stop(given)
        assert worker.is_alive()
        await asyncio.sleep(0)


@pytest.mark.parametrize("given", [0, -1, 0.001, -math.inf])
async def test_no_time_at_all(given: float, tmp_path: Path) -> None:
    """Nothing, and less than nothing, is over at once."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(program("silent"))
        with pytest.raises(TimeoutError):
            await worker.wait(given)


async def test_for_ever(tmp_path: Path) -> None:
    """An infinite timeout is none."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(["true"])
        assert await worker.wait(math.inf) == 0


@pytest.mark.parametrize(
    "more", [{"SAID": Path("a/b")}, {b"SAID": b"a/b"}, {b"SAID": "a/b"}, {"SAID": "a/b"}], ids=repr
)
async def test_an_environment_of_bytes_and_paths(more: dict[Any, Any], tmp_path: Path) -> None:
    """As in ``subprocess``, names and values may be bytes, and values paths."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(["sh", "-c", "echo $SAID"], env={**os.environ, **more})
        await worker.wait()
        assert worker.log_path.read_text() == "a/b\n"


async def test_the_environment_in_bytes(tmp_path: Path) -> None:
    """``os.environb`` is an environment, too."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(["sh", "-c", "echo $NOVA_TASK_ID"], env=os.environb)
        await worker.wait()
        assert worker.log_path.read_text() == "F1\n"


@pytest.mark.parametrize("face", ["AsyncWorker", "Worker"])
async def test_a_second_start(face: str, tmp_path: Path) -> None:
    """A worker that has ended is no new one, and its refusal says how to make that."""
    says = rf"worker F1 has already been started: a worker runs once; create a new {face}\('F1', …\) to run again"
    if face == "Worker":
        with Worker("F1", log_dir=tmp_path) as blocking:
            blocking.start(["true"])
            blocking.wait()
            with pytest.raises(WorkerStateError, match=says):
                blocking.start(["true"])
        return
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(["true"])
        await worker.wait()
        with pytest.raises(WorkerStateError, match=says):
            await worker.start(["true"])


async def test_an_open_file_as_standard_input(tmp_path: Path) -> None:
    """It is handed over as it is, and not read into memory first: a file, its descriptor, the end of a pipe."""
    (tmp_path / "prompt").write_text("from a file")
    ours, theirs = os.pipe()
    os.write(theirs, b"from a pipe")
    os.close(theirs)
    with (tmp_path / "prompt").open("rb") as first, (tmp_path / "prompt").open() as second, os.fdopen(ours) as pipe:
        for given, said in ((first, "from a file"), (second.fileno(), "from a file"), (pipe, "from a pipe")):
            async with AsyncWorker("F1", log_dir=tmp_path) as worker:
                await worker.start(["cat"], stdin=given)
                await worker.wait()
                assert worker.log_path.read_text() == said


async def test_the_log_stays_where_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative place is meant from where the worker was made, as the original had it: a program may go elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with AsyncWorker("F1") as worker:
        monkeypatch.chdir(tmp_path / "elsewhere")
        await worker.start(["echo", "hi"])
        await worker.wait()
        monkeypatch.chdir("/")
        assert worker.log_path == tmp_path / "logs" / "F1.log"
        assert worker.get_status_dict()["log_path"] == str(tmp_path / "logs" / "F1.log")
        assert [line async for line in worker.lines()] == ["hi"]


async def test_a_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With absolute paths it does not matter that ours is gone; else the error names a file."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(["sh", "-c", "pwd"], cwd="/")
        await worker.wait()
        assert worker.log_path.read_text() == "/\n"
    async with AsyncWorker("F2", log_dir=tmp_path) as worker:
        with pytest.raises(FileNotFoundError) as caught:
            await worker.start(["./tool"])
        assert caught.value.filename == "./tool"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (asyncio.CancelledError(), "cancelled before it started"),
        (asyncio.CancelledError("by somebody"), "cancelled before it started"),
        (MemoryError(), "MemoryError"),
        (FileNotFoundError(2, "No such file or directory", "x"), "[Errno 2] No such file or directory: 'x'"),
    ],
    ids=repr,
)
def test_an_error_without_words(error: BaseException, says: str) -> None:
    """Only a cancellation is called one."""
    assert reason_of(error) == says
