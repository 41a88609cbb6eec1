"""Task tables: one row is one task. And what looks like one, but is none."""

import re
from collections import deque
from collections.abc import Collection

from nova_async.cascade.blocks import Block, read_rows, split_row
from nova_async.cascade.columns import Columns, field_of, read_header
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.drafts import Drafts, OptionValues, Section, TaskDraft
from nova_async.cascade.ids import clean_id, is_task_id, names_a_criterion, split_dependencies

__all__ = ["is_task_header", "read_lost_rows", "read_table", "report_broken_tables", "report_named_rows",
           "report_rows_read_as_blocks"]  # fmt: skip

DELIMITER = frozenset(" \t|:-=+\u2013\u2014")  # what people draw delimiter rows with; only the first five make one
TICKS = re.compile(r"`+")


def is_task_header(line: str) -> bool:
    """Tell whether a source line is the header of a task table."""
    return "|" in line and read_header(split_row(line)) is not None


def read_table(
    block: Block, lines: list[str], section: Section, drafts: Drafts, options: OptionValues, findings: Findings
) -> Columns | None:
    """Read the tasks of a table; None if it is not a task table, and then nothing of it is read."""
    header, *rows = read_rows(block)
    columns = read_header(header.cells)
    if columns is None:
        return None
    columns.report(header.line + 1, findings)
    for row in rows:
        source = lines[row.line]
        if "|" not in source:
            text = "text directly below a table belongs to it; put an empty line in between"
            findings.add(row.line + 1, "E107", text)
        elif _is_cut_wrong(source, row.line + 1, columns, findings):
            drafts.claim(clean_id(row.cells[columns.fields["id"]]), row.line + 1)
        elif any(row.cells):
            drafts.add(_read_row(row.cells, header.cells, row.line + 1, columns, section, options))
    return columns


def _read_row(
    cells: tuple[str, ...],
    header: tuple[str, ...],
    line: int,
    columns: Columns,
    section: Section,
    options: OptionValues,
) -> TaskDraft:
    def cell(field: str) -> str:
        return cells[columns.fields[field]] if field in columns.fields else ""

    draft = TaskDraft(clean_id(cell("id")), line, section, cell("name"), cell("prompt"))
    draft.waits.words = list(split_dependencies(cell("deps")))
    for index, option in columns.options:
        options.set(draft, option, header[index], cells[index], line)
    return draft


def _is_cut_wrong(source: str, line: int, columns: Columns, findings: Findings) -> bool:
    """Tell whether a bare pipe cut a cell in two, in code (E106) or not (E103): markdown-it drops what is too much."""
    cells = split_row(source)
    if sum(map(_has_open_code, cells)) > 1:
        findings.add(line, "E106", "a | inside `code` splits the cell; write \\|")
        return True
    if not any(cells[columns.count :]):
        return False
    text = f"{len(cells)} cells in a table of {columns.count} columns; write a literal pipe as \\|"
    findings.add(line, "E103", text)
    return True


def _has_open_code(cell: str) -> bool:
    """Tell whether a run of backticks has no partner of the same length in this cell."""
    runs = [len(found.group()) for found in TICKS.finditer(cell.replace("\\`", ""))]
    places: dict[int, deque[int]] = {}
    for index, length in enumerate(runs):
        places.setdefault(length, deque()).append(index)
    index = 0
    while index < len(runs):
        partners = places[runs[index]]
        while partners and partners[0] <= index:
            partners.popleft()
        if not partners:
            return True
        index = partners[0] + 1
    return False


def read_lost_rows(block: Block, lines: list[str], columns: Columns, drafts: Drafts, findings: Findings) -> bool:
    """Find rows below a task table that an empty line cut off from it (E110); False if the paragraph is prose."""
    source = lines[block.start : block.end]
    rows = [split_row(line) for line in source]
    place = columns.fields["id"]
    is_table = source[0].lstrip().startswith("|") or all(
        len(cells) == columns.count and is_task_id(clean_id(cells[place])) for cells in rows
    )
    if not is_table or any(map(is_task_header, source)):
        return False
    for line, cells in enumerate(rows, block.start + 1):
        findings.add(line, "E110", "this row is outside its table: an empty line ends a table")
        if place < len(cells):
            drafts.claim(clean_id(cells[place]), line)
    return True


def report_rows_read_as_blocks(
    block: Block, lines: list[str], columns: Columns, drafts: Drafts, findings: Findings
) -> None:
    """Find rows that Markdown takes for a list, a quote, HTML or code, because of how their line begins (E110).

    ``block`` stands directly below a task table, without an empty line between; ``lines`` are those of the whole file,
    ``columns`` those of that table. ``drafts`` gets the ids of the rows, ``findings`` takes E110.
    """
    for index in range(block.start, block.end):
        cells = split_row(lines[index])
        if len(cells) > 1 and not lines[index].lstrip().startswith("<!--"):
            text = "this row is outside its table: start its line with a |, not indented"
            findings.add(index + 1, "E110", text)
            if columns.fields["id"] < len(cells):
                drafts.claim(clean_id(cells[columns.fields["id"]]), index + 1)


def report_broken_tables(block: Block, lines: list[str], drafts: Drafts, findings: Findings) -> None:
    """Find the header of a task table in a paragraph, where its delimiter row is missing or wrong (E109)."""
    columns = None
    for index in range(block.start, block.end):
        if columns is not None:
            cells = split_row(lines[index])
            if columns.fields["id"] < len(cells):
                drafts.claim(clean_id(cells[columns.fields["id"]]), index + 1)
        elif is_task_header(lines[index]):
            columns = read_header(split_row(lines[index]))
            below = lines[index + 1] if index + 1 < block.end else ""
            reason = _what_is_wrong(split_row(lines[index]), below)
            findings.add(index + 1, "E109", f"looks like a task table but is not one: {reason}")


def _what_is_wrong(header: list[str], below: str) -> str:
    delimiter = split_row(below)
    if not below.strip() or not DELIMITER.issuperset(below):
        return "the delimiter row |---|---| below the header is missing"
    if len(delimiter) != len(header):
        return f"header has {len(header)} cells, delimiter row {len(delimiter)}"
    return "the delimiter row below the header may hold only - : and |"


def report_named_rows(block: Block, known: Collection[str], findings: Findings) -> None:
    """Say which rows would be tasks, had their table a column for prompts or dependencies (W119).

    A table that lists tasks of the plan once more, with their owners or estimates, is not meant.
    """
    header, *rows = read_rows(block)
    fields = {field_of(cell): index for index, cell in enumerate(header.cells)}
    if not fields.keys() >= {"id", "name"}:
        return
    lost = [row for row in rows if _is_unknown_task(clean_id(row.cells[fields["id"]]), known)]
    if not lost:
        return
    first = f"{lost[0].cells[fields['id']]} {lost[0].cells[fields['name']]}"
    count = "1 row is" if len(lost) == 1 else f"{len(lost)} rows are"
    text = f"{count} ignored (first: {shown(first)}); to run them, add a column `What Changes` or `Depends On`"
    findings.add(lost[0].line + 1, "W119", text)


def _is_unknown_task(task_id: str, known: Collection[str]) -> bool:
    is_named = is_task_id(task_id) and not task_id.isdigit() and any(map(str.isdigit, task_id))
    return is_named and task_id not in known and not names_a_criterion(task_id)
