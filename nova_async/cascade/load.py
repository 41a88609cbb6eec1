"""Reads a plan, and the settings of its folder, from disk: the only file of this package that touches one."""

import os
import tomllib
from dataclasses import replace
from pathlib import Path

from nova_async.cascade.cascade import Cascade
from nova_async.cascade.diagnostics import CascadeError, Diagnostic
from nova_async.cascade.original_milestones import LARGEST, read_original_milestones
from nova_async.cascade.reading import parse_cascade

__all__ = ["find_settings", "load_cascade"]

LARGEST_PLAN = 8 * 1024**2  # bytes; a hundred thousand tasks
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
ORIGINAL_MILESTONES = "milestones.yaml"
SETTINGS_FILE, PYPROJECT = "nova.toml", "pyproject.toml"


def load_cascade(
    path: str | os.PathLike[str],
    *,
    settings: str | os.PathLike[str] | None = None,
    order: str | None = None,
    with_optional: bool = False,
) -> Cascade:
    """Read the plan in a file, and with it the settings in another, which hold where the plan says nothing.

    ``settings`` is a ``nova.toml`` or a ``pyproject.toml``; none is looked for. ``order`` and ``with_optional`` are
    those of ``parse_cascade``. A ``milestones.yaml`` of the original beside the plan adds its milestones.

    Raises ``CascadeError`` if one of them has errors, is not UTF-8 text or too large (E005), and the system's own
    ``OSError`` (``FileNotFoundError``, ``PermissionError`` …) if one cannot be read.
    """
    cascade = parse_cascade(
        _text_of(path),
        os.fspath(path),
        settings="" if settings is None else _text_of(settings),
        settings_name="nova.toml" if settings is None else os.fspath(settings),
        order=order,
        with_optional=with_optional,
    )
    return _with_original_milestones(cascade, Path(path).with_name(ORIGINAL_MILESTONES))


def _with_original_milestones(cascade: Cascade, file: Path) -> Cascade:
    """Add the milestones of the original, where there are any; those of the plan itself stand above them."""
    if not file.is_file():
        return cascade
    with file.open("rb") as opened:
        text = opened.read(LARGEST + 1).decode(errors="replace")
    found, warnings = read_original_milestones(text, os.fspath(file), cascade.tasks)
    own = {milestone.id for milestone in cascade.milestones}
    milestones = (*cascade.milestones, *(milestone for milestone in found if milestone.id not in own))
    settings = replace(cascade.settings, milestones=milestones)
    return replace(cascade, settings=settings, warnings=(*cascade.warnings, *warnings))


def find_settings(*folders: str | os.PathLike[str]) -> Path | None:
    """Return the settings file of the first folder that has one: ``nova.toml``, or ``[tool.nova]`` in pyproject.toml.

    Raises ``OSError`` if one is there and cannot be read.
    """
    for folder in map(Path, folders):
        if (folder / SETTINGS_FILE).is_file():
            return folder / SETTINGS_FILE
        if (folder / PYPROJECT).is_file() and _has_our_table((folder / PYPROJECT).read_bytes()):
            return folder / PYPROJECT
    return None


def _has_our_table(content: bytes) -> bool:
    """Tell whether a pyproject.toml says something about us; of one that is no TOML, whether it seems to."""
    try:
        tools = tomllib.loads(content.decode()).get("tool", {})
    except (ValueError, RecursionError):
        return b"tool.nova" in content
    return isinstance(tools, dict) and "nova" in tools


def _text_of(path: str | os.PathLike[str]) -> str:
    with Path(path).open("rb") as file:
        content = file.read(LARGEST_PLAN + 1)
    if len(content) > LARGEST_PLAN:
        size = f"larger than {LARGEST_PLAN // 1024**2} MiB: this is no plan, or several"
        raise CascadeError([Diagnostic(1, "E005", size, os.fspath(path))])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = "UTF-16" if content.startswith(UTF_16) else f"byte 0x{content[error.start]:02x}"
        problem = Diagnostic(line, "E005", f"not UTF-8 text: {found}; save the file as UTF-8", os.fspath(path))
        raise CascadeError([problem]) from None
