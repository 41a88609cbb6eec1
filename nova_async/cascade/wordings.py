"""What a task waits for, in the words that people use: "(depends on T1)", "after T1", "Depends on: T1" on a line."""

import re
from dataclasses import dataclass, field
from typing import final

from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.ids import ID, clean_id, family_of, is_task_id, resolve_word
from nova_async.cascade.values import is_nothing

__all__ = ["Line", "PlanIds", "Waits", "is_dependency_key", "read_key_lines", "read_sentence", "read_value"]

Line = tuple[int, str]
"""A line of the file and its number, counted from 1."""

DECLARING = "depends on|depend on|depends|dependencies|dependency|deps"
LOOSE = "after|requires|require|needs|need|blocked by|waits for|wait for|prerequisites|prerequisite|prereqs"
KEY = rf"(?:{DECLARING}|{LOOSE})".replace(" ", r"[ \t_\n]{1,8}")
KEYS = frozenset(f"{DECLARING}|{LOOSE}".split("|"))
# All repetitions are bounded: hostile text must not take quadratic time.
IN_BRACKETS = re.compile(
    rf"[ \t]{{0,8}}[(\[][ \t]{{0,8}}(?P<key>{KEY})\b[ \t]{{0,8}}:?[ \t\n]{{0,8}}(?P<value>[^()\[\]]{{1,400}})[)\]]",
    re.I,
)
BRACKETS = re.compile(r"[(\[\uff08\u3010]([^()\[\]\uff08\uff09\u3010\u3011]{1,200})[)\]\uff09\u3011]")
INSIDE = re.compile(rf"(?<![A-Za-z0-9_.-]){ID}(?![A-Za-z0-9_-])", re.ASCII)
NEGATED = re.compile(r"\b(?:not|never|no)\b|n't", re.I)
REFERRING = re.compile(
    r"\s*(?:see|cf|like|unlike|as in|same as|similar to|replaces|part of|for|blocks|unblocks|before)\b", re.I
)
BARE = re.compile(rf"(?<![\w-])(?P<key>{KEY})\b[ \t]{{0,8}}:?[ \t\n]{{1,8}}(?P<value>[^\n()\[\]]{{1,200}})", re.I)
KEY_LINE = re.compile(
    rf"[ \t>]*(?:[-*+][ \t]+)?(?P<mark>[*_`]{{0,3}})(?P<key>{KEY})[ \t]{{0,8}}[*_`]{{0,3}}[ \t]{{0,8}}"
    r"[:\uff1a](?P<value>.*)",
    re.I,
)
NOT = re.compile(r"(?:\b(?:not|never|no longer)|n't)\s+(?:be\s+)?$", re.I)
NOTHING = re.compile(r"(?:none|nothing|nobody|no dependenc|no other|n/?a\b)", re.I)
SEGMENTS = re.compile(r"[,;+&/\u3001]|\band\b|\bplus\b", re.I)
SPACED_RANGE = re.compile(r"(?<=\d)[ \t]{1,8}(?:-|\u2013|\u2014|\.\.|to|through)[ \t]{1,8}(?=#?[A-Za-z]{0,8}\d)")
CALLED = re.compile(
    r"(?:(?:both|all of|all|completion of|the)\s+)?(?:tasks?|sub-?tasks?|steps?|stor(?:y|ies)|stages?)\b[\s#]*", re.I
)
WORD = re.compile(rf"#?(?P<word>{ID}(?:(?:\.\.|-|\u2013)#?{ID})?)(?=[\s.:)]|$)", re.ASCII)
FENCE = re.compile(r"\s*(```|~~~)")
CLEAN = str.maketrans("", "", "*`")


@final
@dataclass(slots=True)
class PlanIds:
    """Every id that stands anywhere in the plan, known before its tasks are read."""

    ids: set[str] = field(default_factory=set)
    families: set[str] = field(default_factory=set)

    def add(self, task_id: str) -> None:
        """Take an id."""
        self.ids.add(task_id)
        self.families.add(family_of(task_id))

    def is_slip(self, word: str) -> bool:
        """Tell whether a word is not an id of the plan, but of a series that the plan has."""
        return is_task_id(word) and any(map(str.isdigit, word)) and family_of(word) in self.families


@final
@dataclass(slots=True)
class Waits:
    """What was found of one task's dependencies."""

    words: list[str] = field(default_factory=list)
    """Ids, ranges, and what was meant as one."""
    declares: bool = False
    """It says what it waits for, be it nothing."""
    unread: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)
    """Phrases that name a task and were not taken for a dependency: line, words, ids."""


@final
@dataclass(frozen=True, slots=True)
class Named:
    """The ids that a text begins with, or that its parts begin with."""

    ids: tuple[str, ...] = ()
    slips: tuple[str, ...] = ()
    has_prose: bool = False


def is_dependency_key(key: str) -> bool:
    """Tell whether a key such as ``Depends on`` or ``blocked_by`` is about dependencies."""
    return " ".join(key.replace("_", " ").casefold().split()) in KEYS


def read_value(key: str, value: str, line: int, waits: Waits, plan: PlanIds, findings: Findings, *, adds: bool) -> bool:
    """Read what stands behind ``Depends on:``; False if it names no task, and then it is for the agent.

    ``adds`` is for a dependency that stands beside the order of the file and does not replace it.
    """
    value = value.strip()
    if is_nothing(value) or NOTHING.match(value):
        waits.declares = waits.declares or not adds
        return True
    named = named_ids(value, plan)
    if not named.ids and not named.slips:
        if key.casefold().startswith(("depends", "blocked")):  # "Dependencies: fastapi" is about packages
            _say_unread(line, f"{key}: {value}", findings)
        return False
    waits.words.extend((*named.ids, *named.slips))
    waits.declares = waits.declares or not adds
    return not named.has_prose


def read_key_lines(lines: list[Line], waits: Waits, plan: PlanIds, findings: Findings) -> list[Line]:
    """Read the lines that begin with ``Depends on:`` or the like, outside of fences; return the others."""
    kept: list[Line] = []
    fence = ""
    for number, text in lines:
        opened = FENCE.match(text)
        if opened and fence in ("", opened[1]):
            fence = "" if fence else opened[1]
        found = KEY_LINE.match(text) if not fence and ":" in text.replace("\uff1a", ":") else None
        if found is None:
            kept.append((number, text))
            if not fence:
                _note_unread(text, number, waits, plan)
            continue
        mark, value = found["mark"], found["value"].strip()
        in_emphasis = bool(mark) and value.endswith(mark) and value.count(mark) == 1
        adds = in_emphasis and mark in ("_", "*")
        value = value.removesuffix(mark) if in_emphasis else value
        if not read_value(found["key"], value.strip(" *_`\t"), number, waits, plan, findings, adds=adds):
            kept.append((number, text))
    return kept


def read_sentence(text: str, line: int, waits: Waits, plan: PlanIds, findings: Findings) -> str:
    """Read dependencies inside of a title; return it without what stands in brackets for us alone."""
    taken: list[tuple[int, int]] = []
    number, counted = line, 0
    for found in IN_BRACKETS.finditer(text):
        declaring = _is_declaring(found["key"])
        named = named_ids(found["value"], plan)
        number, counted = number + text.count("\n", counted, found.start("key")), found.start("key")
        phrase = " ".join(found[0].strip(" ()[]").split())
        if is_nothing(found["value"]) or (declaring and NOTHING.match(found["value"])):
            waits.declares = True
        elif named.ids and not named.slips and (declaring or not named.has_prose):
            waits.words.extend(named.ids)
            waits.declares = True
        elif named.slips and declaring:
            waits.words.extend((*named.ids, *named.slips))
            waits.declares = True
        else:
            if declaring or any(not word.isdigit() for word in (*named.ids, *named.slips)):
                _say_unread(number, phrase, findings)
            continue
        if not named.has_prose:
            taken.append(found.span())
    _note_other_brackets(text, line, waits, plan)
    kept, place = [], 0
    for begin, end in taken:
        kept.append(text[place:begin])
        place = end
    bare = "".join((*kept, text[place:]))
    _read_bare(bare, line, waits, plan, findings)
    return bare.strip()


def _read_bare(text: str, line: int, waits: Waits, plan: PlanIds, findings: Findings) -> None:
    number, counted = line, 0
    for found in BARE.finditer(text):
        number, counted = number + text.count("\n", counted, found.start("key")), found.start("key")
        named = named_ids(found["value"], plan, leading_only=True)
        ids = tuple(task_id for task_id in named.ids if not task_id.isdigit() or CALLED.match(found["value"]))
        if NOT.search(text[max(0, found.start() - 24) : found.start()]):
            continue
        if ids:
            waits.words.extend(ids)
            waits.declares = True
        elif any(not slip.isdigit() and not re.fullmatch(r"[\d.]+", slip) for slip in named.slips):
            _say_unread(number, f"{found['key']} {named.slips[0]}", findings)


def _note_other_brackets(text: str, line: int, waits: Waits, plan: PlanIds) -> None:
    """Note which tasks are named in brackets in words that are none of ours, as in another language."""
    for found in BRACKETS.finditer(text):
        ids = tuple(
            word for word in INSIDE.findall(found[1]) if word in plan.ids and not word.replace(".", "").isdigit()
        )
        is_ours = IN_BRACKETS.match(found[0]) or REFERRING.match(found[1]) or NEGATED.search(found[1])
        if ids and not is_ours:
            waits.unread.append((line + text.count("\n", 0, found.start()), " ".join(found[0].split()), ids))


def _note_unread(text: str, line: int, waits: Waits, plan: PlanIds) -> None:
    """Note what a line of a body says about other tasks; whether that matters, the order of the plan tells."""
    for found in BARE.finditer(text):
        named = named_ids(found["value"], plan, leading_only=True)
        ids = tuple(task_id for task_id in named.ids if not task_id.replace(".", "").isdigit())
        if ids and not NOT.search(text[max(0, found.start() - 24) : found.start()]):
            waits.unread.append((line, f"{found['key']} {', '.join(ids)}", ids))


def _say_unread(line: int, phrase: str, findings: Findings) -> None:
    text = f"{shown(phrase)} is not read as a dependency: it must name tasks of this plan and nothing else"
    findings.add(line, "W117", text)


def _is_declaring(key: str) -> bool:
    return " ".join(key.replace("_", " ").casefold().split()) in DECLARING.split("|")


def named_ids(value: str, plan: PlanIds, *, leading_only: bool = False) -> Named:
    """Find the ids in a text such as ``T1, T2 and T4-T6``, ``Task 1`` or ``T1 for the types, T2 for the rest``.

    Of each part between commas only what stands first counts: the 3 of "1.2 for 3 users" is no task.
    ``leading_only`` stops at the first part that begins with no task: what follows is another sentence.
    """
    ids: list[str] = []
    slips: list[str] = []
    prose = False
    for segment in SEGMENTS.split(SPACED_RANGE.sub("-", value.translate(CLEAN))):
        rest = segment.strip()
        found_any = False
        while rest:
            called = CALLED.match(rest)
            rest = rest[called.end() :] if called else rest
            word = WORD.match(rest)
            resolved = _resolved(word["word"], plan) if word else None
            if word is None or resolved is None:
                prose = True
                break
            known, slip = resolved
            ids.extend(known)
            slips.extend(slip)
            found_any = True
            rest = rest[word.end() :].lstrip(" \t\n.:)")
        if leading_only and not found_any:
            break
    return Named(tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(slips)), prose)


def _resolved(word: str, plan: PlanIds) -> tuple[list[str], list[str]] | None:
    """Split what a word means into ids of the plan and slips; None if it is a word like any other."""
    word = clean_id(word)
    meant = resolve_word(word, plan.ids)
    known = [task_id for task_id in meant if task_id in plan.ids]
    others = [task_id for task_id in meant if task_id not in plan.ids]
    if not known and not all(map(plan.is_slip, others)):
        return None
    return known, others
