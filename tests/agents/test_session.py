"""What the agents' session files tell is what was served, however they are read and whatever stands in them."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async import TokenUsage
from nova_async.agents import AgentReport
from nova_async.agents.codex.session import MOST_GAUGES
from nova_async.agents.ledger import MAX_MESSAGES
from nova_async.agents.opencode.session import usage_of
from nova_async.agents.session import HEAD, SessionUsage, completed
from nova_async.words import UsageSource
from tests.agents.recordings import FULL, KEPT, Recording, recordings_in
from tests.agents.sessions import OF_LINES, RECORDED, Session, files_of

needs_all = pytest.mark.skipif(not FULL.is_dir(), reason="full capture set not present: ../shared/agents/captures")
BY_NAME = [pytest.param(session, id=f"{session.agent}/{session.case}") for session in OF_LINES]


def with_sessions(folder: Path) -> Iterator[tuple[Recording, Path]]:
    """Return the recordings of runs that were killed, or printed no total, with the files that were kept of them."""
    for recording in recordings_in(folder):
        files = recording.path.with_name(f"{recording.path.name}.session")
        if files.is_dir():
            yield recording, files


def told_by(recording: Recording, files: Path) -> SessionUsage:
    """Read the session files that were kept beside a recording."""
    reports = recording.read()
    assert reports.session_id is not None, recording.name
    make = files_of(recording.agent).make_reader
    assert make is not None
    reader = make(reports.session_id, None)
    for path in sorted(files.rglob("*.jsonl"), key=lambda path: "subagents" in path.parts):
        reader.feed(str(path), path.read_bytes(), is_own="subagents" not in path.parts)
    return reader.usage


@pytest.mark.parametrize(
    "folder", [pytest.param(KEPT, id="kept"), pytest.param(FULL, id="all", marks=needs_all)]
)  # fmt: skip
def test_of_every_run_that_was_cut_short_they_tell_what_was_served(folder: Path) -> None:
    """Killed, interrupted or failed: the files have what the output lacks, and together they are the truth."""
    recordings = list(with_sessions(folder))
    assert len(recordings) >= (7 if folder == KEPT else 28)
    for recording, files in recordings:
        told = told_by(recording, files)
        served = TokenUsage(**recording.sidecar["served"])
        assert told.usage == served, recording.name
        assert completed(recording.read(), told).usage == served, recording.name


@pytest.mark.parametrize("session", BY_NAME)
def test_sub_agents_count_and_earlier_processes_do_not(session: Session) -> None:
    """Of sessions that were killed, that had sub-agents, or that were gone on with, all that is new counts, once."""
    told = session.read(session.since)
    assert told.usage == session.served
    assert sum(told.usage_by_model.values(), TokenUsage()) == session.served
    if session.case != "resumed":  # Qwen calls a sub-agent of its own after its answer
        assert (told.own != told.usage) is (session.case == "sub")
    assert not told.is_cut


def test_rows_of_a_database_count_like_lines() -> None:
    """Of opencode's sessions, each answer counts once, with its cost and its sub-agents."""
    for session in RECORDED:
        if session.agent != "opencode":
            continue
        since = 0.0 if session.since is None else session.since.timestamp() * 1000
        rows = [
            (family, name, json.dumps(data)) for name, family, created, data in session.sidecar["message"]
            if created >= since
        ]  # fmt: skip
        told = usage_of([*rows, *rows], session.session_id)
        assert told.usage == session.served
        assert told.own == told.usage or session.case == "sub"
        assert told.cost_usd is not None


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_they_tell_does_not_depend_on_how_they_are_read(data: st.DataObject) -> None:
    """Cut anywhere, in any order of the files, and read as they grow: the sum only grows, up to the truth."""
    session = data.draw(st.sampled_from(OF_LINES))
    reader = session.reader(session.since)
    pieces: list[tuple[str, list[bytes]]] = []
    for name, text in session.files.items():
        cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
        pieces.append((name, [text[a:b] for a, b in pairwise([0, *cuts, len(text)])]))
    seen = TokenUsage()
    while pieces:
        name, left = data.draw(st.sampled_from(pieces))
        if not left:
            pieces.remove((name, left))
            continue
        reader.feed(name, left.pop(0), is_own=session.is_own(name))
        usage = reader.usage.usage
        assert all(now >= then for now, then in zip(usage.as_dict().values(), seen.as_dict().values(), strict=True))
        seen = usage
    assert seen == session.served


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([session for session in OF_LINES if session.case == "resumed"]), st.integers(-3000, 9000))
def test_two_attempts_of_one_session_share_it_out(session: Session, milliseconds: int) -> None:
    """Wherever the second process began, what came before it and what it used are all that there is, and none twice."""
    assert session.since is not None
    moment = session.since - timedelta(milliseconds=milliseconds)
    later = session.read(moment).usage
    before = session.reader()
    for name, text in session.files.items():
        lines = text.splitlines(keepends=True)
        before.feed(name, b"".join(line for line in lines if not is_since(line, moment)), is_own=True)
    assert before.usage.usage + later == session.read().usage


def is_since(line: bytes, moment: datetime) -> bool:
    """Tell whether a line is as young as that, to the millisecond."""
    timestamp = json.loads(line).get("timestamp")
    return timestamp is not None and datetime.fromisoformat(timestamp) >= moment - timedelta(milliseconds=1)


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    """Once a process has begun to write, all that follows in the file is its own, whatever its times say."""
    session = Session("codex", "resumed")
    reader = session.reader(session.since)
    for name, text in session.files.items():
        *lines, last = [line for line in text.splitlines(keepends=True) if b'"token_usage_record"' in line]
        early = json.loads(last)
        early["timestamp"] = "2001-01-01T00:00:00.000Z"
        early["payload"]["response_id"] = "another"
        reader.feed(name, b"".join([*lines, last, json.dumps(early).encode() + b"\n"]), is_own=True)
    assert reader.usage.usage == session.served + session.served


def test_totals_of_threads_do_where_no_answer_has_a_record() -> None:
    """Older versions of Codex write only the total of a thread: less what it was before, and of each sub-agent."""
    for case in ("sub", "resumed", "killed"):
        session = Session("codex", case)
        reader = session.reader(session.since)
        for name, text in session.files.items():
            old = [line for line in text.splitlines(keepends=True) if b'"token_usage_record"' not in line]
            reader.feed(name, b"".join(old), is_own=session.is_own(name))
        assert reader.usage.usage == session.served, case


def test_a_stale_count_of_a_sub_agents_last_answer_is_made_good() -> None:
    """Claude tells its main agent the right one, whichever of the two files is read first."""
    session = Session("claude", "sub")
    for backwards in (False, True):
        reader = session.reader()
        for name, text in sorted(session.files.items(), key=lambda file: session.is_own(file[0]) is backwards):
            lines = text.splitlines(keepends=True)
            if not session.is_own(name):
                lines[-1] = lines[-1].replace(b'"output_tokens":1019', b'"output_tokens":3')
                assert b'"output_tokens":3' in lines[-1]
            reader.feed(name, b"".join(lines), is_own=session.is_own(name))
        assert reader.usage.usage == session.served


def test_files_of_other_sessions_are_told_apart() -> None:
    """Whose file it is stands in its head, where its name does not say it all."""
    session = Session("codex", "sub")
    for text in session.files.values():
        assert files_of("codex").is_related(text[:HEAD], session.session_id)
        assert not files_of("codex").is_related(text[:HEAD], session.session_id[:-1] + ".")
        for agent in ("claude", "gemini", "qwen"):  # their names say it all: nothing is taken on suspicion
            assert not files_of(agent).is_related(text[:HEAD], session.session_id)
    namesake = Session("gemini", "sub")
    reader = namesake.reader()
    for name, text in namesake.files.items():
        other = text.replace(namesake.session_id.encode(), namesake.session_id[:8].encode() + b"-another")
        reader.feed(name, other, is_own=namesake.is_own(name))
    assert reader.usage.own == TokenUsage()


ODD: list[Any] = [None, True, -1, 2**70, 1.5, "", "x", [], [{}], {}, {"usage": []}, {"input_tokens": "1"}, {"id": {}}]


def spoiled(value: Any, chance: random.Random) -> Any:
    """Return a value with some of its parts replaced by others of any type."""
    if chance.randrange(12) == 0:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {key: spoiled(part, chance) for key, part in value.items()}
    return [spoiled(part, chance) for part in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(RECORDED), st.randoms(use_true_random=False), st.binary(max_size=30))
def test_whatever_stands_in_them_does_no_harm(session: Session, chance: random.Random, rubbish: bytes) -> None:
    """Lines with parts of any other type, and bytes of any kind, are read without complaint, and sums stay sane."""
    if session.agent == "opencode":
        rows = [tuple(spoiled(row, chance) for row in rows) for rows in session.sidecar["message"]]
        told = [(name, family, json.dumps(data)) for name, family, _, data in rows]
        assert usage_of([*told, (None, b"", rubbish), (1, 2, 3)], session.session_id).usage.total < 2**53
        return
    reader = session.reader(session.since)
    for name, text in session.files.items():
        for line in text.splitlines():
            if any(mark in line for mark in reader.MARKS):
                reader.feed(name, json.dumps(spoiled(json.loads(line), chance)).encode() + b"\n", is_own=True)
        reader.feed(name, b'{"usage"' + rubbish + b"\n", is_own=False)
    assert 0 <= reader.usage.usage.total < 2**53


def test_a_line_beyond_all_bounds_is_left_out_and_said() -> None:
    """One of more than 16 MiB is skipped in bounded memory; the sum is then known to be incomplete."""
    session = Session("claude", "killed")
    reader = session.reader()
    for _ in range(17):
        reader.feed("own", b'{"usage":"' + b"x" * (1 << 20), is_own=True)
    reader.feed("own", b'"}\n', is_own=True)
    for text in session.files.values():
        reader.feed("own", text, is_own=True)
    assert reader.usage.usage == session.served
    assert reader.usage.is_cut


def test_a_line_that_is_no_json_is_left_out() -> None:
    """As where an agent was killed while it wrote: what stands before and after it counts."""
    for session in OF_LINES:
        reader = session.reader(session.since)
        for name, text in session.files.items():
            is_own = session.is_own(name)
            for mark in reader.MARKS:
                reader.feed(name, b'{"type":"gemini",' + mark + b":\n", is_own=is_own)
            reader.feed(name, text, is_own=is_own)
        assert reader.usage.usage == session.served, session.case


def claude_line(number: int, **more: Any) -> bytes:
    """Return an answer of a sub-agent of Claude, unlike all others, with a stale count of its output."""
    usage = {"input_tokens": number, "output_tokens": 1}
    message = {"id": f"msg_{number}", "model": "opus", "usage": usage}
    return json.dumps({"type": "assistant", "message": message, **more}).encode() + b"\n"


def claude_end(number: int) -> bytes:
    """Return what Claude's main agent was told of the sub-agent whose last answer was that."""
    result = {"agentId": "a", "usage": {"input_tokens": number, "output_tokens": 1000}}
    return json.dumps({"type": "user", "toolUseResult": result}).encode() + b"\n"


def test_of_thousands_of_answers_only_the_latest_are_remembered() -> None:
    """The sum has them all; in bounded memory, a stale count is made good where its end comes soon after it."""
    reader = Session("claude", "sub").reader()
    numbers = range(1, MAX_MESSAGES + 101)
    reader.feed("other", b"".join(map(claude_line, numbers)), is_own=False)
    assert reader.usage.usage == TokenUsage(sum(numbers), len(numbers))
    reader.feed("own", claude_end(numbers[-1]) + claude_end(1), is_own=True)
    assert reader.usage.usage == TokenUsage(sum(numbers), len(numbers) + 999)


def codex_total(moment: datetime, tokens: int) -> bytes:
    """Return how an older version of Codex writes the total of a thread."""
    info = {"total_token_usage": {"input_tokens": tokens, "output_tokens": 1}}
    payload = {"type": "token_count", "info": info}
    return json.dumps({"type": "event_msg", "timestamp": moment.isoformat(), "payload": payload}).encode() + b"\n"


def test_what_a_sub_agent_had_used_before_is_not_the_sessions() -> None:
    """Of each thread, what it had used before this process is taken off its own total alone."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    then = now - timedelta(hours=1)
    for files in (("own", "other"), ("other", "own")):
        reader = Session("codex", "sub").reader(now)
        for name in files:
            before, after = (100, 150) if name == "own" else (7000, 7003)
            lines = codex_total(then, before) + codex_total(now, after)
            reader.feed(name, lines, is_own=name == "own")
        assert reader.usage.before == TokenUsage(100, 1)
        assert (reader.usage.own, reader.usage.usage) == (TokenUsage(50), TokenUsage(53))


A, B = TokenUsage(10, 3, 100, 5), TokenUsage(8, 900, 80, 5)


def test_the_larger_number_of_each_kind_counts() -> None:
    """The output may tell of an answer that was cut, the files have the final numbers of those that were not."""
    printed = AgentReport(usage=A, usage_source=UsageSource.LIVE, model="m", session_id="s")
    told = SessionUsage(usage=B, own=B)
    report = completed(printed, told)
    assert report.usage == TokenUsage(10, 900, 100, 5)
    assert report.usage_source is UsageSource.SESSION_FILES
    assert report.usage_by_model == {"m": TokenUsage(2, 0, 20, 0)}
    assert not report.usage_is_final


def test_the_agents_own_total_stands() -> None:
    """A total with nothing known to be missing is not touched, nor is a report of which no file tells."""
    printed = AgentReport(usage=A, usage_source=UsageSource.FINAL, usage_is_final=True)
    assert completed(printed, SessionUsage(usage=B), ended_by_itself=True, are_whole=True) is printed
    unknown = AgentReport(session_id="s")
    assert completed(unknown, None, ended_by_itself=True, are_whole=True) is unknown
    assert completed(unknown, SessionUsage(), ended_by_itself=True, are_whole=True) is unknown


@pytest.mark.parametrize(
    ("printed", "source", "own", "by_itself", "are_whole", "is_cut", "final"),
    [
        (A, UsageSource.FINAL, A, True, True, False, True),  # its total leaves out sub-agents, the files do not
        (A, UsageSource.FINAL, B, True, True, False, False),  # another process's total
        (TokenUsage(), UsageSource.NONE, A, True, True, False, True),  # it failed by itself, and told no total
        (TokenUsage(), UsageSource.NONE, A, False, True, False, False),  # killed: an answer may have been under way
        (TokenUsage(), UsageSource.NONE, A, True, False, False, False),  # calls of its own are in no file
        (TokenUsage(), UsageSource.NONE, A, True, True, True, False),
        (A, UsageSource.LIVE, A, True, True, False, False),
    ],
)
def test_a_sum_is_final_only_where_it_is_known_to_be_whole(
    printed: TokenUsage,
    source: UsageSource,
    own: TokenUsage,
    by_itself: bool,
    are_whole: bool,
    is_cut: bool,
    final: bool,
) -> None:
    """An answer that was cut in its middle is in no file: after a kill the sum is a lower bound, and says so."""
    report = AgentReport(usage=printed, usage_source=source, session_id="s", is_error=False)
    told = SessionUsage(usage=own + B, own=own, is_cut=is_cut)
    assert completed(report, told, ended_by_itself=by_itself, are_whole=are_whole).usage_is_final is final


def test_how_full_the_account_is_comes_with_it() -> None:
    """Codex tells it in its session file alone; what the output tells goes first."""
    session = Session("codex", "killed")
    reader = session.reader()
    window = '"primary":{"used_percent":62.0,"window_minutes":300,"resets_at":1795663693}'
    for name, text in session.files.items():
        assert b'"primary":null' in text
        reader.feed(name, text.replace(b'"primary":null', window.encode()), is_own=True)
    report = completed(AgentReport(session_id="s"), reader.usage)
    assert [(gauge.kind, gauge.used) for gauge in report.gauges] == [("five_hour", 0.62)]
    own = replace(report, gauges=(replace(report.gauges[0], used=0.7),), usage_is_final=True)
    assert completed(own, reader.usage) is own


def test_only_so_many_kinds_of_gauges_are_kept() -> None:
    """A thousand names of limits do not fill the memory; those that are known go on being read."""
    reader = Session("codex", "sub").reader()
    names = [f"model{number}" for number in range(1000)]
    for used, name in [*((1, name) for name in names), (2, names[0])]:
        limits = {"limit_id": name, "primary": {"used_percent": used, "window_minutes": 300, "resets_in_seconds": 9}}
        line = {"type": "event_msg", "timestamp": "2030-01-01T00:00:00Z",
                "payload": {"type": "token_count", "rate_limits": limits}}  # fmt: skip
        reader.feed("own", json.dumps(line).encode() + b"\n", is_own=True)
    first, *others = reader.usage.gauges
    assert first.used == 0.02
    assert {gauge.used for gauge in others} == {0.01}
    assert len(others) == MOST_GAUGES - 1


def test_the_moment_may_be_in_any_time_zone() -> None:
    """Records carry UTC, and the moment that they are compared with is aware of its own."""
    session = Session("qwen", "resumed")
    assert session.since is not None
    assert session.read(session.since.astimezone(UTC)) == session.read(session.since.astimezone())
