"""Headings: the names of project, branches and groups, and tasks that have a heading of their own."""

import re
from dataclasses import dataclass
from typing import final

from nova_async.cascade.blocks import Block
from nova_async.cascade.ids import ID, clean_id, looks_like_an_id, names_a_criterion, names_a_thing
from nova_async.cascade.labels import DONE_SIGNS, SOFT_WORDS, WORD, take_parallel_mark

__all__ = ["TaskHeading", "branch_name", "group_name", "is_about_criteria", "read_heading"]

LEVEL_PREFIX = {2: re.compile(r"L1:\s*", re.IGNORECASE), 3: re.compile(r"L2:\s*", re.IGNORECASE)}
IN_MARKS = rf"[`*]{{0,3}}\#?{ID}[`*]{{0,3}}"
# A colon needs a space after it, or `### 12:30 notes` were a task. A dash needs none, but what has a number after it
# and nothing else, as in "F1 to F3" written with a dash, is a range.
SIGN = (
    r"\s{0,8}(?P<sign>:[`*]{0,3}(?=\s|$)|\uff1a[`*]{0,3}|\[[ xX~/-]?\](?=\s|$)|"
    r"[\u2014\u2013](?!\s*[A-Za-z]*\d+\s*(?::|$)))\s*"
)
BARE = re.compile(rf"[*_]{{0,2}}(?P<id>{IN_MARKS}){SIGN}(?P<name>.*)", re.ASCII)
NUMBERED = re.compile(
    r"[*_]{0,2}(?P<id>T\d+(?:[._-]\d+)*[a-z]?)[*_]{0,2}(?:\s+-)?(?P<sign>\s)\s*(?P<name>\S.*)", re.ASCII
)
WORDED = re.compile(
    rf"[*_]{{0,2}}{WORD}[ \t]+(?P<id>{IN_MARKS})"
    rf"(?:{SIGN}|[.)](?=\s|$)\s*|(?P<hyphen>\s+-\s+)|(?P<space>\s+)|$)(?P<name>.*)",
    re.ASCII,
)
COUNTED = frozenset(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"])
LEADING_SIGN = re.compile(r"(?:\[(?P<mark>[^\]\n]?)\]|(?P<sign>[^\w\s#*`_~\[(.]+))\s+")
DONE_AT_END = re.compile(
    rf"(?:[\s:\u2013\u2014-]*(?:[(\[](?:done|completed?|finished|x)[)\]]|[{DONE_SIGNS}]\ufe0f?)|\s[\u2013\u2014-]+\s*"
    r"(?:DONE|COMPLETED?|FINISHED))+$",
    re.IGNORECASE,
)
LONGEST_TITLE = 1000  # characters that are searched
CRITERIA = re.compile(
    r"\W*(?:\d+[.)]\s*)?(?:(?:acceptance|success|exit|completion|done|quality)\s+criteria\b|criteria\s*$|"
    r"definition\s+of\s+(?:done|ready)\b|(?:functional\s+|non-functional\s+|key\s+|user\s+)?requirements\s*$|"
    r"out\s+of\s+scope\b|non-goals\b)",
    re.IGNORECASE,
)


@final
@dataclass(frozen=True, slots=True)
class TaskHeading:
    """A heading that is a task, or is written like one."""

    id: str
    name: str
    word: str = ""
    """"task", "step" …, if the id stands behind one."""
    is_done: bool = False
    is_parallel: bool = False
    is_task: bool = True
    """False if the id is that of a criterion, or a word such as "OAuth2"."""

    @property
    def is_soft(self) -> bool:
        """The word may also head a section of tasks."""
        return self.word in SOFT_WORDS


def branch_name(block: Block) -> str:
    """Give the name in a ``##`` heading, without its ``L1:``."""
    return LEVEL_PREFIX[2].sub("", block.text, count=1) if LEVEL_PREFIX[2].match(block.text) else block.text


def group_name(block: Block) -> str:
    """Give the name in a ``###`` heading, without its ``L2:``."""
    return LEVEL_PREFIX[3].sub("", block.text, count=1) if LEVEL_PREFIX[3].match(block.text) else block.text


def is_about_criteria(title: str) -> bool:
    """Tell whether a heading says that what stands below it is to be fulfilled, and not to be done."""
    return CRITERIA.match(title[:LONGEST_TITLE]) is not None


def read_heading(block: Block) -> TaskHeading | None:
    """Read ``### F1: name``, ``## Task 1: name`` or ``### Task F1 — name``; None for any other heading.

    Without a word the id needs a digit, and rank 3 or lower, or all were tasks.
    """
    if block.rank == 0 or (block.rank == 3 and LEVEL_PREFIX[3].match(block.text)):
        return None
    done, text = _leading_marks(block.text)
    found = WORDED.fullmatch(text)
    word = found["word"].casefold().replace("-", "") if found else ""
    if found is None or not _is_named(found, block.rank, word):
        found, word = BARE.fullmatch(text) or NUMBERED.fullmatch(text), ""
    if found is None:
        return None
    task_id = clean_id(found["id"])
    if not word and (block.rank < 3 or not any(char.isdigit() for char in task_id)):
        return None
    done = done or (found["sign"] or "") in ("[x]", "[X]")
    parallel, name = take_parallel_mark(found["name"].strip())
    ended = DONE_AT_END.search(name[-80:])
    if ended:
        name = name[: len(name) - len(ended[0])]
    is_task = bool(word) or (
        looks_like_an_id(task_id) and not names_a_criterion(task_id) and not names_a_thing(task_id)
    )
    return TaskHeading(
        task_id, name.strip().removesuffix("**").strip(), word, done or ended is not None, parallel, is_task
    )


def _is_named(found: "re.Match[str]", rank: int, word: str) -> bool:
    """Tell whether what stands behind a word such as "Task" is an id, as in ``Task 3`` or ``Task A:``."""
    task_id = clean_id(found["id"])
    if any(char.isdigit() for char in task_id):
        return word == "task" or not found["space"]
    is_counted = len(task_id) == 1 or task_id.casefold() in COUNTED
    return rank >= 3 and is_counted and bool(found["sign"] or found["hyphen"])


def _leading_marks(text: str) -> tuple[bool, str]:
    """Take signs and boxes off the beginning, as in ``✅ Task 1`` and ``[x] Task 1``."""
    done, place = False, 0
    while found := LEADING_SIGN.match(text, place):
        done = done or (found["mark"] or "") in ("x", "X") or bool(set(DONE_SIGNS) & set(found["sign"] or ""))
        place = found.end()
    return done, text[place:]
