"""What lives on although its supervisor and the guard are dead: the next run ends it before anything runs again."""

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from nova_async.orchestrator.survivors import end_survivors, living_leader
from nova_async.process.boot import boot, is_over
from nova_async.process.table import TABLE
from nova_async.records import Attempt, AttemptId, AttemptStart, RunStart
from nova_async.words import Leftovers
from tests.children import is_alive, program
from tests.cli.command import NOVA, nova

NOW = datetime.now(UTC)

# Its lock is free as soon as nobody of the attempt's family is alive.
AT_WORK = (
    "exec 9>> lock; flock -n 9 \\|\\| touch twice; echo $$ > begun.part; mv begun.part begun; [ -e go ] \\|\\| sleep 60"
)
LEFT = "[ -e go ] \\|\\| { sleep 60 9>&- & echo $! > left; }"


@pytest.mark.parametrize(
    ("leftovers", "clears"),
    [("kill", ""), ("leave", ""), ("kill", "'env', '-i', ")],
    ids=["kill", "leave", "no cookie"],
)
def test_the_guard_was_killed_too(tmp_path: Path, leftovers: str, clears: str) -> None:
    """An agent at work is ended before its task runs again; what a completed task was allowed to leave may stay."""
    (tmp_path / "CASCADE.md").write_text(
        f"+++\nleftovers = '{leftovers}'\ncommand = [{clears}'bash', '-c', '{{prompt}}']\n+++\n\n"
        f"| ID | What | Deps |\n|---|---|---|\n| A1 | {LEFT} | - |\n| B1 | {AT_WORK} | A1 |\n"
    )
    run = subprocess.Popen([*NOVA, "run", "--plain"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        wait_for(tmp_path / "begun")
        agent = int((tmp_path / "begun").read_text())
        wait_for_pid_in_journal(tmp_path)
        run.send_signal(signal.SIGSTOP)  # or it would start another guard
        guards = [child for child in psutil.Process(run.pid).children() if child.name() == "nova-guard"]
        assert len(guards) == 1
        guards[0].kill()
    finally:
        run.kill()
        run.wait()
    assert is_alive(agent)
    (tmp_path / "go").touch()
    assert nova("run", "--plain", cwd=tmp_path).returncode == 0
    assert not is_alive(agent)
    assert not (tmp_path / "twice").exists()
    if leftovers == "leave":
        left = int((tmp_path / "left").read_text())
        assert is_alive(left)
        psutil.Process(left).kill()


@pytest.fixture
def agent() -> Iterator[tuple[RunStart, Attempt]]:
    """Start the leader of a session; return its attempt and its run as a journal would name them."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        while (entry := TABLE.look(process.pid)) is None or entry.session != process.pid:
            continue
        run = RunStart(
            run_id="r", plan="p", project="", started_at=NOW, supervisor="feed", pid=0, pid_start_time=0, boot=boot()
        )
        start = AttemptStart(
            id=AttemptId("r", "T1", 1), plan="p", started_at=NOW, agent="plain", prompt_digest="", command=("sleep",)
        )
        yield run, Attempt(start=start, pid=process.pid, pid_start_time=entry.start_time, cookie="/feed.1")
        process.kill()


def test_an_agent_is_known_by_pid_and_start_time(agent: tuple[RunStart, Attempt]) -> None:
    """Nothing else about it says whose it is."""
    run, attempt = agent
    leader = living_leader(run, attempt)
    assert leader is not None
    assert leader.pid == attempt.pid
    assert end_survivors(run, [attempt], Leftovers.KILL) == []
    assert living_leader(run, attempt) is None


@pytest.mark.parametrize(
    ("about_run", "about_attempt"),
    [
        ({"boot": ""}, {}),
        ({"boot": "another-boot pid:[1]"}, {}),
        ({"boot": f"{boot().split()[0]} pid:[1]"}, {}),
        ({}, {"cookie": None}),
        ({}, {"cookie": "/beef.1"}),
        ({}, {"pid_start_time": 1.0}),
        ({}, {"pid_start_time": None}),
        ({}, {"pid": None}),
        ({}, {"pid": os.getpid(), "pid_start_time": TABLE.look(os.getpid()).start_time}),  # type: ignore[union-attr]
    ],
    ids=["no boot", "other boot", "other container", "no cookie", "other machine", "reused", "unknown", "none", "we"],
)
def test_a_stranger_is_not_taken_for_an_agent(
    about_run: dict[str, Any], about_attempt: dict[str, Any], agent: tuple[RunStart, Attempt]
) -> None:
    """The numbers in a journal mean somebody only where and when they were written."""
    run, attempt = replace(agent[0], **about_run), replace(agent[1], **about_attempt)
    assert living_leader(run, attempt) is None
    assert end_survivors(run, [attempt], Leftovers.KILL) == []
    assert is_alive(agent[1].pid or 0)


def test_a_reboot_ends_all() -> None:
    """Then nobody needs to be looked for; where the boot is not known, someone may live."""
    assert is_over("another-boot pid:[1]")
    assert not is_over(boot())
    assert not is_over(f"{boot().split()[0]} pid:[1]")
    assert not is_over("")


EVENTS = Path(__file__).parents[2] / "docs/examples/claude_with_a_sub_agent.jsonl"


@pytest.mark.parametrize(
    ("agent", "prints", "used"),
    [
        ("custom", "echo Token usage: input=1, output=2, cache_read=3, cache_creation=4", 10),
        ("claude", f"cat {EVENTS}", 76672),
        ("codex@work", f"{shlex.join(program('keeps_a_session', '1', 'stay'))} &", 115),
    ],
    ids=["tokens in a line", "events", "session files of an account"],
)
def test_what_a_killed_run_has_used_is_not_forgotten(tmp_path: Path, agent: str, prints: str, used: int) -> None:
    """The next run knows its attempts' logs, tokens and how long they lasted, however much later it comes."""
    (tmp_path / "agent.sh").write_text(f"[ -e go ] && exit\n{prints}\ntouch begun\nsleep 60\n")
    (tmp_path / "CASCADE.md").write_text(
        f"+++\nagent = '{agent}'\ncommand = ['sh', 'agent.sh']\n"
        "[accounts.work]\nenv = {CODEX_HOME = 'homes/work'}\n+++\n\n- [ ] B1 Work\n"
    )
    run = subprocess.Popen([*NOVA, "run", "--plain"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        wait_for(tmp_path / "begun")
        wait_for_pid_in_journal(tmp_path)
        wait_for_tokens(tmp_path, used)
    finally:
        run.kill()
        run.wait()
    began = datetime.fromisoformat(state_of(tmp_path)["started_at"])
    last_byte = began + timedelta(seconds=0.25)  # long before the next run begins
    os.utime(tmp_path / "logs/B1.log", (last_byte.timestamp(), last_byte.timestamp()))
    (tmp_path / "go").touch()
    nova("run", "--plain", cwd=tmp_path)
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    (seconds,) = book.execute("select duration_seconds from attempts where number = 1").fetchone()
    (told,) = book.execute("select at from events where kind = 'attempt_started' order by number").fetchone()
    book.close()
    signs = last_byte, datetime.fromisoformat(told)
    assert seconds == pytest.approx((max(signs) - began).total_seconds(), abs=0.002)
    assert sum(state_of(tmp_path)["token_usage"].values()) == used
    assert not state_of(tmp_path)["nova"]["usage_is_final"] or agent == "claude"
    assert nova("logs", "B1", "--attempt", "1", cwd=tmp_path).stdout == (tmp_path / "logs/B1~1.log").read_text()


def test_a_look_ahead_knows_the_session_of_a_killed_run(tmp_path: Path) -> None:
    """What a kill left without an end is read as the next run will read it, and nothing is written for that."""
    (tmp_path / "agent.sh").write_text(f"cat {EVENTS}\ntouch begun\nsleep 60\n")
    (tmp_path / "CASCADE.md").write_text(
        "+++\nagent = 'claude'\ncommand = ['sh', 'agent.sh', '{session_id}']\n+++\n\n- [ ] B1 Work\n"
    )
    run = subprocess.Popen([*NOVA, "run", "--plain"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        wait_for(tmp_path / "begun")
        wait_for_pid_in_journal(tmp_path)
        beside = json.loads(nova("run", "--dry-run", "--json", cwd=tmp_path).stdout)
    finally:
        run.kill()
        run.wait()
    told = json.loads(nova("run", "--dry-run", "--json", cwd=tmp_path).stdout)
    session = next(json.loads(line)["session_id"] for line in EVENTS.read_text().splitlines())
    assert (beside["resumed"], told["resumed"]) == ({}, {"B1": session}), "while it runs there is nothing to resume"
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    assert book.execute("select outcome from attempts").fetchall() == [(None,)]
    book.close()


def state_of(folder: Path) -> Any:
    """Return what the state file says of the task."""
    return json.loads((folder / "cascade_state.json").read_text())["tasks"]["B1"]


def wait_for_tokens(folder: Path, used: int) -> None:
    """Wait until the state file knows of so many tokens: they were printed, counted and logged."""
    deadline = time.monotonic() + 20
    while sum(state_of(folder)["token_usage"].values()) != used:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def wait_for_pid_in_journal(folder: Path) -> None:
    """Wait until the journal names the running agent's process."""
    deadline = time.monotonic() + 20
    while True:
        book = sqlite3.connect(folder / ".nova/journal.db")
        found = book.execute("select pid from attempts where task_id = 'B1'").fetchall()
        book.close()
        if found and found[0][0] is not None:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)
