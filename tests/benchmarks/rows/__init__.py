"""The rows of the table: each measures one kind of work, and what else does the same beside it."""

from collections.abc import Callable

from tests.benchmarks.bench import Bench
from tests.benchmarks.rows import (
    asking,
    capture,
    chain,
    counting,
    endings,
    felt,
    growth,
    idle,
    journal,
    latency,
    life,
    log,
    page,
    start,
    talking,
    tasks,
    views,
)

__all__ = ["ROWS"]

ROWS: dict[str, Callable[[Bench], None]] = {
    module.__name__.rpartition(".")[2]: module.measure
    for module in (
        capture, counting, life, asking, latency, start, felt, views, chain, tasks, growth, endings, idle, talking,
        journal, log, page,
    )
}  # fmt: skip
