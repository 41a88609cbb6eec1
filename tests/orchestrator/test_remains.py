"""What is known of an attempt whose supervisor was killed: its log, and the files of its agent's session."""

import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async import TokenUsage, parse_cascade
from nova_async.orchestrator.remains import environment_then, remains_of
from nova_async.prices import ModelPrice, Prices
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, LogRef
from nova_async.words import Outcome, UsageSource
from tests.children import program

PRICES = Prices({"gpt-x": ModelPrice(input=1.0, output=10.0, cache_read=0.1)}, listed=False)
DATA = Path(__file__).parents[1] / "data"
ANSWER = TokenUsage(100, 5, 10, 0)
CALL = ("codex", "exec", "--json", "Do the thing.")


def left_by(
    tmp_path: Path,
    *arguments: str,
    resumed_from: TokenUsage | None = None,
    then: Callable[[AttemptStart], Mapping[str, str]] = lambda start: os.environ,
    **more: Any,
) -> AttemptEnd:
    """Let the little program write a log and its session's files, and return what is known of it afterwards."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    log, started_at = tmp_path / "T1.log", datetime.now(UTC)
    with log.open("wb") as opened:
        subprocess.run(program("keeps_a_session", *arguments), stdout=opened, env={"CODEX_HOME": str(tmp_path)})
    facts = log.stat()
    start = AttemptStart(
        id=AttemptId("r", "T1", 1), plan="p", started_at=started_at, agent="codex", prompt_digest="", command=CALL,
        **more,
    )  # fmt: skip
    ref = LogRef(path=str(log), device=facts.st_dev, inode=facts.st_ino)
    end = remains_of(Attempt(start=start, log=ref), resumed_from, PRICES, then(start))
    assert end is not None
    assert end.outcome is Outcome.LOST
    return end


def test_the_files_of_its_session_tell_what_its_log_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked for where this program's own variables say, and an earlier process's answers do not count."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    end = left_by(tmp_path, "3", "fail", "--before")
    assert (end.usage, end.usage_by_model) == (ANSWER + ANSWER + ANSWER, {"gpt-x": ANSWER + ANSWER + ANSWER})
    assert end.estimated_usd == pytest.approx(3 * (100 * 1.0 + 5 * 10.0 + 10 * 0.1) / 1e6), "it counts for budgets"
    # It did say that it failed; but nobody saw it end, and it may have been asking again.
    assert (end.usage_source, end.usage_is_final) == (UsageSource.SESSION_FILES, False)


def test_where_there_are_none_its_log_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another folder nothing is found; and a total that the agent itself has printed stands."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "elsewhere"))
    assert left_by(tmp_path, "1", "fail").usage == TokenUsage()
    end = left_by(tmp_path, "1", "end")
    assert (end.usage, end.usage_source) == (ANSWER, UsageSource.FINAL)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    (tmp_path / "sessions").rename(tmp_path / "others")
    assert left_by(tmp_path, "1", "end", "--before").usage == ANSWER, "its total is that of the thread"


def test_what_its_thread_had_used_before_is_taken_off_its_total(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the files of the session are gone, which could tell as well."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "elsewhere"))
    assert left_by(tmp_path, "1", "end", resumed_from=TokenUsage(60, 2, 4, 0)).usage == TokenUsage(40, 3, 6, 0)


@pytest.mark.parametrize(
    ("account", "plan", "folder"),
    [
        ("work", '[accounts.work]\nenv = {CODEX_HOME = "homes/work"}', "run/homes/work"),
        ("work", '[accounts.work]\nenv = {CODEX_HOME = "~/work"}', "home/work"),
        ("", 'env = {CODEX_HOME = "own"}', "task/own"),
        ("", 'pass_env = "none"\nenv = {CODEX_HOME = ""}', "home/.codex"),
        ("gone", "", "task/here"),
    ],
)
def test_the_files_of_its_session_are_where_its_own_account_has_them(
    tmp_path: Path, account: str, plan: str, folder: str
) -> None:
    """By the account and the working folder that were journaled, and the plan; else where this machine has them."""
    here = {"HOME": str(tmp_path / "home"), "CODEX_HOME": "here"}
    settings = parse_cascade(f"+++\n{plan}\n+++\n- [ ] T1 x\n").settings

    def then(start: AttemptStart) -> Mapping[str, str]:
        return environment_then(start, settings, tmp_path / "run", here)

    end = left_by(tmp_path / folder, "1", "fail", account=account, cwd=str(tmp_path / "task"), then=then)
    assert end.usage == ANSWER


def test_what_a_killed_claude_has_written_into_caches_is_priced_by_how_long_it_is_kept(tmp_path: Path) -> None:
    """Its log says that of each answer: 5,003 tokens for an hour, 3,001 for five minutes."""
    log = tmp_path / "T1.log"
    log.write_bytes((DATA / "claude/sleeptool.sj-term-pid.stdout").read_bytes())
    start = AttemptStart(
        id=AttemptId("r", "T1", 1), plan="p", started_at=datetime.now(UTC), agent="claude", prompt_digest="",
        command=("claude", "-p", "x", "--output-format", "stream-json"),
    )  # fmt: skip
    ref = LogRef(path=str(log), device=log.stat().st_dev, inode=log.stat().st_ino)
    prices = Prices({"claude-sonnet-4-6": ModelPrice(3.0, 15.0, 0.3, 3.75)}, listed=False)
    end = remains_of(Attempt(start=start, log=ref), None, prices, {"HOME": str(tmp_path)})
    assert end is not None
    used = end.usage
    by_hand = 3 * used.input_tokens + 15 * used.output_tokens + 0.3 * used.cache_read_tokens + 6 * 5003 + 3.75 * 3001
    assert end.estimated_usd == pytest.approx(by_hand / 1e6)
