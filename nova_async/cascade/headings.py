"""Headings: the names of project, branches and groups, and tasks that have a heading of their own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from nova_async.cascade.blocks import Block
from nova_async.cascade.diagnostics import Findings
from nova_async.cascade.drafts import Section, TaskDraft
from nova_async.cascade.ids import ID, clean_id
from nova_async.cascade.option_lists import read_option_list

__all__ = ["branch_name", "group_name", "is_task_heading", "read_heading_task"]

LEVEL_PREFIX = {2: re.compile(r"L1:\s*", re.IGNORECASE), 3: re.compile(r"L2:\s*", re.IGNORECASE)}
# A colon needs a space after it, or `### 12:30 notes` were a task. A dash needs none, but what has a number after it
# and nothing else, as in "F1 to F3" written with a dash, is a range.
TASK = re.compile(
    rf"(?P<word>Task\s+)?(?P<id>[`*]{{0,3}}\#?{ID}[`*]{{0,3}})"
    r"\s*(?::[`*]{0,3}(?=\s|$)|(?P<dash>[\u2014\u2013])(?!\s*[A-Za-z]*\d+\s*(?::|$))|(?P<hyphen>(?<=\s)-(?=\s)))\s*(?P<name>.*)",
    re.ASCII | re.IGNORECASE,
)


@final
@dataclass(frozen=True, slots=True)
class TaskHeading:
    """A heading that is a task."""

    id: str
    name: str


def branch_name(block: Block) -> str:
    """Give the name in a ``##`` heading, without its ``L1:``."""
    return LEVEL_PREFIX[2].sub("", block.text, count=1) if LEVEL_PREFIX[2].match(block.text) else block.text


def group_name(block: Block) -> str:
    """Give the name in a ``###`` heading, without its ``L2:``."""
    return LEVEL_PREFIX[3].sub("", block.text, count=1) if LEVEL_PREFIX[3].match(block.text) else block.text


def is_task_heading(block: Block) -> bool:
    """Tell whether a block is the heading of a task."""
    return _task_heading(block) is not None


def _task_heading(block: Block) -> TaskHeading | None:
    """Read ``### F1: name`` or ``### Task F1 — name``; without the word, the id needs a digit, or all were tasks."""
    if block.rank < 3 or (block.rank == 3 and LEVEL_PREFIX[3].match(block.text)):
        return None
    found = TASK.fullmatch(block.text)
    if found is None:
        return None
    task_id = clean_id(found["id"])
    if not found["word"] and (found["hyphen"] or not any(char.isdigit() for char in task_id)):
        return None
    return TaskHeading(task_id, found["name"].rstrip("*").strip())


def read_heading_task(
    blocks: Sequence[Block], index: int, lines: list[str], section: Section, findings: Findings
) -> tuple[TaskDraft, int]:
    """Read the task whose heading is ``blocks[index]``.

    Returns the draft, and the index of the first block that does not belong to it.
    """
    heading = blocks[index]
    task = _task_heading(heading)
    if task is None:
        raise ValueError("not the heading of a task")
    after = next(
        (i for i in range(index + 1, len(blocks)) if 0 < blocks[i].rank <= heading.rank or is_task_heading(blocks[i])),
        len(blocks),
    )
    draft = TaskDraft(task.id, heading.start + 1, section, task.name)
    body = heading.end
    if index + 1 < after and blocks[index + 1].kind == "bullet_list":
        body = read_option_list(blocks[index + 1].tokens, draft, findings) or body
    # The source itself, not what was parsed: fences, spacing and comments are for the agent.
    text = "\n".join(lines[body : blocks[after].start if after < len(blocks) else len(lines)])
    draft.prompt = "\n".join(filter(None, (draft.prompt, text.strip("\n").rstrip())))
    return draft, after
