"""Tasks as rows, by group and in the order of the plan: all of them, or those that matter most where few fit. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, final

from nova_async._core.text import one_line
from nova_async.cli.columns import table_lines
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.tones import cell_of
from nova_async.control.figures import cost_of_all, describe_tokens, stopwatch
from nova_async.control.looks import cost_of, doing, is_waiting_for_a_limit, look_of, time_of, tokens_of
from nova_async.journal.rollup import sum_up
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["Choice", "Group", "by_group", "choose", "choose_around", "describe_left_out", "groups_of", "task_table"]

TITLES = ("task", "state", "agent", "doing", "try", "tokens", "cost", "time")
# Below so many columns there is no room for tokens, the agent, the cost, and then none for the number of the attempt.
NARROW = {5: 70, 2: 60, 6: 50, 4: 46}
TASK, DOING, NUMBERS = 0, 3, frozenset(range(4, 8))
SERVED = frozenset({TaskState.IN_PROGRESS, TaskState.COMPLETED, TaskState.FAILED})
LONGEST = 1_000  # characters of what a task does or why it failed

# Which tasks are shown where not all fit: those that run or need somebody, then what comes next.
IMPORTANCE = {
    TaskState.IN_PROGRESS: 0,
    TaskState.FAILED: 1,
    TaskState.RETRYING: 2,
    TaskState.READY: 4,
    TaskState.WAITING: 5,
    TaskState.BLOCKED: 6,
    TaskState.COMPLETED: 7,
}
MARK = "→ "  # before the selected task
HEADINGS = 3  # how important those of groups are, where there are not too many of them


@final
class Group(NamedTuple):
    """Tasks that stand below one heading of the plan."""

    title: str
    tasks: Sequence[TaskView]

    @property
    def is_done(self) -> bool:
        """Whether all of them are completed."""
        return all(task.state is TaskState.COMPLETED for task in self.tasks)


@final
class Choice(NamedTuple):
    """What of a run is shown: which groups have a heading, which tasks a row."""

    groups: Sequence[Group]
    headings: frozenset[int]
    tasks: frozenset[str]

    def left_out(self) -> list[TaskView]:
        """Return the tasks that are neither shown nor folded into the heading of their group."""
        return [
            task
            for place, group in enumerate(self.groups)
            if not (group.is_done and place in self.headings)
            for task in group.tasks
            if task.id not in self.tasks
        ]


def by_group(tasks: Iterable[TaskView]) -> dict[tuple[str, str], list[TaskView]]:
    """Return the tasks by branch and group, in the order of the plan."""
    found: dict[tuple[str, str], list[TaskView]] = {}
    for task in tasks:
        found.setdefault((task.branch, task.group), []).append(task)
    return found


def groups_of(tasks: Iterable[TaskView]) -> list[Group]:
    """Return the tasks below the headings that they are shown under."""
    found = by_group(tasks)
    seldom = Counter(group or branch for branch, group in found)
    titles = (" / ".join(filter(None, key)) if seldom[key[1] or key[0]] > 1 else key[1] or key[0] for key in found)
    return [Group(one_line(title) or "other tasks", tasks) for title, tasks in zip(titles, found.values(), strict=True)]


def choose(groups: Sequence[Group], rows: int | None, *, folds: bool = True) -> Choice:
    """Choose what to show in so many rows; None is all.

    A finished group is folded into its heading. Tasks that run come first, then failed ones; a lone group needs no
    heading. One row is left for what is left out.
    """
    with_headings = len(groups) > 1
    folded = {place for place, group in enumerate(groups) if folds and with_headings and group.is_done}
    wanted = sorted(_candidates(groups, folded, with_headings=with_headings, rows=rows))
    needed = sum(len(group.tasks) for place, group in enumerate(groups) if place not in folded)
    fits = rows is None or needed + len(groups) * with_headings <= rows
    left = float("inf") if rows is None or fits else rows - 1
    headings, chosen = set[int](), set[str]()
    for _, _, place, task_id in wanted:
        needs_heading = with_headings and place not in headings
        cost = bool(task_id) + needs_heading
        if not 0 < cost <= left:
            continue
        left -= cost
        chosen |= {task_id} if task_id else set()
        headings |= {place} if with_headings else set()
    return Choice(groups, frozenset(headings), frozenset(chosen))


def _candidates(
    groups: Sequence[Group], folded: set[int], *, with_headings: bool, rows: int | None
) -> Iterator[tuple[int, int, int, str]]:
    """Give whatever may be shown: its importance, its place in the plan or from its end, its group, and the task."""
    few = rows is None or len(groups) <= rows // 2
    number = 0
    for place, group in enumerate(groups):
        if with_headings:
            yield HEADINGS if few else max(IMPORTANCE.values()) + 1, place, place, ""
        for task in group.tasks:
            number += 1
            if place not in folded:  # of what is completed, the latest
                is_done = task.state is TaskState.COMPLETED
                yield IMPORTANCE[task.state], -number if is_done else number, place, task.id


def choose_around(groups: Sequence[Group], task_id: str, rows: int) -> Choice:
    """Choose what to show in so many rows around one task, as the plan has it; one row is left for what is left out."""
    entries = [
        (place, name)
        for place, group in enumerate(groups)
        for name in ([""] if len(groups) > 1 else []) + [task.id for task in group.tasks]
    ]
    room = rows if len(entries) <= rows else rows - 1
    at = next((number for number, (_, name) in enumerate(entries) if name == task_id), 0)
    begin = max(min(at - room // 2, len(entries) - room), 0)
    shown = entries[begin : begin + room]
    headings = frozenset(place for place, name in shown if not name)
    return Choice(groups, headings, frozenset(name for _, name in shown if name))


def task_table(
    choice: Choice,
    now: datetime,
    *,
    width: int | None,
    is_over: bool = False,
    folds_text: bool = False,
    selected: str | None = None,
    fills: bool = False,
) -> list[list[Span]]:
    """Return the lines of the table: headings and tasks in the order of the plan, below the titles of the columns.

    With ``folds_text`` what a task is and does is folded, else cut. The number of an attempt is told from the second
    one on, and who serves a task where not all are served by the same agent and account. The ``selected`` task has a
    mark before it. What is drawn again and again ``fills`` the width, so that it keeps its shape.
    """
    rows = list(_rows(choice, now, is_over=is_over, selected=selected))
    for place, least in NARROW.items():
        if width is not None and width < least:
            rows = [[*row[:place], "", *row[place + 1 :]] for row in rows]
    used = [any(row[place] for row in rows) for place in range(len(TITLES))]
    titles: list[Line] = [[Span(title if used[place] else "", Ink.GREY)] for place, title in enumerate(TITLES)]
    rows.insert(0, titles)
    if width is None or folds_text:
        return list(table_lines(rows, width=width, right=NUMBERS, folding=[TASK, DOING], cutting=None))
    stays = is_over and not fills
    most = {TASK: max(width // 2 if stays else width * 3 // 10, 16), DOING: width}
    return list(table_lines(rows, width=width, right=NUMBERS, cutting=most, filling=None if stays else DOING))


def _rows(choice: Choice, now: datetime, *, is_over: bool, selected: str | None) -> Iterator[list[Line]]:
    several = len({task.agent for group in choice.groups for task in group.tasks if task.state in SERVED}) > 1
    for place, group in enumerate(choice.groups):
        if place in choice.headings:
            yield _heading(group, is_over=is_over)
        indent = "  " if choice.headings or selected is not None else ""
        for task in group.tasks:
            if task.id in choice.tasks:
                yield _row(task, MARK if task.id == selected else indent, now, is_over=is_over, names_agent=several)


def _heading(group: Group, *, is_over: bool) -> list[Line]:
    done = sum(task.state is TaskState.COMPLETED for task in group.tasks)
    count = f"{done}/{len(group.tasks)}"
    state: Line = [Span(f"✓ {count}", Ink.GREEN)] if group.is_done else [Span(f"  {count}", Ink.GREY)]
    sums = sum_up(group.tasks)
    at_work = not is_over and any(task.state is TaskState.IN_PROGRESS for task in group.tasks)
    complete = sums.usage_is_final or at_work
    tokens = describe_tokens(sums.usage.total, complete=complete, short=True) if sums.usage.total else ""
    cost = cost_of_all(sums) if sums.usage.total or sums.cost_usd else ""
    time = stopwatch(sums.duration_seconds) if sums.duration_seconds else ""
    numbers: list[Line] = [[Span(text, Ink.GREY)] if text else "" for text in (tokens, cost, time)]
    return [[Span(group.title, Ink.BOLD)], state, "", "", "", *numbers]


def _row(task: TaskView, indent: str, now: datetime, *, is_over: bool, names_agent: bool) -> list[Line]:
    look = look_of(task, is_over=is_over)
    name = [Span(f" {one_line(task.name)}", Ink.GREY)] if task.name else []
    what = one_line(doing(task, now, is_over=is_over), LONGEST)
    if is_waiting_for_a_limit(task):  # its state says that it waits; the words would leave no room for the time
        what = what.removeprefix("waits for the ")
    return [
        [Span(indent, Ink.BLUE if indent == MARK else Ink.PLAIN), Span(one_line(task.id), Ink.BOLD), *name],
        cell_of(look),
        [Span(one_line(task.agent), Ink.GREY)] if names_agent and task.agent and task.state in SERVED else "",
        [Span(what, Ink.RED)] if what and task.state is TaskState.FAILED else what,
        str(task.attempt) if task.attempt > 1 else "",
        tokens_of(task, is_over=is_over),
        cost_of(task),
        time_of(task),
    ]


def describe_left_out(tasks: Sequence[TaskView], *, is_over: bool = False) -> Mapping[str, int]:
    """Count tasks by the word for their state, in the order of importance."""
    ordered = sorted(tasks, key=lambda task: IMPORTANCE[task.state])
    return Counter(look_of(task, is_over=is_over).word for task in ordered)
