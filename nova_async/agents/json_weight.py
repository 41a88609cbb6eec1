"""How much a line of JSON would become once it is decoded: values cost memory and time, long texts do not."""

__all__ = ["MAX_VALUES", "WEIGHED_FROM", "is_too_heavy"]

MAX_VALUES = 100_000  # in one event; the largest real ones have a few hundred, and a few megabytes of text
MAX_EVENTS_VALUES = 10 * MAX_VALUES  # in one line with all events of a run, which are decoded one by one
WEIGHED_FROM = 2 * MAX_VALUES  # bytes; a value and what parts it from the next take two
QUOTES = 4  # around a key and its value, both texts


def is_too_heavy(line: bytes) -> bool:
    """Tell whether a line of JSON has more values than any event of an agent; in linear time on any bytes.

    Decoded, 16 MiB of them would take 500 MB, and stop the event loop for seconds.
    """
    if len(line) <= WEIGHED_FROM or line[:1] not in (b"{", b"["):
        return False
    most = MAX_VALUES if line[:1] == b"{" else MAX_EVENTS_VALUES
    if _values(line) <= most:  # also counting what only looks like values, inside texts
        return False
    # Without its escapes each quote begins or ends a text: pairs of backslashes go first, or they would hide one.
    bare = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > QUOTES * most:
        return True
    return _values(b"".join(bare.split(b'"')[::2])) > most


def _values(text: bytes) -> int:
    return text.count(b",") + text.count(b"{") + text.count(b"[")
