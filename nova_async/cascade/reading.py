"""From the text of a plan to its tasks: goes through the blocks once and gathers all that is wrong."""

from dataclasses import dataclass, replace
from typing import final

from nova_async.cascade.blocks import Block, read_rows, split_blocks
from nova_async.cascade.cascade import Cascade, Task, graph_problems
from nova_async.cascade.checklists import is_task_item, read_checklist
from nova_async.cascade.columns import Columns, read_header
from nova_async.cascade.diagnostics import CascadeError, Diagnostic, Findings, shown
from nova_async.cascade.drafts import Drafts, Section, TaskDraft
from nova_async.cascade.front_matter import cut_front_matter, read_front_matter, read_settings_file
from nova_async.cascade.headings import branch_name, group_name, is_task_heading, read_heading_task
from nova_async.cascade.ids import resolve_word
from nova_async.cascade.milestones import check_milestones
from nova_async.cascade.options import TaskOptions
from nova_async.cascade.phases import phase_needs
from nova_async.cascade.settings import RunSettings
from nova_async.cascade.tables import (
    is_task_header,
    read_lost_rows,
    read_table,
    report_broken_tables,
    report_rows_read_as_blocks,
)

__all__ = ["Reading", "parse_cascade", "read_plan"]

UNLIKE_ROWS = ("bullet_list", "ordered_list", "blockquote", "html_block", "code_block")


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """All that was understood of a file, right or wrong."""

    project: str
    tasks: dict[str, Task]
    settings: RunSettings
    diagnostics: tuple[Diagnostic, ...]


def parse_cascade(
    text: str, name: str = "CASCADE.md", *, settings: str = "", settings_name: str = "nova.toml"
) -> Cascade:
    """Read a plan.

    ``text`` is the whole file; a byte order mark and any kind of line end are fine. ``name`` is what messages call the
    file. ``settings`` is a ``nova.toml`` (a ``pyproject.toml`` where its name says so): what holds where the plan says
    nothing. Raises ``CascadeError`` if one of them has at least one error; it carries all of both, and the warnings.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a plan's text, not a {type(text).__name__}: load_cascade(path) reads a file")
    reading = read_plan(text, name, settings, settings_name)
    if any(diagnostic.is_error for diagnostic in reading.diagnostics):
        raise CascadeError(reading.diagnostics)
    return Cascade(reading.project, reading.tasks, reading.settings, reading.diagnostics, name)


def read_plan(
    text: str, name: str = "CASCADE.md", settings_file: str = "", settings_name: str = "nova.toml"
) -> Reading:
    r"""Read a plan as far as it can be understood; never raises because of the text.

    Lines are cut at ``\n``, ``\r\n`` and ``\r`` only: ``str.splitlines`` also cuts at U+2028 and others, which
    Markdown does not, and every line number after one would be wrong. NUL becomes U+FFFD, as Markdown has it.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    lines = text.split("\n")
    findings, findings_above = Findings(name), Findings(settings_name)
    toml = cut_front_matter(lines, findings)
    settings = read_front_matter(toml, findings) if toml is not None else RunSettings()
    settings = settings.above(read_settings_file(settings_file, findings_above))
    scan = Scan(lines, findings)
    scan.run()
    tasks = _tasks(scan.drafts, settings, findings)
    if not scan.drafts.claimed and not findings.has("E001", "E10", "E11"):
        findings.add(1, "E100", "no tasks found")
    groups: dict[str, list[str]] = {}
    for task in tasks.values():
        groups.setdefault(task.group, []).append(task.id)
    milestones = check_milestones(settings.milestones, groups, scan.drafts.claimed, findings)
    return Reading(
        scan.project, tasks, replace(settings, milestones=milestones), (*findings_above.sorted(), *findings.sorted())
    )


@final
class Scan:
    """One walk through the blocks of a file."""

    def __init__(self, lines: list[str], findings: Findings) -> None:
        self.project = ""
        self.drafts = Drafts(findings)
        self._lines = lines
        self._findings = findings
        self._section = Section()
        self._columns: Columns | None = None
        """Of the latest task table under the same heading, to which lost rows may belong."""
        self._table_end = -1

    def run(self) -> None:
        """Read every block; what belongs to a task with its own heading is passed over with it."""
        blocks = split_blocks("\n".join(self._lines))
        index = 0
        while index < len(blocks):
            block = blocks[index]
            if is_task_heading(block):
                draft, index = read_heading_task(blocks, index, self._lines, self._section, self._findings)
                self.drafts.add(draft)
                continue
            self._read(block)
            index += 1

    def _read(self, block: Block) -> None:
        glued = block.start == self._table_end and block.kind in UNLIKE_ROWS and not is_task_item(block.text)
        if self._columns and glued:
            report_rows_read_as_blocks(block, self._lines, self._columns, self.drafts, self._findings)
        match block.kind:
            case "heading":
                self._read_heading(block)
            case "table":
                columns = read_table(block, self._lines, self._section, self.drafts, self._findings)
                if columns is not None:
                    self._columns, self._table_end = columns, block.end
            case "paragraph":
                columns, lines = self._columns, self._lines
                if columns is None or not read_lost_rows(block, lines, columns, self.drafts, self._findings):
                    report_broken_tables(block, lines, self.drafts, self._findings)
            case "bullet_list" | "ordered_list":
                for part in read_checklist(block, self._lines, self._section, self._findings):
                    if isinstance(part, TaskDraft):
                        self.drafts.add(part)
                    else:
                        self._warn_of_nested_tasks(part)
            case "blockquote":
                self._warn_of_nested_tasks(block)
            case "code_block":
                for line in range(block.start, block.end):
                    if is_task_header(self._lines[line]):
                        text = "task table indented by four spaces is a code block: ignored"
                        self._findings.add(line + 1, "W114", text)

    def _read_heading(self, block: Block) -> None:
        self._columns = None
        if block.rank == 1:
            self.project = self.project or block.text
        elif block.rank == 2:
            self._section = Section(branch_name(block))
        elif block.rank == 3:
            self._section = replace(self._section, group=group_name(block))
        elif block.rank == 0:  # underlined: a header row with a bare `---` below it looks so to Markdown
            report_broken_tables(block, self._lines, self.drafts, self._findings)

    def _warn_of_nested_tasks(self, block: Block) -> None:
        previous = ""
        for index, token in enumerate(block.tokens):
            line = (token.map or (block.start, 0))[0] + 1
            if token.type == "table_open":
                inner = Block("table", line - 1, block.end, block.tokens[index:])
                if read_header(next(read_rows(inner)).cells):
                    self._findings.add(line, "W113", "task table inside a list or quote: ignored")
            elif token.type == "inline" and previous == "list_item_open" and is_task_item(token.content):
                self._findings.add(line, "W113", "task item inside a list or quote: ignored")
            if token.type != "paragraph_open":
                previous = token.type


def _tasks(drafts: Drafts, settings: RunSettings, findings: Findings) -> dict[str, Task]:
    """Make the drafts into tasks, now that all ids are known."""
    known = drafts.tasks.keys() | drafts.claimed
    phases = phase_needs(drafts.tasks.values()) if settings.order == "phase" else {}
    if settings.order != "phase":
        parallel = next((draft for draft in drafts.tasks.values() if draft.parallel), None)
        if parallel is not None:
            text = '[P] is ignored: order comes from dependencies (or set order = "phase")'
            findings.add(parallel.line, "W112", text)
    tasks = {}
    for draft in drafts.tasks.values():
        needs = dict.fromkeys(task_id for word in draft.depends_on for task_id in resolve_word(word, known))
        for needed in needs:
            if needed not in known:
                text = f"task {draft.id} depends on unknown task {shown(needed)}{findings.guess(needed, drafts.tasks)}"
                findings.add(draft.line, "E201", text)
        tasks[draft.id] = Task(
            draft.id,
            draft.name,
            draft.prompt,
            tuple(dict.fromkeys((*(needed for needed in needs if needed in drafts.tasks), *phases.get(draft.id, ())))),
            draft.section.branch,
            draft.section.group,
            TaskOptions.layered(draft.written, settings.task_options),
            draft.written,
            draft.done,
            draft.line,
        )
    for problem in graph_problems(tasks, findings.file):
        findings.add(problem.line, problem.code, problem.text)
    return tasks
