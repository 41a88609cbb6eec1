"""What an attempt whose supervisor died has left behind: its log, and in it what it had used until then."""

import io
import os
from datetime import UTC, datetime
from pathlib import Path

from nova_async.agents import AGENTS, Agent, AgentReport
from nova_async.agents.registry import PLAIN, mode_of_output
from nova_async.agents.session import completed
from nova_async.attempt.estimating import waits_for_prices, with_estimate
from nova_async.prices import Prices
from nova_async.process.command import current_folder
from nova_async.records import Attempt, AttemptEnd, AttemptStart, LogRef
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, Phase
from nova_async.worker.log.file import find_log, open_to_read
from nova_async.worker.published_prices import PUBLISHED
from nova_async.worker.session_files import SessionSource

__all__ = ["remains_of"]

CHUNK = 1 << 20  # bytes read at once
SESSION_SECONDS = 2.0  # for the session's files of one attempt; a run may have lost dozens
MOST_READ = 1 << 28  # bytes; about ten seconds of reading, and twenty times the longest log of an agent that was seen


def remains_of(
    attempt: Attempt, resumed_from: TokenUsage | None = None, prices: Prices | None = None
) -> AttemptEnd | None:
    """Return how far an attempt without an end had come, by its log; None where there is none to be found.

    It ended with its last byte. The numbers are those of that moment, and complete only if the agent had told its own
    total. ``resumed_from`` is what the session that it resumed had used before. A cost that its agent had not told yet
    is estimated by ``prices``: it was spent, and counts.
    """
    start, ref = attempt.start, attempt.log
    if ref is None or ref.device is None or ref.inode is None:
        return None
    try:
        identity = ref.device, ref.inode
        path = find_log(Path(ref.path), identity)
        with open_to_read(path, identity) as log:
            written = datetime.fromtimestamp(os.fstat(log.fileno()).st_mtime, UTC)
            report = read_again(attempt, log, resumed_from)
    except (OSError, OverflowError, ValueError):  # it is gone, or its time is no time
        return None
    end = AttemptEnd(
        id=start.id,
        outcome=Outcome.LOST,
        phase=Phase.RUN,
        ended_at=written,
        duration_seconds=max(0.0, (written - start.started_at).total_seconds()),
        usage=report.usage,
        usage_by_model=report.usage_by_model,
        usage_is_final=report.usage_is_final,
        usage_source=report.usage_source,
        cost_usd=report.cost_usd,
        session_id=report.session_id,
        model=report.model,
        log=LogRef(path=str(path), device=ref.device, inode=ref.inode),
    )
    return end if prices is None else estimated(end, prices, start)


def estimated(end: AttemptEnd, prices: Prices, start: AttemptStart) -> AttemptEnd:
    """Return an end with what its tokens have cost, by all prices that there are."""
    priced = with_estimate(end, prices, start.agent, start.command)
    if not waits_for_prices(priced, prices):
        return priced
    PUBLISHED.read()
    return with_estimate(end, prices, start.agent, start.command)


def read_again(attempt: Attempt, log: io.FileIO, resumed_from: TokenUsage | None) -> AgentReport:
    """Return what a log says, read as it was read when it was written."""
    agent = AGENTS.get(attempt.start.agent) or PLAIN
    reader = agent.reader(mode_of_output(agent, attempt.start.command), resumed_from, attempt.start.resumes)
    left = MOST_READ
    while left > 0 and (chunk := log.read(min(CHUNK, left))):
        reader.feed(chunk)
        left -= len(chunk)
    reader.close()
    return with_session(agent, attempt, reader.report)


def with_session(agent: Agent, attempt: Attempt, report: AgentReport) -> AgentReport:
    """Return a report with what the files of the agent's session tell beyond it.

    They are looked for where this program's own variables say: those of the dead run are recorded nowhere.
    """
    files = agent.session_files
    if files is None or report.session_id is None or (report.usage_is_final and not files.tell_before):
        return report
    source = SessionSource(files, os.environ, current_folder(), attempt.start.started_at)
    return completed(report, source.read_in_time(report.session_id, SESSION_SECONDS))
