"""How one worker ended, for people and for programs."""

import json

import typer

from nova_async.status import WorkerStatus
from nova_async.worker.questions import Questions

__all__ = ["describe_duration", "write_json", "write_summary"]


def write_json(worker: Questions) -> None:
    """Write the worker's whole state to stderr as one line of JSON; stdout belongs to the command."""
    # Not msgspec: arguments and paths that are no UTF-8 hold halves of surrogate pairs, which it refuses.
    typer.echo(json.dumps(worker.get_status_dict()), err=True)


def write_summary(worker: Questions) -> None:
    """Write to stderr how it ended, how long it took, what it used and cost, and where its log is."""
    facts = worker.get_status_dict()
    report = worker.report
    how = "completed" if worker.status is WorkerStatus.COMPLETED else "failed"
    ended = f" ({facts['end'].replace('_', ' ')})" if facts["end"] != "exited" else ""
    lines = [f"nova: {worker.task_id} {how}{ended} in {describe_duration(facts['duration_seconds'] or 0.0)}"]
    if worker.error:
        lines.append(f"      why     {worker.error}")
    lines.append(f"      code    {facts['exit_code']}")
    if report.usage.total or report.usage_is_final:
        usage = report.usage
        certain = "" if report.usage_is_final else " (so far as it told)"
        lines.append(
            f"      tokens  {usage.input_tokens:,} input · {usage.output_tokens:,} output · "
            f"{usage.cache_read_tokens:,} cache read · {usage.cache_creation_tokens:,} cache creation{certain}"
        )
    if report.cost_usd is not None:
        lines.append(f"      cost    ${report.cost_usd:.4f}, as the agent tells")
    if facts["leftovers"]:
        names = ", ".join(f"{process['name']} (pid {process['pid']})" for process in facts["leftover_processes"])
        lines.append(f"      left    {names}")
    lines.append(f"      log     {facts['log_path']}")
    if facts["log_error"]:
        lines.append(f"      log!    {facts['log_error']}")
    typer.echo("\n".join(lines), err=True)


def describe_duration(seconds: float) -> str:
    """Write a duration as people say it: ``0.8 s``, ``45 s``, ``12 min 3 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
