"""One walk through the blocks of a plan: which are tasks, which only look like it, and what stands around them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import final

from nova_async.cascade.blocks import Block, read_rows
from nova_async.cascade.checklists import NO_PARENT, ChecklistReader, Parent
from nova_async.cascade.columns import Columns, read_header
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.drafts import Drafts, OptionValues, Section
from nova_async.cascade.headings import TaskHeading, branch_name, group_name, is_about_criteria
from nova_async.cascade.ids import names_a_criterion
from nova_async.cascade.labels import read_label
from nova_async.cascade.lists import Item
from nova_async.cascade.plan_ids import Outline
from nova_async.cascade.tables import (
    is_task_header,
    read_lost_rows,
    read_table,
    report_broken_tables,
    report_named_rows,
    report_rows_read_as_blocks,
)
from nova_async.cascade.task_headings import META_LINE, read_task_heading
from nova_async.cascade.wordings import Waits, read_sentence

__all__ = ["Scan"]

LISTS = ("bullet_list", "ordered_list")
UNLIKE_ROWS = (*LISTS, "blockquote", "html_block", "code_block")
LOOSE_BOX = re.compile(r"\s*(?:[\u2022\u2023\u25e6\u2013\u2014\u00b7]\s*)?(\[[ xX]?\]\s+\S.*)")
TIGHT_BOX = re.compile(r"\s*([-*+])(\[[ xX]?\]\s+\S.*)")
LOOSE_TASK = re.compile(r"\s*(?:\*\*|__)?(Task\s+\d[\d.]*)\s*[:\uff1a]", re.IGNORECASE)
INDENTED_BOX = re.compile(r"\s+[-*+]\s+\[[ xX]?\]\s")


@final
class Scan:
    """One walk through the blocks of a file; ``accounts`` are the names of those that there are."""

    def __init__(
        self, blocks: Sequence[Block], lines: list[str], findings: Findings, accounts: Collection[str] = ()
    ) -> None:
        self.project = ""
        self.drafts = Drafts(findings)
        self.options = OptionValues(findings, accounts)
        self._blocks = blocks
        self._lines = lines
        self._findings = findings
        self._outline = outline = Outline(blocks)
        self._section = Section()
        self._parent: Parent = NO_PARENT
        """The latest heading, if it is a group whose tasks stand in the list below it."""
        self._criteria_rank = 0
        """The rank of the heading that says that all below it are criteria."""
        self._columns: Columns | None = None
        """Of the latest task table under the same heading, to which lost rows may belong."""
        self._table_end = -1
        self._lists = ChecklistReader(
            lines, outline.plan, self.drafts, self.options, findings, makes_ids=not outline.has_tasks
        )

    def run(self) -> None:
        """Read every block; what belongs to a task with its own heading is passed over with it."""
        index = 0
        while index < len(self._blocks):
            block = self._blocks[index]
            after = self._end_of_task(index)
            if after is None:
                self._read(block)
                index += 1
            else:
                end = self._blocks[after].start if after < len(self._blocks) else len(self._lines)
                self._read_task(block, self._blocks[index + 1 : after], end)
                index = after
        self._lists.report_unnamed()

    def _end_of_task(self, index: int) -> int | None:
        """Give the index of the first block that does not belong to a task; None if its block is no task's heading."""
        block = self._blocks[index]
        heading = self._outline.headings.get(block.start)
        if heading is None:
            return None
        in_criteria = 0 < self._criteria_rank < block.rank
        if not heading.is_task or (in_criteria and not heading.word):
            self._report_no_task(heading, block.start + 1)
            return None
        end = next((i for i in range(index + 1, len(self._blocks)) if self._ends(heading, block, i)), len(self._blocks))
        body = self._blocks[index + 1 : end]
        if heading.is_soft and (self._is_section(index) or self._tasks_inside(body)):
            return None
        mine = [item for item in self._tasks_inside(body) if _is_part_of(item.task_id, heading.id)]
        if mine and len(mine) == len(self._tasks_inside(body)) and _has_only_lists(body, self._lines):
            return None
        return end

    def _ends(self, heading: TaskHeading, block: Block, index: int) -> bool:
        """Tell whether a block begins what no longer belongs to the task: another one, or a heading of its rank."""
        other = self._blocks[index]
        if 0 < other.rank <= block.rank:
            return True
        task = self._outline.headings.get(other.start)
        return task is not None and task.is_task and not task.is_soft

    def _is_section(self, index: int) -> bool:
        """Tell whether tasks with headings of their own stand below a heading such as ``## Step 1: Setup``."""
        rank = self._blocks[index].rank
        for place in range(index + 1, len(self._blocks)):
            block = self._blocks[place]
            if 0 < block.rank <= rank:
                return False
            inner = self._outline.headings.get(block.start)
            if inner is not None and inner.is_task and not inner.is_soft:
                return True
        return False

    def _tasks_inside(self, body: Sequence[Block]) -> list[Item]:
        """Find the items in a task's body that are tasks elsewhere; plain numbers count its steps."""
        return [
            item
            for block in body
            for top in self._outline.lists.get(block.start, ())
            for item in top.family()
            if item.task_id and item.label.word != "step" and (not item.task_id.isdigit() or item.label.word == "task")
        ]

    def _read_task(self, block: Block, body: Sequence[Block], end: int) -> None:
        heading = self._outline.headings[block.start]
        draft = read_task_heading(
            block, heading, body, end, self._outline.lists, self._lines, self._section_above(block.rank),
            self._outline.plan,
            self.options, self._findings,
        )  # fmt: skip
        self.drafts.add(draft)
        self._columns = None
        for inner in body:
            if inner.kind == "table" and (columns := read_header(next(read_rows(inner)).cells)):
                self._report_lost(heading, block, inner.start, "table")
                for row in list(read_rows(inner))[1:]:
                    self.drafts.claim(row.cells[columns.fields["id"]], row.line + 1)
        lost = [item for item in self._tasks_inside(body) if not _is_part_of(item.task_id, heading.id)]
        for item in lost[:1]:
            self._report_lost(heading, block, item.start, "list")
        for item in lost:
            self.drafts.claim(item.task_id, item.start + 1)

    def _section_above(self, rank: int) -> Section:
        """Give the section that a heading stands in; one of the same rank before it has ended."""
        section = self._section
        return replace(section, branch="" if rank <= 2 else section.branch, group="" if rank <= 3 else section.group)

    def _report_lost(self, heading: TaskHeading, block: Block, line: int, what: str) -> None:
        text = (
            f"this task {what} is inside task {heading.id} (line {block.start + 1}) and would only be part of its "
            f"prompt; if {heading.id} is a group, write `### L2: {heading.name or heading.id}`; if the {what} is an "
            "example, put it in a code block"
        )
        self._findings.add(line + 1, "E111", text)

    def _report_no_task(self, heading: TaskHeading, line: int) -> None:
        text = (
            f"{shown(heading.id)} is not read as a task id: ignored; if it is a task, write `### Task {heading.id}: …`"
        )
        self._findings.add(line, "W119", text)

    def _read(self, block: Block) -> None:
        glued = block.start == self._table_end and block.kind in UNLIKE_ROWS and not read_label(block.text).has_box
        if self._columns and glued:
            report_rows_read_as_blocks(block, self._lines, self._columns, self.drafts, self._findings)
        match block.kind:
            case "heading":
                self._read_heading(block)
            case "table":
                columns = read_table(block, self._lines, self._section, self.drafts, self.options, self._findings)
                if columns is not None:
                    self._columns, self._table_end = columns, block.end
                else:
                    report_named_rows(block, self._outline.plan.ids, self._findings)
            case "paragraph":
                columns, lines = self._columns, self._lines
                if columns is None or not read_lost_rows(block, lines, columns, self.drafts, self._findings):
                    report_broken_tables(block, lines, self.drafts, self._findings)
                    self._report_loose(block)
                    self._report_tight(block)
            case "bullet_list" | "ordered_list":
                items = self._outline.lists[block.start]
                self._lists.read(items, self._section, self._parent, about_criteria=self._criteria_rank > 0)
                self._report_tight(block)
                self._warn_of_nested(block, items)
            case "blockquote":
                self._warn_of_nested(block, ())
            case "code_block":
                self._warn_of_indented(block)

    def _read_heading(self, block: Block) -> None:
        self._columns, self._parent = None, NO_PARENT
        if block.rank == 0:  # underlined: a header row with a bare `---` below it looks so to Markdown
            report_broken_tables(block, self._lines, self.drafts, self._findings)
            self._report_loose(block)
            return
        self._section = replace(self._section, number=self._section.number + 1)
        if block.rank == 1:
            self.project = self.project or block.text
        elif block.rank == 2:
            self._section = Section(branch_name(block), number=self._section.number)
        elif block.rank == 3:
            self._section = replace(self._section, group=group_name(block))
        heading = self._outline.headings.get(block.start)
        if is_about_criteria(block.text) or (
            heading is not None and names_a_criterion(heading.id) and not heading.word
        ):
            self._criteria_rank = block.rank
        elif block.rank <= self._criteria_rank:
            self._criteria_rank = 0
        if heading is not None and heading.is_task and not heading.is_soft and not self._criteria_rank:
            self._open_group(heading, block.start + 1, block.rank)

    def _open_group(self, heading: TaskHeading, line: int, rank: int) -> None:
        waits = Waits()
        name = read_sentence(heading.name, line, waits, self._outline.plan, self._findings)
        if self.drafts.add_group(heading.id, line):
            # Its name is that of the section, if it is of a rank that gives sections their names.
            self._parent = Parent((heading.id,), "" if rank <= 3 else name, waits=waits)
            above = self._section_above(rank)
            if rank <= 2:
                self._section = replace(above, branch=name)
            elif rank == 3:
                self._section = replace(above, group=name)

    def _report_loose(self, block: Block) -> None:
        """Report what looks like a task and is neither an item nor a heading."""
        for index in range(block.start, block.end):
            line = self._lines[index]
            if box := LOOSE_BOX.match(line):
                text = f"a checkbox outside a list: ignored; start the line with `- `, as in `- {box[1][:20]} …`"
                self._findings.add(index + 1, "W115", text)
            elif task := LOOSE_TASK.match(line):
                text = f"{shown(task[1])} is not a heading: ignored; if it is a task, write `### {task[1]}: …`"
                self._findings.add(index + 1, "W119", text)

    def _report_tight(self, block: Block) -> None:
        """Report boxes that stand directly behind their `-`: to Markdown they are text, often of the item above."""
        for index in range(block.start, block.end):
            if box := TIGHT_BOX.match(self._lines[index]):
                text = f"no space before a checkbox: ignored; write `{box[1]} {box[2][:20]} …`"
                self._findings.add(index + 1, "W115", text)

    def _warn_of_nested(self, block: Block, items: Sequence[Item]) -> None:
        """Report task tables in lists and quotes, and task items in quotes."""
        prompts = [(item.start, item.end) for top in items for item in top.family() if item.label.has_box]
        inside = {number for start, end in prompts for number in range(start, end)} if prompts else set()
        previous = ""
        for index, token in enumerate(block.tokens):
            line = (token.map or (block.start, 0))[0]
            if token.type == "table_open" and line not in inside:
                inner = Block("table", line, block.end, block.tokens[index:])
                if read_header(next(read_rows(inner)).cells):
                    self._findings.add(line + 1, "W113", "task table inside a list or quote: ignored")
            elif token.type == "inline" and previous == "list_item_open" and not items:
                label = read_label(token.content)
                if label.has_box and label.sentence.strip():
                    self._findings.add(line + 1, "W113", "task item inside a quote: ignored")
            if token.type != "paragraph_open":
                previous = token.type

    def _warn_of_indented(self, block: Block) -> None:
        for index in range(block.start, block.end):
            if is_task_header(self._lines[index]):
                text = "task table indented by four spaces is a code block: ignored"
                self._findings.add(index + 1, "W114", text)
            elif INDENTED_BOX.match(self._lines[index]):
                text = "checklist indented by four spaces is a code block: ignored"
                self._findings.add(index + 1, "W114", text)


def _is_part_of(task_id: str, whole: str) -> bool:
    """Tell whether an id is a part's: ``1.2`` of ``1``, ``T1.2`` of ``T1``, ``1.2`` of ``T1``."""
    number = re.search(r"\d+(?:\.\d+)*$", whole)
    return task_id.startswith(f"{whole}.") or bool(number and task_id.startswith(f"{number[0]}."))


def _has_only_lists(body: Sequence[Block], lines: list[str]) -> bool:
    return all(
        block.kind in (*LISTS, "hr") or all(META_LINE.fullmatch(line) for line in lines[block.start : block.end])
        for block in body
    )
