"""What may happen to a log's place: nothing of the output is lost, and nobody else's file is touched."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_async import AsyncWorker
from nova_async.worker.log import file as log_file
from nova_async.worker.log.file import LogFile, find_log
from nova_async.worker.log.follower import follow_lines
from nova_async.worker.log.writer import LogWriter
from tests.children import ready

SCRIPT = "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo after"


def make_link(logs: Path, precious: Path) -> None:
    """Replace the log by a link to somebody's file."""
    (logs / "F1.log").unlink()
    (logs / "F1.log").symlink_to(precious)


def replace_folder_by_link(logs: Path, precious: Path) -> None:
    """Move the folder away and put a link to another one in its place."""
    logs.rename(logs.with_name("moved"))
    logs.symlink_to(precious.parent)


def make_folder_anew(logs: Path, precious: Path) -> None:
    """Delete the folder and make it again."""
    shutil.rmtree(logs)
    logs.mkdir()


def make_folder_of_log(logs: Path, precious: Path) -> None:
    """Replace the log by a folder."""
    (logs / "F1.log").unlink()
    (logs / "F1.log").mkdir()


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "deleted": lambda logs, _: (logs / "F1.log").unlink(),
    "folder deleted": lambda logs, _: shutil.rmtree(logs),
    "folder made anew": make_folder_anew,
    "folder renamed": lambda logs, _: logs.rename(logs.with_name("moved")),
    "folder replaced by a link": replace_folder_by_link,
    "replaced by a link": make_link,
    "replaced by a folder": make_folder_of_log,
    "unreadable": lambda logs, _: (logs / "F1.log").chmod(0),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_happens_to_a_log_its_bytes_are_kept(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log and its folder may be deleted, moved and replaced while it is written: all of it is in some file (G7)."""
    monkeypatch.chdir(tmp_path)
    precious = tmp_path / "elsewhere" / "precious"
    precious.parent.mkdir()
    precious.write_text("precious")
    worker = AsyncWorker("F1")
    await worker.start(["sh", "-c", SCRIPT])
    await ready(worker)
    CHANGES[change](tmp_path / "logs", precious)
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    logs = [path for path in tmp_path.rglob("F1*.log") if path.is_file() and not path.is_symlink()]
    for path in logs:
        path.chmod(0o600)  # to an ordinary user it stays closed otherwise
    assert [path.read_text() for path in logs] == ["ready\nafter\n"]
    assert worker._record.log is not None
    assert worker._record.log.lost == 0
    assert (precious.read_text(), list(precious.parent.iterdir())) == ("precious", [precious])


async def test_a_log_that_cannot_be_written_again_is_told(tmp_path: Path) -> None:
    """Where a file has taken the folder's place, the error says how much of the output nobody can read any more."""
    worker = AsyncWorker("F1", log_dir=tmp_path / "logs")
    await worker.start(["sh", "-c", SCRIPT], cwd=tmp_path)
    await ready(worker)
    shutil.rmtree(tmp_path / "logs")
    (tmp_path / "logs").touch()
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    told = "the log was deleted and cannot be written again (File exists) (12 bytes not logged)"
    assert worker.get_status_dict()["log_error"] == told


async def test_a_tree_that_is_removed_does_not_come_back(tmp_path: Path) -> None:
    """Of a whole checkout that is deleted under a worker, no empty folders are left by it."""
    tree = tmp_path / "tree"
    tree.mkdir()
    worker = AsyncWorker("F1", log_dir=tree / "a" / "logs")
    await worker.start(["sh", "-c", SCRIPT], cwd=tmp_path)
    await ready(worker)
    shutil.rmtree(tree)
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    assert not tree.exists()
    assert "12 bytes not logged" in worker.get_status_dict()["log_error"]


async def test_a_log_that_was_cut_is_told(tmp_path: Path) -> None:
    """Where another program empties the log, the error says how many bytes that took."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", SCRIPT], cwd=tmp_path)
    await ready(worker)
    os.truncate(worker.log_path, 2)
    (tmp_path / "go").touch()
    assert await worker.wait() == 0
    assert worker.log_path.read_text() == "reafter\n"
    assert worker.get_status_dict()["log_error"] == "another program shortened the log (4 bytes not logged)"


def test_the_end_of_a_huge_log_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than can be written again at once, it is the end, and the rest is counted."""
    monkeypatch.setattr(log_file, "MOST_RESTORED", 6)
    path = tmp_path / "F1.log"
    with LogFile(path) as log:
        log.write(b"the beginning")
        path.unlink()
        log.write(b", the end")
        assert log.gone == 7
        assert log.trouble == "the log was deleted, and only its end could be written again"
    assert path.read_bytes() == b"inning, the end"


async def test_followers_see_a_log_that_comes_again_once(tmp_path: Path) -> None:
    """Who follows a log that is deleted and written again sees every byte, and none twice."""
    path = tmp_path / "F1.log"
    writer = await LogWriter.open(path)
    lines = follow_lines(writer)
    seen: list[str] = []
    for number in range(6):
        writer.put(b"line %d\n" % number)
        seen += await anext(lines)
        path.unlink()
    await writer.close()
    late = [line async for batch in follow_lines(writer) for line in batch]
    seen += [line async for batch in lines for line in batch]
    assert seen == late == [f"line {number}" for number in range(6)]


# Links and other people's files.


async def test_a_link_that_was_planted_is_not_followed(tmp_path: Path) -> None:
    """A repository cannot have a log written to a file of its user; the file may be missing, too."""
    logs, precious = tmp_path / "logs", tmp_path / "precious"
    logs.mkdir()
    for _ in range(2):
        (logs / "F1.log").unlink(missing_ok=True)
        (logs / "F1.log").symlink_to(precious)
        worker = AsyncWorker("F1", log_dir=logs)
        with pytest.raises(OSError, match=r"it is a symbolic link to .*precious, which nova does not follow: remove"):
            await worker.start(["echo", "hi"])
        assert not precious.exists() or precious.read_text() == "precious"
        precious.write_text("precious")


async def test_a_folder_of_logs_that_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that is used unless another is named is no link either; one that somebody names may be."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "logs").symlink_to("elsewhere")
    with pytest.raises(OSError, match=r"symbolic link to elsewhere, .* choose another folder .*: '.*/logs'"):
        await AsyncWorker("F1").start(["echo", "hi"])
    assert list(Path("elsewhere").iterdir()) == []
    worker = AsyncWorker("F1", log_dir=tmp_path / "logs")
    await worker.start(["echo", "hi"])
    await worker.wait()
    assert (tmp_path / "elsewhere/F1.log").read_text() == "hi\n"


async def test_a_path_that_somebody_assigns_is_his(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log path of one's own may be a link, to a file that is appended to, or to none yet."""
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("target")
    for _ in range(2):
        worker = AsyncWorker("F1")
        worker.log_path = Path("link")
        await worker.start(["echo", "hi"])
        assert await worker.wait() == 0
    assert Path("target").read_text() == "hi\nhi\n"


async def test_a_link_to_a_device(tmp_path: Path) -> None:
    """A log may be a link to `/dev/null`: nothing there can be damaged."""
    (tmp_path / "F1.log").symlink_to("/dev/null")
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["echo", "hi"])
    assert await worker.wait() == 0
    assert worker.get_status_dict()["log_error"] is None


async def test_a_link_that_comes_later(tmp_path: Path) -> None:
    """Also the next attempt does not follow a link that an agent has put in its log's place."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    log = LogFile(tmp_path / "logs" / "F1.log", 1)
    log.write(b"first")
    (tmp_path / "logs" / "F1.log").rename(tmp_path / "logs" / "moved")
    (tmp_path / "logs" / "F1.log").symlink_to(precious)
    log.write(b" second")
    log.close()
    with pytest.raises(OSError, match="symbolic link"):
        LogFile(tmp_path / "logs" / "F1.log", 1)
    assert precious.read_text() == "precious"
    assert (tmp_path / "logs" / "moved").read_text() == "first second"


def test_what_can_be_no_path_is_no_log(tmp_path: Path) -> None:
    """A path with a NUL, as a journal may name, is a log that is gone."""
    with pytest.raises(FileNotFoundError):
        find_log(tmp_path / "F1\0.log", (1, 2))


async def test_what_else_may_stand_in_a_logs_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or a socket of that name is an error of the start, not a start that hangs."""
    monkeypatch.chdir(tmp_path)  # a socket's path may have no more than a hundred bytes
    (tmp_path / "F1.log").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("F2.log")
        for task_id in ("F1", "F2"):
            with pytest.raises(OSError, match=rf"{task_id}\.log"):
                await asyncio.wait_for(AsyncWorker(task_id, log_dir=tmp_path).start(["true"]), 10)
