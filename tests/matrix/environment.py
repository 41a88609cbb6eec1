"""What a cell needs before its tests can run: a copy of the tree, a Python, the dependencies, and a user."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.cell import Cell
from tests.matrix.interpreter import interpreter, reachable

__all__ = ["Environment", "NotHere", "prepare"]

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 4242  # a user whom no machine has: nothing but what we give it is its own


class NotHere(Exception):
    """Something that the cell needs is missing on this machine; the text says what."""


@dataclass(frozen=True)
class Environment:
    """A folder of its own, in which a cell's tests can be run."""

    command: list[str]
    """The start of every command line: who we become, and the Python to run."""
    tree: Path
    variables: dict[str, str]


def prepare(cell: Cell, folder: Path) -> Environment:
    """Make a cell's environment in an empty folder.

    Raises ``NotHere`` where the machine lacks something, ``subprocess.CalledProcessError`` if an installation fails.
    """
    folder.chmod(0o755)
    become = _become(cell)
    python = interpreter(cell.python)
    if python is None:
        raise NotHere(f"no Python {cell.python}: install it with pyenv")
    if become:
        python = reachable(python, become, folder)
    tree = folder / "tree"
    _copy_tree(tree)
    _install(cell, python, tree, folder / "venv")
    own = {name: folder / name.lower() for name in ("HOME", "TMPDIR")} if become else {}
    for each in own.values():
        each.mkdir()
    if become:
        _give(folder)
    # Without bytecode each start of nova takes twice as long.
    not_ours = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    variables = {name: value for name, value in os.environ.items() if name not in not_ours}
    variables |= {name: str(path) for name, path in own.items()}
    return Environment([*become, str(folder / "venv/bin/python")], tree, variables)


def _become(cell: Cell) -> list[str]:
    """Return what stands before a command so that an ordinary user runs it; nothing where we are one."""
    if "user" not in cell.flags or os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise NotHere("no setpriv, which becomes an ordinary user: install util-linux")
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def _copy_tree(tree: Path) -> None:
    """Copy what git knows, or would add: neither caches nor environments."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).exists():  # not deleted since the last commit
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)


def _install(cell: Cell, python: Path, tree: Path, venv: Path) -> None:
    """Install the dependencies, then the tests' own tools, which are never the lowest."""
    _uv("venv", "--python", str(python), str(venv), cwd=tree)
    into = ["pip", "install", "--python", str(venv / "bin/python")]
    resolution = ["--resolution", "lowest-direct"] if "lowest" in cell.flags else []
    _uv(*into, *resolution, *(_built(cell.built, tree) if cell.built else ["--editable", "."]), cwd=tree)
    _uv(*into, "--group", "dev", *(["uvloop"] if "uvloop" in cell.flags else []), cwd=tree)


def _built(kind: str, tree: Path) -> list[str]:
    """Build a distribution and leave nothing in the tree but that, and the tests; return what to install."""
    _uv("build", f"--{kind}", "--out-dir", "dist", cwd=tree)
    made = next(path for path in (tree / "dist").iterdir() if path.suffix in (".whl", ".gz"))
    shutil.rmtree(tree / "nova_async")
    if kind == "sdist":
        # Whoever unpacks it reads its pages, not ours.
        shutil.rmtree(tree / "docs")
        shutil.unpack_archive(made, tree / "dist")
        unpacked = next(path for path in (tree / "dist").iterdir() if path.is_dir())
        for name in ("docs", "README.md"):
            (unpacked / name).replace(tree / name)
    return [str(made)]


def _uv(*arguments: str, cwd: Path) -> None:
    # Copied, not linked: what is given to an ordinary user would be given away in uv's cache and in every environment.
    variables = {**os.environ, "UV_LINK_MODE": "copy", "UV_COMPILE_BYTECODE": "1"}
    for name in ("VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT"):
        variables.pop(name, None)
    subprocess.run(["uv", *arguments, "--quiet"], cwd=cwd, env=variables, check=True, capture_output=True, text=True)


def _give(folder: Path) -> None:
    """Give a folder, and all that is in it, to the ordinary user."""
    os.chown(folder, NOBODY, NOBODY)
    for path in folder.rglob("*"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
