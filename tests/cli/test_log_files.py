"""A state file or a journal that a repository brought along makes nobody print the user's other files."""

import os
from pathlib import Path

import pytest

from nova_async.journal.log_files import open_log, open_own_log
from nova_async.records import LogRef
from nova_async.views import TaskView
from nova_async.words import TaskState
from tests.cli.command import nova
from tests.views import attempt, by_id, log_at, run_view, write_state


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file of the user, beside a folder of logs that is empty."""
    (tmp_path / "checkout" / "logs").mkdir(parents=True)
    path = tmp_path / "secret"
    path.write_text("secret\n")
    return path


@pytest.mark.parametrize("inode", [None, 7])
@pytest.mark.parametrize("how", ["absolute", "relative", "link"])
def test_a_log_elsewhere_is_not_shown(how: str, inode: int | None, secret: Path) -> None:
    """Neither by its path, nor by a link in the folder of logs, without the inode that only a run of ours knows."""
    folder = secret.parent / "checkout"
    (folder / "logs" / "T1.log").symlink_to(secret)
    path = {"absolute": str(secret), "relative": "../secret", "link": "logs/T1.log"}[how]
    ref = LogRef(path=path, device=None if inode is None else secret.stat().st_dev, inode=inode)
    view = TaskView(id="T1", state=TaskState.COMPLETED, attempt=1, attempts=(attempt("T1", log=ref),), log=ref)
    write_state(folder, run_view(), by_id(view))
    done = nova("logs", "T1", cwd=folder)
    assert "secret" not in done.stdout
    assert done.returncode == 2
    assert "no longer in" in done.stderr


@pytest.mark.parametrize("folder", ["l\udcffgs", "l\\xffgs"])
def test_a_folder_of_logs_that_is_not_utf_8(folder: str, tmp_path: Path) -> None:
    """Its log is found, although a state file only spells out such bytes; so is one whose name is really such."""
    try:
        (tmp_path / folder).mkdir()
    except OSError as error:
        pytest.skip(f"the file system takes no such name: {error.strerror}")
    log = tmp_path / folder / "T1.log"
    log.write_text("own\n")
    ref = LogRef(path=f"{folder}/T1.log", device=log.stat().st_dev, inode=log.stat().st_ino)
    view = TaskView(id="T1", state=TaskState.COMPLETED, attempt=1, attempts=(attempt("T1", log=ref),), log=ref)
    write_state(tmp_path, run_view(), by_id(view))
    done = nova("logs", "T1", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("own\n", "")


def test_a_link_in_the_folder_of_logs(secret: Path) -> None:
    """A log of a task that no run knows is a file, not a link to one."""
    folder = secret.parent / "checkout"
    (folder / "logs" / "T1.log").symlink_to(secret)
    done = nova("logs", "T1", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot read logs/T1.log: Too many levels of symbolic links" in done.stderr


def test_what_is_opened(secret: Path) -> None:
    """The very file by its inode, wherever it lies; by its name alone, only in the user's folder; nobody waits."""
    logs = secret.parent / "checkout" / "logs"
    own = logs / "T1.log"
    own.write_text("own\n")
    os.mkfifo(logs / "T2.log")
    by_name = LogRef(path=str(own))
    for ref, places, opened in (
        (log_at(secret), [own, secret], secret),
        (by_name, [own], own),
        (by_name, [secret], None),
        (log_at(secret), [logs / "T2.log", logs, own], None),
        (by_name, [Path("a\0b")], None),
    ):
        file = open_log(ref, places, logs)
        assert (file and file.read()) == (opened and opened.read_bytes())
        if file is not None:
            file.close()
    with open_own_log(logs / "T2.log") as fifo:
        assert fifo.read() == b""
