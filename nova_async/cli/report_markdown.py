"""A run as Markdown for a pull request: a table of tasks, what failed with the end of its log, the cost. Pure.

What comes from plans and agents can neither become markup nor notify anybody, close an issue or link to one. Markdown's
own escapes see to the first. GitHub looks for ``@name`` and ``#1`` in what has been rendered, so a blank of no width
parts them, as the bots do that quote release notes; and an address of theirs would close an issue, too.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape

from nova_async._core.moments import day_and_time
from nova_async._core.text import clean, one_line
from nova_async.cli.cost_rows import total_of
from nova_async.cli.reported import LONGEST_NAME, Reported, duration_of, failed_first, title_of
from nova_async.control.board import Board, Why
from nova_async.control.figures import UNKNOWN, cost_of_all, describe_duration, describe_tokens, short_count
from nova_async.control.looks import cost_of, tokens_of
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["MOST", "inert", "inert_block", "report_markdown"]

MOST = 65_536  # characters of a comment or the text of a pull request; GitHub refuses a longer one as a whole
ROOM_FOR_NOTES = 600  # characters: what was left out, and what is always there
SHARE_OF_FAILURES = 0.5  # of the room
MOST_LINES, LONGEST_BLOCK = 15, 3_000  # of the end of a log
LONGEST_SAID = 200  # characters of what a task does
MOST_NEEDS, MOST_WARNINGS, MOST_COSTS = 20, 10, 20
NO_WIDTH = "\u200b"
SPECIAL = re.compile(r"([\\`*_\[\]<>#|~:&$^])")  # no line begins with such a text, where more has a meaning
PLAIN = re.compile(r"[\w./~ -]+")
# What GitHub makes a link of, and may tell somebody of: people, issues, and addresses.
NAMING = re.compile(r"(@|#|(?i:\bgh-)|:(?=//)|(?i:\bwww\.))")


def report_markdown(report: Reported) -> str:
    """Return it in at most ``MOST`` characters; what failed comes first, and what does not fit is counted."""
    board = report.board
    opening = "\n".join([*head(report), *needs(board)])
    closing = "\n".join(costs(report))
    room = MOST - size_of(opening) - size_of(closing) - ROOM_FOR_NOTES
    failed = [task for task in report.tasks if task.state is TaskState.FAILED]
    blocks, rest = fitting([failure(task, report) for task in failed], int(room * SHARE_OF_FAILURES))
    room -= sum(map(size_of, blocks))
    rows, more = fitting([row_of(task, board) for task in failed_first(report.tasks)], room)
    parts = [opening, "", *TITLES, *rows]
    parts += ["", f"and {more} more tasks"] if more else []
    parts += [part for block in blocks for part in ("", block)]
    parts += ["", f"and {rest} more that failed"] if rest else []
    parts += ["", closing] if closing else []
    return "\n".join(parts) + "\n"


TITLES = ("| | task | state | attempts | time | tokens | cost | |", "|---|---|---|--:|--:|--:|--:|---|")


def size_of(text: str) -> int:
    """Return how long a text is at most by anybody's count of characters, its line end included."""
    return len(text.encode("utf-16-le", "replace")) // 2 + 1


def fitting(parts: Sequence[str], room: int) -> tuple[list[str], int]:
    """Return the first parts that fit into so many characters, and how many do not."""
    kept, left = list[str](), room
    for part in parts:
        left -= size_of(part) + 1
        if left < 0:
            break
        kept.append(part)
    return kept, len(parts) - len(kept)


def head(report: Reported) -> Iterator[str]:
    """Give what stands above the table."""
    board, total = report.board, report.board.total
    sums, wall = total.sums, duration_of(board)
    yield f"### {inert(title_of(board), LONGEST_NAME)}: {board.condition}, {total.completed} of {total.total} completed"
    yield ""
    facts = [describe_duration(wall)] if wall is not None else []
    facts.append(f"{describe_duration(sums.duration_seconds)} of work")
    if sums.usage.total:
        facts.append(f"{describe_tokens(sums.usage.total, complete=sums.usage_is_final or not board.is_over)} tokens")
    if (cost := cost_of_all(sums)) != UNKNOWN:
        facts.append(cost)
    if board.run.cascade_file:
        facts.append(code(board.run.cascade_file))
    facts.append(f"started {day_and_time(board.run.started_at)}" if board.run.started_at else "")
    facts.append(f"run {code(board.run.run_id)}" if board.run.run_id else "")
    yield plain(" · ".join(filter(None, facts)))
    yield ""


def needs(board: Board) -> Iterator[str]:
    """Give what needs somebody, but for what failed, which stands below."""
    found = [need for need in board.needs if need.why is not Why.FAILED]
    for need in found[:MOST_NEEDS]:
        of = f"**{inert(need.task_ids[0], 60)}** " if len(need.task_ids) == 1 else ""
        cure = f" {inert(need.cure, 300)}" if need.cure else ""
        yield f"- {need.look.sign} {of}{inert(need.text, 300)}{cure}"
    if len(found) > MOST_NEEDS:
        yield f"- and {len(found) - MOST_NEEDS} more"
    for warning in board.run.warnings[:MOST_WARNINGS]:
        yield f"- warning: {inert(warning, 300)}"
    if found or board.run.warnings:
        yield ""


def row_of(task: TaskView, board: Board) -> str:
    """Return a task's row."""
    look = board.look(task)
    name = f"{inert(task.id, 60)} {inert(task.name, LONGEST_NAME)}".strip()
    time = describe_duration(task.duration_seconds) if task.attempt or task.duration_seconds else ""
    figures = (str(task.times_tried or ""), time, tokens_of(task, is_over=board.is_over), cost_of(task))
    cells = [look.sign, name, look.word, *map(plain, figures), inert(board.doing(task), LONGEST_SAID)]
    return f"| {' | '.join(cells)} |"


def failure(task: TaskView, report: Reported) -> str:
    """Return what is known of a failure: its error, what it blocks, and the end of its log, folded."""
    board, attempt = report.board, task.attempts[-1].start.id.number if task.attempts else 0
    blocks = next((need.blocks for need in board.needs if need.task_ids == (task.id,) and need.why is Why.FAILED), ())
    outcome = f"{task.outcome.value}: " if task.outcome else ""
    name = f"{inert(task.id, 60)} {inert(task.name, LONGEST_NAME)}".strip()
    shown = f"{board.look(task).sign} {inert_block(one_line(f'{task.id} {task.name}', LONGEST_NAME))}"
    lines = [f"<details><summary>{shown}</summary>", "", f"**{name}** {outcome}{inert(task.error or '', 1_000)}"]
    if blocks:
        more = f" and {len(blocks) - 10} more" if len(blocks) > 10 else ""
        lines += ["", f"It blocks {', '.join(inert(each, 60) for each in blocks[:10])}{more}."]
    end = list(report.log_ends.get((task.id, attempt), ()))[-MOST_LINES:]
    while end and size_of(inert_block("\n".join(end))) > LONGEST_BLOCK:
        end = end[1:] if len(end) > 1 else [end[0][: len(end[0]) // 2]] if end[0] else []
    if end:
        lines += ["", f"<pre>{inert_block(chr(10).join(end))}</pre>"]
    if task.log_path:
        lines += ["", f"log: {code(task.log_path)}"]
    return "\n".join([*lines, "", "</details>"])


def costs(report: Reported) -> Iterator[str]:
    """Give what the models have cost."""
    rows = [row for row in report.costs("model") if row.sums.usage.total or row.sums.cost_usd is not None]
    if not rows:
        return
    yield "| model | input | output | cache read | cache write | cost |"
    yield "|---|--:|--:|--:|--:|--:|"
    rows_and_total = [(inert(str(row.key[0]), 80) or "not named", row.sums) for row in rows[:MOST_COSTS]]
    if len(rows) > 1:
        rows_and_total.append(("**all**", total_of(report.parts)))
    for name, sums in rows_and_total:
        used = sums.usage
        counts = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_creation_tokens)
        yield f"| {name} | {' | '.join(map(short_count, counts))} | {plain(cost_of_all(sums))} |"


def inert(text: str, limit: int = 200) -> str:
    """Return a text on one line in which nothing means anything to Markdown, to HTML or to GitHub."""
    return SPECIAL.sub(r"\\\1", NAMING.sub(rf"\1{NO_WIDTH}", one_line(text, limit)))


def plain(figures: str) -> str:
    """Return figures of ours: between two dollars GitHub would see a formula."""
    return figures.replace("$", r"\$")


def inert_block(text: str) -> str:
    """Return lines as they may stand inside ``<pre>``: they are not Markdown there."""
    return NAMING.sub(rf"\1{NO_WIDTH}", escape(clean(text), quote=False))


def code(text: str) -> str:
    """Return a path or an id as code, if it is a usual one."""
    shown = one_line(text, 200)
    return f"`{shown}`" if PLAIN.fullmatch(shown) else inert(shown)
