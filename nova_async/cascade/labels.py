"""How a task announces itself at the start of a list item: a box, marks, a word such as "Task", an id."""

import re
from dataclasses import dataclass, replace
from typing import final

from nova_async.cascade.ids import ID, clean_id, looks_like_an_id, names_a_criterion, names_a_thing

__all__ = ["DONE_SIGNS", "SOFT_WORDS", "WORD", "Label", "read_label", "take_parallel_mark"]

DONE_SIGNS = "\u2713\u2714\u2705\u2611"  # ✓ ✔ ✅ ☑
WORD = r"(?P<word>(?i:sub-?task|task|step|stage|story))"
SOFT_WORDS = ("step", "stage", "story")  # what tasks are called, but also what they are grouped by
# Any sign may stand in a box, but no letter besides x: "[P] means parallel" and "[1] a source" are notes.
BOX = re.compile(r"\[(?P<mark>[xX \u00a0]|[^\w\s\[\]]|)\](?P<star>\*(?=[\s\d]))?(?:[ \t\u00a0]+|$|(?=[A-Za-z0-9`*~#]))")
PARALLEL = re.compile(r"(?:\[P\]|\(P\))(?=\s|$)")
PARALLEL_AT_END = re.compile(r"(?<=\s)(?:\[P\]|\(P\))$")
TAG = re.compile(r"(?:\[([A-Za-z0-9._-]{1,40})\](?!\()|\((P)\)(?=\s|$))\s*")
DASH = re.compile(r"[-:\uff1a\u2013\u2014]\s+")  # French puts a space before a colon
START = re.compile(
    rf"(?P<open>[*_`~]{{0,4}})(?:{WORD}[ \t]+)?(?P<hash>\#?)(?P<id>{ID})(?P<close>[*_`~]{{0,4}})"
    r"(?P<end>[.:)\uff1a\u3001\uff0e]?)(?P<after>[*_`~]{0,4})(?=\s|$|(?<=[\uff1a\u3001\uff0e])|[\u2013\u2014]|[^\x00-\x7f])"
)
TASK_NUMBER = re.compile(r"[Tt](?:ask)?[-_]?\d+(?:[._-]\d+)*[a-z]?")
PADDED = re.compile(r"[A-Za-z]+[-_]?0\d\d?[a-z]?")


@final
@dataclass(frozen=True, slots=True)
class Label:
    """What the beginning of an item says."""

    has_box: bool = False
    is_done: bool = False
    is_optional: bool = False
    """Kiro's ``[ ]*``."""
    is_parallel: bool = False
    """Marked ``[P]`` or ``(P)``."""
    word: str = ""
    """"task", "step" …, if the id stands behind one."""
    id: str = ""
    """What could be an id, or nothing."""
    is_sure: bool = False
    """It cannot be a word of the sentence, as in ``404 page``."""
    is_criterion: bool = False
    """``AC1``, ``FR-001``: something to be fulfilled, not to be done."""
    tags: tuple[str, ...] = ()
    text: str = ""
    """All behind the id, or behind the box where there is none."""
    sentence: str = ""
    """All behind the box."""


def read_label(text: str) -> Label:
    """Read the beginning of an item's text."""
    box = BOX.match(text)
    sentence = text[box.end() :] if box else text
    parallel, rest = _leading_parallel_mark(sentence)
    before, rest = _tags(rest)
    start = START.match(rest)
    word = (start["word"] or "").casefold().replace("-", "") if start else ""
    task_id = clean_id(start["id"]) if start else ""
    boxed = Label(
        has_box=box is not None,
        is_done=box is not None and _is_done(box["mark"], sentence),
        is_optional=box is not None and box["star"] is not None,
        is_parallel=parallel,
        text=sentence,
        sentence=sentence,
    )
    if start is None or not _can_be_an_id(task_id, word):
        named = [tag for tag in before if TASK_NUMBER.fullmatch(tag)]
        if not named:
            return boxed
        task_id, before, behind = named[0], [tag for tag in before if tag != named[0]], rest
    else:
        behind = _without_closing_mark(start, rest)
    tags, behind = _tags(behind.lstrip())
    is_marked, behind = take_parallel_mark(DASH.sub("", behind, count=1) if DASH.match(behind) else behind)
    tags = [*before, *tags]
    is_criterion = not word and names_a_criterion(task_id)
    has_marks = bool(tags) or parallel or is_marked
    return replace(
        boxed,
        is_parallel=parallel or is_marked or "P" in tags,
        word=word,
        id=task_id,
        is_sure=is_criterion
        or start is None
        or ((has_marks or _is_sure(start, task_id)) and (bool(word) or not names_a_thing(task_id))),
        is_criterion=is_criterion,
        tags=tuple(tag for tag in tags if tag != "P"),
        text=behind.strip(),
    )


def _is_done(mark: str, sentence: str) -> bool:
    """Tell whether a box is ticked, or its text is struck out: given up by its author."""
    return (mark != "" and mark in f"xX{DONE_SIGNS}") or re.match(r"~~.*~~\s*$", sentence) is not None


def take_parallel_mark(text: str) -> tuple[bool, str]:
    """Take ``[P]`` or ``(P)`` off the end of the first line."""
    first, newline, rest = text.partition("\n")
    found = PARALLEL_AT_END.search(first.rstrip()[-8:])
    if found is None:
        return False, text
    return True, f"{first.rstrip()[:-3].rstrip()}{newline}{rest}"


def _leading_parallel_mark(text: str) -> tuple[bool, str]:
    found = PARALLEL.match(text)
    return (True, text[found.end() :].lstrip()) if found else (False, text)


def _tags(text: str) -> tuple[list[str], str]:
    tags, place = [], 0
    while found := TAG.match(text, place):
        tags.append(found[1] or found[2])
        place = found.end()
    return tags, text[place:]


def _can_be_an_id(task_id: str, word: str) -> bool:
    return any(char.isdigit() for char in task_id) and bool(word or looks_like_an_id(task_id))


def _is_sure(start: "re.Match[str]", task_id: str) -> bool:
    return bool(
        start["word"]
        or start["hash"]
        or start["end"]
        or (start["open"] and start["close"] + start["after"])
        or TASK_NUMBER.fullmatch(task_id)
        or PADDED.fullmatch(task_id)
    )


def _without_closing_mark(start: "re.Match[str]", rest: str) -> str:
    """Return what stands behind the id; an emphasis that began before it and goes on is taken off."""
    behind, mark = rest[start.end() :], start["open"]
    if mark and not start["close"] and not start["after"]:
        behind = behind.replace(mark, "", 1)
    return behind
