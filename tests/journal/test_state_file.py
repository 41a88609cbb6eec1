"""The state file follows the state, is never torn, and never troubles the run."""

import asyncio
import json
import os
import resource
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from nova_async.journal import state_file
from nova_async.journal.state_file import StateFile
from tests.children import program

READS = 10_000


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    """Give a state file that does not exist yet."""
    return StateFile(tmp_path / "run" / "cascade_state.json")


def content(file: StateFile) -> Any:
    """Read it."""
    return json.loads(file.path.read_bytes())


def names(file: StateFile) -> list[str]:
    """Return what lies in its folder."""
    return sorted(entry.name for entry in file.path.parent.iterdir())


async def change_of(file: StateFile, before: Any) -> Any:
    """Wait until the file holds something else than before, as a poller would."""
    async with asyncio.timeout(10):
        while True:
            if file.path.exists() and (found := content(file)) != before:
                return found
            await asyncio.sleep(0.005)


async def test_at_once_when_all_was_quiet(file: StateFile) -> None:
    """The first change is written without a pause; then nothing of it stays in the loop."""
    started = asyncio.get_running_loop().time()
    file.publish(lambda: {"number": 1})
    assert await change_of(file, None) == {"number": 1}
    assert asyncio.get_running_loop().time() - started < state_file.PAUSE_SECONDS
    await file.close()
    assert names(file) == ["cascade_state.json"]


async def test_changes_in_one_step_are_one_write(file: StateFile) -> None:
    """Of many changes in a row only the latest is made into a document."""
    made = []
    for number in range(100):
        file.publish(lambda number=number: made.append(number) or {"number": number})  # type: ignore[misc, func-returns-value]
    await file.flush()
    assert made == [99]
    assert content(file) == {"number": 99}


async def test_never_staler_than_a_second(file: StateFile) -> None:
    """While changes keep coming, each is in the file within a second, and few writes do that."""
    clock = asyncio.get_running_loop().time
    writes = 0

    def make() -> dict[str, float]:
        nonlocal writes
        writes += 1
        return {"at": clock()}

    started = clock()
    stalest = 0.0
    while clock() < started + 1.6:
        file.publish(make)
        await asyncio.sleep(0.01)
        if file.path.exists():
            stalest = max(stalest, clock() - content(file)["at"])
    await file.close()
    assert stalest < 1.0
    assert 2 <= writes <= 5


async def test_closing_writes_the_last_state(file: StateFile) -> None:
    """Closing does not wait for the pause, may be repeated, and nothing is taken afterwards."""
    file.publish(lambda: {"number": 1})
    await file.flush()
    file.publish(lambda: {"number": 2})
    async with asyncio.timeout(state_file.PAUSE_SECONDS):
        await file.close()
    assert content(file) == {"number": 2}
    file.publish(lambda: {"number": 3})
    await file.close()
    assert content(file) == {"number": 2}


async def test_a_fast_reader_never_sees_a_torn_file(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand reads, while the file is replaced as fast as the disk allows: each is a whole document."""
    monkeypatch.setattr(state_file, "PAUSE_SECONDS", 0.0)
    numbers: list[int] = []
    done = threading.Event()

    def read() -> None:
        try:
            for _ in range(READS):
                found = content(file)
                assert found["number"] == found["again"]
                numbers.append(found["number"])
        finally:
            done.set()

    def publish(number: int) -> None:
        document = {"number": number, "padding": "x" * (number % 7 * 20_000), "again": number}
        file.publish(lambda: document)

    publish(0)
    await file.flush()
    reader = threading.Thread(target=read)
    reader.start()
    number = 0
    while not done.is_set():
        number += 1
        publish(number)
        await file.flush()
    reader.join()
    await file.close()
    assert len(numbers) == READS
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 10


def publish_until_killed(file: StateFile) -> int:
    """Run a publisher, read along, kill it, and return its pid."""
    with subprocess.Popen(program("state_publisher", file.path), stdout=subprocess.PIPE) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == b"ready\n"
        try:
            assert all(whole(file) for _ in range(50))
        finally:
            publisher.kill()
    return publisher.pid


def whole(file: StateFile) -> bool:
    """Tell whether a document begins and ends with the same number."""
    found = content(file)
    return bool(found["number"] == found["again"])


async def test_killed_while_writing(file: StateFile) -> None:
    """A writer killed at any moment leaves a whole file, and the next one clears what it left beside it."""
    for _ in range(5):
        pid = publish_until_killed(file)
        assert whole(file)
    file.path.with_name(f".{file.path.name}.{pid}-00000000.tmp").write_text("{torn")
    mine = file.path.with_name(f".{file.path.name}.{os.getppid()}-00000000.tmp")
    mine.write_text("of a process that lives")
    file.publish(dict)
    await file.close()
    assert names(file) == [mine.name, "cascade_state.json"]


async def test_a_full_disk(file: StateFile) -> None:
    """On a full disk the old file stays whole, the error is told, and nothing is left beside it; later all is well."""
    file.publish(lambda: {"number": 1})
    await file.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        file.publish(lambda: {"number": 2, "padding": "x" * 1000})
        await file.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.error == f"{file.path}: File too large"
    assert content(file) == {"number": 1}
    assert names(file) == ["cascade_state.json"]
    file.publish(lambda: {"number": 3})
    await file.close()
    assert file.error is None
    assert content(file) == {"number": 3}


async def test_a_wrong_document(file: StateFile) -> None:
    """A document that cannot be made is told to the loop as the bug it is; the run and the next state are fine."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    for wrong in ({"set": {1}}, {"number": float("nan")}, None):
        file.publish(lambda wrong=wrong: wrong or 1 / 0)  # type: ignore[misc, arg-type]
        await file.flush()
    assert [type(context["exception"]) for context in told] == [TypeError, ValueError, ZeroDivisionError]
    assert file.error is not None
    file.publish(lambda: {"number": 1})
    await file.close()
    assert content(file) == {"number": 1}


async def test_modes_and_links_stay(file: StateFile, tmp_path: Path) -> None:
    """Whom the owner let read the file keeps that right, and a link stays a link."""
    real = tmp_path / "real.json"
    real.write_text("{}")
    real.chmod(0o640)
    file.path.parent.mkdir()
    file.path.symlink_to(real)
    file.publish(lambda: {"number": 1})
    await file.close()
    assert file.path.is_symlink()
    assert json.loads(real.read_text()) == {"number": 1}
    assert real.stat().st_mode & 0o777 == 0o640
