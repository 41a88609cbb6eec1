"""Limits end a worker, and say which one it was."""

import asyncio
import os
import re
import shlex
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from nova_async import AgentReport, AsyncWorker, Limits, WorkerEnd, WorkerStatus
from tests.children import is_alive, program, ready

DATA = Path(__file__).parents[1] / "data"
STEP = (
    '{"type":"step_finish","timestamp":1,"sessionID":"s1","part":{"id":"p1","messageID":"m1","type":"step-finish",'
    '"cost":0.5,"tokens":{"input":1,"output":1,"reasoning":0,"cache":{"read":0,"write":0}}}}'
)


async def ended(tmp_path: Path, command: list[str], agent: str | None = None, **limits: float) -> AsyncWorker:
    """Run a command under limits to its end."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent=agent, limits=Limits(**limits))  # type: ignore[arg-type]
    await worker.start(command)
    await worker.wait(30)
    return worker


async def test_the_timeout(tmp_path: Path) -> None:
    """A child that runs too long has timed out, however much it talks."""
    worker = await ended(tmp_path, ["sh", "-c", "while :; do echo hi; sleep 0.02; done"], timeout=0.3)
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.TIMED_OUT)
    assert worker.error == "timed out: still running after 0.3 s (timeout)"


async def test_the_idle_timeout(tmp_path: Path) -> None:
    """A child that falls silent has stalled."""
    worker = await ended(tmp_path, program("silent"), idle_timeout=0.3)
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.STALLED)
    assert worker.error == "stalled: no output for 0.3 s (idle_timeout)"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('{"type":"step_start","sessionID":"ses_1","part":{}}', "; the agent may be waiting for its provider"),
        ('{"type":"tool_use","sessionID":"ses_1","part":{"tool":"bash","state":{"input":{"command":"pytest"}}}}', ""),
    ],
)
async def test_a_silent_agent_may_be_waiting_for_its_provider(said: str, why: str, tmp_path: Path) -> None:
    """Some wait for hours without a word; the sentence says so, unless a tool may be what takes so long."""
    script = ["sh", "-c", f"echo '{said}'; exec sleep 60", "opencode", "run", "--format", "json"]
    worker = await ended(tmp_path, script, agent="opencode", idle_timeout=0.3)
    assert worker.error == f"stalled: no output for 0.3 s (idle_timeout){why}"


async def test_any_byte_is_life(tmp_path: Path) -> None:
    """A child that says something now and then never stalls."""
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do printf .; sleep 0.1; done"
    worker = await ended(tmp_path, ["sh", "-c", script], idle_timeout=0.7)
    assert worker.end is WorkerEnd.EXITED


@pytest.mark.parametrize(
    ("options", "stalls"), [(["--output-format", "json"], False), (["--output-format", "stream-json"], True)]
)
async def test_silence_means_nothing_where_an_agent_prints_once(
    options: list[str], stalls: bool, tmp_path: Path
) -> None:
    """An agent in a mode that prints only at its end does not stall; one that streams does (G4)."""
    script = ["sh", "-c", "trap 'exit 0' INT; sleep 1 & wait", "claude", "-p", "hello", *options]
    worker = await ended(tmp_path, script, agent="claude", idle_timeout=0.3)
    assert (worker.end is WorkerEnd.STALLED) is stalls


async def test_lingering_after_a_result_is_no_failure(tmp_path: Path) -> None:
    """An agent that stays after its successful result is ended, and has completed (G3)."""
    worker = await ended(tmp_path, program("lingerer"), agent="claude", linger=0.3)
    assert (worker.status, worker.end) == (WorkerStatus.COMPLETED, WorkerEnd.LINGERED)
    assert worker.error is None
    assert worker.report.result == "Done."


async def test_too_many_tokens(tmp_path: Path) -> None:
    """A worker that uses more tokens than it may is over its budget."""
    script = "echo 'Token usage: input=60, output=40, cache_read=1, cache_creation=0'; sleep 60"
    worker = await ended(tmp_path, ["sh", "-c", script], max_tokens=100)
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.OVER_BUDGET)
    assert worker.error == "token budget exceeded: 101 used, limit 100 (max_tokens)"


async def test_exactly_the_budget_is_no_excess(tmp_path: Path) -> None:
    """A budget may be used up."""
    line = "Token usage: input=60, output=40, cache_read=0, cache_creation=0"
    script = f"echo '{line}'; echo ready; until [ -e go ]; do sleep 0.01; done"
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(max_tokens=100))
    await worker.start(["sh", "-c", script], cwd=tmp_path)
    await ready(worker)  # so it was looked at while it ran
    (tmp_path / "go").touch()
    await worker.wait()
    assert worker.end is WorkerEnd.EXITED


async def test_too_dear(tmp_path: Path) -> None:
    """A worker whose agent tells of a higher cost is over its budget."""
    worker = await ended(tmp_path, ["sh", "-c", f"echo '{STEP}'; sleep 60"], agent="opencode", max_cost_usd=0.4)
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.OVER_BUDGET)
    assert worker.error == "cost budget exceeded: $0.50 spent, limit $0.40 (max_cost_usd)"


def test_what_was_spent_and_the_limit_never_look_the_same() -> None:
    """A small excess is told with more digits."""
    told = Limits(max_cost_usd=0.05).exceeded_budget(AgentReport(cost_usd=0.054))
    assert told == "cost budget exceeded: $0.0540 spent, limit $0.0500 (max_cost_usd)"


SUCCESSES = [
    "claude/thinking.sjp.stdout",
    "codex/tools.json.merged",
    "gemini/tools.sj.merged",
    "opencode/tools.json.stdout",
    "qwen/tools.sj.stdout",
]


@pytest.mark.parametrize("recording", SUCCESSES)
async def test_a_budget_does_not_fail_what_has_succeeded(recording: str, tmp_path: Path) -> None:
    """An agent of any kind that has finished with success is completed; that it was too dear is noted."""
    file = DATA / recording
    worker = await ended(tmp_path, ["cat", str(file)], agent=file.parent.name, max_tokens=1)
    assert worker.report.is_error is False
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, None)
    used = worker.report.usage.total
    assert used > 1
    assert worker.end in (WorkerEnd.EXITED, WorkerEnd.LINGERED)


async def test_money_does_not_fail_what_has_succeeded(tmp_path: Path) -> None:
    """A final result that tells of a higher cost than it may has succeeded all the same, and that is noted."""
    worker = await ended(tmp_path, program("lingerer"), agent="claude", max_cost_usd=0.4, linger=0.3)
    assert (worker.status, worker.end, worker.error) == (WorkerStatus.COMPLETED, WorkerEnd.LINGERED, None)
    assert worker.warning == ("cost budget exceeded: $0.50 spent, limit $0.40 (max_cost_usd); it had finished by then")
    assert worker.get_status_dict()["warning"] == worker.warning


@pytest.mark.parametrize("limit", [{"timeout": 1.0}, {"idle_timeout": 0.3, "linger": 60.0}, {"idle_timeout": 0.3}])
async def test_no_time_fails_what_has_succeeded(limit: dict[str, float], tmp_path: Path) -> None:
    """An agent that stays after its successful result is ended by whatever limit comes first, and is completed."""
    worker = await ended(tmp_path, program("lingerer"), agent="claude", **limit)
    assert (worker.status, worker.end, worker.error) == (WorkerStatus.COMPLETED, WorkerEnd.LINGERED, None)
    assert worker.warning is None


async def test_half_of_a_silence_is_told(tmp_path: Path) -> None:
    """It is told once per silence, with when it ends; output takes it back, and the next silence is told again."""
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(idle_timeout=1.0))
    told: list[str | None] = [None]
    changed = asyncio.Event()

    def note() -> None:
        if worker.warning != told[-1]:
            told.append(worker.warning)
            changed.set()

    worker.on_change = note
    ours, theirs = os.pipe()
    await worker.start(["sh", "-c", "read _; echo here I am; exec sleep 60"], stdin=ours)
    os.close(ours)
    await asyncio.wait_for(changed.wait(), 10)
    os.close(theirs)
    await worker.wait(30)
    assert worker.end is WorkerEnd.STALLED
    assert [text is None for text in told] == [True, False, True, False, True]
    moment = r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d"
    pattern = rf"no output for 0\.\d+ s; ends at {moment} unless it prints something \(idle_timeout 1 s\)"
    assert all(re.fullmatch(pattern, text) for text in told if text is not None)


async def test_exactly_the_price_is_no_excess(tmp_path: Path) -> None:
    """Money may be used up as well."""
    worker = await ended(tmp_path, program("lingerer"), agent="claude", max_cost_usd=0.5, linger=0.3)
    assert worker.end is WorkerEnd.LINGERED


async def test_a_limit_is_the_commands_and_not_its_leftovers(tmp_path: Path) -> None:
    """What may stay is not ended for what it prints after the command's own end."""
    script = (
        "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done;"
        " echo Token usage: input=60, output=60, cache_read=0, cache_creation=0; exec sleep 60) & echo ready $!"
    )
    worker = AsyncWorker("F1", log_dir=tmp_path, leftovers="leave", limits=Limits(max_tokens=100))
    await worker.start(["sh", "-c", script])
    left = int((await ready(worker)).split()[1])
    try:
        await worker.wait(30)
        assert worker.get_token_usage()["input_tokens"] == 60
        assert worker.end is WorkerEnd.EXITED
        assert is_alive(left)
    finally:
        with suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)


async def test_a_limit_does_not_outrun_the_news_of_the_exit(tmp_path: Path) -> None:
    """Where the exit and what a leftover printed after it have both come, the exit counts, whichever is seen first."""
    printed = tmp_path / "printed"
    script = (
        "mkfifo gone; (read word < gone; echo Token usage: input=60, output=60, cache_read=0, cache_creation=0;"
        " touch printed; exec sleep 60) & exec 3> gone; echo ready; read word"
    )
    ours, theirs = os.pipe()
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(max_tokens=100))
    await worker.start(["sh", "-c", script], cwd=tmp_path, stdin=ours)
    os.close(ours)
    await ready(worker)
    os.close(theirs)  # now it exits, and the loop stands still
    while not printed.exists() or is_alive(worker.pid or 0):
        pass
    await worker.wait(30)
    assert (worker.end, worker.report.usage.total) == (WorkerEnd.EXITED, 120)


async def test_timers_end_with_the_child(tmp_path: Path) -> None:
    """No timer of a limit outlives its worker."""
    worker = await ended(tmp_path, ["true"], timeout=1000, idle_timeout=1000)
    assert worker.end is WorkerEnd.EXITED
    scheduled = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
    assert scheduled == []


async def test_another_turn_after_a_result_is_no_lingering(tmp_path: Path) -> None:
    """An agent that has begun another turn works, however silently; its next result counts (G41)."""
    events = [
        '{"type":"thread.started","thread_id":"t1"}',
        '{"type":"turn.started"}',
        '{"type":"turn.completed","usage":{"input_tokens":1,"cached_input_tokens":0,"output_tokens":1}}',
        '{"type":"turn.started"}',
    ]
    # One after another, so that each is seen by itself.
    script = (
        "; ".join(f"echo {shlex.quote(event)}; sleep 0.1" for event in events)
        + f"; sleep 1; echo '{events[2]}'; sleep 60"
    )
    worker = await ended(tmp_path, ["sh", "-c", script, "codex", "--json"], agent="codex", linger=0.3)
    assert worker.log_path.read_text().count(events[2]) == 2
    assert (worker.status, worker.end) == (WorkerStatus.COMPLETED, WorkerEnd.LINGERED)
