"""Finding a Python of a version, and one that an ordinary user may run."""

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["interpreter", "reachable"]


def interpreter(version: str) -> Path | None:
    """Return a Python of this version: pyenv's if it has one, else the one on PATH, else None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [*sorted(pyenv.glob(f"versions/{version}.*/bin/python")), shutil.which(f"python{version}")]
    return next((Path(each) for each in found if each and _runs([each])), None)


def reachable(python: Path, become: list[str], folder: Path) -> Path:
    """Return this Python, or a copy in ``folder`` where the user whom ``become`` makes of us cannot run it.

    pyenv keeps its Pythons in a home folder, which is its owner's alone. setpriv itself still starts a program there,
    for it keeps root's capabilities until then; so another program tries.
    """
    if _runs([*become, "env", str(python)]):
        return python
    program = python.resolve()
    home, copy = program.parents[1], folder / "python"
    shutil.copytree(home, copy, symlinks=True, ignore=shutil.ignore_patterns("test", "site-packages", "__pycache__"))
    _look_beside_itself(copy / "bin" / program.name, home)
    return copy / "bin" / program.name


def _look_beside_itself(program: Path, home: Path) -> None:
    """Make a copied program find its own libpython, not the one of its first home, whose path it has built in."""
    built_in = os.fsencode(home / "lib") + b"\0"
    program.write_bytes(program.read_bytes().replace(built_in, b"$ORIGIN/../lib\0".ljust(len(built_in), b"\0")))


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "-c", "import ssl"], capture_output=True, cwd="/", check=False).returncode == 0
    except OSError:
        return False
