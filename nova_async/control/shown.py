"""What programs and pages are told besides a run's document: how it is, what needs somebody, how tasks look. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from nova_async.control.board import Board
from nova_async.control.gauge_words import describe_used
from nova_async.control.looks import cost_of, tokens_of
from nova_async.control.timeline import timeline_of
from nova_async.journal.rollup import Rollup
from nova_async.journal.state_document import gauge_document, written_moment

__all__ = ["graph_document", "head_of", "looks_of", "rollup_document", "timeline_document"]


def head_of(board: Board, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a run with what is shown of it as a whole, under ``board``; all but its tasks."""
    return {**run, "condition": board.condition, "is_over": board.is_over, "board": board_document(board)}


def board_document(board: Board) -> dict[str, Any]:
    """Return what is shown of a run as a whole."""
    return {
        "alive": board.alive,
        "sentence": board.sentence,
        "words": dict(board.words),
        "needs": [
            {
                "why": need.why, "look": need.look._asdict(), "text": need.text,
                "tasks": need.task_ids, "blocks": need.blocks, "cure": need.cure,
            }
            for need in board.needs
        ],
        "spent": [spent._asdict() for spent in board.spent],
        "limits": [
            {
                "text": limit.text, "tasks": limit.task_ids,
                "reason": limit.reason, "until": written_moment(limit.until), "name": limit.name,
            }
            for limit in board.limits
        ],
        "gauges": [
            {"text": describe_used(gauge.agent, gauge.kind, gauge.used), **gauge_document(gauge)}
            for gauge in board.run.gauges
        ],
        "running": [task.id for task in board.running],
        "total": rollup_document(board.total),
    }  # fmt: skip


def rollup_document(rollup: Rollup) -> dict[str, Any]:
    """Return several tasks seen as one."""
    sums = rollup.sums
    return {
        "status": rollup.status,
        "tasks": rollup.total,
        "completed": rollup.completed,
        "failed": rollup.failed,
        "in_progress": rollup.in_progress,
        "pending": rollup.pending,
        "blocked": rollup.blocked,
        "progress": round(rollup.progress, 4),
        "duration_seconds": round(sums.duration_seconds, 3),
        "token_usage": sums.usage.as_dict(),
        "usage_is_final": sums.usage_is_final,
        "cost_usd": sums.cost_usd,
        "estimated_usd": sums.estimated_usd,
        "cost_is_complete": sums.cost_is_complete,
    }


def looks_of(board: Board, task_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how these tasks are shown: their sign, word and tone, what they do, and their figures in words."""
    return {
        task.id: {
            **board.look(task)._asdict(),
            "doing": board.doing(task),
            "silent_seconds": board.silent_seconds(task),
            "tokens": tokens_of(task, is_over=board.is_over),
            "cost": cost_of(task),
        }
        for task in map(board.tasks.__getitem__, task_ids)
    }


def graph_document(board: Board) -> dict[str, Any]:
    """Return where each task stands when what depends on what is drawn."""
    from nova_async.control.graph import HEIGHT, WIDTH, lay_out  # with all that reads plans: not for a status

    layout = lay_out({task.id: task.depends_on for task in board.tasks.values()})
    return {
        "width": layout.width,
        "height": layout.height,
        "node": {"width": WIDTH, "height": HEIGHT},
        "nodes": [{"task": node.task_id, "layer": node.layer, "x": node.x, "y": node.y} for node in layout.nodes],
        "edges": [edge._asdict() for edge in layout.edges],
    }


def timeline_document(board: Board) -> dict[str, Any]:
    """Return what each task did when; places are shares of the whole width."""
    timeline = timeline_of(board)
    return {
        "begin": written_moment(timeline.begin),
        "end": written_moment(timeline.end),
        "is_over": board.is_over,
        "rows": [
            {"task": row.task_id, "segments": [segment._asdict() for segment in row.segments]} for row in timeline.rows
        ],
        "gaps": [gap._asdict() for gap in timeline.gaps],
        "ticks": [tick._asdict() for tick in timeline.ticks],
    }
