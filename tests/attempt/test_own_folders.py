"""The folders that an attempt has for itself, from making them to the end of a run or a crash."""

import asyncio
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_async.attempt import own_folders as module
from nova_async.attempt.local_attempt import run_attempt
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.attempt.own_environment import OwnEnvironment
from nova_async.attempt.own_folders import OwnFolders, new_root, sweep_one
from nova_async.words import Leftovers, Outcome
from tests.attempt.conftest import MakeJob

SAY = 'echo "in $TMPDIR"; mkdir -p "$TMPDIR/a/b"; echo x > "$TMPDIR/a/b/file"; ls -ld "$TMPDIR" | cut -c1-10'


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder in which temporary files are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def said(folder: Path, task_id: str = "A1") -> list[str]:
    """Return what a task has printed."""
    return (folder / "logs" / f"{task_id}.log").read_text().splitlines()


async def test_a_folder_for_temporary_files(tmp_path: Path, job: MakeJob, temporary: Path) -> None:
    """It is private, short and in the usual place; agent and check see the same one; then it is gone."""
    check = ("sh", "-c", 'cat "$TMPDIR/a/b/file" && echo "in $TMPDIR"')
    end = await run_attempt(job(SAY, verify=check), log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.OK
    where, mode = said(tmp_path)
    assert mode == "drwx------"
    assert Path(where[3:]).parents[1] == temporary
    assert len(where[3:]) - len(str(temporary)) < 20
    assert (tmp_path / "logs" / "A1~verify.log").read_text() == f"x\n{where}\n"
    assert list(temporary.iterdir()) == []


async def test_attempts_see_different_folders(tmp_path: Path, job: MakeJob, temporary: Path) -> None:
    """Of those that run at once none finds what another one has put there."""
    executor = LocalExecutor(tmp_path / "logs")
    running = [executor.submit(job(SAY, f"T{number}")) for number in range(8)]
    ends = await asyncio.gather(*(each.ended() for each in running))
    await executor.close()
    assert [end.outcome for end in ends] == [Outcome.OK] * 8
    assert len({said(tmp_path, f"T{number}")[0] for number in range(8)}) == 8
    assert list(temporary.iterdir()) == []


async def test_a_folder_that_is_made_too_late(job: MakeJob, temporary: Path) -> None:
    """An attempt that was stopped while its folders were made leaves none, though it did not wait for them."""
    folders = OwnFolders()
    own = OwnEnvironment(job("true"), folders, {"TMPDIR": str(temporary)})
    await own.give_back()
    own.prepare()
    await folders.settled()
    assert list(temporary.iterdir()) == []


async def test_a_folder_of_the_plan_wins(tmp_path: Path, job: MakeJob, temporary: Path) -> None:
    """Whoever sets TMPDIR wants that one, and what is in it is not ours to remove."""
    for which in ("env", "account_env"):
        end = await run_attempt(job(SAY, **{which: {"TMPDIR": str(tmp_path)}}), log_dir=tmp_path / "logs")
        assert end.outcome is Outcome.OK
        assert said(tmp_path)[0] == f"in {tmp_path}"
        assert (tmp_path / "a" / "b" / "file").exists()
    assert list(temporary.iterdir()) == []


async def test_what_is_left_running_keeps_the_usual_folder(tmp_path: Path, job: MakeJob, temporary: Path) -> None:
    """A server that outlives its task must not lose its files."""
    await run_attempt(job(SAY, leftovers=Leftovers.LEAVE), log_dir=tmp_path / "logs")
    assert said(tmp_path)[0] == f"in {temporary}"


@pytest.mark.parametrize("unusable", ["/nonexistent", "relative", ""])
async def test_a_usual_folder_that_cannot_be_used(
    tmp_path: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch, unusable: str
) -> None:
    """The task runs all the same."""
    monkeypatch.setenv("TMPDIR", unusable)
    end = await run_attempt(job("true"), log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.OK


CRASHES = """
import os, sys
from pathlib import Path
from nova_async.attempt.own_folders import OwnFolders
folder = OwnFolders().make(Path(sys.argv[1]))
(folder / "secret").write_text("x")
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_a_crash_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Not while its process lives, nor what others have put beside it under such a name."""
    names = ("nova.12345678", "nova.public00", "nova.doctor-xy", "nova.file0000")
    others = [tmp_path / name for name in names]
    for other in others[:3]:
        other.mkdir(mode=0o700)
    (others[0] / "important").touch()
    others[1].chmod(0o755)
    others[3].touch()
    (tmp_path / "nova.link0000").symlink_to(others[0])
    program = [sys.executable, "-c", CRASHES, str(tmp_path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as crashed:
        assert crashed.stdout is not None
        assert crashed.stdout.readline() == b"ready\n"
        [root] = [each for each in tmp_path.iterdir() if each not in others and not each.is_symlink()]
        for each in (root, *others):
            sweep_one(each)
        assert (root / "1" / "secret").exists()
        crashed.kill()
    for each in (root, *others, tmp_path / "nova.link0000"):
        sweep_one(each)
    assert not root.exists()
    assert (others[0] / "important").exists()
    assert [each for each in others if not each.exists()] == []


async def test_a_new_run_sweeps(tmp_path: Path, job: MakeJob, temporary: Path) -> None:
    """The first attempt in a folder has what a crash has left there removed."""
    left = temporary / "nova.abcdefgh"
    (left / "1" / "deep").mkdir(parents=True)
    left.chmod(0o700)
    gone = threading.Event()
    real = module.remove_tree

    def noticed(folder: Path, seconds: float) -> bool:
        done = real(folder, seconds)
        if folder == left:
            gone.set()
        return done

    module.remove_tree = noticed  # type: ignore[assignment]
    try:
        await run_attempt(job("true"), log_dir=tmp_path / "logs")
        assert gone.wait(10)
    finally:
        module.remove_tree = real
    assert not left.exists()


def test_a_root_that_vanishes_is_made_again(tmp_path: Path) -> None:
    """Somebody may clean up a folder such as /tmp while a run goes on."""
    folders = OwnFolders()
    first = folders.make(tmp_path)
    first.rmdir()
    first.parent.rmdir()
    second = folders.make(tmp_path)
    assert second.is_dir()
    assert second.parent != first.parent
    for each in (second,):
        folders._remove(each)
    assert list(tmp_path.iterdir()) == []


def test_a_locked_root_belongs_to_somebody(tmp_path: Path) -> None:
    """The lock alone tells, so that a run of days keeps its files; tools that clean up /tmp respect it, too."""
    folders = OwnFolders()
    folder = folders.make(tmp_path)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
        folders._remove(folder)


def test_a_root_that_another_run_sweeps_already_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making and locking it, it looks like one that a crash has left: whoever locks it first has it."""
    make, sweeping = tempfile.mkdtemp, list[int]()

    def make_and_lose(**options: object) -> str:
        made = make(**options)  # type: ignore[call-overload]
        if not sweeping:
            sweeping.append(os.open(made, os.O_RDONLY))
            fcntl.flock(sweeping[0], fcntl.LOCK_EX)
        return str(made)

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    root = new_root(tmp_path)
    try:
        (other,) = set(tmp_path.iterdir()) - {root.path}
        assert os.path.samestat(other.stat(), os.fstat(sweeping[0]))
    finally:
        os.close(root.lock)
        os.close(sweeping[0])


@pytest.mark.parametrize("name", [".config", ".1", "notes", "1x", ".0123456789abcdef-x"])
def test_what_another_program_calls_like_ours_stays(tmp_path: Path, name: str) -> None:
    """A private folder with our kind of name is removed only if all that it holds is what we make."""
    root = tmp_path / "nova.settings"
    root.mkdir(mode=0o700)
    for each in ("1", ".0123456789abcdef-7", name):
        (root / each).mkdir()
    sweep_one(root)
    assert (root / name).is_dir()
    (root / name).rmdir()
    sweep_one(root)
    assert not root.exists()
