"""A run as one page of HTML that needs nothing else: no script, no network, no other file. Pure.

The page's policy allows its own style sheet and nothing more; whatever comes from plans and agents is text.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence

from nova_async._core.moments import day_and_time
from nova_async._core.text import listed, one_line
from nova_async.cli.cost_rows import CostRow, total_of
from nova_async.cli.markup import Child, Markup, element, joined
from nova_async.cli.report_drawings import graph, share_bar, timeline
from nova_async.cli.report_style import STYLE
from nova_async.cli.report_tasks import details_of_tasks, link_of, pill, rooms_for, table_of_tasks
from nova_async.cli.reported import Reported, duration_of, title_of, tone_of
from nova_async.control.board import Board, Need, Spent
from nova_async.control.figures import (
    UNKNOWN,
    clock_time,
    cost_of_all,
    describe_duration,
    describe_kinds,
    describe_tokens,
    short_count,
)
from nova_async.control.looks import Look, Tone
from nova_async.usage import Totals
from nova_async.words import TaskState

__all__ = ["report_page"]

MOST_NEEDS = 20  # things that need somebody; the list of tasks has all of them
MOST_NAMED = 10  # tasks in one line
MOST_WARNINGS = 30
NEAR = 0.8  # the share of a budget from which it is nearly used up
MOST_COSTS = 150  # rows of task and model, the dearest
LONGEST = 1_000  # characters of an error or a warning


def report_page(report: Reported) -> str:
    """Return the page. Its size is bounded: see ``rooms_for``."""
    board = report.board
    links = {task.id: link_of(place) for place, task in enumerate(report.tasks)}
    body = [
        head(report),
        cards(report),
        needs(board, links),
        warnings(board),
        section("Timeline", timeline(board, links)),
        section("Tasks", table_of_tasks(report, links)),
        section("What depends on what", graph(board, links)),
        costs(report),
        section("Task by task", details_of_tasks(report, links, rooms_for(report))),
        foot(report),
    ]
    return "<!DOCTYPE html>\n" + element("html", page_head(report), element("body", body), lang="en") + "\n"


def page_head(report: Reported) -> Markup:
    """Return what the browser is told: what the page may do, how wide it is, its title and its style."""
    board = report.board
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("meta", name="generator", content=f"nova {report.version}"),
        element("title", f"{title_of(board)}: {board.condition}"),
        element("style", Markup(STYLE)),
    )


def head(report: Reported) -> Markup:
    """Return the title: which project, how it ended, which plan, when."""
    board, run = report.board, report.board.run
    condition = element("span", str(board.condition), class_=f"pill {tone_of(board.condition)}")
    facts = [one_line(run.cascade_file)] if run.cascade_file else []
    if run.started_at is not None:
        facts.append(f"started {day_and_time(run.started_at)}")
    if board.is_over and run.completed_at is not None:
        facts.append(f"ended {day_and_time(run.completed_at)}")
    facts += [f"run {one_line(run.run_id)}"] if run.run_id else []
    facts += ["this run alone"] if report.of_one_run else []
    if not board.is_over:
        facts.append(f"as of {clock_time(report.made_at)}")
    shown = element("p", [element("span", fact) for fact in facts], class_="facts")
    reached = [
        element("p", element("span", "✓ ", class_="good"), one_line(found.message or found.id, LONGEST), class_="small")
        for found in run.milestones
    ]
    return element("header", element("h1", title_of(board)), condition, shown, element("div", reached))


def cards(report: Reported) -> Markup:
    """Return the figures: tasks, tokens, money and time, against their budgets where there are any."""
    board, total = report.board, report.board.total
    spent = {("$" if "$" in each.text else "tokens"): each for each in board.spent}
    tokens, money, sums, wall = spent.get("tokens"), spent.get("$"), total.sums, duration_of(board)
    complete = sums.usage_is_final or not board.is_over
    cost = cost_of_all(sums)
    against = money.text if money and money.share is not None else ""
    known = [kinds_of(sums)] if sums.usage.total else []
    tokens_used = describe_tokens(sums.usage.total, complete=complete, short=True) if sums.usage.total else UNKNOWN
    return element(
        "div",
        card("tasks", f"{total.completed} of {total.total}", tasks_bar(board), [words_of(board)]),
        card("tokens", tokens_used, budget_bar(tokens), known),
        card("cost", cost, budget_bar(money), [against, source_of(sums)]),
        card("time", describe_duration(wall) if wall is not None else UNKNOWN, None,
             [f"{describe_duration(sums.duration_seconds)} of work"]),
        class_="cards",
    )  # fmt: skip


def card(title: str, figure: str, drawn: Markup | None, said: list[str]) -> Markup:
    """Return one figure with what is said of it."""
    notes = [element("p", each) for each in said if each]
    return element("div", element("span", title, class_="title"), element("b", figure), drawn, notes, class_="card")


def words_of(board: Board) -> str:
    """Say how many tasks are shown with which word."""
    return ", ".join(f"{count} {word}" for word, count in board.words.items())


def kinds_of(sums: Totals) -> str:
    """Say which tokens these are."""
    return describe_kinds(sums.usage) if sums.usage.total < 10_000 else " · ".join(
        f"{short_count(count)} {name.removesuffix('_tokens').replace('_', ' ')}"
        for name, count in sums.usage.as_dict().items()
    )  # fmt: skip


def source_of(sums: Totals) -> str:
    """Say where a cost comes from, and what is missing in it."""
    if sums.cost_usd is None and sums.estimated_usd is None:
        return "no agent has reported any" if sums.usage.total else ""
    parts = ["reported by the agents" if sums.cost_usd is not None else ""]
    parts.append("~ is estimated by prices" if sums.estimated_usd else "")
    parts.append("≥: a part is not known" if not sums.cost_is_complete else "")
    return ", ".join(filter(None, parts))


def tasks_bar(board: Board) -> Markup:
    """Draw how many tasks are completed, running and failed."""
    total = board.total
    whole = max(total.total, 1)
    parts = [("s-good", total.completed), ("s-busy", total.in_progress), ("s-bad", total.failed)]
    return share_bar([(look, count / whole) for look, count in parts], words_of(board))


def budget_bar(spent: Spent | None) -> Markup | None:
    """Draw how much of a budget is used; None without a budget."""
    if spent is None or spent.share is None:
        return None
    look = "s-bad" if spent.share >= 1 else "s-warning" if spent.share >= NEAR else "s-good"
    return share_bar([(look, spent.share)], spent.text)


def section(title: str, *inside: Child) -> Markup | None:
    """Return a part of the page with its title; None where nothing is in it."""
    found = joined(*inside)
    return element("section", element("h2", title), found) if found else None


def needs(board: Board, links: dict[str, str]) -> Markup | None:
    """Return what needs somebody: what failed and what that blocks, refused tools, gates, budgets, agents on hold."""
    found = [need_item(need, board, links) for need in board.needs[:MOST_NEEDS]]
    if len(board.needs) > MOST_NEEDS:
        found.append(element("li", f"and {len(board.needs) - MOST_NEEDS} more: see the tasks", class_="quiet"))
    limits = [
        element("li", pill(Look("⊘", "limit", Tone.WARNING)), one_line(limit.text, LONGEST), waiting(limit.task_ids),
                class_="warning")
        for limit in board.limits[:MOST_NEEDS]
    ]  # fmt: skip
    return section("What needs somebody", element("ul", found, limits, class_="needs")) if found or limits else None


def need_item(need: Need, board: Board, links: dict[str, str]) -> Markup:
    """Return one thing that needs somebody."""
    about: list[Child] = []
    if len(need.task_ids) == 1 and (task := board.tasks.get(need.task_ids[0])):
        name = f" {one_line(task.name)}" if task.name else ""
        about = [element("a", one_line(task.id), href=links.get(task.id), class_="strong"), name, ": "]
    rest = waiting(need.task_ids) if len(need.task_ids) > 1 else None
    blocks = f"; it blocks {listed(need.blocks, MOST_NAMED)}" if need.blocks else None
    cure = element("p", one_line(need.cure, LONGEST), class_="quiet small") if need.cure else None
    tone = "bad" if need.look.tone is Tone.BAD else "warning"
    text = element("span", one_line(need.text, LONGEST))
    return element("li", pill(need.look), element("span", about, text), rest, blocks, cure, class_=tone)


def waiting(task_ids: tuple[str, ...]) -> str:
    """Say which tasks wait for it."""
    return f" ({len(task_ids)} tasks: {listed(task_ids, MOST_NAMED)})" if task_ids else ""


def warnings(board: Board) -> Markup | None:
    """Return the problems that cost no task."""
    told = board.run.warnings
    more = [element("li", f"and {len(told) - MOST_WARNINGS} more")] if len(told) > MOST_WARNINGS else []
    items = [element("li", one_line(each, LONGEST)) for each in told[:MOST_WARNINGS]]
    return section("Warnings", element("ul", items, more, class_="small")) if told else None


def costs(report: Reported) -> Markup | None:
    """Return what each task has cost, by model; the sums of the models stand above."""
    parts = report.parts
    if not any(part.usage.total or part.cost_usd or part.estimated_usd for part in parts):
        return None
    by_model, rows = used(report.costs("model")), used(by_task(report))
    titles = ("task", "model", "input", "output", "cache read", "cache write", "cost")
    table_head = element("tr", [element("th", title, class_="number" if title not in titles[:2] else None, scope="col")
                                for title in titles])  # fmt: skip
    body, latest = list[Markup](), None
    for row in rows[:MOST_COSTS]:
        name = element("td", one_line(str(row.key[0]), 60) if row.key[0] != latest else "", class_="strong")
        body.append(cost_row(row, name, str(row.key[1])))
        latest = row.key[0]
    if len(rows) > MOST_COSTS:
        body.append(element("tr", element("td", f"and {len(rows) - MOST_COSTS} more rows", colspan=7, class_="quiet")))
    sums = [cost_row(row, element("td", "all tasks"), str(row.key[0])) for row in by_model] if len(by_model) > 1 else []
    total = cost_row(CostRow((), total_of(parts)), element("td", "all"), "")
    table = element("table", element("thead", table_head), element("tbody", body), element("tfoot", sums, total))
    return section("Cost by task and model", element("div", table, class_="wide", tabindex=0))


def used(rows: Sequence[CostRow]) -> list[CostRow]:
    """Return the rows of which something is known."""
    return [row for row in rows if row.sums.usage.total or row.sums.cost_usd or row.sums.estimated_usd]


def by_task(report: Reported) -> list[CostRow]:
    """Return a row for each model of each task, the dearest task first."""
    places = {row.key[0]: place for place, row in enumerate(report.costs("task"))}
    return sorted(report.costs("task", "model"), key=lambda row: places[row.key[0]])


def cost_row(row: CostRow, first: Markup, model: str) -> Markup:
    """Return the figures of one row."""
    used, sums = row.sums.usage, row.sums
    counts = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_creation_tokens)
    numbers = [element("td", short_count(count) if used.total else "", class_="number") for count in counts]
    name = element("td", one_line(model, 60), class_="word")
    return element("tr", first, name, numbers, element("td", cost_of_all(sums), class_="number"))


def foot(report: Reported) -> Markup:
    """Return what the report is, and how far it goes."""
    return element("footer", list(notes(report)))


def notes(report: Reported) -> Iterator[Child]:
    """Say when and by what it was made, and what its marks mean."""
    made = f"Made by nova {report.version} on {day_and_time(report.made_at)}."
    whose = "of this run alone" if report.of_one_run else "of all runs of the plan"
    marks = "“≥”: a part is not known; “~”: estimated by prices; “-”: not known."
    yield element("p", f"{made} Sums are of the attempts {whose}. {marks}")
    if any(task.state is TaskState.FAILED for task in report.tasks):
        yield element("p", "Of each log the end is shown; the whole of it is in the file that is named.")
