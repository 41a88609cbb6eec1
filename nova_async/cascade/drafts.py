"""A task as it was read, before it is known which other tasks there are."""

from dataclasses import dataclass, field
from typing import final

from nova_async.cascade.blocks import break_lines
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.ids import MAX_ID, is_task_id
from nova_async.cascade.options import Option
from nova_async.cascade.values import is_nothing

__all__ = ["Drafts", "Section", "TaskDraft"]

MAX_NAME = 60  # characters of the prompt that stand in for a missing name


@final
@dataclass(frozen=True, slots=True)
class Section:
    """The headings above a task."""

    branch: str = ""
    group: str = ""


@final
@dataclass(slots=True)
class TaskDraft:
    """One task of the file; ``line`` is counted from 1."""

    id: str
    line: int
    section: Section
    name: str = ""
    prompt: str = ""
    depends_on: tuple[str, ...] = ()
    """Ids and ranges as written."""
    written: dict[str, object] = field(default_factory=dict)
    done: bool = False
    parallel: bool = False
    """Marked ``[P]``."""

    def set_option(self, option: Option, text: str, findings: Findings, line: int) -> None:
        """Read an option's cell or bullet; nothing in it means that the option is inherited."""
        if is_nothing(text):
            return
        try:
            self.written[option.attribute] = option.from_text(text)
        except ValueError as error:
            findings.add(line, "E104", str(error))


@final
class Drafts:
    """All drafts of a file by id, in file order. Ids are unique, also if case is ignored."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._lines: dict[str, tuple[str, int]] = {}
        self.tasks: dict[str, TaskDraft] = {}
        self.claimed: set[str] = set()
        """Ids of rows that are wrong in themselves: to depend on them is not one more mistake."""

    def add(self, draft: TaskDraft) -> None:
        """Take a draft, or say why not (E101, E102, E105)."""
        if not self._take_id(draft.id, draft.line):
            return
        draft.name, draft.prompt = (break_lines(text).strip() for text in (draft.name, draft.prompt))
        if is_nothing(draft.name):
            draft.name = ""
        if is_nothing(draft.prompt):
            draft.prompt = draft.name
        if not draft.prompt:
            self._findings.add(draft.line, "E105", f"task {draft.id} has neither a name nor a prompt")
            return
        if not draft.name:
            first = draft.prompt.split("\n", 1)[0].rstrip()
            draft.name = f"{first[: MAX_NAME - 1]}…" if len(first) > MAX_NAME else first
        self.tasks[draft.id] = draft

    def claim(self, task_id: str, line: int) -> None:
        """Remember the id of a row that cannot be read, if it is one."""
        if is_task_id(task_id):
            self.claimed.add(task_id)
            self._lines.setdefault(task_id.casefold(), (task_id, line))

    def _take_id(self, task_id: str, line: int) -> bool:
        if not is_task_id(task_id):
            rule = f"at most {MAX_ID} characters" if len(task_id) > MAX_ID else "letters and digits, joined by . _ or -"
            self._findings.add(line, "E101", f"bad task id {shown(task_id)} ({rule})")
            return False
        first_id, first_line = self._lines.setdefault(task_id.casefold(), (task_id, line))
        if (first_id, first_line) == (task_id, line):
            self.claimed.add(task_id)
            return True
        if first_id == task_id:
            text = f"duplicate task id '{task_id}', first at line {first_line}"
        else:
            text = f"task id '{task_id}' differs from '{first_id}' only in case; their log files would collide"
        self._findings.add(line, "E102", text)
        return False
