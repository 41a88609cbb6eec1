"""The house: imports point down only, pure rooms stay pure, and the front door is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1] / "nova_async"

# Every room with the rooms it may know, from the ground up. A room always knows itself.
VALUES = {"errors", "status", "usage"}
MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "status": set(),
    "usage": set(),
    "agents": VALUES,
    "cascade": VALUES,
    "process": VALUES,
    "worker": VALUES | {"agents", "process"},
    "journal": VALUES | {"agents", "cascade", "process", "worker"},
    "orchestrator": VALUES | {"agents", "cascade", "process", "worker", "journal"},
    "cli": VALUES | {"agents", "cascade", "process", "worker", "journal", "orchestrator", ""},
    "__main__": {"cli"},
    "": VALUES | {"agents", "cascade", "process", "worker", "journal", "orchestrator"},
}

# What a pure room may import besides our own values: nothing here can wait, read a clock, or touch the system.
PURE = {"agents", "cascade"}
PURE_IMPORTS = {
    "__future__", "abc", "collections", "contextlib", "dataclasses", "datetime", "difflib", "enum", "functools",
    "graphlib", "heapq", "itertools", "json", "math", "operator", "re", "shlex", "string", "tomllib", "types", "typing",
    "unicodedata", "msgspec", "markdown_it",
}  # fmt: skip
READS_FILES = {"cascade/load.py": {"pathlib", "os"}}  # the one door of a pure room to the disk

SOURCES = sorted(HOUSE.rglob("*.py"))


def room_of(module: str) -> str:
    """Return the room of a dotted module name below ``nova_async``; the front door is ``""``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports_of(source: Path) -> set[str]:
    """Return every module that a source file imports anywhere, type checking included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: write imports in full"
            found.add(node.module or "")
            if node.module == "nova_async":
                found.update(f"nova_async.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_point_down_only(source: Path) -> None:
    """No room knows a room above it or beside it."""
    name = source.relative_to(HOUSE)
    room = name.parts[0].removesuffix(".py") if name != Path("__init__.py") else ""
    known = {room_of(module) for module in imports_of(source) if module.split(".")[0] == "nova_async"}
    known -= {room} if room else set()
    assert known <= MAY_KNOW[room], f"{name} looks up at {known - MAY_KNOW[room]}"


@pytest.mark.parametrize(
    "source",
    [source for source in SOURCES if source.relative_to(HOUSE).parts[0] in PURE],
    ids=lambda path: str(path.relative_to(HOUSE)),
)
def test_pure_rooms_stay_pure(source: Path) -> None:
    """The readers of agents and cascades import nothing that could wait or touch the system."""
    allowed = PURE_IMPORTS | READS_FILES.get(str(source.relative_to(HOUSE)), set())
    foreign = {module.split(".")[0] for module in imports_of(source)} - {"nova_async"}
    assert foreign <= allowed, f"{source.name} imports {foreign - allowed}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_fork_between_spawn_and_exec(source: Path) -> None:
    """Nobody uses preexec_fn: it forces a slow fork and dead-locks with threads (G21)."""
    assert "preexec_fn=" not in source.read_text()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_rooms_are_small_and_named_for_what_they_are(source: Path) -> None:
    """A file is at most 300 lines long, and no file is a place for whatever has no place."""
    assert len(source.read_text().splitlines()) <= 300
    assert source.stem not in {"utils", "helpers", "helper", "manager", "base", "common", "misc"}


def test_the_front_door_is_light() -> None:
    """``import nova_async`` loads no library of the command, the cascade or the journal."""
    heavy = ["rich", "typer", "click", "markdown_it", "sqlite3", "aiosqlite", "starlette", "distributed"]
    code = f"import sys, nova_async; nova_async.AsyncWorker; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
