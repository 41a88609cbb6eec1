"""A damaged journal is told in a sentence: no traceback, no hang, and no task that is completed all of a sudden."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.errors import JournalError
from nova_async.journal.history import History
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.words import Outcome
from tests.journal.making import PLAN, end, event, run, start

FAILED = {"failed1", "failed2", "failed3"}  # so unlike the others that no few bytes make one into another


async def write(path: Path, *, closes: bool) -> None:
    """Write a journal in which some tasks are completed and others have failed; or leave it as a kill would."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    for task_id in sorted({"done1", "done2", "done3", *FAILED}):
        await journal.begin_attempt(start(task_id))
        journal.record(event())
        await journal.end_attempt(end(task_id, outcome=Outcome.EXIT if task_id in FAILED else Outcome.OK))
    if not closes:
        left = path.with_name("left")
        left.mkdir()
        for ending in ("", "-wal", "-shm"):
            shutil.copyfile(f"{path}{ending}", left / f"journal.db{ending}")
    await journal.close()


@pytest.fixture(scope="module")
def whole() -> Iterator[dict[str, bytes]]:
    """Return the bytes of a journal that was closed, and of one whose run was killed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.db")
        asyncio.run(write(path, closes=False))
        files = {"closed": path, "killed": path.with_name("left") / "journal.db"}
        yield {
            f"{name}{ending}": Path(f"{file}{ending}").read_bytes()
            for name, file in files.items()
            for ending in ("", "-wal", "-shm")
            if Path(f"{file}{ending}").exists()
        }


@contextmanager
def damaged(files: dict[str, bytes], which: str, damages: list[tuple[int, int, int]]) -> Iterator[Path]:
    """Make a journal with some bytes replaced: its file, the place (in 1/2^16 of the length), the byte."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.db")
        endings = [name.removeprefix(which) for name in files if name.startswith(which)]
        for number, ending in enumerate(endings):
            content = bytearray(files[which + ending])
            for file, place, byte in damages:
                if file % len(endings) == number and content:
                    content[place * len(content) >> 16] = byte
            Path(f"{path}{ending}").write_bytes(content)
        yield path


def check(read: Callable[[], History], path: Path) -> None:
    """Check that it is told, with the journal's name, or that no task that has failed is completed."""
    try:
        history = read()
    except JournalError as error:
        said = str(error)
    else:
        said = str(path)
        for task_id in FAILED & set(history.attempts):
            assert not any(attempt.end and attempt.end.outcome is Outcome.OK for attempt in history.attempts[task_id])
    assert str(path) in said


async def opened(path: Path) -> History:
    """Open a journal as a run does and read it."""
    journal = await Journal.open(path, trusts=False)
    try:
        return await journal.history(PLAN)
    finally:
        await journal.close()


@pytest.mark.parametrize("which", ["closed", "killed"])
@given(damages=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2**16 - 1), st.integers(0, 255)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_flipped_bytes(whole: dict[str, bytes], which: str, damages: list[tuple[int, int, int]]) -> None:
    """Whatever bytes are flipped, reader and run tell it or go on with what is there."""
    with damaged(whole, which, damages) as path:
        check(lambda: JournalReader(path).history(PLAN), path)
        check(lambda: asyncio.run(opened(path)), path)


@pytest.mark.parametrize("which", ["closed", "killed"])
@given(part=st.integers(0, 2), length=st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_cut_files(whole: dict[str, bytes], which: str, part: int, length: int) -> None:
    """Wherever one of the files ends too early, nothing is completed that was not."""
    with damaged(whole, which, []) as path:
        file = Path(f"{path}{('', '-wal', '-shm')[part]}")
        if file.exists():
            content = file.read_bytes()
            file.write_bytes(content[: length * len(content) >> 16])
        check(lambda: JournalReader(path).history(PLAN), path)
        check(lambda: asyncio.run(opened(path)), path)
