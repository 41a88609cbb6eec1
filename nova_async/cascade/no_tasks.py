"""Plans in which no task was found: one that stands in a fence is read all the same, of others it is said why not."""

import re
from collections.abc import Sequence

from nova_async.cascade.blocks import Block, split_blocks, split_row
from nova_async.cascade.columns import read_header
from nova_async.cascade.diagnostics import Findings
from nova_async.cascade.labels import read_label

__all__ = ["open_fence", "why_no_tasks"]

MARKDOWN = ("", "md", "markdown", "text", "txt", "gfm")
BOX_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(\[.*)")
TASK_TITLE = re.compile(r"\s*#{1,6}\s+(?:Task\s+\S|[A-Za-z]{1,8}[-_.]?\d)", re.IGNORECASE)
NUMBERED_TITLE = re.compile(r"\d+[.)]\s")


def open_fence(blocks: list[Block], lines: list[str], findings: Findings) -> list[Block]:
    """Read a plan that is fenced as a whole, as models print it (W116); other files are left as they are.

    ``lines`` keep their numbers: those of the fence, and what stands around it, become empty.
    """
    fences = [block for block in blocks if block.kind == "fence"]
    if len(fences) != 1 or any(block.kind not in ("fence", "paragraph", "hr") for block in blocks):
        return blocks
    fence = fences[0]
    words = fence.tokens[0].info.split()
    around = sum(block.end - block.start for block in blocks if block.kind == "paragraph")
    inside = range(fence.start + 1, fence.end)
    if (words and words[0].casefold() not in MARKDOWN) or around > len(inside):
        return blocks
    if not any(_looks_like_a_task(lines[index]) for index in inside):
        return blocks
    findings.add(fence.start + 1, "W116", "the whole plan is in a code block; it is read as if it were not")
    last = fence.end - 1
    closes = lines[last].strip().startswith(fence.tokens[0].markup[:3])
    for index in range(len(lines)):
        if not fence.start < index < (last if closes else fence.end):
            lines[index] = ""
    return split_blocks("\n".join(lines))


def why_no_tasks(blocks: Sequence[Block], lines: list[str], findings: Findings) -> str:
    """Say why a plan has no tasks, and what to write."""
    start = next((line.lstrip() for line in lines if line.strip()), "")
    if not start:
        return "the file is empty; `nova init` writes a first plan"
    if start[0] in "{[" and not read_label(start).has_box:
        return "this is JSON, and plans are Markdown; write `- [ ] T1 …` for each task"
    if findings.has("W113", "W114", "W115", "W119"):
        return "everything that looks like one is ignored; see the warnings"
    for block in blocks:
        if block.kind == "fence" and any(map(_looks_like_a_task, lines[block.start + 1 : block.end])):
            return f"the only tasks are in a code block (line {block.start + 1}); remove the fence"
    for block in blocks:
        if block.kind in ("bullet_list", "ordered_list"):
            return f"the list at line {block.start + 1} is not a checklist; start its items with a box: `- [ ] T1 …`"
        if block.rank > 1 and NUMBERED_TITLE.match(block.text):
            return f"headings with only a number are not tasks (line {block.start + 1}); write `### Task 1: …`"
        if block.kind == "table":
            return (
                f"the table at line {block.start + 1} is not a task table; it needs a column `Task ID`, and a column "
                "`What Changes` or `Depends On`"
            )
    return "write a checklist (`- [ ] T1 …`), headings (`### Task 1: …`) or a table with a column `Task ID`"


def _looks_like_a_task(line: str) -> bool:
    box = BOX_ITEM.match(line)
    if box:
        return read_label(box[1]).has_box
    if line.lstrip().startswith("|"):
        return read_header(split_row(line)) is not None
    return TASK_TITLE.match(line) is not None
