"""Which words of a plan are ids: looked at before its tasks are read, because a list shows it better than an item."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from nova_async.cascade.blocks import Block, read_rows
from nova_async.cascade.columns import read_header
from nova_async.cascade.headings import TaskHeading, read_heading
from nova_async.cascade.ids import clean_id, family_of, is_task_id, names_a_thing
from nova_async.cascade.labels import Label
from nova_async.cascade.lists import Item, items_of
from nova_async.cascade.wordings import PlanIds

__all__ = ["Outline"]


NUMBER = re.compile(r"\d+[a-z]?", re.ASCII)


class Outline:
    """The lists and task headings of a plan, and all ids in it.

    The number or word that an item begins with is its id if it cannot be anything else (``T001``, ``1.``, ``**F1**``),
    if its series comes twice in the plan, or if every item of its list begins with one. So ``404 page`` stays a page.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.lists = {
            block.start: items_of(block.tokens) for block in blocks if block.kind in ("bullet_list", "ordered_list")
        }
        """The items of each top-level list, by its first line."""
        self.headings = {block.start: found for block in blocks if (found := read_heading(block))}
        """Headings that are tasks or look like it, by their line."""
        self.plan = PlanIds()
        everything = [item for top in self._tops() for item in top.family()]
        ids = [*self._ids_of_rows(blocks), *(found.id for found in self.headings.values())]
        ids += [item.label.id for item in everything if item.label.has_box and not item.label.is_criterion]
        self._series: dict[str, set[str]] = {}
        for task_id in ids:
            if task_id and not names_a_thing(task_id):
                self._series.setdefault(family_of(task_id), set()).add(task_id)
        for start, found in self.headings.items():
            if names_a_thing(found.id) and self._has_like(found.id):
                self.headings[start] = replace(found, is_task=True)
        for task_id in (*self._ids_of_rows(blocks), *(found.id for found in self.headings.values() if found.is_task)):
            self.plan.add(task_id)
        for items in self.lists.values():
            boxes = [item for item in items if item.label.has_box]
            if not any(item.label.id for item in boxes):
                for item in boxes:  # of a numbered list
                    item.task_id = item.number
            self._name(items, inside_of_task=False)
        self._drop_repeated_numbers()
        self._drop_lonely_title(blocks)
        for item in everything:
            if item.task_id:
                self.plan.add(item.task_id)

    @property
    def has_tasks(self) -> bool:
        """Tell whether anything in the plan has an id."""
        return bool(self.plan.ids)

    def _tops(self) -> Iterable[Item]:
        return (item for items in self.lists.values() for item in items)

    def _ids_of_rows(self, blocks: Sequence[Block]) -> Iterable[str]:
        for block in blocks:
            if block.kind == "table":
                header, *rows = read_rows(block)
                columns = read_header(header.cells)
                for row in rows if columns else ():
                    if columns and is_task_id(task_id := clean_id(row.cells[columns.fields["id"]])):
                        yield task_id

    def _has_like(self, task_id: str) -> bool:
        """Tell whether the plan has another id of the same series."""
        return bool(self._series.get(family_of(task_id), set()) - {task_id})

    def _can_be_named(self, label: Label) -> bool:
        """Tell whether an item's first word can be its id: not so ``S3``, unless there is an ``S1``, too."""
        return bool(label.id) and (bool(label.word) or not names_a_thing(label.id) or self._has_like(label.id))

    def _name(self, items: Sequence[Item], *, inside_of_task: bool) -> None:
        """Decide which items of a list have an id, and go on with their inner lists."""
        boxes = [item for item in items if item.label.has_box]
        all_have = all(self._can_be_named(item.label) for item in boxes)
        counted = all_have and len(boxes) > 1 and _count_up([item.label.id for item in boxes])
        for item in boxes:
            label = item.label
            is_number = NUMBER.fullmatch(label.id) is not None
            if label.is_criterion or not self._can_be_named(label):
                continue
            if inside_of_task and (label.word == "step" or (is_number and label.word != "task")):
                continue  # steps of the task above
            in_series = counted if is_number else all_have or self._has_like(label.id)
            if label.is_sure or in_series:
                item.task_id = label.id
        for item in (item for item in items if not item.label.is_criterion):  # what fulfils one is no task either
            self._name(item.children, inside_of_task=inside_of_task or bool(item.task_id))

    def _drop_repeated_numbers(self) -> None:
        """Take back plain numbers that come twice: then they only count the items of each list.

        Not so beside ``1.1``: there a number that comes twice is a slip.
        """
        named = [item for top in self._tops() for item in top.family() if item.task_id.isdigit()]
        numbered = [item for item in named if item.label.word != "task"]
        counts = Counter(item.task_id for item in numbered)
        taken = self.plan.ids | {item.task_id for item in named if item.label.word == "task"}
        parts = {item.task_id.partition(".")[0] for top in self._tops() for item in top.family() if "." in item.task_id}
        if taken.intersection(counts) or (max(counts.values(), default=0) > 1 and not parts.intersection(counts)):
            for item in numbered:
                item.task_id = ""

    def _drop_lonely_title(self, blocks: Sequence[Block]) -> None:
        """Leave ``# Task 3: Payment`` at the top a title, unless it has its like or nothing else is a task."""
        titles = [block.start for block in blocks if block.rank == 1 and block.start in self.headings]
        first = next((block.start for block in blocks if block.kind not in ("paragraph", "html_block")), 0)
        named = any(item.task_id for top in self._tops() for item in top.family())
        others = named or len(self.headings) > len(titles) or len(self.plan.ids) > len(titles)
        if len(titles) == 1 and titles[0] == first and others:
            dropped: TaskHeading = self.headings.pop(first)
            if not any(found.id == dropped.id for found in self.headings.values()):
                self.plan.ids.discard(dropped.id)


def _count_up(numbers: Sequence[str]) -> bool:
    if not all(number.isdigit() and len(number) < 10 for number in numbers):
        return False
    return all(int(second) == int(first) + 1 for first, second in pairwise(numbers))
