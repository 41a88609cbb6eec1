"""Checklists: ``- [ ] T002 [P] [US1] Lint (depends on T001)``, with parts of tasks as items of their own."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.drafts import Drafts, Kind, OptionValues, Section, TaskDraft, joined
from nova_async.cascade.ids import made_id
from nova_async.cascade.labels import read_label
from nova_async.cascade.lists import Item, lines_without
from nova_async.cascade.option_lists import read_option_list
from nova_async.cascade.task_headings import META_LINE
from nova_async.cascade.wordings import Line, PlanIds, Waits, read_key_lines, read_sentence

__all__ = ["NO_PARENT", "ChecklistReader", "Parent", "has_tasks"]


ODD_MARK = re.compile(r"\[[A-Za-z]\]\s")


@final
@dataclass(frozen=True, slots=True)
class Parent:
    """The item that the items of an inner list are parts of."""

    ids: tuple[str, ...] = ()
    """Its id and those of the items around it, the outermost first; items without an id have none."""
    name: str = ""
    about: str = ""
    """What it says besides its title: its parts must know it."""
    is_optional: bool = False
    waits: Waits = field(default_factory=Waits)
    """What all of its parts wait for."""


NO_PARENT = Parent()


@final
@dataclass(slots=True)
class ChecklistReader:
    """Reads the lists of one file."""

    lines: list[str]
    plan: PlanIds
    drafts: Drafts
    options: OptionValues
    findings: Findings
    makes_ids: bool
    """No item of the file has an id, so they are named after their words."""
    _made: Counter[str] = field(default_factory=Counter)
    _unnamed: list[Item] = field(default_factory=list)
    _boxless: list[Item] = field(default_factory=list)
    _criteria: list[Item] = field(default_factory=list)

    def read(self, items: Sequence[Item], section: Section, parent: Parent, *, about_criteria: bool) -> None:
        """Take the tasks of a list; what looks like one and is none is counted (W115, W119)."""
        self._boxless, self._criteria = [], []
        self._read(items, section, parent, about_criteria=about_criteria)
        if not self.makes_ids:
            self.report_unnamed()
        if self._boxless:
            first = self._boxless[0]
            text = (
                f"{_counted(self._boxless)} without a box ignored (first: {shown(first.text)}); to run them, add `[ ]`"
            )
            self.findings.add(first.start + 1, "W119", text)
        if self._criteria:
            first = self._criteria[0]
            count = "1 criterion is" if len(self._criteria) == 1 else f"{len(self._criteria)} criteria are"
            text = (
                f"{count} not run (first: {shown(first.label.sentence)}); if one is a task, write `Task` before its id"
            )
            self.findings.add(first.start + 1, "W119", text)

    def report_unnamed(self) -> None:
        """Count the items without an id that were read since the last time (W115)."""
        if not self._unnamed:
            return
        first = self._unnamed[0]
        count = _counted(self._unnamed)
        if self.makes_ids:
            text = f"{count} without an id, so ids are made from the text, and a reworded item is a new task; "
            text += f"start items with an id: `- [ ] T1 {_start(first)}`"
        else:
            text = f"{count} without an id ignored (first: {shown(first.label.sentence)}); to run them, add ids"
        self.findings.add(first.start + 1, "W115", text)
        self._unnamed = []

    def _read(self, items: Sequence[Item], section: Section, parent: Parent, *, about_criteria: bool) -> None:
        has_phases = any(map(_is_phase, items))
        for item in items:
            label = item.label
            is_named = item.task_id and not item.task_id.replace(".", "").isdigit()
            if label.has_box and (label.is_criterion or (about_criteria and not is_named and label.word != "task")):
                self._criteria.append(item)
            elif any(map(has_tasks, item.children)):
                self._read_group(item, section, parent)
            elif item.task_id:
                self.drafts.add(self._read_task(item, item.task_id, section, parent))
            elif label.has_box and label.sentence.strip():
                self._read_unnamed(item, section, parent)
            elif _is_phase(item):
                inside = replace(parent, name=joined(parent.name, _title(item.text)))
                self._read(item.children, section, inside, about_criteria=about_criteria)
            elif not label.has_box and (label.word == "task" or (has_phases and item.number) or _has_an_odd_mark(item)):
                self._boxless.append(item)

    def _read_unnamed(self, item: Item, section: Section, parent: Parent) -> None:
        self._unnamed.append(item)
        if self.makes_ids:
            sentence = item.label.text if item.label.id.isdigit() and item.label.is_sure else item.label.sentence
            task_id = self._new_id(made_id(_title(sentence)))
            self.drafts.add(self._read_task(item, task_id, section, parent, text=sentence))

    def _new_id(self, made: str) -> str:
        """Tell apart items of the same words."""
        task_id = made
        while task_id in self._made:
            self._made[made] += 1
            task_id = f"{made}-{self._made[made]}"
        self._made[task_id] = 1
        return task_id

    def _read_group(self, item: Item, section: Section, parent: Parent) -> None:
        """Read the parts of an item; what else it says is told to each of them."""
        label, ids = item.label, parent.ids
        if item.task_id and self.drafts.add_group(item.task_id, item.start + 1):
            ids = (*ids, item.task_id)
        if label.is_parallel:
            text = f"[P] on {item.task_id or 'an item'} is ignored, because it is only a group; mark its tasks instead"
            self.findings.add(item.start + 1, "W112", text)
        left_out = [(child.start, child.end) for child in item.children if has_tasks(child)]
        waits = Waits(list(parent.waits.words), parent.waits.declares)
        text = label.text if item.task_id else item.text
        title = _title(read_sentence(text.split("\n", 1)[0], item.start + 1, waits, self.plan, self.findings))
        self._warn_of_deep_items(item)
        own = [*self._further_lines(item, text), *lines_without(self.lines, item.text_end, item.end, left_out)]
        own = read_key_lines(own, waits, self.plan, self.findings)
        about = "" if _is_nothing(own) else "\n".join(text for _, text in own).strip("\n").rstrip()
        about = "\n\n".join(filter(None, (parent.about, f"Part of {title}:\n{about}" if about else "")))
        inside = Parent(ids, joined(parent.name, title), about, parent.is_optional or label.is_optional, waits)
        tasks = [child for child in item.children if has_tasks(child)]
        self._read(tasks, section, inside, about_criteria=False)

    def _read_task(self, item: Item, task_id: str, section: Section, parent: Parent, text: str = "") -> TaskDraft:
        label = item.label
        section = section.with_part(parent.name)
        draft = TaskDraft(task_id, item.start + 1, section, kind=Kind.ITEM, done=label.is_done)
        draft.waits.words.extend(parent.waits.words)
        draft.waits.declares = parent.waits.declares
        draft.parallel, draft.parent = label.is_parallel, parent.ids[-1] if parent.ids else ""
        if label.tags:
            draft.written["tags"] = label.tags
        text = text or label.text
        self._warn_of_deep_items(item)
        below = read_key_lines(self._further_lines(item, text), draft.waits, self.plan, self.findings)
        sentence = "\n".join((text.split("\n", 1)[0], *(line for _, line in below)))
        draft.waits.unread.clear()  # the whole first paragraph is read as a sentence
        sentence = read_sentence(sentence, draft.line, draft.waits, self.plan, self.findings)
        draft.name = sentence.split("\n", 1)[0]
        read = read_option_list(item.first_list, draft, self.plan, self.options, self.findings)
        body = lines_without(self.lines, item.text_end, item.end, read)
        body = read_key_lines(body, draft.waits, self.plan, self.findings)
        draft.has_body = bool(draft.prompt) or not _is_nothing(body)
        rest = "\n".join(line for _, line in body).strip("\n").rstrip()
        draft.prompt = "\n".join(filter(None, (sentence, draft.prompt, rest)))
        if parent.about:
            draft.prompt += f"\n\n{parent.about}"
        if (label.is_optional or parent.is_optional) and "optional" not in draft.written:
            draft.written["optional"] = True
        for group in parent.ids:
            self.drafts.groups[group].append(task_id)
        return draft

    def _further_lines(self, item: Item, text: str) -> list[Line]:
        """Give the lines of an item's first paragraph behind the first."""
        return [(item.start + 2 + place, line.strip()) for place, line in enumerate(text.split("\n")[1:])]

    def _warn_of_deep_items(self, item: Item) -> None:
        """Say that an item is only text of the one above it, as Markdown has it where it is indented too far."""
        for line, text in self._further_lines(item, item.text):
            if text[:2] in ("- ", "* ", "+ ") and read_label(text[2:].lstrip()).has_box:
                said = "this item is indented too far, so it is only text of the item above; remove some spaces"
                self.findings.add(line, "W114", said)


def has_tasks(item: Item) -> bool:
    """Tell whether an item, or one inside of it, is a task that has an id."""
    return any(inner.task_id for inner in item.family())


def _is_nothing(lines: list[Line]) -> bool:
    return all(META_LINE.fullmatch(text) for _, text in lines)


def _counted(items: Sequence[Item]) -> str:
    return "1 item" if len(items) == 1 else f"{len(items)} items"


def _title(text: str) -> str:
    return text.split("\n", 1)[0].strip("*_` ").rstrip(":")


def _start(item: Item) -> str:
    words = _title(item.label.sentence).split()
    return " ".join(words[:3]) + (" …" if len(words) > 3 else "")


def _is_phase(item: Item) -> bool:
    """Tell whether an item is a heading in all but name: ``1. **Setup**``, with boxes below it."""
    return not item.label.has_box and any(inner.label.has_box for inner in item.family())


def _has_an_odd_mark(item: Item) -> bool:
    """Tell whether an item would be a task, had it a box in place of ``[o]`` or of a lone ``[P]``."""
    label = item.label
    return label.is_sure and not label.id.isdigit() and ODD_MARK.match(item.text) is not None
