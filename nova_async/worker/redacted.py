"""A stream on its way to the log and the reader, with its secrets taken out."""

from collections.abc import Callable
from typing import final

from nova_async.redaction import Redactor

__all__ = ["Redacted"]


@final
class Redacted:
    """Hands a stream on to ``take``; nothing that comes after it ever sees a secret."""

    def __init__(self, redactor: Redactor, take: Callable[[bytes], bool]) -> None:
        self._redactor = redactor
        self._take = take

    def take(self, chunk: bytes) -> bool:
        """Take a chunk; tell whether there is room for more."""
        shown = self._redactor.feed(chunk)
        return self._take(shown) if shown else True

    def end(self) -> None:
        """Hand on what was held back as the possible beginning of a secret; it may be called again."""
        if shown := self._redactor.close():
            self._take(shown)
