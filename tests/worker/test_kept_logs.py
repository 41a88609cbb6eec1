"""Earlier logs and their numbers: a folder is listed once, whatever others do in it meanwhile."""

import os
from pathlib import Path

import pytest

from nova_async.worker.log import kept
from nova_async.worker.log.file import LogFile, find_log, identity_of
from nova_async.worker.log.kept import MOST_FOLDERS, kept_logs


def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of its logs: with ten thousand of them that took minutes."""
    lists, listed = [], kept.listed
    monkeypatch.setattr(kept, "listed", lambda folder: lists.append(folder) or listed(folder))
    for _ in range(3):
        for task_id in ("F1", "F2", "F3"):
            LogFile(tmp_path / f"{task_id}.log", parts_of_ours=1).close()
    assert len(list(tmp_path.glob("*~*.log"))) == 6
    assert lists == [str(tmp_path)]


def test_what_others_do_is_seen(tmp_path: Path) -> None:
    """Another process moves a log aside, or tidies up; what is not a number counts for nothing."""
    log = tmp_path / "a.F1.log"
    for name in ("a.F1~2.log", "a.F1~x.log", "a.F1~7.txt", "F1~9.log", "a.F1~٣.log", "a.F1~.log"):
        (tmp_path / name).touch()
    assert dict(kept_logs(log)) == {2: tmp_path / "a.F1~2.log"}
    (tmp_path / "a.F1~3.log").touch()
    (tmp_path / "a.F1~4.log").touch()
    assert [number for number, _ in kept_logs(log)] == [2, 3, 4]
    for number in (2, 3, 4):
        (tmp_path / f"a.F1~{number}.log").unlink()
    assert list(kept_logs(log)) == []


def test_a_log_is_found_beside_one_that_is_gone(tmp_path: Path) -> None:
    """Whoever deletes one of the earlier logs does not hide the others."""
    log = tmp_path / "F1.log"
    for _ in range(4):
        LogFile(log, parts_of_ours=1).close()
    wanted = identity_of((tmp_path / "F1~2.log").stat())
    (tmp_path / "F1~1.log").unlink()
    assert find_log(log, wanted) == tmp_path / "F1~2.log"
    (tmp_path / "F1~2.log").unlink()
    with pytest.raises(FileNotFoundError, match="was moved or deleted"):
        find_log(log, wanted)


def test_few_folders_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may log into any number of them, by a relative path as well."""
    monkeypatch.chdir(tmp_path)
    for number in range(3 * MOST_FOLDERS):
        os.mkdir(str(number))  # noqa: PTH102
        Path(f"{number}/F1~{number + 1}.log").touch()
        assert [found for found, _ in kept_logs(Path(f"{number}/F1.log"))] == [number + 1]
    assert len(kept._folders) <= MOST_FOLDERS
