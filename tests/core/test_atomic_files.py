"""Files of our own: whole or not there at all, and never in anybody's commit."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from nova_async._core.atomic_files import own_folder, replace_file


def git(folder: Path, *words: str) -> str:
    """Run git and return what it prints."""
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout


def test_a_folder_of_ours_hides_itself(tmp_path: Path) -> None:
    """``git add -A`` takes nothing of a folder that we made."""
    git(tmp_path, "init", "-q")
    own_folder(tmp_path / "logs")
    (tmp_path / "logs" / "F1.log").touch()
    git(tmp_path, "add", "-A")
    assert git(tmp_path, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["notes.txt", ".gitignore"])
def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    """What a person keeps beside our logs stays visible to git; rules of his own stay his own."""
    (tmp_path / name).write_text("mine")
    own_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_an_empty_folder_that_was_there_is_left_empty(tmp_path: Path) -> None:
    """Somebody made it, and did not ask for our rules."""
    own_folder(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_an_earlier_version_made_is_hidden_too(tmp_path: Path) -> None:
    """Logs of a run before this version had the habit are as private as new ones."""
    (tmp_path / "F1.log").touch()
    own_folder(tmp_path)
    assert (tmp_path / ".gitignore").read_text().endswith("\n*\n")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A file where a folder should be is an error, and stays."""
    (tmp_path / "logs").write_text("x")
    with pytest.raises(FileExistsError):
        own_folder(tmp_path / "logs")


def test_a_file_is_replaced_by_way_of_another_folder(tmp_path: Path) -> None:
    """Nothing temporary ever lies beside the file, and its mode stays."""
    own_folder(tmp_path / ".nova")
    target = tmp_path / "state.json"
    target.write_text("old")
    target.chmod(0o640)
    replace_file(target, b"new", by_way_of=tmp_path / ".nova")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == [".nova", "state.json"]
    assert [path.name for path in (tmp_path / ".nova").iterdir()] == [".gitignore"]


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """What cannot be replaced stays, the system's error comes, and nothing temporary is left."""
    (tmp_path / "state.json").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "state.json", b"new", by_way_of=tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_folder_for_temporary_files_that_fails_is_done_without(tmp_path: Path) -> None:
    """It may be on another disk, which is full: then the file is replaced by way of its own folder."""
    target = tmp_path / "state.json"
    target.write_text("old")
    replace_file(target, b"new", by_way_of=tmp_path / "missing")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_replacement_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool) -> None:
    """The content is on the disk before the name leads to it, and then the name is."""
    target = tmp_path / "state.json"
    if not is_new:
        target.write_text("old")
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        facts = os.fstat(descriptor)
        in_place = target.exists() and target.read_bytes() == b"new"
        synced.append(("folder" if stat.S_ISDIR(facts.st_mode) else f"{facts.st_size} bytes", in_place))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    replace_file(target, b"new", by_way_of=tmp_path)
    assert synced == [("3 bytes", False), ("folder", True)]


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """What agents do may hold secrets."""
    target = tmp_path / "state.json"
    replace_file(target, b"new", by_way_of=tmp_path)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
