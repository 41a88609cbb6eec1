"""The summary of a run as Markdown, for the page that GitHub Actions makes of a job."""

import os
from collections.abc import Iterator
from pathlib import Path

from nova_async._core.text import one_line
from nova_async.control.figures import UNKNOWN, cost_of_all, describe_duration, describe_tokens
from nova_async.control.looks import cost_of, count_states
from nova_async.views import RunReport, TaskView
from nova_async.words import TaskState

__all__ = ["step_summary", "write_step_summary"]

LARGEST = 1024 * 1024  # bytes of one step's summary; GitHub refuses a larger one as a whole
ROOM_FOR_THE_END = 256  # bytes: how many tasks were left out
MOST_WARNINGS = 20
TITLES = ("| task | | state | attempts | time | tokens | cost | |", "|---|---|---|--:|--:|--:|--:|---|")
SPECIAL = frozenset("\\`*_{}[]()<>#+-.!|~:&@$\"'")


def write_step_summary(report: RunReport) -> None:
    """Append the summary to the file that the runner names, if it names one. Raises ``OSError``."""
    if not (named := os.environ.get("GITHUB_STEP_SUMMARY")):
        return
    path = Path(named)
    there = path.stat().st_size if path.exists() else 0  # of earlier commands of the same step
    with path.open("a", encoding="utf-8") as file:
        file.write(step_summary(report, LARGEST - there))


def step_summary(report: RunReport, room: int = LARGEST) -> str:
    """Return the summary in at most so many bytes of UTF-8; what failed comes first, and what does not fit is counted.

    Every sign that Markdown or HTML gives a meaning is spelled out, so that no text of a plan or an agent has one.
    """
    lines = ["", *head(report), "", *TITLES]
    tasks = sorted(report.selected.values(), key=lambda task: task.state is not TaskState.FAILED)
    size = sum(len(line.encode()) + 1 for line in lines) + ROOM_FOR_THE_END
    shown = 0
    for row in map(row_of, tasks):
        size += len(row.encode()) + 1
        if size > room:
            break
        lines.append(row)
        shown += 1
    if shown < len(tasks):
        lines += ["", f"and {len(tasks) - shown} more tasks"]
    text = "\n".join(lines) + "\n"
    return text if len(text.encode()) <= room else ""


def head(report: RunReport) -> Iterator[str]:
    """Give what stands above the table."""
    counts = count_states([task.state for task in report.selected.values()])
    yield f"### {inert(report.project) or 'nova run'}: {', '.join(counts)}"
    yield ""
    facts = [describe_duration(report.duration_seconds)]
    if report.usage.total:
        facts.append(f"{describe_tokens(report.usage.total, complete=report.usage_is_final)} tokens")
    if (cost := cost_of_all(report)) != UNKNOWN:
        facts.append(cost)
    yield inert(" · ".join(facts))
    for warning in report.warnings[:MOST_WARNINGS]:
        yield ""
        yield f"- {inert(warning, 500)}"


def row_of(task: TaskView) -> str:
    """Return a task's row."""
    seconds = describe_duration(task.duration_seconds) if task.attempt else ""
    tokens = describe_tokens(task.usage.total, complete=task.usage_is_final) if task.usage.total else ""
    cells = [task.id, task.name, task.state, str(task.attempt or ""), seconds, tokens, cost_of(task)]
    return "| " + " | ".join(inert(cell) for cell in [*cells, task.error or task.reason or ""]) + " |"


def inert(text: str, limit: int = 200) -> str:
    """Return a text on one line in which nothing means anything to Markdown or HTML."""
    return "".join(f"&#{ord(sign)};" if sign in SPECIAL else sign for sign in one_line(text, limit))
