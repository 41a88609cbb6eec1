"""Tasks that have a heading of their own: what belongs to them, and what their body says."""

import re
from collections.abc import Sequence

from nova_async.cascade.blocks import Block
from nova_async.cascade.diagnostics import Findings
from nova_async.cascade.drafts import Kind, OptionValues, Section, TaskDraft
from nova_async.cascade.headings import TaskHeading
from nova_async.cascade.lists import Item
from nova_async.cascade.option_lists import read_option_list
from nova_async.cascade.wordings import PlanIds, read_key_lines, read_sentence

__all__ = ["META_LINE", "read_task_heading"]

STATUS_DONE = re.compile(
    r"(?:[-*+]\s+)?[*_`]{0,2}status[*_`]{0,2}\s*:[*_`]{0,2}\s*(?:[^\w\s]+\s*)?(?:done|completed?|finished)\b(?:\s*[^\w\s].*)?\s*",
    re.IGNORECASE,
)
META_LINE = re.compile(r"\s*(?:[-*+]\s+)?(?:_[A-Za-z][\w ]*:[^_]*_|\*\*[A-Za-z][\w ]*:[^*]*\*\*|-{3,})?\s*")
"""What a tool writes about an item, such as ``_Requirements: 1.1_``: by itself no work to be done."""


def read_task_heading(
    heading: Block,
    task: TaskHeading,
    body: Sequence[Block],
    end: int,
    lists: dict[int, list[Item]],
    lines: list[str],
    section: Section,
    plan: PlanIds,
    options: OptionValues,
    findings: Findings,
) -> TaskDraft:
    """Read a task from its heading, and from the blocks up to the line ``end``, counted from 0, that belong to it."""
    line = heading.start + 1
    draft = TaskDraft(task.id, line, section, kind=Kind.HEADING, parallel=task.is_parallel)
    draft.name = read_sentence(task.name, line, draft.waits, plan, findings)
    draft.done = task.is_done or _is_ticked(body, lists)
    read: list[tuple[int, int]] = []
    if body and body[0].kind == "bullet_list":
        read = read_option_list(lists[body[0].start], draft, plan, options, findings)
    # The source itself, not what was parsed: fences, spacing and comments are for the agent.
    skipped = {number for first, last in read for number in range(first, last)}
    source = [(number + 1, lines[number]) for number in range(heading.end, end) if number not in skipped]
    kept = read_key_lines(source, draft.waits, plan, findings)
    draft.done = draft.done or any(STATUS_DONE.fullmatch(text.strip()) for _, text in kept)
    text = "\n".join(text for _, text in kept).strip("\n").rstrip()
    draft.has_body = bool(draft.prompt) or not all(META_LINE.fullmatch(text) for _, text in kept)
    draft.prompt = "\n".join(filter(None, (draft.prompt, text)))
    if draft.prompt and draft.name and not draft.has_own_prompt and not _says(draft.prompt, draft.name):
        draft.prompt = f"{draft.name}\n\n{draft.prompt}"
    return draft


def _is_ticked(body: Sequence[Block], lists: dict[int, list[Item]]) -> bool:
    """Tell whether a body has boxes, and all of them are ticked."""
    boxes = [
        item.label
        for block in body
        for top in lists.get(block.start, ())
        for item in top.family()
        if item.label.has_box and not item.label.is_optional
    ]
    return bool(boxes) and all(label.is_done for label in boxes)


def _says(text: str, title: str) -> bool:
    """Tell whether a prompt says its title itself: a line begins with it, or it is long enough to be no accident."""
    title = " ".join(title.casefold().split())
    lines = [" ".join(line.strip("#*_->` \t").casefold().split()) for line in text.split("\n")]
    return any(line.startswith(title) for line in lines) or (len(title.split()) > 2 and title in " ".join(lines))
