"""The tasks of a report: one table of all, and all about each one. Pure.

Every part is cut so that the whole stays small: 2,000 tasks take less than 5 MB, whatever their agents have printed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import NamedTuple, final

from nova_async._core.advice import run_command
from nova_async._core.moments import day_and_time
from nova_async._core.text import clean, listed, one_line
from nova_async.cli.markup import Child, Markup, element
from nova_async.cli.reported import LONGEST_NAME, Reported, failed_first
from nova_async.control.denials import cure_of
from nova_async.control.figures import (
    clock_time,
    cost_of_all,
    cost_of_attempt,
    describe_duration,
    describe_kinds,
    describe_tokens,
)
from nova_async.control.looks import Look, cost_of, tokens_of
from nova_async.journal.rollup import roll_up
from nova_async.records import Attempt, AttemptEnd
from nova_async.views import TaskView
from nova_async.words import Outcome, TaskState

__all__ = ["Rooms", "details_of_tasks", "link_of", "pill", "rooms_for", "table_of_tasks"]

ROOM = 1_600_000  # bytes for answers, errors and ends of logs of all tasks together
MOST_OF_FAILED, MOST_OF_OTHERS = 16_000, 6_000  # bytes for one task
MOST_ATTEMPTS = 20  # of one task, the latest
MOST_SHOWN_ENDS = 3  # attempts of one task with the end of their logs
MOST_FILES, LONGEST_FILE = 30, 120
LONGEST_SAID, LONGEST_ERROR = 160, 300  # characters of what a task does, and of an error, in a table
OPEN = 30  # tasks that failed: so many are open from the beginning
MANY = 300  # tasks; of more, each is told in fewer words, and what went well is folded
SHORTER = 3  # by so many times
TITLES = ("task", "state", "attempts", "time", "tokens", "cost", "")


@final
class Rooms(NamedTuple):
    """How many bytes of text a task may take."""

    failed: int
    others: int

    def of(self, task: TaskView) -> int:
        """Return how many this one may take."""
        return self.failed if task.state is TaskState.FAILED else self.others


def rooms_for(report: Reported) -> Rooms:
    """Divide the room for texts: a half of it for what failed, and the other half for the rest."""
    failed = sum(task.state is TaskState.FAILED for task in report.tasks)
    others = len(report.tasks) - failed
    half = ROOM // 2
    return Rooms(min(MOST_OF_FAILED, half // max(failed, 1)), min(MOST_OF_OTHERS, half // max(others, 1)))


def link_of(place: int) -> str:
    """Return the link to all about the task in that place."""
    return f"#task-{place + 1}"


def pill(look: Look) -> Markup:
    """Return a state as it is shown: a sign, a word and a tone."""
    return element("span", f"{look.sign} {look.word}", class_=f"pill {look.tone}")


def length(report: Reported, longest: int) -> int:
    """Return how many characters a text may have in this report."""
    return longest // SHORTER if len(report.tasks) > MANY else longest


def table_of_tasks(report: Reported, links: Mapping[str, str]) -> Markup:
    """Return a row for each task, by group, in file order."""
    board, groups = report.board, dict[tuple[str, str], list[TaskView]]()
    for task in report.tasks:
        groups.setdefault((task.branch, task.group), []).append(task)
    if len(report.tasks) > MANY and len(groups) > 1:
        return element("div", [folded_group(name, tasks, report, links) for name, tasks in groups.items()])
    rows: list[Child] = []
    for (branch, group), tasks in groups.items():
        if name := " / ".join(filter(None, (one_line(branch), one_line(group)))):
            done = sum(task.state is TaskState.COMPLETED for task in tasks)
            count = element("span", f" {done}/{len(tasks)}", class_="quiet")
            rows.append(element("tr", element("th", name, count, colspan=7, scope="rowgroup"), class_="group"))
        rows += [table_row(task, report, links) for task in tasks]
    return table_with(rows) if rows else element("p", f"{board.condition}: no tasks")


def table_with(rows: Sequence[Child]) -> Markup:
    """Return a table of tasks."""
    head = element("tr", [element("th", title, class_=class_of(title), scope="col") for title in TITLES])
    table = element("table", element("thead", head), element("tbody", rows))
    return element("div", table, class_="wide", tabindex=0)


def folded_group(
    name: tuple[str, str], tasks: Sequence[TaskView], report: Reported, links: Mapping[str, str]
) -> Markup:
    """Return a group of a large plan: a line that sums it up, and its tasks behind it."""
    total = roll_up(tasks)
    shown = " / ".join(filter(None, map(one_line, name))) or "no group"
    failed = element("span", f"✗ {total.failed} failed", class_="bad") if total.failed else None
    work = describe_duration(total.sums.duration_seconds)
    figures = f"{total.completed}/{total.total} · {work} · {cost_of_all(total.sums)}"
    line = element(
        "summary", element("span", shown, class_="what"), failed, element("span", figures, class_="quiet small")
    )
    return element("details", line, table_with([table_row(task, report, links) for task in tasks]), class_="fold")


def class_of(title: str) -> str | None:
    """Return how a column is set."""
    narrow = " narrow-off" if title in ("attempts", "tokens") else ""
    return f"number{narrow}" if title in TITLES[2:6] else None


def table_row(task: TaskView, report: Reported, links: Mapping[str, str]) -> Markup:
    """Return the row of a task."""
    board = report.board
    look = board.look(task)
    first = [
        element("a", one_line(task.id, 60), href=links[task.id], class_="id"),
        f" {one_line(task.name, LONGEST_NAME)}",
    ]
    time = describe_duration(task.duration_seconds) if task.attempt or task.duration_seconds else ""
    figures = (str(task.times_tried or ""), time, tokens_of(task, is_over=board.is_over), cost_of(task))
    return element(
        "tr",
        element("td", first),
        element("td", f"{look.sign} {look.word}", class_=f"word {look.tone}"),
        [element("td", figure, class_=class_of(title)) for title, figure in zip(TITLES[2:6], figures, strict=True)],
        element("td", one_line(board.doing(task), length(report, LONGEST_SAID)), class_="says"),
    )


def details_of_tasks(report: Reported, links: Mapping[str, str], rooms: Rooms) -> list[Markup]:
    """Return all about each task, those that failed first and open; of many tasks the others are folded together."""
    tasks = failed_first(report.tasks)
    failed = sum(task.state is TaskState.FAILED for task in tasks)
    found = [details_of(task, report, links, rooms.of(task), is_open=place < min(failed, OPEN))
             for place, task in enumerate(tasks)]  # fmt: skip
    if len(tasks) <= MANY:
        return found
    line = element("summary", f"{len(tasks) - failed} tasks that did not fail")
    return [*found[:failed], element("details", line, found[failed:], class_="more")]


def details_of(task: TaskView, report: Reported, links: Mapping[str, str], room: int, *, is_open: bool) -> Markup:
    """Return all about a task; its anchor is inside, so that a link to it opens what is closed."""
    board = report.board
    figures = [describe_duration(task.duration_seconds) if task.attempt else "", cost_of(task)]
    name = one_line(task.name, length(report, LONGEST_NAME))
    what = [element("span", one_line(task.id, 60), class_="strong"), f" {name}"]
    summary = element(
        "summary",
        element("span", what, class_="what"),
        element("span", " · ".join(filter(None, figures)), class_="figures"),
        pill(board.look(task)),
    )
    body = element("div", list(body_of(task, report, room)), class_="body", id=links[task.id].removeprefix("#"))
    return element("details", summary, body, class_="task", open=is_open)


def body_of(task: TaskView, report: Reported, room: int) -> Iterator[Child]:
    """Give what is known of a task: its facts, its error, its answer, its attempts, what it changed, its log's end."""
    is_short = len(report.tasks) > MANY
    facts = [(title, fact) for title, fact in facts_of(task, report) if fact]
    error = cut_to(room // 4, clean(task.error or "").split("\n")) if task.state is TaskState.FAILED else []
    if error:
        yield element("h3", "Error"), element("pre", "\n".join(error), class_="bad")
    if facts:
        yield element("dl", [(element("dt", title), element("dd", fact)) for title, fact in facts])
    if len(task.attempts) > 1 or (task.attempts and not is_short):
        yield element("h3", "Attempts"), attempts_table(task, report)
    if task.result:
        answer = cut_to(room // 3, clean(task.result).strip("\n").split("\n"))
        yield element("h3", "Answer"), element("p", "\n".join(answer), class_="answer")
    if task.files_changed and not is_short:
        files = [element("li", one_line(name, LONGEST_FILE), class_="mono") for name in task.files_changed[:MOST_FILES]]
        more = len(task.files_changed) - MOST_FILES
        rest = element("li", f"and {more} more", class_="quiet") if more > 0 else None
        yield element("h3", f"{len(task.files_changed)} files changed"), element("ul", files, rest, class_="files")
    yield from ends_of(task, report, room // 3)


def facts_of(task: TaskView, report: Reported) -> Iterator[tuple[str, Child]]:
    """Give facts, each with its title."""
    board = report.board
    last = task.attempts[-1] if task.attempts else None
    end = (last.end or last.finished) if last else None
    if task.state is not TaskState.FAILED:
        yield "why", one_line(board.doing(task), 1_000)
    yield "depends on", listed([one_line(each, 60) for each in task.depends_on], 20)
    if last is not None:
        model = end.model if end else None
        session = f"session {task.session_id}" if task.session_id else None
        yield "agent", one_line(" · ".join(filter(None, (last.start.served_by, model, session))))
    if task.started_at is not None and task.attempts:
        ended = f", ended {moment(task.completed_at, task.started_at)}" if task.completed_at else ""
        yield "started", f"{day_and_time(task.started_at)}{ended}"
    if task.usage.total:
        total = describe_tokens(task.usage.total, complete=task.usage_is_final)
        yield "tokens", f"{total}: {describe_kinds(task.usage)}"
    yield "cost", cost_of(task)
    if task.denied:
        cure = cure_of(task.denied, run_command(board.run.cascade_file))
        yield "denied", one_line(f"{', '.join(task.denied)}: {cure}", 1_000)
    if len(report.tasks) > MANY and task.files_changed:
        yield "changed", listed([one_line(name, LONGEST_FILE) for name in task.files_changed], 3)
    yield "commit", one_line(task.commit_sha or "", 64)
    yield "log", element("span", one_line(task.log_path, 300), class_="mono") if task.log_path else None
    yield "log error", one_line(task.log_error or "", 300)


def moment(at: datetime, beside: datetime) -> str:
    """Write when something ended: with its day, if that is another one than it began on."""
    return clock_time(at) if at.astimezone().date() == beside.astimezone().date() else day_and_time(at)


def attempts_table(task: TaskView, report: Reported) -> Markup:
    """Return a row for each attempt, the latest of many."""
    shown = task.attempts[-MOST_ATTEMPTS:]
    titles = ("#", "outcome", "agent", "started", "time", "tokens", "cost", "error")
    head = element("tr", [element("th", title, class_="number" if title in titles[4:7] else None, scope="col")
                          for title in titles])  # fmt: skip
    rows = [attempt_row(attempt, task, report) for attempt in shown]
    more = task.times_tried - len(shown)
    earlier = element("p", f"and {more} earlier ones", class_="quiet small") if more else None
    table = element("table", element("thead", head), element("tbody", rows), class_="small")
    return element("div", element("div", table, class_="wide", tabindex=0), earlier)


def attempt_row(attempt: Attempt, task: TaskView, report: Reported) -> Markup:
    """Return the row of an attempt."""
    start, end = attempt.start, attempt.end
    first = [str(start.id.number)]
    started = clock_time(start.started_at)
    if end is None:
        runs = task.state is TaskState.IN_PROGRESS and not report.board.is_over
        look = element("td", "running" if runs else "lost", class_="busy" if runs else "bad")
        rest = [element("td", cell) for cell in (one_line(start.served_by, 60), started, "", "", "", "")]
        return element("tr", element("td", first), look, rest)
    tone = "good" if end.outcome is Outcome.OK else "bad"
    is_above = end.error == task.error and attempt is task.attempts[-1]  # the task's own
    error = "" if is_above else one_line(end.error or "", length(report, LONGEST_ERROR))
    note = "" if attempt.counts else " (no longer counts)"
    return element(
        "tr",
        element("td", first),
        element("td", f"{end.outcome.value}{note}", class_=f"word {tone}"),
        element("td", one_line(start.served_by, 60)),
        element("td", started),
        [element("td", figure, class_="number") for figure in figures_of(end)],
        element("td", error, class_="says"),
    )


def figures_of(end: AttemptEnd) -> Sequence[str]:
    """Return an attempt's time, tokens and cost."""
    tokens = describe_tokens(end.usage.total, complete=end.usage_is_final, short=True) if end.usage.total else ""
    has_cost = end.cost_usd is not None or end.usage.total
    cost = cost_of_attempt(end.cost_usd, end.estimated_usd, usage_is_final=end.usage_is_final) if has_cost else ""
    return describe_duration(end.duration_seconds), tokens, cost


def ends_of(task: TaskView, report: Reported, room: int) -> Iterator[Child]:
    """Give the ends of the logs of the latest attempts, as far as the report has them."""
    numbers = [
        attempt.start.id.number for attempt in task.attempts if (task.id, attempt.start.id.number) in report.log_ends
    ]
    for number in numbers[-MOST_SHOWN_ENDS:]:
        lines = cut_to(room // min(len(numbers), MOST_SHOWN_ENDS), report.log_ends[task.id, number], keeps_end=True)
        if lines:
            which = f" of attempt {number}" if len(task.attempts) > 1 else ""
            yield element("h3", f"End of the log{which}"), element("pre", "\n".join(lines))


def cut_to(room: int, lines: Iterable[str], *, keeps_end: bool = False) -> list[str]:
    """Return as many lines, from the beginning or the end, as fit into so many bytes of HTML; what is cut is marked."""
    kept, left, lines = list[str](), room, list(lines)
    for line in reversed(lines) if keeps_end else lines:
        size = len(escape(line).encode(errors="replace")) + 1
        if size > left:
            kept.append(f"{line[: max(left - 4, 0) // 6]}…" if not kept or not keeps_end else "…")
            break
        kept.append(line)
        left -= size
    kept = kept[::-1] if keeps_end else kept
    return kept if any(line.strip("… ") for line in kept) else []
