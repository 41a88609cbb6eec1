"""Task ids, and the lists of them that say what a task depends on."""

import re
from collections.abc import Container

from nova_async.cascade.values import is_nothing

__all__ = [
    "ID",
    "MAX_ID",
    "clean_id",
    "family_of",
    "is_task_id",
    "looks_like_an_id",
    "made_id",
    "names_a_criterion",
    "names_a_thing",
    "open_range",
    "resolve_word",
    "split_dependencies",
]

ID = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"
"""The shape of an id, to be built into larger patterns."""
PADDING = "`* \t\u00a0\u200b\ufeff"  # editors and browsers add the last three, and nobody sees them
MAX_ID = 64  # characters: an id becomes part of file and branch names
MAX_RANGE = 1000  # tasks in one range: `F1-F999999999` is a slip of the hand and must not fill the memory

WHOLE_ID = re.compile(ID, re.ASCII)
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
SEPARATORS = re.compile(r"(?:[,;+&\s]|<br\s*/?>)+", re.IGNORECASE)
SPACED_RANGE = re.compile(r"(?<=[A-Za-z0-9])\s+(-|\u2013|\.\.)\s+(?=#?[A-Za-z0-9])")
RANGE_SIGN = re.compile(r"\.\.|-|\u2013")
NUMBERED = re.compile(r"(.*?)(\d{1,15})", re.ASCII)
MAX_RANGE_WORD = 2 * MAX_ID + 3  # characters of two ids and what stands between; more would only take time
LONGEST_MADE = 40  # characters of an id that is made of words
FAMILY = re.compile(r"(.*?)\d+[a-z]?", re.ASCII)
VERSION_OR_DATE = re.compile(r"[vV]\d[\d.]*|\d{4}-\d\d?-\d\d?", re.ASCII)
PART = r"(?:[A-Z]+\d*|[a-z]+\d*|[A-Z][a-z]+|\d+)[a-z]?"
# Words with both cases before a number (OAuth2, IPv6) or with letters behind it (E2E, B2B) are names of things.
LIKE_AN_ID = re.compile(rf"{PART}(?:[._-]{PART})*", re.ASCII)
THINGS = frozenset({
    "s3", "ec2", "d3", "r2", "x11", "x86", "h264", "h265", "mp3", "mp4", "md5", "sha1", "sha256", "sha512", "utf8",
    "utf16", "es5", "es6", "http1", "http2", "http3", "ipv4", "ipv6", "v8", "k8s", "co2", "x509", "p99", "p95",
    "web3", "base64",
})  # fmt: skip
"""Names of things that are shaped like an id, without their joints."""
CRITERION = re.compile(r"(?:AC|SC|FR|NFR|REQ|CHK|BR|ADR|RFC)[._-]?\d+(?:[._-]\d+)*[a-z]?", re.ASCII)


def is_task_id(text: str) -> bool:
    """Tell whether the text is a well-formed id: ASCII letters and digits, joined by single ``.``, ``_`` or ``-``."""
    return len(text) <= MAX_ID and WHOLE_ID.fullmatch(text) is not None


def clean_id(text: str) -> str:
    """Take off what people and formatters put around an id: backticks, bold, a leading ``#``, backslashes."""
    return ESCAPED.sub(r"\1", text).strip(PADDING).removeprefix("#").strip(PADDING)


def looks_like_an_id(text: str) -> bool:
    """Tell whether a well-formed id is shaped as people shape them: ``T001``, ``1.2``, ``API-3``; not ``OAuth2``."""
    return is_task_id(text) and LIKE_AN_ID.fullmatch(text) is not None and not VERSION_OR_DATE.fullmatch(text)


def names_a_thing(text: str) -> bool:
    """Tell whether a text shaped like an id is the name of something, such as ``S3``; beside ``S1`` it is an id."""
    return re.sub(r"[._-]", "", text).casefold() in THINGS


def names_a_criterion(task_id: str) -> bool:
    """Tell whether an id is one of acceptance criteria, requirements or decisions: ``AC1``, ``FR-001``, ``SC-2``."""
    return CRITERION.fullmatch(task_id) is not None


def family_of(task_id: str) -> str:
    """Give what the ids of a series share: ``T`` of ``T001``, ``API-`` of ``API-3``, ``1.`` of ``1.2``."""
    found = FAMILY.fullmatch(task_id)
    return found[1] if found else task_id


def made_id(sentence: str) -> str:
    """Make an id of an item's words, the same for the same words.

    What ASCII cannot spell is told apart by a number of the whole text.
    """
    words = "-".join(re.findall(r"[a-z0-9]+", sentence.casefold()[:400], re.ASCII))
    made = words[: LONGEST_MADE + 1].rpartition("-")[0] if len(words) > LONGEST_MADE else words
    made = made or words[:LONGEST_MADE]
    if not made or not sentence.isascii():
        number = 0
        for char in sentence:
            number = (number * 31 + ord(char)) % 16**6
        made = f"{made or 'item'}-{number:06x}"
    return made


def split_dependencies(text: str) -> tuple[str, ...]:
    """Split a dependency cell into words, each an id or a range that ``resolve_word`` opens later."""
    if is_nothing(text):
        return ()
    text = SPACED_RANGE.sub(r"\1", ESCAPED.sub(r"\1", text).replace("`", "").replace("*", ""))
    words = (word.removeprefix("#").rstrip(".") for word in SEPARATORS.split(text))
    return tuple(dict.fromkeys(word for word in words if not is_nothing(word) and word.casefold() != "and"))


def open_range(word: str) -> tuple[str, ...] | None:
    """Give all ids of a range such as ``F1-F3``, ``T001..T003`` or ``1..4``, zero padding kept; None if it is none."""
    if len(word) > MAX_RANGE_WORD:
        return None
    for sign in RANGE_SIGN.finditer(word):
        first = NUMBERED.fullmatch(word[: sign.start()])
        last = NUMBERED.fullmatch(word[sign.end() :].removeprefix("#"))
        if first is None or last is None or last[1] not in ("", first[1]):
            continue
        low, high = int(first[2]), int(last[2])
        if low <= high < low + MAX_RANGE:
            return tuple(first[1] + str(number).zfill(len(first[2])) for number in range(low, high + 1))
    return None


def resolve_word(word: str, known: Container[str]) -> tuple[str, ...]:
    """Give the ids that a word of a dependency cell means.

    An existing id wins over a range that is spelled alike; a range of which nothing exists stays one word, so that
    it is one mistake and not a thousand.
    """
    ids = open_range(word) if word not in known else None
    return ids if ids and any(task_id in known for task_id in ids) else (word,)
