"""How one worker ended, for people and for programs."""

import json

from nova_async._core.text import one_line
from nova_async.cli.say import say
from nova_async.control.figures import UNKNOWN, describe_cost, describe_duration, describe_kinds
from nova_async.words import WorkerStatus
from nova_async.worker.published_prices import PUBLISHED
from nova_async.worker.questions import Questions

__all__ = ["write_json", "write_summary"]

LONGEST = 1_000  # characters of an error


def write_json(worker: Questions) -> None:
    """Write the worker's whole state to stderr as one line of JSON; stdout belongs to the command."""
    # Not msgspec: arguments and paths that are no UTF-8 hold halves of surrogate pairs, which it refuses.
    say(json.dumps(worker.get_status_dict()), err=True)


def whence() -> str:
    """Say whose prices an estimate stands on."""
    return f"the prices of genai-prices {PUBLISHED.version}" if PUBLISHED.version else "prices"


def write_summary(worker: Questions) -> None:
    """Write to stderr how it ended, how long it took, what it used and cost, and where its log is."""
    facts = worker.get_status_dict()
    report = worker.report
    how = "completed" if worker.status is WorkerStatus.COMPLETED else "failed"
    ended = f" ({facts['end'].replace('_', ' ')})" if facts["end"] != "exited" else ""
    lines = [f"nova: {worker.task_id} {how}{ended} in {describe_duration(facts['duration_seconds'] or 0.0)}"]
    if worker.error:
        lines.append(f"      why     {one_line(worker.error, LONGEST)}")
    lines.append(f"      code    {facts['exit_code']}")
    if report.usage.total or report.usage_is_final:
        certain = "" if report.usage_is_final else " (as far as reported)"
        lines.append(f"      tokens  {describe_kinds(report.usage)}{certain}")
    if report.looks_like is not None:
        name = report.looks_like
        lines.append(f"      note    the output looks like {name}'s: use --agent {name} to count its tokens")
    cost = describe_cost(report.cost_usd, worker.estimated_usd if report.cost_usd is None else None)
    if cost != UNKNOWN:
        told = "as reported by the agent" if report.cost_usd is not None else f"estimated by {whence()}"
        lines.append(f"      cost    {cost}, {told}")
    if facts["leftovers"]:
        left = [f"{one_line(process['name'])} (pid {process['pid']})" for process in facts["leftover_processes"]]
        lines.append(f"      left    {', '.join(left)}")
    if worker.log_ref is not None:
        lines.append(f"      log     {worker.log_ref.path}")  # in the words of the command line
    if facts["log_error"]:
        lines.append(f"      log error  {facts['log_error']}")
    say(*lines, err=True)
