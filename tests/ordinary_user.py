"""Running programs as a user without rights, and with a ``/proc`` that hides what is not that user's."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["as_ordinary_user", "ordinary_environment", "ordinary_folder", "ordinary_python", "where_proc_hides"]

NOBODY = "65534"
HIDING = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
STARTS_ITSELF = "import subprocess, sys, nova_async.process.spawn; subprocess.check_call([sys.executable, '-c', ''])"


def as_ordinary_user(*command: str) -> list[str]:
    """Return a command line that runs the command as an ordinary user: as we are, or as nobody if we are root."""
    if os.geteuid() != 0:
        return list(command)
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv, to become an ordinary user")
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", *command]


def where_proc_hides(*command: str) -> list[str]:
    """Return a command line that runs the command as nobody, with a ``/proc`` that shows no other user's processes."""
    if os.geteuid() != 0 or not _can_mount():
        pytest.skip("needs root and unshare, to mount a /proc with hidepid=2")
    return ["unshare", "--mount", "sh", "-c", HIDING, "sh", *as_ordinary_user(*command)]


def ordinary_python() -> str:
    """Return a Python that an ordinary user may start, and that finds ``nova_async`` in `ordinary_environment`."""
    if os.geteuid() != 0:
        return sys.executable
    found = _ordinary_python(*as_ordinary_user())
    if found is None:
        pytest.skip("needs a Python and a checkout that an ordinary user may read")
    return found


def ordinary_environment(folder: Path) -> dict[str, str]:
    """Return an environment for an ordinary user at home in that folder."""
    packages = [entry for entry in sys.path if entry.endswith("-packages")]
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *packages]),
    }


def ordinary_folder(folder: Path) -> Path:
    """Let an ordinary user write into a folder of this test, and pass through those above it."""
    folder.chmod(0o777)
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & 0o001 and above.is_relative_to(os.environ.get("PYTEST_DEBUG_TEMPROOT", "/tmp")):
            above.chmod(mode | 0o011)
    return folder


@functools.cache
def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--mount", "sh", "-c", HIDING, "sh", "true"]
    return subprocess.run(tried, stderr=subprocess.DEVNULL, check=False).returncode == 0


@functools.cache
def _ordinary_python(*become: str) -> str | None:
    """Try ours, and the system's if it has the same version: the packages are for that one."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        tried = subprocess.run(
            [*become, python, "-c", STARTS_ITSELF],
            cwd="/", env=ordinary_environment(Path("/")), stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if tried.returncode == 0:
            return python
    return None
