"""Reads a plan from disk: the only file of this package that touches one."""

import os
from pathlib import Path

from nova_async.cascade.cascade import Cascade
from nova_async.cascade.diagnostics import CascadeError, Diagnostic
from nova_async.cascade.reading import parse_cascade

__all__ = ["load_cascade"]

UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def load_cascade(path: str | os.PathLike[str]) -> Cascade:
    """Read the plan in a file.

    Raises ``CascadeError`` if the plan has errors or is not UTF-8 text (E005), and the system's own ``OSError``
    (``FileNotFoundError``, ``PermissionError`` …) if the file cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = "UTF-16" if content.startswith(UTF_16) else f"byte 0x{content[error.start]:02x}"
        problem = Diagnostic(line, "E005", f"not UTF-8 text: {found}; save the file as UTF-8", os.fspath(path))
        raise CascadeError([problem]) from None
    return parse_cascade(text, os.fspath(path))
