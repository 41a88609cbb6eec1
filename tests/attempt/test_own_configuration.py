"""A configuration folder of an attempt's own: what is in it, and what becomes of a login that was renewed."""

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_async._core.threads import DiskThreads
from nova_async.agents import AGENTS
from nova_async.agents.configuration import Configuration
from nova_async.attempt import local_attempt
from nova_async.attempt.ends import bare_end
from nova_async.attempt.local_attempt import run_attempt
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.attempt.own_configuration import bring_back_logins, fill_configuration
from nova_async.words import Outcome
from tests.attempt.conftest import MakeJob

WITH_ONE = [agent for agent in AGENTS.values() if agent.configuration is not None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home folder with a Claude that is logged in."""
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude" / ".credentials.json").write_text("login")
    (home / ".claude" / "settings.json").write_text("settings")
    (home / ".claude" / "CLAUDE.md").write_text("rules")
    (home / ".claude" / "history.jsonl").write_text("history")
    (home / ".claude.json").write_text("shared")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("XDG_STATE_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return home


SCRIPT = """
cd "$CLAUDE_CONFIG_DIR"
pwd
cat .claude.json settings.json CLAUDE.md .credentials.json; echo
echo changed > .claude.json
echo changed > settings.json
echo session > projects/a.jsonl
ls -A
ls -ld . | cut -c1-10
"""


async def test_a_configuration_of_its_own(tmp_path: Path, home: Path, job: MakeJob) -> None:
    """Files that agents spoil for each other are copies, logins and sessions the user's; then it is gone."""
    end = await run_attempt(job(SCRIPT, agent="claude", isolate_config=True), log_dir=tmp_path / "logs")
    where, read, *names, mode = (tmp_path / "logs" / "A1.log").read_text().splitlines()
    assert end.exit_code == 0
    assert Path(where).parents[1] == home / ".local" / "state" / "nova" / "own"
    assert (read, mode) == ("sharedsettingsruleslogin", "drwx------")
    assert names == [".claude.json", ".credentials.json", "CLAUDE.md", "projects", "settings.json"]
    assert (home / ".claude.json").read_text() == "shared"
    assert (home / ".claude" / "settings.json").read_text() == "settings"
    assert (home / ".claude" / "projects" / "a.jsonl").read_text() == "session\n"
    assert list((home / ".local" / "state" / "nova" / "own").iterdir()) == []


async def test_an_account_is_isolated_too(tmp_path: Path, home: Path, job: MakeJob) -> None:
    """What is copied and linked is of the account's folder then, and nothing beside it."""
    other = home / ".claude-work"
    other.mkdir()
    (other / ".claude.json").write_text("work")
    (other / ".credentials.json").write_text("work login")
    script = 'cd "$CLAUDE_CONFIG_DIR"; cat .claude.json .credentials.json; echo; echo $CLAUDE_SECURESTORAGE_CONFIG_DIR'
    isolated = job(script, agent="claude", isolate_config=True, account_env={"CLAUDE_CONFIG_DIR": "~/.claude-work"})
    await run_attempt(isolated, log_dir=tmp_path / "logs")
    assert (tmp_path / "logs" / "A1.log").read_text() == f"workwork login\n{other}\n"


async def test_two_at_once_have_two(tmp_path: Path, home: Path, job: MakeJob) -> None:
    """Neither sees what the other one has written."""
    script = 'cd "$CLAUDE_CONFIG_DIR"; echo $$ > .claude.json; sleep 0.2; [ "$(cat .claude.json)" = $$ ]'
    executor = LocalExecutor(tmp_path / "logs")
    running = [executor.submit(job(script, name, agent="claude", isolate_config=True)) for name in ("A", "B", "C")]
    ends = await asyncio.gather(*(each.ended() for each in running))
    await executor.close()
    assert [end.exit_code for end in ends] == [0, 0, 0]


async def test_others_are_left_alone(tmp_path: Path, home: Path, job: MakeJob) -> None:
    """A plain command has no configuration, and without the setting nobody gets one."""
    for more in ({"isolate_config": True}, {"agent": "claude"}):
        await run_attempt(job('echo "<$CLAUDE_CONFIG_DIR>"', **more), log_dir=tmp_path / "logs")
        assert (tmp_path / "logs" / "A1.log").read_text() == "<>\n"
    assert not (home / ".local").exists()


async def test_it_cannot_be_made(tmp_path: Path, home: Path, job: MakeJob) -> None:
    """Then the agent does not run on the shared one; the error says which setting and which place."""
    (home / ".local").write_text("no folder")
    end = await run_attempt(job("true", agent="claude", isolate_config=True), log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.SPAWN_ERROR
    assert end.error == (
        f"isolate_config: its configuration folder cannot be made: Not a directory ({home}/.local/state/nova/own)"
    )


@pytest.mark.parametrize("agent", WITH_ONE, ids=lambda agent: agent.name)
def test_the_facts_about_each_agent(agent: object, tmp_path: Path) -> None:
    """Its sessions are kept, its logins never copied, and each name is below its folder and in one list only."""
    configuration: Configuration = agent.configuration  # type: ignore[attr-defined]
    files = agent.session_files  # type: ignore[attr-defined]
    lists = (configuration.copied, configuration.logins, configuration.kept, configuration.linked)
    names = [name for names in lists for name in names]
    assert len(names) == len(set(names))
    assert not any(name.startswith("/") or ".." in name for name in names)
    sessions = {Path(files.folder, pattern).parts[: len(Path(files.folder).parts) + 1] for pattern in files.patterns}
    kept = {Path(configuration.folder, name).parts for name in configuration.kept}
    assert sessions <= kept
    signs = {str(Path(files.folder, name)) for name in agent.login_signs.files}  # type: ignore[attr-defined]
    assert signs <= {str(Path(configuration.folder, name)) for name in configuration.logins}
    (tmp_path / "own").mkdir()
    variables = fill_configuration(configuration, {"HOME": str(tmp_path)}, tmp_path / "own", cwd="/")
    assert variables[configuration.variable] == str(tmp_path / "own")


def renewed(tmp_path: Path, home: Path, *, by_rename: bool) -> Path:
    """Return a folder of its own in which an agent has renewed its login."""
    configuration = AGENTS["claude"].configuration
    assert configuration is not None
    folder = tmp_path / "own"
    folder.mkdir()
    fill_configuration(configuration, {"HOME": str(home)}, folder, cwd="/")
    mine = folder / ".credentials.json"
    if by_rename:
        (folder / "new").write_text("renewed")
        (folder / "new").rename(mine)
        later = (home / ".claude" / ".credentials.json").stat().st_mtime_ns + 10**9
        os.utime(mine, ns=(later, later))
    else:
        mine.write_text("renewed")
    return folder


@pytest.mark.parametrize("by_rename", [False, True])
def test_a_renewed_login_is_the_users(tmp_path: Path, home: Path, by_rename: bool) -> None:
    """Written through the link it is at once, and in a file of its own it is brought back; it stays private."""
    theirs = home / ".claude" / ".credentials.json"
    folder = renewed(tmp_path, home, by_rename=by_rename)
    configuration = AGENTS["claude"].configuration
    assert configuration is not None
    bring_back_logins(configuration, {"HOME": str(home)}, folder, cwd="/")
    assert theirs.read_text() == "renewed"
    assert by_rename is (theirs.stat().st_mode & 0o777 == 0o600)
    assert sorted(each.name for each in (home / ".claude").iterdir()) == [
        ".credentials.json", "CLAUDE.md", "history.jsonl", "projects", "settings.json"
    ]  # fmt: skip


def test_the_latest_login_stays(tmp_path: Path, home: Path) -> None:
    """Another worker may have renewed it since: that one is valid, and ours no more."""
    theirs = home / ".claude" / ".credentials.json"
    folder = renewed(tmp_path, home, by_rename=True)
    later = (folder / ".credentials.json").stat().st_mtime_ns + 10**9
    theirs.write_text("of another worker")
    os.utime(theirs, ns=(later, later))
    configuration = AGENTS["claude"].configuration
    assert configuration is not None
    bring_back_logins(configuration, {"HOME": str(home)}, folder, cwd="/")
    assert theirs.read_text() == "of another worker"


def test_a_login_that_is_a_link_of_the_users(tmp_path: Path, home: Path) -> None:
    """It stays a link, and what it leads to is renewed; anything but a file in its place is left alone."""
    theirs, real = home / ".claude" / ".credentials.json", home / "elsewhere.json"
    theirs.rename(real)
    theirs.symlink_to(real)
    folder = renewed(tmp_path, home, by_rename=True)
    configuration = AGENTS["claude"].configuration
    assert configuration is not None
    bring_back_logins(configuration, {"HOME": str(home)}, folder, cwd="/")
    assert theirs.is_symlink()
    assert real.read_text() == "renewed"
    (folder / ".credentials.json").unlink()
    (folder / ".credentials.json").mkdir()
    bring_back_logins(configuration, {"HOME": str(home)}, folder, cwd="/")
    assert real.read_text() == "renewed"


@pytest.mark.parametrize("when", ["while it is looked at", "in place of its folder"])
def test_a_link_that_an_agent_plants_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Neither one that takes the place of the login after the look at it, nor one above it: the user's login stays."""
    configuration = AGENTS["gemini"].configuration
    assert configuration is not None
    name = ".gemini/oauth_creds.json"
    usual, own, other = (tmp_path / each for each in ("home", "own", "other"))
    for folder in (usual, own, other):
        (folder / ".gemini").mkdir(parents=True)
        (folder / name).write_text(folder.name)
    os.utime(usual / name, (1, 1))
    if when == "in place of its folder":
        (own / ".gemini").rename(own / "moved")
        (own / ".gemini").symlink_to(other / ".gemini")
    opens = os.open

    def plants(path: str, *arguments: Any, **more: Any) -> int:
        if str(path).endswith("oauth_creds.json") and (own / name).is_file():
            (own / name).unlink()
            (own / name).symlink_to(other / name)
        return opens(path, *arguments, **more)

    if when == "while it is looked at":
        monkeypatch.setattr(os, "open", plants)
    bring_back_logins(configuration, {configuration.variable: str(usual)}, own, cwd="/")
    assert (usual / name).read_text() == "home"


async def test_without_a_thread_nobody_runs_on_the_shared_one(
    tmp_path: Path, home: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the agent nor, after an agent that has finished, its check; a machine that is full may have room soon."""
    work = job("echo ran > ran", agent="claude", isolate_config=True, verify=("sh", "-c", "echo checked > ran"))
    finished = bare_end(work.id, Outcome.OK, None, ran=True)
    monkeypatch.setattr(local_attempt, "GIT_THREADS", DiskThreads("none-to-be-had"))
    starts = threading.Thread.start

    def refuses(thread: threading.Thread) -> None:
        if thread.name == "none-to-be-had":
            raise RuntimeError("can't start new thread")
        starts(thread)

    monkeypatch.setattr(threading.Thread, "start", refuses)
    for attempted in (work, replace(work, finished=finished)):
        end = await run_attempt(attempted, log_dir=tmp_path / "logs")
        assert end.outcome is Outcome.NO_RESOURCES
        assert end.error is not None
        assert "isolate_config: its configuration folder cannot be made" in end.error
        assert "thread" in end.error
    assert not (tmp_path / "ran").exists()
    end = await run_attempt(replace(work, isolate_config=False), log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.OK, "what asks for no isolation runs as before"


def test_a_relative_folder_is_the_tasks(tmp_path: Path) -> None:
    """A configuration that a variable names is found where the agent itself would look for it."""
    configuration = AGENTS["claude"].configuration
    assert configuration is not None
    usual, own = tmp_path / "work/conf", tmp_path / "own"
    for folder in (usual, own):
        folder.mkdir(parents=True)
    (usual / "settings.json").write_text("settings")
    fill_configuration(configuration, {configuration.variable: "conf"}, own, cwd=str(tmp_path / "work"))
    assert (own / "settings.json").read_text() == "settings"
    assert (own / "projects").resolve() == usual / "projects"
