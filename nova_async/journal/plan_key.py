"""The name under which a journal keeps what it knows about a plan."""

import os
from pathlib import Path

__all__ = ["plan_key"]


def plan_key(plan_path: Path, journal_path: Path) -> str:
    """Return the plan's path as seen from the journal's folder, links resolved, with forward slashes.

    So two plans never share results, and a tree that is moved as a whole keeps them.

    Raises ``ValueError`` if the path is impossible.
    """
    folder = os.path.dirname(os.path.realpath(journal_path))  # noqa: PTH120 - realpath gives text
    return os.path.relpath(os.path.realpath(plan_path), folder).replace(os.sep, "/")
