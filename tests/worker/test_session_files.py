"""What an agent writes down of its session completes what it prints, at its end and while it runs."""

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits, TokenUsage, WorkerEnd
from nova_async.agents.codex.session import CodexSession
from nova_async.agents.session import SessionFiles
from nova_async.words import UsageSource
from nova_async.worker.session_files import SESSION_THREADS, SessionSource
from tests.agents.sessions import RECORDED, Session, files_of
from tests.children import program, ready

ANSWER = TokenUsage(100, 5, 10, 0)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def times(number: int) -> TokenUsage:
    """Return what so many answers of the little program use."""
    return sum([ANSWER] * number, TokenUsage())


def laid_out(session: Session, folder: Path) -> Path:
    """Lay the files of a recorded session out as the agent has them in its own folder."""
    if session.agent == "opencode":
        path = folder / "opencode" / "opencode.db"
        path.parent.mkdir(parents=True)
        with sqlite3.connect(path, isolation_level=None) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, time_created INTEGER)")
            database.execute(
                "CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT)"
            )
            database.executemany("INSERT INTO session VALUES (?, ?, ?)", session.sidecar["session"])
            rows = [(*row[:3], json.dumps(row[3])) for row in session.sidecar["message"]]
            database.executemany("INSERT INTO message VALUES (?, ?, ?, ?)", rows)
        database.close()
        return folder
    for name, text in session.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


def source(agent: str, home: Path, since: datetime | None = None, **variables: str) -> SessionSource:
    """Return a source for an agent with this home folder."""
    return SessionSource(files_of(agent), {"HOME": str(home), **variables}, str(home), since or LONG_AGO)


def soon() -> float:
    """Return a moment that a small session is long read by."""
    return time.monotonic() + 10.0


@pytest.mark.parametrize("session", [pytest.param(each, id=f"{each.agent}/{each.case}") for each in RECORDED])
def test_it_finds_what_each_agent_has_written(session: Session, tmp_path: Path) -> None:
    """The session's own file and its sub-agents', below the agent's folder in the home folder, and nothing older."""
    laid_out(session, tmp_path / files_of(session.agent).folder)
    found = source(session.agent, tmp_path, session.since)
    told = found.read(session.session_id, soon())
    assert told is not None
    assert told.usage == session.served
    assert told.cost_usd is None or session.agent == "opencode"
    assert not told.is_cut
    assert found.read(session.session_id, soon(), thoroughly=False) == told
    assert source(session.agent, tmp_path / "elsewhere").read(session.session_id, soon()) is None
    nobody = source(session.agent, tmp_path).read(session.session_id[::-1], soon())
    assert nobody is None or nobody.usage == TokenUsage()


@pytest.mark.parametrize(
    ("agent", "variable", "below"),
    [
        ("claude", "CLAUDE_CONFIG_DIR", ""),
        ("codex", "CODEX_HOME", ""),
        ("gemini", "GEMINI_CLI_HOME", ".gemini"),
        ("opencode", "XDG_DATA_HOME", ""),
        ("qwen", "QWEN_HOME", ""),
        ("qwen", "QWEN_RUNTIME_DIR", ""),
    ],
)
def test_it_looks_where_the_agents_variables_say(agent: str, variable: str, below: str, tmp_path: Path) -> None:
    """Each agent has its variable that names another folder; a relative one is below its working directory."""
    session = Session(agent, "killed")
    laid_out(session, tmp_path / "other" / below)
    for value in (str(tmp_path / "other"), "other"):
        told = source(agent, tmp_path, **{variable: value}).read(session.session_id, soon())
        assert told is not None
        assert told.usage == session.served


def own_file(home: Path, session: Session) -> Path:
    """Return the laid-out file of a session itself."""
    (name,) = [name for name in session.files if session.is_own(name)]
    return home / files_of(session.agent).folder / name


def test_no_link_is_followed_and_no_pipe_waited_for(tmp_path: Path) -> None:
    """In the agent's folder only regular files are read: not by a link, nor in a folder behind one, nor a FIFO."""
    session = Session("codex", "killed")
    laid_out(session, tmp_path / ".codex")
    file = own_file(tmp_path, session)
    for prepare in (
        lambda: (file.rename(tmp_path / "kept"), file.symlink_to(tmp_path / "kept")),
        lambda: (file.unlink(), os.mkfifo(file)),
        lambda: (file.unlink(), (tmp_path / "kept").rename(file), file.parent.rename(tmp_path / "day"),
                 file.parent.symlink_to(tmp_path / "day")),
    ):  # fmt: skip
        prepare()
        assert source("codex", tmp_path).read(session.session_id, soon()) is None


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "qwen"])
def test_the_folder_of_all_sessions_may_be_a_link(agent: str, tmp_path: Path) -> None:
    """As where an agent has a configuration of its own, or a user keeps sessions on another disk."""
    session = Session(agent, "sub")
    folder = tmp_path / files_of(agent).folder
    laid_out(session, folder)
    (kept,) = folder.iterdir()
    kept.rename(tmp_path / "kept")
    kept.symlink_to(tmp_path / "kept")
    told = source(agent, tmp_path).read(session.session_id, soon())
    assert told is not None
    assert told.usage == session.served


def test_a_file_is_read_as_it_grows(tmp_path: Path) -> None:
    """Each look takes only what is new; one that was written anew is read from its beginning."""
    session = Session("gemini", "killed")
    laid_out(session, tmp_path / ".gemini")
    file, text = own_file(tmp_path, session), next(iter(session.files.values()))
    found, seen = source("gemini", tmp_path), []
    for end in range(0, len(text), 500):
        file.write_bytes(text[:end]) if end == 0 else append(file, text[end - 500 : end])
        told = found.read(session.session_id, soon(), thoroughly=False)
        seen.append(told.usage.total if told else 0)
    assert seen == sorted(seen)
    assert seen[-1] == session.served.total
    file.unlink()
    file.write_bytes(text[: len(text) // 2])
    found.read(session.session_id, soon())
    told = found.read(session.session_id, soon())
    assert told is not None
    assert told.usage == session.served


def append(file: Path, text: bytes) -> None:
    """Write more into a file."""
    with file.open("ab") as opened:
        opened.write(text)


def test_of_a_huge_file_the_end_is_read(tmp_path: Path) -> None:
    """Two gigabytes take no longer than allowed, and the sum is known to be incomplete."""
    session = Session("codex", "killed")
    laid_out(session, tmp_path / ".codex")
    file = own_file(tmp_path, session)
    text = file.read_bytes()
    with file.open("wb") as opened:
        opened.truncate(2 << 30)  # a hole, which takes no room
        opened.seek(0, os.SEEK_END)
        opened.write(b"\n" + text)
    told = source("codex", tmp_path).read(session.session_id, soon())
    assert told is not None
    assert told.usage == session.served
    assert told.is_cut
    began = time.monotonic()
    told = source("codex", tmp_path).read(session.session_id, began)  # no time at all
    assert told is None or told.is_cut
    assert time.monotonic() - began < 5.0


def test_a_database_that_is_none_does_no_harm(tmp_path: Path) -> None:
    """Rubbish, other tables, an endless family and a FIFO in its place: nothing is told, and nobody waits."""
    path = tmp_path / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True)
    found = source("opencode", tmp_path)
    path.write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert found.read("ses_1", soon()) is None
    path.unlink()
    os.mkfifo(path)
    assert found.read("ses_1", soon()) is None
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE session (id TEXT, parent_id TEXT)")
        database.execute("INSERT INTO session VALUES ('ses_1', 'ses_1')")
        database.execute(
            "CREATE VIEW message AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT i AS id, 'ses_1' AS session_id, 1e15 AS time_created, '{}' AS data FROM n"
        )
    database.close()
    began = time.monotonic()
    told = found.read("ses_1", began + 0.5)
    assert told is None or told.usage == TokenUsage()
    assert time.monotonic() - began < 5.0


@pytest.fixture
def hanging() -> Iterator[tuple[SessionFiles, threading.Event]]:
    """Return session files whose reader hangs like a dead disk, until the test is over."""
    over = threading.Event()

    def make_reader(session_id: str, since: datetime | None) -> CodexSession:
        over.wait(60)
        return CodexSession(session_id, since)

    yield replace(files_of("codex"), make_reader=make_reader), over
    over.set()
    SESSION_THREADS.submit(int).result()


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path, hanging: tuple[SessionFiles, threading.Event]) -> None:
    """Whoever asks is back after the seconds that they have, with nothing, also while an earlier look hangs."""
    found = SessionSource(hanging[0], {"HOME": str(tmp_path)}, "/", LONG_AGO)
    began = time.monotonic()
    assert found.read_in_time("s", 0.2) is None
    assert found.read_in_time("s", 0.2) is None
    assert time.monotonic() - began < 5.0


def keeper(*arguments: str) -> list[str]:
    """Return the command of the little program, which is read as Codex."""
    return program("keeps_a_session", *arguments)


async def ended(tmp_path: Path, *arguments: str, limits: Limits | None = None) -> AsyncWorker:
    """Run the little program to its end."""
    worker = AsyncWorker("F1", log_dir=tmp_path / "logs", agent="codex", limits=limits)
    await worker.start(keeper(*arguments), env={**os.environ, "CODEX_HOME": str(tmp_path)})
    await worker.wait(30)
    return worker


@pytest.mark.parametrize("grace", [5.0, 0.0])
async def test_a_killed_agent_has_the_totals_of_its_files(tmp_path: Path, grace: float) -> None:
    """It has printed no number at all; what it had written down counts, with its model, as a lower bound."""
    worker = AsyncWorker("F1", log_dir=tmp_path / "logs", agent="codex")
    await worker.start(keeper("3", "stay", "--sub"), env={**os.environ, "CODEX_HOME": str(tmp_path)})
    await ready(worker)
    await worker.terminate(grace)
    report = worker.report
    assert report.usage == times(4)
    assert report.usage_by_model == {"gpt-x": times(3)}
    assert (report.usage_source, report.usage_is_final) == (UsageSource.SESSION_FILES, False)
    assert worker.get_status_dict()["usage_source"] == "session_files"


async def test_what_an_earlier_process_used_in_the_session_is_not_its_own(tmp_path: Path) -> None:
    """Of a session that was gone on with, only what is new counts."""
    worker = await ended(tmp_path, "1", "fail", "--before")
    assert worker.report.usage == ANSWER


async def test_a_failed_agent_has_its_totals(tmp_path: Path) -> None:
    """One that ended by itself without a number has written down each answer: that is the whole."""
    worker = await ended(tmp_path, "2", "fail")
    assert (worker.report.usage, worker.report.usage_is_final) == (times(2), True)
    assert worker.report.usage_source is UsageSource.SESSION_FILES


async def test_sub_agents_are_added_to_a_total_that_leaves_them_out(tmp_path: Path) -> None:
    """With them, it is the whole; without any, the agent's own total stands."""
    worker = await ended(tmp_path, "2", "end", "--sub")
    assert (worker.report.usage, worker.report.usage_is_final) == (times(3), True)
    worker = await ended(tmp_path / "other", "2", "end")
    assert (worker.report.usage, worker.report.usage_source) == (times(2), UsageSource.FINAL)


@pytest.mark.parametrize("sub", [(), ("--sub",)])
async def test_a_total_of_the_whole_thread_is_shared_out(tmp_path: Path, sub: tuple[str, ...]) -> None:
    """What Codex prints contains what earlier processes of its thread have used, whoever resumed it; its file tells."""
    worker = await ended(tmp_path, "1", "end", "--before", *sub)
    assert (worker.report.usage, worker.report.usage_is_final) == (times(1 + len(sub)), True)


async def test_a_limit_acts_before_the_agent_tells_a_number(tmp_path: Path) -> None:
    """Its files are looked at while it runs, after its events: it is ended soon after the answer that was too much."""
    worker = await ended(tmp_path, "0", "loop", limits=Limits(max_tokens=5 * ANSWER.total, timeout=20))
    assert worker.end is WorkerEnd.OVER_BUDGET
    assert worker.error is not None
    assert worker.report.usage.total > 5 * ANSWER.total
    assert worker.report.usage.total % ANSWER.total == 0


async def test_the_last_answer_before_a_silence_is_seen(tmp_path: Path) -> None:
    """An answer may be written down just after its event: some time after the last event there is one more look."""
    seen = asyncio.Event()
    worker = AsyncWorker("F1", log_dir=tmp_path / "logs", agent="codex")
    worker.on_change = lambda: seen.set() if worker.report.usage == times(3) else None
    async with worker:
        await worker.start(keeper("2", "stay"), env={**os.environ, "CODEX_HOME": str(tmp_path)})
        await ready(worker)
        file = next((tmp_path / "sessions").rglob("rollout-*.jsonl"))
        last = [line for line in file.read_text().splitlines() if "token_usage_record" in line][-1]
        append(file, last.replace('"r1"', '"r2"').encode() + b"\n")
        await asyncio.wait_for(seen.wait(), 20)
        assert worker.report.usage_source is UsageSource.SESSION_FILES


async def test_looking_ends_with_the_worker(tmp_path: Path) -> None:
    """No timer is left in the loop, and what a late look tells changes nothing any more."""
    worker = await ended(tmp_path, "0", "loop", limits=Limits(max_tokens=1))
    report = worker.report
    file = next((tmp_path / "sessions").rglob("rollout-*.jsonl"))
    append(file, file.read_bytes())
    await asyncio.sleep(0)
    assert worker.report is report


def test_a_moment_ahead_leaves_everything_out(tmp_path: Path) -> None:
    """Records count from a moment on, to the millisecond."""
    session = Session("qwen", "killed")
    laid_out(session, tmp_path / ".qwen")
    told = source("qwen", tmp_path, datetime.now(UTC) + timedelta(days=9999)).read(session.session_id, soon())
    assert told is not None
    assert told.usage == TokenUsage()
