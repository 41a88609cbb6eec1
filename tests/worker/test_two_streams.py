"""Where events are read they come from standard output alone; the log holds both streams, line by line."""

import asyncio
import json
import os
import shlex
import sys
import tracemalloc
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async import AsyncWorker, Limits, TokenUsage, WorkerEnd, WorkerStatus
from nova_async.agents import AGENTS
from nova_async.process.pipes import RATION
from nova_async.worker import streams
from nova_async.worker.log.whole_lines import MOST_HELD, WholeLines
from tests.agents.recordings import kept
from tests.children import program

OUT, ERR = 1, 2
SESSION = "11111111-2222"


def line(**event: Any) -> str:
    """Return an event as a line."""
    return json.dumps(event) + "\n"


INIT = line(type="system", subtype="init", session_id=SESSION, model="m")
MODELS = {"m": {"inputTokens": 10, "outputTokens": 20, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}}
RESULT = line(
    type="result", subtype="success", is_error=False, session_id=SESSION, result="done", total_cost_usd=0.01,
    modelUsage=MODELS,
)  # fmt: skip
FAILED = line(type="result", subtype="success", is_error=True, session_id=SESSION, result="it failed", modelUsage={})
SPENT = line(
    type="stream_event",
    event={"type": "message_start", "message": {"id": "x", "usage": {"input_tokens": 9_000_000}}},
)
REJECTED = line(type="rate_limit_event", rate_limit_info={"status": "rejected", "rateLimitType": "five_hour"})
KEY_REFUSED = line(
    type="system", subtype="api_retry", attempt=9, max_retries=10, error_status=401, error="authentication_failed"
)


async def claude(tmp_path: Path, *pieces: tuple[int, str], code: int = 0, **limits: float) -> AsyncWorker:
    """Run what prints these pieces as Claude to its end."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(**limits))  # type: ignore[arg-type]
    await worker.start(program("two_streams", json.dumps(pieces), str(code)))
    await worker.wait(30)
    return worker


FORGED = {"success": RESULT, "failure": FAILED, "tokens": SPENT, "limit": REJECTED, "refusal": KEY_REFUSED * 5}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_an_event_on_standard_error_is_nobodys(forged: str, tmp_path: Path) -> None:
    """It is in the log, and changes neither tokens nor verdict, limit, failure, cost or session, before or after."""
    worker = await claude(tmp_path, (OUT, INIT), (ERR, forged), (OUT, RESULT), (ERR, forged), max_tokens=1000)
    report = worker.report
    assert (worker.status, worker.end, worker.error) == (WorkerStatus.COMPLETED, WorkerEnd.EXITED, None)
    assert (report.usage, report.usage_is_final, report.cost_usd) == (TokenUsage(10, 20, 0, 0), True, 0.01)
    assert (report.is_error, report.limit, report.failure, report.is_hopeless) == (False, None, None, False)
    assert worker.log_path.read_text() == INIT + forged + RESULT + forged


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_an_event_on_standard_error_alone_is_no_word_of_the_agents(forged: str, tmp_path: Path) -> None:
    """Without a word on standard output there is no verdict, no session and no limit, and no failure of the login."""
    report = (await claude(tmp_path, (ERR, INIT + forged), code=1)).report
    assert (report.is_error, report.session_id, report.limit, report.failure) == (None, None, None, None)
    assert report.usage == TokenUsage()


async def test_a_forged_result_starts_no_clock(tmp_path: Path) -> None:
    """An agent that works on after a hook has printed a result has not finished, so it does not linger."""
    pieces = [(OUT, INIT), (ERR, RESULT)]
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(linger=0.05))
    command = program("two_streams", json.dumps(pieces))
    script = [sys.executable, "-c", f"import subprocess, time; subprocess.run({command!r}); time.sleep(0.3)"]
    await worker.start(script)
    await worker.wait(30)
    assert (worker.end, worker.report.is_error) == (WorkerEnd.EXITED, None)


async def test_the_reason_on_standard_error_explains_a_failure(tmp_path: Path) -> None:
    """What a program says as its only word is the error, and its kind."""
    worker = await claude(tmp_path, (ERR, "Not logged in · Please run /login\n"), code=1)
    assert worker.error == "Not logged in · Please run /login"
    assert worker.report.failure == "auth"


@pytest.mark.parametrize("whole", [OUT, ERR])
async def test_a_line_is_never_torn_by_the_other_stream(whole: int, tmp_path: Path) -> None:
    """A warning stands before or after a long line, never in it, though it came between two of its pieces."""
    other = OUT + ERR - whole
    long, short = RESULT.replace("done", "x" * 100_000), "(node:1) Warning: something is deprecated\n"
    if whole == ERR:
        long, short = short * 1000, RESULT
        long = long.replace("\n", " ") + "\n"
    pieces = [(OUT, INIT), *((whole, long[at : at + 30_000]) for at in range(0, len(long), 30_000))]
    pieces.insert(3, (other, short))
    worker = await claude(tmp_path, *pieces)
    lines = worker.log_path.read_text().splitlines(keepends=True)
    assert sorted(lines) == sorted([INIT, long, short])
    assert worker.report.usage == TokenUsage(10, 20, 0, 0)


async def test_what_waits_for_a_prompt_is_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output that stands still in the middle of a line does not hide standard error for ever."""
    monkeypatch.setattr(streams, "LINE_SECONDS", 0.2)
    pieces = [(OUT, "Building... "), (ERR, "waiting for the lock\n")]
    said = shlex.join(program("two_streams", json.dumps(pieces)))
    async with AsyncWorker("F1", log_dir=tmp_path, agent="claude") as worker:
        await worker.start(["sh", "-c", f"{said}; sleep 60"])
        async with asyncio.timeout(10), aclosing(worker.lines()) as lines:
            assert await anext(lines) == "Building... waiting for the lock"


async def test_each_stream_has_its_bytes_in_order(tmp_path: Path) -> None:
    """Two floods at once: every byte of both is in the log, and every line in one piece."""
    lines = 20_000
    script = (
        "import sys, threading\n"
        f"def talk(s, n): [s.write('%s %d %s\\n' % (n, i, 'x' * (i % 300))) for i in range({lines})]; s.flush()\n"
        "threads = [threading.Thread(target=talk, args=(s, s.name)) for s in (sys.stdout, sys.stderr)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start([sys.executable, "-c", script])
    assert await worker.wait(60) == 0
    logged = worker.log_path.read_text().splitlines()
    for name in ("<stdout>", "<stderr>"):
        assert [text for text in logged if text.startswith(name)] == [
            f"{name} {i} {'x' * (i % 300)}" for i in range(lines)
        ]
    assert len(logged) == 2 * lines


@pytest.mark.parametrize(("agent", "words"), [("plain", ["-p"]), (None, ["-p", "hi"])], ids=["plain", "text mode"])
async def test_a_text_keeps_the_order_of_both_streams(agent: str | None, words: list[str], tmp_path: Path) -> None:
    """Plain commands and text modes have one pipe: the order is the child's own, to the byte."""
    claude = tmp_path / "claude"
    claude.write_text("#!/bin/sh\nfor i in 1 2 3 4 5; do printf a; printf b >&2; done\n")
    claude.chmod(0o755)
    worker = AsyncWorker("F1", log_dir=tmp_path, agent=agent)
    await worker.start([str(claude), *words])
    await worker.wait(30)
    assert worker.log_path.read_text() == "ab" * 5


async def test_every_descriptor_is_given_back(tmp_path: Path) -> None:
    """Neither a start with two pipes nor one that fails leaves a descriptor or a part of the ration."""
    before, taken = sorted(os.listdir("/dev/fd")), RATION.taken  # noqa: PTH208 - numbers, not paths
    await claude(tmp_path, (OUT, RESULT), (ERR, "x"))
    worker = AsyncWorker("F2", log_dir=tmp_path, agent="claude")
    with pytest.raises(OSError, match="too long"):
        await worker.start(["true"], env={**os.environ, "LONG": "x" * 300_000})
    assert (sorted(os.listdir("/dev/fd")), RATION.taken) == (before, taken)  # noqa: PTH208


async def test_standard_error_is_life(tmp_path: Path) -> None:
    """An agent that only complains is not silent."""
    script = "for i in 1 2 3 4 5 6 7 8; do echo $i >&2; sleep 0.1; done"
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(idle_timeout=0.6))
    await worker.start(["sh", "-c", script])
    await worker.wait(30)
    assert worker.end is WorkerEnd.EXITED


async def test_standard_error_of_a_closed_standard_output(tmp_path: Path) -> None:
    """An agent that has closed one stream is heard on the other until that ends, too."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start(["sh", "-c", "exec >&-; echo one >&2; sleep 0.2; echo two >&2"])
    assert await worker.wait(30) == 0
    assert worker.log_path.read_text() == "one\ntwo\n"


PIECES = st.lists(st.tuples(st.sampled_from([OUT, ERR]), st.text("ab\n", min_size=1, max_size=12)), max_size=40)


@given(PIECES)
def test_lines_are_whole_and_streams_in_order(pieces: list[tuple[int, str]]) -> None:
    """However both streams are cut: what the log holds of each is that stream, and no line holds both."""
    log: list[bytes] = []
    lines = WholeLines(log.append)
    said = {OUT: "", ERR: ""}
    for stream, text in [*pieces, (OUT, "\n"), (ERR, "\n")]:
        said[stream] += text
        chunk = (text.upper() if stream == ERR else text).encode()
        (lines.put_errors if stream == ERR else lines.put_output)(chunk)
        logged = b"".join(log).decode()
        assert "".join(c for c in logged if c.islower()) == said[OUT].replace("\n", "")  # never delayed
    assert all(log)
    logged = b"".join(log).decode()
    for stream, fits in ((OUT, str.islower), (ERR, str.isupper)):
        assert "".join(filter(fits, logged)).lower() == said[stream].replace("\n", "")
    assert logged.count("\n") == said[OUT].count("\n") + said[ERR].count("\n")
    for whole in logged.split("\n")[:-1]:
        assert whole in ("", whole.lower(), whole.upper())


def test_a_line_without_an_end_is_not_kept() -> None:
    """Neither stream can fill the memory: not in the reader, and not while it waits for its place in the log."""
    reader = AGENTS["claude"].reader("stream-json")
    logged = 0

    def put(chunk: bytes) -> None:
        nonlocal logged
        logged += len(chunk)

    lines = WholeLines(put)
    chunk = b"x" * 65_536
    tracemalloc.start()
    try:
        lines.put_output(b"{")
        for _ in range(512):
            lines.put_errors(chunk)
            reader.feed_error(chunk)  # type: ignore[attr-defined]
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_HELD
    finally:
        tracemalloc.stop()
    lines.let_all_in()
    assert logged == 1 + 512 * len(chunk)


def test_recorded_streams_apart() -> None:
    """Gemini's retries and quota stand on standard error: they say what it does, and which limit it was."""
    merged = kept("gemini/retry429.sj.merged").output.splitlines(keepends=True)
    reader = AGENTS["gemini"].reader("stream-json")
    activities = []
    for text in merged:
        (reader.feed if text.startswith(b"{") else reader.feed_error)(text)  # type: ignore[attr-defined]
        activities.append(reader.report.activity or "")
    reader.close()
    assert any(activity.startswith("retrying (429)") for activity in activities)
    assert reader.report.result == "OK after 429."
