"""Starting: what may go wrong says so, and leaves nothing."""

import asyncio
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits, WorkerEnd, WorkerStateError, WorkerStatus
from tests.children import program, ready


@pytest.mark.parametrize(
    "task_id",
    ["", ".hidden", "-x", "a/b", "a b", "a..b", "F1\n", "ä", "a" * 129, "F1~1", "a\0b"],
)
def test_a_bad_task_id(task_id: str) -> None:
    """A task id that could not safely name a log file is refused with the rule."""
    with pytest.raises(ValueError, match="1 to 128 letters, digits"):
        AsyncWorker(task_id)


@pytest.mark.parametrize("task_id", ["F1", "a", "T001", "build-2.1_final", "0", "a" * 128, "a.b"])
def test_a_good_task_id(task_id: str, tmp_path: Path) -> None:
    """Letters, digits, dots, underscores and hyphens make an id."""
    assert AsyncWorker(task_id, log_dir=tmp_path).log_path == tmp_path / f"{task_id}.log"


def test_bad_options() -> None:
    """An unknown agent, an unknown fate of leftovers and a limit that is none are refused."""
    with pytest.raises(ValueError, match=r"unknown agent 'clod'.*claude"):
        AsyncWorker("F1", agent="clod")
    with pytest.raises(ValueError, match="'kill' or 'leave'"):
        AsyncWorker("F1", leftovers="keep")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positive finite number"):
        Limits(timeout=0)
    with pytest.raises(ValueError, match="must be a number"):
        Limits(timeout="5s")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (["no-such-program-anywhere"], FileNotFoundError),
        (["/no/such/path"], FileNotFoundError),
        (["/etc/passwd"], PermissionError),
        (["/"], PermissionError),
        ([], ValueError),
        (["echo", "a\0b"], ValueError),
    ],
)
async def test_a_command_that_cannot_run(command: list[str], error: type[Exception], tmp_path: Path) -> None:
    """The system's own error comes through; the worker has failed without having run."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    with pytest.raises(error):
        await worker.start(command)
    assert worker.status is WorkerStatus.FAILED
    assert worker.end is WorkerEnd.NOT_STARTED
    assert worker.error
    assert worker.pid is None
    assert worker.get_exit_code() is None
    with pytest.raises(WorkerStateError, match="has not been started"):
        await worker.wait()
    await worker.terminate()
    assert worker.end is WorkerEnd.NOT_STARTED


async def test_a_missing_command_leaves_the_earlier_log_in_place(tmp_path: Path) -> None:
    """A command that is not found does not move the last attempt's log aside."""
    (tmp_path / "F1.log").write_text("the last attempt")
    worker = AsyncWorker("F1", log_dir=tmp_path)
    with pytest.raises(FileNotFoundError):
        await worker.start(["no-such-program-anywhere"])
    assert [path.name for path in tmp_path.iterdir()] == ["F1.log"]


async def test_a_missing_working_directory(tmp_path: Path) -> None:
    """A directory that does not exist is the system's error, too."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        await AsyncWorker("F1", log_dir=tmp_path).start(["true"], cwd=tmp_path / "nowhere")


async def test_a_log_directory_that_cannot_be(tmp_path: Path) -> None:
    """Where the log cannot be opened nothing is started."""
    (tmp_path / "file").touch()
    worker = AsyncWorker("F1", log_dir=tmp_path / "file")
    with pytest.raises((NotADirectoryError, FileExistsError)):
        await worker.start(["touch", str(tmp_path / "ran")])
    assert worker.end is WorkerEnd.NOT_STARTED
    assert not (tmp_path / "ran").exists()


async def test_fifty_starts_at_once_start_one_process(tmp_path: Path) -> None:
    """Whoever comes second is told so (G30)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    answers = await asyncio.gather(*(worker.start(["true"]) for _ in range(50)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(WorkerStateError) == 49
    assert await worker.wait() == 0


async def test_waiting_before_the_start(tmp_path: Path) -> None:
    """Waiting for, or reading, what never started is an error at once; ending it is nothing."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    for ask in (worker.lines, worker.output):
        with pytest.raises(WorkerStateError):
            ask()
    with pytest.raises(WorkerStateError):
        await worker.wait()
    await worker.terminate()
    assert worker.status is WorkerStatus.PENDING


async def test_the_log_path_can_be_set_until_the_start(tmp_path: Path) -> None:
    """log_path is assignable, and then fixed."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    worker.log_path = tmp_path / "deep" / "down" / "x.txt"
    async with worker:
        await worker.start(["echo", "hi"])
        with pytest.raises(WorkerStateError):
            worker.log_path = tmp_path / "y.txt"
        await worker.wait()
    assert (tmp_path / "deep" / "down" / "x.txt").read_text() == "hi\n"


async def test_what_the_child_finds_in_its_environment(tmp_path: Path) -> None:
    """The task's id, the family cookie and unbuffered Python come on top of the environment (G9)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["env"], env={"MINE": "yes", "PATH": os.environ["PATH"]})
    await worker.wait()
    found = dict(line.split("=", 1) for line in worker.log_path.read_text().splitlines())
    assert found["MINE"] == "yes"
    assert found["NOVA_TASK_ID"] == "F1"
    assert found["NOVA_WORKER"].startswith("/")
    assert found["PYTHONUNBUFFERED"] == "1"
    assert "HOME" not in found
    again = AsyncWorker("F2", log_dir=tmp_path)
    await again.start(["sh", "-c", "echo $PYTHONUNBUFFERED"], env={**os.environ, "PYTHONUNBUFFERED": ""})
    await again.wait()
    assert again.log_path.read_text() == "\n"


async def test_standard_input_is_empty_by_default(tmp_path: Path) -> None:
    """A child that reads its input sees the end at once (G38)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("reader_of_stdin"))
    assert await worker.wait(10) == 0
    assert worker.log_path.read_text().startswith("0 ")


@pytest.mark.parametrize("content", ["a prompt, ünïcode", b"\0\xff" * 2_500_000, ""])
async def test_standard_input_of_any_length(content: str | bytes, tmp_path: Path) -> None:
    """Text and bytes arrive whole, five megabytes too, and then the end (G38, G46)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("reader_of_stdin"), stdin=content)
    assert await worker.wait() == 0
    sent = content.encode() if isinstance(content, str) else content
    assert worker.log_path.read_text() == f"{len(sent)} {hashlib.sha256(sent).hexdigest()}\n"


async def test_the_agent_is_known_by_its_program(tmp_path: Path) -> None:
    """The program's name chooses the reader; an agent given by name wins."""
    fake = tmp_path / "claude"
    shutil.copy("/bin/true", fake)
    for agent, expected in ((None, "claude"), ("codex", "codex")):
        worker = AsyncWorker("F1", log_dir=tmp_path, agent=agent)
        await worker.start([str(fake), "-p", "hello"])
        await worker.wait()
        assert worker.get_status_dict()["agent"] == expected


async def test_the_word_of_a_dropped_worker(tmp_path: Path) -> None:
    """Dropping a running worker is warned about, and it is killed rather than left to spend (G39)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("silent"))
    await ready(worker)
    life = worker._life
    assert life is not None
    with pytest.warns(ResourceWarning, match="F1.*was dropped while running"):
        del worker
    async with asyncio.timeout(10):
        await life.task
    assert life._child.returncode == -9


async def test_a_command_is_a_list_of_words(tmp_path: Path) -> None:
    """One text is refused instead of taken for a list of letters; paths are words, and the status stays JSON."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    with pytest.raises(TypeError, match="list of strings"):
        await worker.start("true")
    await worker.start(["ls", tmp_path])  # type: ignore[list-item]
    assert await worker.wait() == 0
    assert json.loads(json.dumps(worker.get_status_dict()))["command"] == ["ls", str(tmp_path)]


async def test_a_task_is_the_innermost(tmp_path: Path) -> None:
    """What a worker starts within another worker is told its own task's id, not the one that it inherits."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "echo $NOVA_TASK_ID"], env={**os.environ, "NOVA_TASK_ID": "outer"})
    await worker.wait()
    assert worker.log_path.read_text() == "F1\n"
