"""Which version this is: the build reads it from here, and so does the command, quicker than any metadata."""

__all__ = ["VERSION", "version_line"]

VERSION = "0.1.0"


def version_line() -> str:
    """Return the command's name and its version."""
    return f"nova {VERSION}"
