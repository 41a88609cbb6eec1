"""The real agents at services that refuse their calls for some seconds: nova waits, or has another agent go on.

Needs what the other tests of this folder need; elsewhere these are skipped.
"""

import json
import shlex
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from nova_async.journal.columns import as_moment as moment
from nova_async.journal.reader import JournalReader
from nova_async.words import EventKind
from tests.children import program
from tests.live.offline import agents_folder, run_offline, what_is_missing

MISSING = what_is_missing(agents_folder())
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
NOVA = Path(sys.executable).with_name("nova")

pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
    pytest.mark.skipif(not NOVA.exists(), reason="nova is not installed beside this Python"),
]

# The key of the API is none of a subscription.
PLAN = """+++
agent = {agent}
agent_args = {{claude = "--allowedTools Bash Read"}}
retries = 0
backoff = "0.5s..2s"
{front}
+++
| ID | What |
|---|---|
| T1 | Do it. |
| T2 | Do it. |
"""
SUBSCRIBED = ("--env", "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-fake-0000")
RUN = "unset ANTHROPIC_API_KEY; exec {nova} run --plain"
TWO_RUNS = """
unset ANTHROPIC_API_KEY
for folder in one two; do mkdir $folder; cp CASCADE.md $folder; done
(cd one; exec {nova} run --plain) & (cd two; exec {nova} run --plain); second=$?
wait $!; test $? = 0 -a $second = 0
"""
Row = dict[str, Any]


def at_a_service(
    folder: Path, *service: str, script: str, agents: str = "claude", options: tuple[str, ...] = SUBSCRIBED
) -> tuple[str, Any]:
    """Run a script at a service that refuses calls; return what was printed, and what the server behind served."""
    missing = [agent for agent in agents.split(",") if not (agents_folder() / "bin" / agent).exists()]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    command = [*program("limited_service", *service), "/bin/sh", "-c", script.format(nova=shlex.quote(str(NOVA)))]
    done, served = run_offline(
        agents_folder(), agents, "tools", folder, command, "--timeout", "200", *options, seconds=240
    )
    printed = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, printed
    assert served["left_running"] == []
    return printed, served


def attempts_in(*folders: Path) -> list[Row]:
    """Return all attempts that the journals of these folders have, in the order of their beginnings."""
    rows: list[Row] = []
    for folder in folders:
        book = sqlite3.connect(folder / ".nova/journal.db")
        book.row_factory = sqlite3.Row
        rows += map(dict, book.execute("SELECT * FROM attempts ORDER BY started_at, number"))
        book.close()
    return rows


def counted(rows: list[Row]) -> dict[str, int]:
    """Return the sums of their tokens."""
    return {kind: sum(row[kind] for row in rows) for kind in KINDS}


def test_two_runs_of_a_subscription_wait_for_its_limit(tmp_path: Path) -> None:
    """Both meet it in the middle of their tasks, both go on in their sessions after its reset, and nothing is lost."""
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='"claude"', front=""))
    printed, served = at_a_service(tmp_path, "claude_subscription", "2", "3", script=TWO_RUNS)
    rows = attempts_in(tmp_path / "one", tmp_path / "two")
    limited = [row for row in rows if row["outcome"] == "limit"]
    assert [row["outcome"] for row in rows if row not in limited] == ["ok"] * 4, printed
    assert {(row["limit_kind"], row["limit_resets_at"] is None) for row in limited} == {("five_hour", False)}
    assert len({(row["run_id"], row["task_id"]) for row in limited}) == len(limited), "nobody began before the reset"
    sessions = {row["session_id"] for row in limited}
    assert all(
        row["resumes"] == row["session_id"] for row in rows if row["session_id"] in sessions and row not in limited
    )
    assert f"refused: {len(limited)}" in printed, "each has asked once"
    assert counted(rows) == served["totals"]


def test_codex_goes_on_where_claude_has_reached_its_limit(tmp_path: Path) -> None:
    """Each task that Claude could not finish is done by Codex, and the journal has who served which."""
    front = 'on_usage_limit = "next"\nmax_workers = 1'
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='["claude", "codex"]', front=front))
    printed, served = at_a_service(tmp_path, "claude_subscription", "3", "999", script=RUN, agents="claude,codex")
    rows = attempts_in(tmp_path)
    assert [(row["task_id"], row["agent"], row["outcome"]) for row in rows] == [
        ("T1", "claude", "ok"), ("T2", "claude", "limit"), ("T2", "codex", "ok"),
    ], printed  # fmt: skip
    assert rows[-1]["model"] == "gpt-5.5", "its session file tells"
    assert "refused: 1" in printed
    assert {name: run["totals"] for name, run in served["runs"].items()} == {
        agent: counted([row for row in rows if row["agent"] == agent]) for agent in ("claude", "codex")
    }


def test_codex_is_not_asked_before_its_limit_has_reset(tmp_path: Path) -> None:
    """Its words tell the minute, its session file the second: both tasks wait until then and go on in their threads."""
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='"codex"', front='permissions = "full"'))
    service = ("codex_subscription", "2", "6")
    printed, served = at_a_service(tmp_path, *service, script="exec {nova} run --plain", agents="codex", options=())
    rows = attempts_in(tmp_path)
    limited = [row for row in rows if row["outcome"] == "limit"]
    assert {row["limit_kind"] for row in limited} == {"usage"}, printed
    assert len({row["limit_resets_at"] for row in limited}) == 1, "the second, not the minute's end"
    assert f"refused: {len(limited)}" in printed
    assert len({row["task_id"] for row in limited}) == len(limited), "each was refused once"
    assert all(row["started_at"] > limited[0]["limit_resets_at"] for row in rows if row["number"] > 1)
    assert [row["outcome"] for row in rows if row not in limited] == ["ok"] * 2
    assert counted(rows) == served["totals"]


def test_gemini_does_not_sleep_for_an_hour_where_codex_could_go_on(tmp_path: Path) -> None:
    """At a model's quota it waits in silence for as long as it is told; it is ended, and its limit is known."""
    front = 'on_usage_limit = "next"\npermissions = "full"\nmodel = "gemini-2.5-pro"\nmax_workers = 1'
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='["gemini", "codex"]', front=front))
    printed, served = at_a_service(
        tmp_path, "gemini_capacity", "1", "3600", script="exec {nova} run --plain", agents="gemini,codex", options=()
    )
    rows = attempts_in(tmp_path)
    assert [(row["task_id"], row["agent"], row["outcome"]) for row in rows] == [
        ("T1", "gemini", "limit"), ("T1", "codex", "ok"), ("T2", "codex", "ok"),
    ], printed  # fmt: skip
    assert rows[0]["limit_kind"] == "capacity"
    assert "its tasks wait until" in printed
    assert "refused: 1" in printed
    assert counted(rows) == served["totals"]


def test_a_day_of_google_is_not_waited_for_longer_than_wanted(tmp_path: Path) -> None:
    """A daily quota ends at midnight in California, whatever delay its refusal names; both tasks stay pending."""
    front = 'permissions = "full"\nmodel = "gemini-2.5-pro"\nmax_wait = "10s"\nmax_workers = 1'
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='"gemini"', front=front))
    script = "{nova} run --plain; test $? = 1"
    printed, served = at_a_service(tmp_path, "gemini_day", "1", "15", script=script, agents="gemini", options=())
    rows = attempts_in(tmp_path)
    assert [(row["task_id"], row["outcome"], row["limit_kind"]) for row in rows] == [("T1", "limit", "daily")], printed
    assert rows[0]["limit_resets_at"][11:16] in ("07:00", "08:00")
    tasks = json.loads((tmp_path / "cascade_state.json").read_text())["tasks"]
    assert {task["status"] for task in tasks.values()} == {"pending"}
    assert "refused: 1" in printed
    assert counted(rows) == served["totals"]


def test_opencode_goes_on_after_the_limit_of_its_provider(tmp_path: Path) -> None:
    """Its log says what it retries: it is ended, and its session resumed once the limit has reset."""
    front = 'permissions = "full"\nmax_workers = 1'
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='"opencode"', front=front).replace("| T2 | Do it. |\n", ""))
    service = ("opencode_five_hours", "2", "14")
    printed, served = at_a_service(tmp_path, *service, script="exec {nova} run --plain", agents="opencode", options=())
    rows = attempts_in(tmp_path)
    assert [(row["outcome"], row["limit_kind"]) for row in rows] == [("limit", "five_hour"), ("ok", None)], printed
    assert rows[0]["session_id"] == rows[1]["resumes"] is not None
    assert rows[1]["started_at"] > rows[0]["limit_resets_at"]
    assert counted(rows) == served["totals_without_side_calls"]


def test_qwen_goes_on_where_opencode_has_reached_its_limit(tmp_path: Path) -> None:
    """With `next`, the task of which opencode has told its provider's limit is done by the next of its order."""
    front = 'on_usage_limit = "next"\npermissions = "full"\nmax_workers = 1'
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='["opencode", "qwen"]', front=front))
    service, script = ("opencode_five_hours", "4", "999"), "exec {nova} run --plain"
    printed, served = at_a_service(tmp_path, *service, script=script, agents="opencode,qwen", options=())
    rows = attempts_in(tmp_path)
    assert [(row["task_id"], row["agent"], row["outcome"]) for row in rows] == [
        ("T1", "opencode", "ok"), ("T2", "opencode", "limit"), ("T2", "qwen", "ok"),
    ], printed  # fmt: skip
    assert {name: run["totals_without_side_calls"] for name, run in served["runs"].items()} == {
        agent: counted([row for row in rows if row["agent"] == agent]) for agent in ("opencode", "qwen")
    }


@pytest.mark.parametrize(
    ("agent", "service", "why"),
    [
        ("opencode", "opencode_wait", " while retrying: AI_APICallError: Rate limit reached for requests"),
        ("qwen", "qwen_wait", "; the agent may be waiting for its provider"),
    ],
)
def test_an_agent_that_waits_for_its_provider_in_silence_is_ended(
    agent: str, service: str, why: str, tmp_path: Path
) -> None:
    """Asked to leave it alone for an hour, these two do, without a word of how long; `idle_timeout` says why."""
    front = 'permissions = "full"\nidle_timeout = "20s"'
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent=f'"{agent}"', front=front).replace("| T2 | Do it. |\n", ""))
    script = "{nova} run --plain; test $? = 1"
    served = at_a_service(tmp_path, service, "2", "3600", script=script, agents=agent, options=())[1]
    (row,) = attempts_in(tmp_path)
    assert (row["outcome"], row["error"]) == ("stalled", f"stalled: no output for 20 s (idle_timeout){why}")
    assert counted([row]) == served["totals_without_side_calls" if agent == "opencode" else "totals"]


@pytest.mark.parametrize(
    ("agent", "options"), [("claude", SUBSCRIBED), ("codex", ("--env", "NOTHING=1"))], ids=["claude", "codex"]
)
def test_starts_slow_down_near_a_limit(agent: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """One percent of a limit is left, which is not enough for two more tasks: they begin when it has reset."""
    front = 'permissions = "full"\nmax_workers = 1' if agent == "codex" else "max_workers = 1"
    plan = PLAN.format(agent=f'"{agent}"', front=front) + "| T3 | Do it. |\n"
    (tmp_path / "CASCADE.md").write_text(plan)
    service = (f"{agent}_window", "99", "25")
    printed, served = at_a_service(tmp_path, *service, script=RUN, agents=agent, options=options)
    rows = attempts_in(tmp_path)
    told = JournalReader(tmp_path / ".nova/journal.db").changes(0)
    near = [event.data for event in told if event.kind is EventKind.LIMIT_NEAR]
    assert [row["outcome"] for row in rows] == ["ok"] * 3, printed
    assert [(event["agent"], event["limit"], event["used"]) for event in near] == [(agent, "five_hour", 0.99)]
    assert near[0]["next_start_at"] == near[0]["resets_at"]
    assert all(moment(row["started_at"]) >= moment(near[0]["resets_at"]) for row in rows[1:]), printed
    assert counted(rows) == served["totals"]


def test_a_busy_service_burns_no_retry_and_loses_no_answer(tmp_path: Path) -> None:
    """Without any retries both tasks outlast it, one of them trying, and go on in their sessions."""
    (tmp_path / "CASCADE.md").write_text(PLAN.format(agent='"claude"', front=""))
    once = ("--env", "CLAUDE_CODE_MAX_RETRIES=1")
    printed, served = at_a_service(tmp_path, "claude_busy", "2", "4", script="exec {nova} run --plain", options=once)
    rows = attempts_in(tmp_path)
    assert {row["outcome"] for row in rows[:-2]} == {"overload"}, printed
    tasks = json.loads((tmp_path / "cascade_state.json").read_text())["tasks"]
    assert {task["status"] for task in tasks.values()} == {"completed"}
    assert all(row["resumes"] == row["session_id"] for row in rows if row["outcome"] == "ok")
    assert counted(rows) == served["totals"]
