"""How a run ended: what is done, what is not and why, what it took, and what to do next."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from nova_async._core.advice import HERE, Place
from nova_async._core.text import listed, one_line
from nova_async.cli.advised import advise_line
from nova_async.cli.budget_summary import describe_budget, whose_budget
from nova_async.cli.columns import columns_of_terminal, cut, fold, width_of
from nova_async.cli.ink import Ink, Line, Span, plain
from nova_async.cli.log_end import end_of_log, log_that_tells
from nova_async.cli.run_lines import as_json_line
from nova_async.cli.say import say
from nova_async.control.denials import cure_of
from nova_async.control.figures import UNKNOWN, cost_of_all, describe_duration, describe_kinds, describe_tokens, until
from nova_async.journal.state_document import budget_document
from nova_async.orchestrator.holding import warning_of
from nova_async.records import EVENT_SCHEMA
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, Hold, RunReport, TaskView
from nova_async.words import Outcome, TaskState

__all__ = ["write_json_summary", "write_run_summary"]

LABEL = 10  # columns of "  tokens  " and its like
LINES = 5  # of each failed task's log; `nova logs` shows the rest
MOST_TOLD = 10  # failed tasks that are told in full; the others are named


def write_run_summary(
    report: RunReport, *, interrupted: bool = False, again: str = "nova run", place: Place = HERE
) -> None:
    """Write the summary for people; ``again`` is the command that goes on with this plan, in the place of its run."""
    width = columns_of_terminal()
    lines = (advise_line(line, place) for line in describe_run(report, interrupted=interrupted, again=again))
    say(*(part for line in lines for part in ([line] if width is None else hanging(line, width))))


def hanging(line: Line, width: int) -> Iterator[Line]:
    """Give a line that is wider than the terminal as several, set below what follows its label."""
    text = plain(line)
    indent = LABEL if text[:2] == "  " and text[LABEL - 1 : LABEL] == " " else len(text) - len(text.lstrip())
    if width_of(text) <= width or width <= 2 * LABEL:
        yield line
        return
    first, *others = fold(text[indent:], width - indent)
    label = [line[0]] if not isinstance(line, str) and width_of(line[:1]) <= indent else []
    yield [*label, text[len(plain(label)) : indent], *first]
    for part in others:
        yield [" " * indent, *part]


def describe_run(report: RunReport, *, interrupted: bool, again: str = "nova run") -> Iterator[Line]:
    """Give the summary line by line."""
    tasks = report.selected.values()
    failed = [task for task in tasks if task.state is TaskState.FAILED]
    blocked = [task for task in tasks if task.state is TaskState.BLOCKED]
    completed = sum(task.state is TaskState.COMPLETED for task in tasks)
    open_tasks = len(tasks) - completed - len(failed) - len(blocked)
    left_out = len(report.tasks) - len(tasks)
    parts = [Span(f"{completed} of {len(tasks)} completed", Ink.GREEN if report.ok else Ink.BOLD)]
    parts += [Span(f"{len(failed)} failed", Ink.RED)] if failed else []
    parts += [Span(f"{len(blocked)} blocked")] if blocked else []
    parts += [Span(f"{open_tasks} unfinished")] if open_tasks else []
    parts += [Span(f"{left_out} not selected")] if left_out else []
    yield ""
    counted = [piece for part in parts for piece in (Span(", "), part)][1:]
    yield [Span(one_line(report.project) or "The run", Ink.BOLD), Span(": "), *counted]
    work = sum(task.duration_seconds for task in tasks)
    yield f"  time    {describe_duration(report.duration_seconds)} ({describe_duration(work)} of work)"
    yield from describe_usage(report)
    for message in report.milestones.values():
        yield f"  reached {one_line(message)}"
    yield from describe_troubles(report, again)
    yield from describe_answers(report)
    for task in failed[:MOST_TOLD]:
        yield ""
        yield from describe_failure(task)
    if len(failed) > MOST_TOLD:
        yield f"and {len(failed) - MOST_TOLD} more: {', '.join(task.id for task in failed[MOST_TOLD:])}"
    if blocked:
        yield ""
        yield from describe_blocked(blocked)
    for hold in report.holds:
        yield ""
        yield from describe_hold(hold, again)
    held = {task_id for hold in report.holds for task_id in hold.waiting}
    for budget in used_up(report):
        yield ""
        yield from describe_budget(budget, again)
        interrupted = interrupted and budget.task_id is not None
    held.update(task_id for budget in report.budgets for task_id in budget.waiting)
    gates = [task.id for task in tasks if task.needs_approval]
    yield from describe_next_step(failed, gates, open_tasks - len(held), again, interrupted=interrupted)


def used_up(report: RunReport) -> list[BudgetView]:
    """Return the budgets that keep something from going on, and are told of at length."""
    held = {task_id for hold in report.holds for task_id in hold.waiting}
    return [
        budget for budget in report.budgets[:MOST_TOLD]
        if budget.is_used_up and not (report.ok or (budget.waiting and held.issuperset(budget.waiting)))
    ]  # fmt: skip


def describe_usage(report: RunReport) -> Iterator[str]:
    """Give tokens and cost, in all and by model; nothing of which nothing is known."""
    usage = report.usage
    if usage.total:
        total = describe_tokens(usage.total, complete=report.usage_is_final)
        yield f"  tokens  {total}: {describe_kinds(usage)}"
        models = by_model(report)
        for model, used in models if len(models) > 1 else ():
            yield f"          {model}: {used.total:,}, of which {used.output_tokens:,} output"
    if (cost := cost_of_all(report)) != UNKNOWN:
        yield f"  cost    {cost}, {whence(report)}"


def whence(report: RunReport) -> str:
    """Say who knows what it has cost."""
    if report.estimated_usd is None:
        return "as reported by the agents"
    return "estimated by prices" if report.cost_usd is None else "as reported by the agents, ~ estimated by prices"


def by_model(report: RunReport) -> list[tuple[str, TokenUsage]]:
    """Return the tokens by model, most first; those of agents that name no model come last, so that it adds up."""
    named = sorted(report.usage_by_model.items(), key=lambda item: -item[1].total)
    known, usage = sum((used for _, used in named), TokenUsage()), report.usage
    rest = TokenUsage(
        max(usage.input_tokens - known.input_tokens, 0),
        max(usage.output_tokens - known.output_tokens, 0),
        max(usage.cache_read_tokens - known.cache_read_tokens, 0),
        max(usage.cache_creation_tokens - known.cache_creation_tokens, 0),
    )
    lines = [(one_line(model) or "unknown model", used) for model, used in named]
    return [*lines, ("other", rest)] if rest.total else lines


def describe_troubles(report: RunReport, again: str) -> Iterator[Line]:
    """Give what went wrong without failing a task: missing bytes in logs, denied tools, a disk that was full."""
    tasks = report.selected.values()
    told_below = {warning_of(hold) for hold in report.holds}
    told_below |= {warning for task in tasks if task.log_error for warning in report.warnings
                   if warning.startswith(f"log of {task.id}: ")}  # fmt: skip
    budgets = tuple(f"{whose_budget(budget)} of " for budget in used_up(report))
    troubles = [warning for warning in report.warnings if warning not in told_below and not warning.startswith(budgets)]
    troubles += [f"{task.id}: log error: {task.log_error}" for task in tasks if task.log_error]
    denied = [task for task in tasks if task.denied]
    troubles += [f"{task.id} was denied {', '.join(task.denied)}: {cure_of(task.denied, again)}" for task in denied]
    for text in troubles[:MOST_TOLD]:
        yield [Span("  warning", Ink.AMBER), Span(f" {one_line(text, 1000)}")]
    if len(troubles) > MOST_TOLD:
        yield [Span("  warning", Ink.AMBER), Span(f" and {len(troubles) - MOST_TOLD} more like these")]


def describe_answers(report: RunReport) -> Iterator[Line]:
    """Give what the agents of this run have answered, a line each; nothing where that would be a page."""
    answered = [
        task for task in report.tasks.values()
        if task.state is TaskState.COMPLETED and task.result and task.result.strip()
        and task.attempts and task.attempts[-1].start.id.run_id == report.run_id
    ]  # fmt: skip
    if not 0 < len(answered) <= MOST_TOLD:
        return
    yield ""
    width = columns_of_terminal()
    for task in answered:
        line: Line = [Span(task.id, Ink.BOLD), f": {one_line(task.result or '')}"]
        yield line if width is None else cut(line, width)
    yield "Full answers: `nova result TASK`"


def describe_failure(task: TaskView) -> Iterator[Line]:
    """Give what is known of a failed task, with the end of its log."""
    attempts = f" in attempt {task.attempt}" if task.attempt > 1 else ""
    name = f" {one_line(task.name)}" if task.name else ""
    how = f"{name}: {task.outcome or 'no outcome'}{attempts}, {describe_duration(task.duration_seconds)}"
    yield [Span(f"{task.id} failed", Ink.RED), Span(how)]
    if task.error:
        yield f"  {one_line(task.error, 1000)}"
    if (log := log_that_tells(task)) is None:
        return
    width = columns_of_terminal()
    for line in end_of_log(task, LINES):
        told = [Span(f"  │ {line}", Ink.GREY)]
        yield told if width is None else cut(told, width)
    yield f"  log     {log}"


def describe_blocked(blocked: list[TaskView]) -> Iterator[str]:
    """Give the tasks that could not run, by the failed ones that are the reason."""
    reasons: dict[tuple[str, ...], list[str]] = {}
    for task in blocked:
        reasons.setdefault(task.blocked_by, []).append(task.id)
    for failed, ids in reasons.items():
        yield f"blocked by {', '.join(failed) or 'a failure'}: {', '.join(ids)}"


def describe_hold(hold: Hold, again: str = "nova run") -> Iterator[Line]:
    """Give what keeps an agent from working, who waits for it, and the cure."""
    count = len(hold.waiting)
    which = f" (model {hold.model})" if hold.model else ""
    wait = "1 task waits" if count == 1 else f"{count} tasks wait"
    told = f"{wait}: {listed(hold.waiting, MOST_TOLD)}" if count else "no task waits for it"
    yield [Span(one_line(hold.reason + which), Ink.AMBER), f". {told[0].upper()}{told[1:]}"]
    yield f"  {one_line(hold.error, 1000)}"
    now = datetime.now(UTC)
    if hold.resets_at is not None and hold.resets_at > now:
        yield f"  it lasts {until(hold.resets_at, now)}"
    if hold.waiting or hold.outcome is not Outcome.LIMIT:  # a limit ends by itself
        cure = hold.cure.replace("`nova run`", f"`{again}`")
        yield f"  {one_line(cure, 1000)}"


def describe_next_step(
    failed: list[TaskView], gates: list[str], open_tasks: int, again: str, *, interrupted: bool
) -> Iterator[str]:
    """Say what can be done now; ``gates`` are the tasks that wait for approval."""
    denied = [task.id for task in failed if task.outcome is Outcome.DENIED]
    failed = [task for task in failed if task.outcome is not Outcome.DENIED]
    if gates:
        yield ""
        yield f"Approve with `nova approve {' '.join(gates[:MOST_TOLD])}`, then `{again}` goes on"
    if denied:
        yield ""
        yield f"Allow what was denied, then `{again}` runs {', '.join(denied[:MOST_TOLD])} again"
    if failed:
        ids = " ".join(task.id for task in failed[:MOST_TOLD])
        yield ""
        yield f"Try again with `nova retry {ids}`, then `{again}`; or `{again} --retry-failed`"
    elif not (denied or gates) and (open_tasks or interrupted):
        yield ""
        yield f"Resume with `{again}`"


def write_json_summary(report: RunReport) -> None:
    """Write the summary as one line of JSON."""
    say(as_json_line(summary_object(report)))


def summary_object(report: RunReport) -> dict[str, Any]:
    """Return the summary as one JSON object; ``event`` tells it from the lines before it."""
    return {
        "event": "summary",
        "schema": EVENT_SCHEMA,
        "run_id": report.run_id,
        "project": report.project,
        "ok": report.ok,
        "started_at": report.started_at.isoformat(timespec="milliseconds"),
        "duration_seconds": round(report.duration_seconds, 3),
        "token_usage": report.usage.as_dict(),
        "usage_is_final": report.usage_is_final,
        "token_usage_by_model": {model: used.as_dict() for model, used in report.usage_by_model.items()},
        "cost_usd": report.cost_usd,
        "estimated_usd": report.estimated_usd,
        "cost_is_complete": report.cost_is_complete,
        "milestones": dict(report.milestones),
        "warnings": report.warnings,
        "budgets": [budget_document(budget) for budget in report.budgets],
        "holds": [
            {
                "agent": hold.agent,
                "model": hold.model,
                "outcome": hold.outcome,
                "error": hold.error,
                "cure": hold.cure,
                "limit": hold.kind,
                "resets_at": None if hold.resets_at is None else hold.resets_at.isoformat(timespec="seconds"),
                "waiting": hold.waiting,
            }
            for hold in report.holds
        ],
        "tasks": {
            task.id: {
                "state": task.state,
                "selected": task.is_selected,
                "attempt": task.attempt,
                "agent": task.agent or None,
                "outcome": task.outcome,
                "error": task.error,
                "blocked_by": task.blocked_by,
                "needs_approval": task.needs_approval,
                "duration_seconds": round(task.duration_seconds, 3),
                "token_usage": task.usage.as_dict(),
                "usage_is_final": task.usage_is_final,
                "cost_usd": task.cost_usd,
                "estimated_usd": task.estimated_usd,
                "cost_is_complete": task.cost_is_complete,
                "denied": task.denied,
                "result": task.result,
                "log_path": task.log_path,
                "log_error": task.log_error,
                "session_id": task.session_id,
            }
            for task in report.tasks.values()
        },
    }
