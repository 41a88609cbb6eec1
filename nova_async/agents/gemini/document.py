"""The pretty-printed document of Gemini CLI's ``-o json``, gathered line by line."""

from typing import final

from nova_async.agents.reader import MAX_LINE

__all__ = ["DocumentLines"]


@final
class DocumentLines:
    """Gathers lines from one that begins with ``{`` to one that begins with ``}``; those within are indented.

    What is longer than ``most`` bytes in all is given up.
    """

    def __init__(self, most: int = MAX_LINE) -> None:
        self._most = most
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether a document has begun and not ended."""
        return bool(self._lines)

    def take(self, line: bytes) -> bytes | None:
        """Take a line that begins a document or follows in one; return the document if that line ends it.

        One that is given up comes back as far as it went.
        """
        if line.startswith(b"{"):  # inside a document every line is indented, so this can only begin one
            self._lines, self._size = [], 0
            if line.rstrip().endswith(b"}"):
                return line
        self._lines.append(b"}" if line.startswith(b"}") else line)
        self._size += len(line) + 1
        return b"\n".join(self.left()) if line.startswith(b"}") or self._size > self._most else None

    def left(self) -> list[bytes]:
        """Return the lines of the document that has begun, and forget them."""
        lines, self._lines, self._size = self._lines, [], 0
        return lines
