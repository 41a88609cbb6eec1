"""Removing a folder that strangers have written in."""

import os
from pathlib import Path

import pytest

from nova_async._core import remove_tree as module
from nova_async._core.remove_tree import remove_tree

SECONDS = 20.0


def test_it_removes_files_links_and_folders(tmp_path: Path) -> None:
    """What a link leads to stays, inside and outside; nothing else does."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_text("x")
    (folder / "link").symlink_to(outside)
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "a" / "fifo")
    assert remove_tree(folder, SECONDS)
    assert not os.path.lexists(folder)
    assert (outside / "kept").read_text() == "kept"


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """Whoever put it there must not have something else emptied."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (tmp_path / "link").symlink_to(outside)
    assert not remove_tree(tmp_path / "link", SECONDS)
    assert (outside / "kept").exists()


def test_what_is_not_there_is_removed(tmp_path: Path) -> None:
    """There is nothing to do."""
    assert remove_tree(tmp_path / "nothing", SECONDS)


def test_it_may_be_deeper_than_any_path(tmp_path: Path) -> None:
    """No path and no number of open files is long enough for it: folders are moved up, two are open at once."""
    folder = tmp_path / "deep"
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a" * 20, dir_fd=at)
        below = os.open("a" * 20, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    assert remove_tree(folder, SECONDS)


def test_folders_that_may_not_be_written_in(tmp_path: Path) -> None:
    """Caches of packages are made read-only; for root that is no obstacle, but for everybody else."""
    folder = tmp_path / "folder"
    inner = folder / "cache" / "package" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    for each, mode in ((inner, 0o000), (inner.parent, 0o500), (inner.parent.parent, 0o300)):
        each.chmod(mode)
    assert remove_tree(folder, SECONDS)


def test_many_names_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are seen a few at a time."""
    monkeypatch.setattr(module, "BATCH", 7)
    folder = tmp_path / "folder"
    for name in range(30):
        (folder / f"{name}" / "x").mkdir(parents=True)
        for number in range(20):
            (folder / f"{name}" / f"{number}").touch()
    assert remove_tree(folder, SECONDS)


def test_its_time_ends(tmp_path: Path) -> None:
    """What is left when its time is over stays for the next one."""
    (tmp_path / "folder" / "x").mkdir(parents=True)
    assert not remove_tree(tmp_path / "folder", 0.0)
    assert remove_tree(tmp_path / "folder", SECONDS)
