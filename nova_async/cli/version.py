"""Which version this is."""

import importlib.metadata

__all__ = ["version_line"]


def version_line() -> str:
    """Return the command's name and the version of the installed distribution."""
    return f"nova {importlib.metadata.version('nova-async')}"
