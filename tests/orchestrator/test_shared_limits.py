"""Runs of one user on one machine share the usage limits that they meet."""

import asyncio
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from nova_async.agents import AGENTS
from nova_async.attempt.job import Job
from nova_async.cascade import Task
from nova_async.orchestrator.holding import Account, account_of
from nova_async.orchestrator.limits_file import MOST, LimitsFile, is_entry, is_gauge_entry, limits_path
from nova_async.orchestrator.shared_limits import closed_until, login_key
from nova_async.records import AttemptId
from nova_async.words import TaskState
from tests.orchestrator.test_agents_on_hold import EIGHT, eight
from tests.orchestrator.test_usage_limits import calls, limited, own_state_folder

__all__ = ["own_state_folder"]


async def test_two_runs_have_one_gate(tmp_path: Path) -> None:
    """The second run asks for nothing while the first one's limit lasts; one task tries, and both runs complete."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    account = tmp_path / "account"
    account.mkdir()
    command_for: Any = limited(eight(), account, 4)._attempts.command_for
    first, second = (limited(eight(retries=0), folder, 4, max_workers=1, command_for=command_for) for folder in folders)
    running = [asyncio.create_task(first.run())]
    while not calls(account, "refused") or any(view.state is not TaskState.WAITING for view in first.views.values()):
        await asyncio.sleep(0.01)
    running.append(asyncio.create_task(second.run()))
    reports = await asyncio.gather(*running)
    assert all(report.ok for report in reports)
    assert calls(account, "refused") == ["T1"]
    assert sorted(calls(account, "served")) == sorted([*EIGHT, *EIGHT])
    path = limits_path()
    assert path is not None
    assert json.loads(path.read_text())["limits"] == {}
    assert path.stat().st_mode & 0o777 == 0o600


def entry(opens_at: float) -> dict[str, Any]:
    """Return an entry of a limit."""
    return {"opens_at": opens_at, "resets_at": None, "kind": "five_hour"}


def test_the_file_is_bounded_and_forgets(tmp_path: Path) -> None:
    """So many limits are kept, those that end last; what has ended long ago goes."""
    now, path, warnings = time.time(), tmp_path / "nova/limits.json", list[str]()
    file = LimitsFile(path, warnings.append)
    for number in range(MOST + 5):
        assert file.change(str(number), lambda stands, n=number: entry(now + n), now)  # type: ignore[misc]
    assert len(LimitsFile(path, warnings.append).entries()) == MOST
    assert file.change("new", lambda stands: entry(now + 99_999), now + 50_000)
    assert list(file.entries()) == ["new"]
    assert warnings == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"limits": 1}', b'{"limits": {"a": 1}}', b"\xff" * 99, b"[" * 99_999]
)
def test_strange_content_is_written_anew(tmp_path: Path, content: bytes) -> None:
    """Whatever stands there holds nobody up, is told of once at most, and is replaced."""
    path, warnings = tmp_path / "limits.json", list[str]()
    path.write_bytes(content)
    file = LimitsFile(path, warnings.append)
    assert (file.entries(), file.entries()) == ({}, {})
    assert len(warnings) <= 1
    assert file.change("a", lambda stands: entry(time.time()), time.time())
    assert list(file.entries()) == ["a"]


def test_what_could_just_be_read_is_told_if_it_cannot_be_written(tmp_path: Path) -> None:
    """Wherever the line between reading and writing deeply nested JSON is, nothing is raised."""
    path, now = tmp_path / "limits.json", time.time()
    for depth in (500, *range(800, 1000), 1500, 100_000):
        path.write_text(f'{{"other": {"[" * depth}{"]" * depth}}}')
        path.chmod(0o600)
        warnings: list[str] = []
        file = LimitsFile(path, warnings.append)
        assert file.entries() == {}
        assert file.change("a", lambda stands: entry(now), now) or len(warnings) == 1


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.floats(allow_nan=False) | strategies.text(max_size=4),
    lambda inner: (
        strategies.lists(inner, max_size=2) | strategies.dictionaries(strategies.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
ANOTHERS = {
    "opens_at": JSON | strategies.just(2e9),
    "told_at": JSON | strategies.just(2e9),
    "gauges": JSON,
    "new": JSON,
}
ENTRIES = strategies.dictionaries(
    strategies.sampled_from("abc"), JSON | strategies.fixed_dictionaries({}, optional=ANOTHERS)
)


FILES = strategies.fixed_dictionaries({}, optional={"limits": ENTRIES, "gauges": ENTRIES, "schema": JSON, "new": JSON})


@settings(max_examples=25, deadline=None)
@given(FILES, strategies.integers(0))
def test_two_versions_share_the_file(document: dict[str, Any], cut: int) -> None:
    """What a newer version has written stays, with keys and sections unknown here; a torn file is replaced."""
    now, text = 1.9e9, json.dumps(document)
    for content in (text, text[: cut % (len(text) + 1)]):
        stands = written_by_us(content, now)
        assert (stands["limits"].pop("mine"), stands["gauges"].pop("mine")["told_at"]) == (entry(now), now)
        if content == text:
            assert stands.get("new") == document.get("new")
            for name, is_ours in (("limits", is_entry), ("gauges", is_gauge_entry)):
                known = document.get(name, {})
                left = {key: value for key, value in known.items() if key in stands[name] or not is_ours(value)}
                assert stands[name] == left, "ours goes once it is over, and nothing else"


def written_by_us(content: str, now: float) -> dict[str, Any]:
    """Return what stands in a file after this version has written a limit and a gauge there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "limits.json")
        path.write_text(content)
        path.chmod(0o600)
        file = LimitsFile(path, lambda text: None)
        assert file.change("mine", lambda stands: entry(now), now)
        assert file.change_gauges("mine", lambda stands: {"told_at": now, "gauges": {}}, now)
        stands: dict[str, Any] = json.loads(path.read_text())
        return stands


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither is read through it, nor is what it leads to written."""
    target, path, warnings = tmp_path / "target", tmp_path / "limits.json", list[str]()
    target.write_text('{"limits": {"a": {"opens_at": 1}}}')
    path.symlink_to(target)
    file = LimitsFile(path, warnings.append)
    assert file.entries() == {}
    assert file.change("b", lambda stands: entry(time.time()), time.time())
    assert (path.is_symlink(), target.read_text()[:12], len(warnings)) == (False, '{"limits": {', 1)


def test_a_folder_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """It is told once, and the run goes by what it knows."""
    (tmp_path / "file").touch()
    warnings: list[str] = []
    file = LimitsFile(tmp_path / "file/limits.json", warnings.append)
    assert file.entries() == {}
    assert not file.change("a", lambda stands: entry(0), 0)
    assert not file.change("a", lambda stands: entry(0), 0)
    assert len(warnings) == 1


def test_a_writer_that_was_killed_leaves_the_old_file(tmp_path: Path) -> None:
    """A lock is gone with its holder, and a file that was never finished is none."""
    path = tmp_path / "limits.json"
    file = LimitsFile(path, lambda text: None)
    assert file.change("a", lambda stands: entry(time.time()), time.time())
    if (child := os.fork()) == 0:  # pragma: no cover - another process
        with file._locked():
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert list(file.entries()) == ["a"]
    assert file.change("b", lambda stands: entry(time.time()), time.time())


@pytest.mark.parametrize("number", ["1" + "0" * 400, "NaN", "Infinity", "-1", "true", '"1"', "1e300", "9e9"])
def test_a_moment_that_cannot_be_keeps_nobody(tmp_path: Path, number: str) -> None:
    """A limit that would last for years, by a clock set wrongly or a damaged file, is none, and raises nothing."""
    path, now = tmp_path / "limits.json", time.time()
    for name in ("opens_at", "claimed_until"):
        values = {"opens_at": "1", "claimed_by": '"another"', "claimed_until": "0", name: number}
        stands = ", ".join(f'"{key}": {value}' for key, value in values.items())
        path.write_text(f'{{"limits": {{"a": {{{stands}}}}}}}')
        path.chmod(0o600)
        found = LimitsFile(path, lambda text: None).entries().get("a")
        assert found is None or closed_until(found, "me", now) is None


def key(agent: str, *, cwd: str = "/work", **variables: str) -> str:
    """Return the mark of a login."""
    return login_key(
        Job(id=AttemptId("r", "T", 1), command=(agent,), agent=agent, cwd=cwd, env=variables), {"HOME": "/h"}
    )


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "qwen", "opencode"])
def test_each_folder_that_an_agent_may_be_given_is_a_login_of_its_own(agent: str) -> None:
    """A limit of one account is none of another's, whichever variable chooses it; a relative folder is the task's."""
    files = AGENTS[agent].session_files
    assert files is not None
    for name in filter(None, (files.variable, files.home_variable)):
        assert len({key(agent), key(agent, **{name: "/a"}), key(agent, **{name: "/b"})}) == 3
        assert key(agent, **{name: "a"}) == key(agent, **{name: "/work/a"}) != key(agent, **{name: "a"}, cwd="/")
    assert key(agent) == key(agent, cwd="/elsewhere") == key(agent, HOME="/h")


def account(name: str, agent: str = "claude", **variables: str) -> Account:
    """Return what a job runs on under an account of its plan."""
    job = Job(id=AttemptId("r", "T", 1), command=(agent,), agent=agent, account=name, account_env=variables)
    key = login_key(job, {"HOME": "/h"})
    return account_of(job, Task(id="T"), by_plan=True, key=key)


def test_an_account_is_what_it_is_by_its_configuration(tmp_path: Path) -> None:
    """Two plans' accounts of one name with different folders are two; one folder under two names is one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    work = account("work", CLAUDE_CONFIG_DIR=f"{tmp_path}/real")
    assert work != account("work", CLAUDE_CONFIG_DIR="~/other") != account("")
    assert work == account("job", CLAUDE_CONFIG_DIR=f"{tmp_path}/link")
    assert account("a", CLAUDE_CONFIG_DIR="~/.claude") == account("b", CLAUDE_CONFIG_DIR="/h/.claude") == account("")
    assert account("a", AWS_PROFILE="a") == account("b", AWS_PROFILE="a") != account("b", AWS_PROFILE="b")


def test_accounts_of_a_plain_command_are_told_apart_by_their_variables() -> None:
    """Nothing is known of its configuration."""
    assert account("", "plain").key == ""
    assert account("a", "plain", KEY="1") == account("b", "plain", KEY="1") != account("b", "plain", KEY="2")


async def test_a_lock_that_is_never_released_holds_up_no_run(tmp_path: Path) -> None:
    """A run that hangs with the lock costs others the sharing, which is told once."""
    path = limits_path()
    assert path is not None
    path.parent.mkdir(parents=True)
    with LimitsFile(path, lambda text: None)._locked():
        runner = limited(eight(retries=0), tmp_path, 1.5, max_workers=8)
        report = await runner.run()
    assert report.ok
    assert len([text for text in report.warnings if "does not let go" in text]) == 1


async def test_a_disk_that_hangs_holds_up_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the home is on a network disk that answers no more, the run waits a moment, tells, and goes on."""
    path, answers = limits_path(), threading.Event()
    lstat = Path.lstat

    def hangs(self: Path) -> os.stat_result:
        if self == path:  # in the event loop, nobody could let it answer
            assert answers.wait(60)
        return lstat(self)

    monkeypatch.setattr(Path, "lstat", hangs)
    runner = limited(eight(retries=0), tmp_path, 1.5, max_workers=1)
    try:
        report = await asyncio.wait_for(runner.run(), 60)
    finally:
        answers.set()
    assert report.ok
    assert [text for text in report.warnings if text.startswith(f"{path} does not answer")]


@pytest.mark.parametrize("name", ["usage-limits.json", "usage-limits.lock"])
async def test_a_pipe_in_place_of_a_file_holds_up_no_run(tmp_path: Path, name: str) -> None:
    """Nobody opens its other end, and nobody waits for that."""
    path = limits_path()
    assert path is not None
    path.parent.mkdir(parents=True)
    os.mkfifo(path.with_name(name), 0o600)
    report = await asyncio.wait_for(limited(eight(retries=0), tmp_path, 1.5, max_workers=8).run(), 60)
    assert report.ok
