"""What an attempt whose supervisor died has left behind: its log, and in it what it had used until then."""

import io
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from nova_async.agents import AGENTS, Agent, AgentReport
from nova_async.agents.registry import PLAIN, mode_of_output
from nova_async.agents.session import completed
from nova_async.attempt.estimating import waits_for_prices, with_estimate
from nova_async.attempt.job import Job
from nova_async.cascade import RunSettings
from nova_async.orchestrator.commands import account_variables
from nova_async.prices import Prices
from nova_async.process.command import current_folder
from nova_async.records import Attempt, AttemptEnd, AttemptStart, LogRef
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, Phase
from nova_async.worker.log.file import find_log, open_to_read
from nova_async.worker.published_prices import PUBLISHED
from nova_async.worker.session_files import SessionSource

__all__ = ["environment_then", "remains_of"]

CHUNK = 1 << 20  # bytes read at once
SESSION_SECONDS = 2.0  # for the session's files of one attempt; a run may have lost dozens
MOST_READ = 1 << 28  # bytes; about ten seconds of reading, and twenty times the longest log of an agent that was seen


def remains_of(
    attempt: Attempt,
    resumed_from: TokenUsage | None = None,
    prices: Prices | None = None,
    environment: Mapping[str, str] = os.environ,
) -> AttemptEnd | None:
    """Return how far an attempt without an end had come, by its log; None where there is none to be found.

    It ended with its last byte. The numbers are those of that moment, and complete only if the agent had told its own
    total. ``resumed_from`` is what the session that it resumed had used before. A cost that its agent had not told yet
    is estimated by ``prices``: it was spent, and counts. ``environment`` is what its agent saw, as far as it is known.
    """
    start, ref = attempt.start, attempt.log
    if ref is None or ref.device is None or ref.inode is None:
        return None
    try:
        identity = ref.device, ref.inode
        path = find_log(Path(ref.path), identity)
        with open_to_read(path, identity) as log:
            written = datetime.fromtimestamp(os.fstat(log.fileno()).st_mtime, UTC)
            report = read_again(attempt, log, resumed_from, environment)
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
    return end if prices is None else estimated(end, prices, start, report.kept_an_hour)


def estimated(end: AttemptEnd, prices: Prices, start: AttemptStart, kept_an_hour: Mapping[str, int]) -> AttemptEnd:
    """Return an end with what its tokens have cost, by all prices that there are."""
    priced = with_estimate(end, prices, start.agent, start.command, kept_an_hour)
    if not waits_for_prices(priced, prices):
        return priced
    PUBLISHED.read()
    return with_estimate(end, prices, start.agent, start.command, kept_an_hour)


def environment_then(
    start: AttemptStart, settings: RunSettings, root: Path, here: Mapping[str, str] = os.environ
) -> Mapping[str, str]:
    """Return what the agent of an attempt of this plan saw, as far as that is known.

    Its account, by the name that was journaled, and the plan's own variables, as both stand in the plan today; all else
    are the variables ``here``: those of the dead run are recorded nowhere.
    """
    return Job(
        id=start.id, command=start.command, agent=start.agent, env=settings.env, pass_env=settings.pass_env,
        account_env=account_variables(settings, start.account, root),
    ).environment(here)  # fmt: skip


def read_again(
    attempt: Attempt, log: io.FileIO, resumed_from: TokenUsage | None, environment: Mapping[str, str]
) -> AgentReport:
    """Return what a log says, read as it was read when it was written."""
    agent = AGENTS.get(attempt.start.agent) or PLAIN
    reader = agent.reader(mode_of_output(agent, attempt.start.command), resumed_from, attempt.start.resumes)
    left = MOST_READ
    while left > 0 and (chunk := log.read(min(CHUNK, left))):
        reader.feed(chunk)
        left -= len(chunk)
    reader.close()
    return with_session(agent, attempt, reader.report, environment)


def with_session(agent: Agent, attempt: Attempt, report: AgentReport, environment: Mapping[str, str]) -> AgentReport:
    """Return a report with what the files of the agent's session tell beyond it; they are where it has put them."""
    files, start = agent.session_files, attempt.start
    if files is None or report.session_id is None or (report.usage_is_final and not files.tell_before):
        return report
    source = SessionSource(files, environment, start.cwd or current_folder(), start.started_at)
    return completed(report, source.read_in_time(report.session_id, SESSION_SECONDS))
