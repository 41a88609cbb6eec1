"""A task as it was read, before it is known which other tasks there are."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import zip_longest
from typing import final

from nova_async.cascade.agent_order import check_accounts
from nova_async.cascade.blocks import break_lines
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.ids import MAX_ID, is_task_id
from nova_async.cascade.options import Option, as_header
from nova_async.cascade.values import NotAnOption, is_nothing
from nova_async.cascade.wordings import Waits

__all__ = ["PART_OF", "Drafts", "Kind", "OptionValues", "Section", "TaskDraft", "joined"]

SHARED_NAMES = frozenset(
    {"priority", "agent", "model", "class", "cwd", "tags", "verify", "optional", "worktree", "gate"}
)
"""Options whose names stand above columns of other people's tables, too, with values of their own."""
PART_OF = " / "  # between the name of a group and that of a group in it
MAX_NAME = 60  # characters of the prompt that stand in for a missing name


@final
@dataclass(frozen=True, slots=True)
class Section:
    """The headings above a task."""

    branch: str = ""
    group: str = ""
    number: int = 0
    """How many headings stand above: two tasks with the same number stand below the same one."""

    def with_part(self, title: str) -> "Section":
        """Give the section of the parts of a group that stands in this one."""
        return replace(self, group=joined(self.group, title))


def joined(group: str, part: str) -> str:
    """Give the name of a group that is a part of another; either may have no name."""
    return PART_OF.join(filter(None, (group, part)))


class Kind(Enum):
    """How a task is written."""

    ROW = "row"
    ITEM = "item"
    HEADING = "heading"


@final
@dataclass(slots=True)
class TaskDraft:
    """One task of the file; ``line`` is counted from 1."""

    id: str
    line: int
    section: Section
    name: str = ""
    prompt: str = ""
    waits: Waits = field(default_factory=Waits)
    """What it depends on, as written."""
    written: dict[str, object] = field(default_factory=dict)
    done: bool = False
    parallel: bool = False
    """Marked ``[P]`` or ``(P)``."""
    kind: Kind = Kind.ROW
    parent: str = ""
    """The id of the item or heading that it is a part of."""
    has_body: bool = False
    """There is more to it than its title."""
    has_own_prompt: bool = False
    """Its prompt stands behind ``Prompt:``."""


@final
@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that is none of the option whose name stands above or before it."""

    line: int
    option: str
    header: str
    text: str
    is_ours: bool
    """The name is spelled as in our documentation, and not only understood."""


@final
class OptionValues:
    """Reads the options of a file, and decides at its end about values that do not fit.

    Tables and lists of other people have a ``Priority: High`` that is not meant for us; in a plan that sets other
    options it is a mistake, and so is a ``Timeout`` of "soon" anywhere.
    """

    def __init__(self, findings: Findings, accounts: Collection[str] = ()) -> None:
        self._findings = findings
        self._accounts = accounts
        self._misfits: list[Misfit] = []
        self._read: set[str] = set()

    def set(self, draft: TaskDraft, option: Option, header: str, text: str, line: int) -> bool:
        """Read an option's cell or bullet; nothing in it means that the option is inherited.

        Returns False if it is no value of this option, and then the text is still somebody's.
        """
        if is_nothing(text):
            return True
        try:
            draft.written[option.attribute] = value = option.from_text(text)
            if option.attribute == "agent" and isinstance(value, str | tuple):
                check_accounts(value, self._accounts)
        except NotAnOption as error:
            self._findings.add(line, "E104", str(error))
            return True
        except ValueError as error:
            is_ours = as_header(header) == option.headers[0]
            self._misfits.append(Misfit(line, option.key, header, str(error), is_ours))
            return False
        self._read.add(option.key)
        return True

    def settle(self, *, has_settings: bool) -> None:
        """Report what did not fit (E104, W118); ``has_settings`` tells whether the front matter sets anything."""
        first: dict[tuple[str, bool], list[Misfit]] = {}
        for misfit in self._misfits:
            others = has_settings or misfit.option not in SHARED_NAMES or self._read - {misfit.option}
            if misfit.is_ours and others:
                self._findings.add(misfit.line, "E104", misfit.text)
            else:
                first.setdefault((misfit.header, misfit.is_ours), []).append(misfit)
        for (header, _), misfits in first.items():
            more = f" ({len(misfits) - 1} more like it)" if len(misfits) > 1 else ""
            text = f"{shown(header)} is not read as an option: {misfits[0].text}{more}"
            self._findings.add(misfits[0].line, "W118", text)


@final
class Drafts:
    """All drafts of a file by id, in file order. Ids are unique, also if case is ignored."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._lines: dict[str, tuple[str, int]] = {}
        self.tasks: dict[str, TaskDraft] = {}
        self.claimed: set[str] = set()
        """Every id that stands in the file, also of rows that are wrong in themselves."""
        self.groups: dict[str, list[str]] = {}
        """Ids of items and headings that are no tasks but group them, each with the ids of its tasks."""

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

    def add_group(self, task_id: str, line: int) -> bool:
        """Take the id of a group; False if it cannot be taken (E101, E102)."""
        if not self._take_id(task_id, line):
            return False
        self.groups[task_id] = []
        return True

    def fold_parents(self) -> None:
        """Make groups of the tasks that are only a title for those behind them: ``1 Data``, then ``1.1``, ``1.2``.

        What is written on such a title holds for its parts.
        """
        drafts = list(self.tasks.values())
        parents: list[TaskDraft] = []
        for draft, following in zip_longest(drafts, drafts[1:]):
            while parents and not draft.id.startswith(f"{parents[-1].id}."):
                parents.pop()
            for parent in parents[-1:]:
                draft.parent = parent.id
                for part in parents:
                    draft.section = draft.section.with_part(part.name)
                draft.waits.words[:0] = parent.waits.words
                draft.waits.declares = draft.waits.declares or parent.waits.declares
                draft.written = {**parent.written, **draft.written}
            is_title = draft.kind is not Kind.ROW and not draft.has_body
            if is_title and following is not None and following.id.startswith(f"{draft.id}."):
                del self.tasks[draft.id]
                self.groups[draft.id] = []
                parents.append(draft)
            else:
                for parent in parents:
                    self.groups[parent.id].append(draft.id)

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
