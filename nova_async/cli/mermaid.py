"""A plan as a Mermaid flowchart, as GitHub and many editors draw it."""

import html

from nova_async.cascade import Cascade, Task

__all__ = ["flowchart"]

MAX_NAME = 60  # characters; a node as wide as a page helps nobody


def flowchart(cascade: Cascade) -> str:
    """Draw the tasks in boxes for their branch and group, with an arrow from each to those that wait for it."""
    # Ids of tasks may be words of Mermaid ("end") or hold dots and dashes: nodes have names of their own.
    nodes = {task_id: f"t{number}" for number, task_id in enumerate(cascade.tasks, 1)}
    lines = ["flowchart LR"]
    box = 0
    for branch, groups in cascade.hierarchy.items():
        margin = "  "
        if branch:
            box += 1
            lines.append(f'{margin}subgraph b{box}["{quoted(branch)}"]')
            margin += "  "
        for group, ids in groups.items():
            inner = margin
            if group:
                box += 1
                lines.append(f'{margin}subgraph b{box}["{quoted(group)}"]')
                inner += "  "
            lines += [f'{inner}{nodes[task_id]}["{label(cascade.tasks[task_id])}"]' for task_id in ids]
            if group:
                lines.append(f"{margin}end")
        if branch:
            lines.append("  end")
    for task in cascade.tasks.values():
        lines += [f"  {nodes[needed]} --> {nodes[task.id]}" for needed in task.depends_on]
    path = cascade.critical_path()
    if len(path) > 1:
        lines.append("  classDef critical stroke-width:3px")
        lines.append(f"  class {','.join(nodes[task_id] for task_id in path)} critical")
    return "\n".join(lines) + "\n"


def label(task: Task) -> str:
    """Write what stands in a task's node."""
    return f"<b>{quoted(task.id)}</b><br>{quoted(task.name)}" if task.name else f"<b>{quoted(task.id)}</b>"


def quoted(text: str) -> str:
    """Write somebody's words so that neither Mermaid nor the page around it takes them for its own."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    line = f"{line[: MAX_NAME - 1]}…" if len(line) > MAX_NAME else line
    # Mermaid writes entities with # for &; backticks would begin its Markdown.
    escaped = html.escape(line.replace("#", "\0"), quote=True).replace("`", "&#96;").replace("\\", "&#92;")
    return escaped.replace("&#x27;", "&#39;").replace("&", "#").replace("##", "#").replace("\0", "#35;")
