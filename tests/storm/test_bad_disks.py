"""Disks that fill up, turn read-only or die under a whole run: nothing finished is lost, or paid for twice."""

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.command import NOVA, nova
from tests.process.watching import all_dead_within

PLAN = """+++
command = ["bash", "-c", "{prompt}"]
+++

| ID | What | Deps |
|---|---|---|
| P | echo P >>ran | - |
| A | echo A >>ran; echo $$ >>pids; until [ -e go ]; do sleep 0.02; done; seq 999; echo A. >>ran | P |
| B | echo B >>ran; seq 99 | A |
"""
# With these times, where nova waits for a minute for a journal that nothing else needs.
IMPATIENT = """
import sys
from nova_async.cli.main import main
from nova_async.orchestrator import run_records
run_records.IDLE_PATIENCE = 0.5
sys.argv[0] = "nova"
main()
"""
DISK_BYTES = 4 << 20
EXT4_SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, for which Python has no name
DEADLINE = 30.0  # seconds; far more than any of this takes
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mke2fs"),
    reason="needs root on Linux, to mount disks, and mke2fs",
)


class Disk:
    """A small disk of its own, which ends in one way or another."""

    def __init__(self, place: Path, ending: str) -> None:
        self.place, self.ending, self.image = place, ending, place.with_suffix(".img")
        place.mkdir()
        if ending == "full":
            self._mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs")
        else:
            with self.image.open("wb") as image:
                image.truncate(DISK_BYTES)
            subprocess.run(["mke2fs", "-q", "-t", "ext4", self.image], check=True)
            self._mount("-o", "loop", str(self.image))

    def _mount(self, *how: str) -> None:
        done = subprocess.run(["mount", *how, self.place], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    def fail(self) -> None:
        """Take nothing any more, from now on."""
        if self.ending == "full":
            self._fill()
        elif self.ending == "read-only":
            subprocess.run(["mount", "-o", "remount,abort", self.place], check=True)  # as after an error of the disk
        else:
            folder = os.open(self.place, os.O_RDONLY)
            fcntl.ioctl(folder, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
            os.close(folder)

    def _fill(self) -> None:
        size = 1 << 16
        with (self.place / "filler").open("wb", buffering=0) as filler:
            while size:
                try:
                    filler.write(bytes(size))
                except OSError:
                    size //= 2

    def mend(self) -> None:
        """Make room, or mount the disk again, repaired; nobody may have a file open in it."""
        if self.ending == "full":
            (self.place / "filler").unlink()
        else:
            self.close()
            subprocess.run(["e2fsck", "-fy", self.image], check=False, capture_output=True)
            self._mount("-o", "loop", str(self.image))

    def close(self) -> None:
        """Unmount it, whoever still has files open in it."""
        subprocess.run(["umount", "-l", self.place], check=False)


class Project:
    """A plan whose first task has completed when the disk fails, whose second one is at work, and whose third waits."""

    def __init__(self, folder: Path, journal: Path, logs: Path, state: Path) -> None:
        self.folder, self.output = folder / "work", folder / "nova.out"
        self.folder.mkdir()
        (self.folder / "CASCADE.md").write_text(PLAN)
        self.state = ["--state", str(state / "state.json")]
        self.journal = ["--journal", str(journal / "nova/journal.db")]
        self.places = [*self.state, *self.journal, "--log-dir", str(logs / "logs")]

    def check_each_task(self) -> None:
        """Have each task verified, too."""
        check = """verify = ["bash", "-c", "echo V >>ran"]"""
        (self.folder / "CASCADE.md").write_text(PLAN.replace("+++", f"+++\n{check}", 1))

    @contextmanager
    def run(self, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
        """Give a running nova once the second task is at work and the first one's end is written."""
        with self.output.open("wb") as output:
            whole = [*command, "run", "--plain", *self.places]
            running = subprocess.Popen(whole, cwd=self.folder, stdout=output, stderr=output)
        try:
            until(lambda: self.ran()[-1:] == ["A"] or running.poll() is not None)
            until(lambda: "A started" in self.told() or running.poll() is not None)
            yield running
        finally:
            running.kill()
            running.wait()

    def go(self) -> None:
        """Let the second task come to its end."""
        (self.folder / "go").touch()
        until(lambda: "A." in self.ran())

    def ran(self) -> list[str]:
        """Return which tasks have begun, and which have come to their end, in order."""
        path = self.folder / "ran"
        return path.read_text().split() if path.exists() else []

    def told(self) -> str:
        """Return what nova has printed; it must not be a traceback."""
        told = self.output.read_text()
        assert "Traceback" not in told
        return told

    def assert_next_run_completes(self) -> None:
        """Check that one more run completes the plan, and that nobody is left."""
        again = nova("run", "--plain", *self.places, cwd=self.folder)
        assert again.returncode == 0, self.told() + again.stdout + again.stderr
        assert "3 of 3 completed" in again.stdout
        pids = [int(pid) for pid in (self.folder / "pids").read_text().split()]
        assert all_dead_within([pid for pid in pids if self.works_here(pid)], 3.0)

    def works_here(self, pid: int) -> bool:
        """Tell whether a process works in this folder: its number may be another's by now."""
        with suppress(OSError):
            return Path(f"/proc/{pid}/cwd").readlink() == self.folder
        return False


def until(what: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@contextmanager
def disk_at(place: Path, ending: str) -> Iterator[Disk]:
    """Give a disk, which is unmounted in the end."""
    disk = Disk(place, ending)
    try:
        yield disk
    finally:
        disk.close()


@pytest.mark.parametrize("ending", ["full", "read-only", "dead"])
def test_the_disk_of_the_logs_fails(tmp_path: Path, ending: str, warm_nova: None) -> None:
    """Who is at work goes on, who can have no log waits until there can be one, and no task has failed for it."""
    with disk_at(tmp_path / "disk", ending) as disk:
        project = Project(tmp_path, journal=tmp_path, logs=disk.place, state=tmp_path)
        with project.run(NOVA) as running:
            disk.fail()
            project.go()
            until(lambda: "A completed" in project.told())
            if ending != "full":
                until(lambda: "its log cannot be opened" in project.told())
                assert running.poll() is None
                disk.close()  # what is below takes its place
            assert running.wait(DEADLINE) == 0, project.told()
        told = project.told()
        assert "warning: log of A: " in told
        assert "warning A: log error: " in told
        assert "3 of 3 completed" in told
        if ending == "full":
            disk.mend()
        project.assert_next_run_completes()
    assert project.ran() == ["P", "A", "A.", "B"]


def test_a_check_that_can_have_no_log_waits_alone(tmp_path: Path, warm_nova: None) -> None:
    """Its agent has done its work, and does not do it again."""
    with disk_at(tmp_path / "disk", "dead") as disk:
        project = Project(tmp_path, journal=tmp_path, logs=disk.place, state=tmp_path)
        project.check_each_task()
        with project.run(NOVA) as running:
            disk.fail()
            project.go()
            until(lambda: "A~verify.log: Input/output error" in project.told())
            disk.close()  # what is below takes its place
            assert running.wait(DEADLINE) == 0, project.told()
        project.assert_next_run_completes()
    assert project.ran() == ["P", "V", "A", "A.", "V", "B", "V"]


def test_the_disk_of_the_journal_is_full_for_a_while(tmp_path: Path, warm_nova: None) -> None:
    """What ends meanwhile is written later, nothing new begins before, and the views go on."""
    with disk_at(tmp_path / "disk", "full") as disk:
        project = Project(tmp_path, journal=disk.place, logs=tmp_path, state=tmp_path)
        with project.run(NOVA) as running:
            disk.fail()
            project.go()
            until(lambda: "cannot be written" in project.told())
            until(lambda: "cannot be written" in nova("status", *project.state, cwd=tmp_path).stdout)
            status = nova("status", *project.state, cwd=tmp_path)
            assert status.stderr == ""
            assert "1 of 3 completed · 1 running" in status.stdout
            assert "free some disk space" in status.stdout
            shown = nova("show", "A", *project.state, *project.journal, cwd=tmp_path)
            assert "lost" not in shown.stdout, shown.stdout
            assert nova("logs", "A", *project.state, cwd=tmp_path).stdout.endswith("999\n")
            disk.mend()
            assert running.wait(DEADLINE) == 0, project.told()
        assert "free some disk space" in project.told().split("3 of 3 completed")[1], "the summary says it again"
        project.assert_next_run_completes()
    assert project.ran() == ["P", "A", "A.", "B"]


@pytest.mark.parametrize("ending", ["full", "dead"])
def test_the_disk_of_everything_stays_bad(tmp_path: Path, ending: str, warm_nova: None) -> None:
    """The run ends with a sentence that names what will run again, and the next one knows all that was written."""
    with disk_at(tmp_path / "disk", ending) as disk:
        project = Project(tmp_path, journal=disk.place, logs=disk.place, state=disk.place)
        with project.run([sys.executable, "-W", "error", "-c", IMPATIENT]) as running:
            disk.fail()
            if ending == "full":
                status = nova("status", *project.state, cwd=tmp_path)
                assert status.stderr == f"nova: the disk of {project.state[1]} is full: this may be out of date\n"
            project.go()
            assert running.wait(DEADLINE) == 2, project.told()
        told = project.told()
        assert "A ended (ok) but that could not be recorded: it will run again" in told
        assert "cannot be written" in told.splitlines()[-1]
        assert "check the disk" in told.splitlines()[-1]
        assert "start over" not in told, "the journal is not damaged: its disk is"
        disk.mend()
        project.assert_next_run_completes()
    assert project.ran() == ["P", "A", "A.", "A", "A.", "B"]
