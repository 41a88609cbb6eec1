"""Bullet lists that set options: the one right below a task's heading, or below its item in a checklist."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from nova_async.cascade.columns import field_of
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.drafts import OptionValues, TaskDraft
from nova_async.cascade.lists import Item
from nova_async.cascade.options import OPTIONS, Option, as_header, find_option
from nova_async.cascade.values import is_nothing, is_sentence, parse_check, parse_command, parse_list, parse_text
from nova_async.cascade.wordings import PlanIds, is_dependency_key, read_value

__all__ = ["read_option_list"]

KEY_AND_VALUE = re.compile(
    r"(?P<mark>\*\*|__|[*_`]?)(?P<key>[A-Za-z][\w \\-]{0,40}?)\s*(?P<close>[*_`]{0,2})[:\uff1a](?P<rest>.*)", re.S
)
AS_IN_TOML = re.compile(
    r"`?(?P<key>[a-z_]{1,20})[ \t]*=[ \t]*(?P<value>[^=`\n]{1,200})`?"
)  # as above the plan, or in messages
LONGEST_FACT = 2  # words of a key that is not emphasised; "Keep the API: it is public" is a sentence
ONE_WORD = re.compile(r"`?[\w./:@+\[\]-]+`?")


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """A bullet such as ``Timeout: 45m``, ``**Timeout:** 45m`` or ``_Depends: 1.2_``."""

    key: str
    value: str
    is_emphasised: bool
    """The key alone, as in ``**Files:** a.py``."""
    in_italics: bool
    """All of it."""


def read_option_list(
    items: Sequence[Item], draft: TaskDraft, plan: PlanIds, options: OptionValues, findings: Findings
) -> list[tuple[int, int]]:
    """Read the options of a task from the items of a bullet list, up to the first that is prose.

    ``draft`` gets options, dependencies, and a ``Prompt:`` if there is one. Returns the ranges of lines, from 0, that
    were read; everything else is for the agent, also facts such as ``Files: src/store.py``.
    """
    read: list[tuple[int, int]] = []
    for item in items:
        setting = _setting_of(item.text) if not item.label.has_box else None
        if setting is None:
            break
        if _take(setting, item, draft, plan, options, findings):
            read.append((item.start, item.end))
        elif not _is_fact(setting):
            break
    return read


def _take(
    setting: Setting, item: Item, draft: TaskDraft, plan: PlanIds, options: OptionValues, findings: Findings
) -> bool:
    """Read one bullet; False if it is for the agent."""
    line, key = item.start + 1, setting.key
    words = ", ".join(filter(None, (setting.value, *item.parts)))
    option = find_option(key)
    if is_dependency_key(key) or field_of(key) == "deps":
        return read_value(key, words, line, draft.waits, plan, findings, adds=setting.in_italics)
    if field_of(key) == "prompt":
        draft.prompt = "\n".join(filter(None, (setting.value, *item.parts)))
        draft.has_own_prompt = as_header(key) == "prompt"
        return True
    if option is None:
        return _is_misspelled(setting, line, findings)
    if setting.in_italics or not _can_be_a_value(option, words):
        return False
    if option.read is parse_check and is_sentence(words):
        findings.add(line, "W118", f"{shown(words)} is a sentence, not a command: left in the prompt")
        return False
    if option.read is parse_list:
        own = draft.written.get(option.attribute, ())
        words = " ".join((*(own if isinstance(own, tuple) else ()), words))
    return options.set(draft, option, key, words, line)


def _can_be_a_value(option: Option, text: str) -> bool:
    """Tell whether the text is more than a sentence that happens to begin like an option.

    What takes any text would take any sentence: in a bullet, names and paths are single words.
    """
    return option.attribute not in ("model", "task_class", "cwd") or is_nothing(text) or bool(ONE_WORD.fullmatch(text))


def _is_misspelled(setting: Setting, line: int, findings: Findings) -> bool:
    """Tell whether a key was meant to be one of ours (W111); its value must fit, or it is a fact like any other."""
    near = [option for option in OPTIONS if not _takes_any_text(option)]
    guess = findings.guess(as_header(setting.key).replace(" ", "_"), [option.key for option in near])
    option = next((option for option in near if f"'{option.key}'" in guess), None)
    if option is None or not setting.value:
        return False
    try:
        option.from_text(setting.value)
    except ValueError:
        return False
    findings.add(line, "W111", f"unknown option {shown(setting.key)} ignored{guess}")
    return True


def _takes_any_text(option: Option) -> bool:
    return option.read in (parse_text, parse_list, parse_command, parse_check)


def _is_fact(setting: Setting) -> bool:
    return setting.is_emphasised or setting.in_italics or len(setting.key.split()) <= LONGEST_FACT


def _setting_of(text: str) -> Setting | None:
    """Split a bullet into key and value; None for prose."""
    if (found := AS_IN_TOML.fullmatch(text)) is not None and find_option(found["key"]) is not None:
        return Setting(found["key"], found["value"].strip("'\""), is_emphasised=False, in_italics=False)
    found = KEY_AND_VALUE.match(text)
    if found is None:
        return None
    rest, mark = found["rest"], found["mark"]
    in_italics = False
    if mark and not found["close"]:
        stripped = rest.rstrip()
        if rest.startswith(mark):
            rest = rest.removeprefix(mark)
        elif mark in "_*" and stripped.endswith(mark) and stripped.count(mark) == 1:
            rest, in_italics = stripped.removesuffix(mark), True
        else:
            return None  # emphasis that spans more than the key
    if rest and not rest[0].isspace():
        return None  # C:\path, http://…
    return Setting(found["key"], " ".join(rest.split()), bool(mark) and not in_italics, in_italics)
