"""``pass_env``: which variables of the machine a task's programs see."""

from pathlib import Path

import pytest

from nova_async.agents import AGENTS
from nova_async.attempt.local_attempt import run_attempt
from nova_async.attempt.passing import passed
from tests.attempt.conftest import MakeJob

SECRETS = {
    "ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b", "AWS_SECRET_ACCESS_KEY": "c", "GITHUB_TOKEN": "d", "PATHS": "e",
    "SSH_AUTH_SOCK": "f", "DATABASE_URL": "g", "XDG": "h", "LC": "i", "MY_PROXY": "j", "HOMEBREW_TOKEN": "k",
}  # fmt: skip
NEEDED = {
    "PATH": "/bin", "HOME": "/me", "USER": "me", "LANG": "C", "LC_ALL": "C", "TERM": "xterm", "TMPDIR": "/t",
    "XDG_CONFIG_HOME": "/me/.config", "HTTPS_PROXY": "http://proxy", "no_proxy": "localhost",
    "SSL_CERT_FILE": "/ca.pem", "NOVA_WORKER": "/a.1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("names", "more"),
    [
        ((), set()), (("GITHUB_TOKEN",), {"GITHUB_TOKEN"}), (("AWS_*",), {"AWS_SECRET_ACCESS_KEY"}),
        (("*_API_KEY", "NOT_SET"), {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}), (("*",), set(SECRETS)),
        (("a.c", "[A-Z]*"), set()),
    ],
)  # fmt: skip
def test_what_programs_need_and_what_is_named(names: tuple[str, ...], more: set[str]) -> None:
    """Nothing else: no key, no token, no socket of an agent of keys, and no name that only begins alike."""
    here = {**SECRETS, **NEEDED}
    assert passed(here, names).keys() == NEEDED.keys() | more
    assert passed(here, None) == here


def test_an_agent_finds_its_folder(job: MakeJob) -> None:
    """But gets no key that is not named, nor the folder of another agent."""
    here = {**SECRETS, **NEEDED, "CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "IS_SANDBOX": "1"}
    found = job("", agent="claude", pass_env=()).environment(here)
    assert found.keys() == {*NEEDED, "CLAUDE_CONFIG_DIR", "IS_SANDBOX", "NOVA_ATTEMPT"}


def test_no_login_is_among_what_an_agent_always_gets() -> None:
    """Whatever agents we know."""
    for agent in AGENTS.values():
        assert not agent.own_variables & set(agent.login_signs.variables)


async def test_neither_agent_nor_check_see_anything_else(
    tmp_path: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a real process has in its environment."""
    for name in SECRETS:
        monkeypatch.setenv(name, f"leaked {name}")
    work = job("env", pass_env=("DATABASE_*",), env={"OWN": "1"}, verify=("env",))
    await run_attempt(work, log_dir=tmp_path / "logs")
    for log in ("A1.log", "A1~verify.log"):
        text = (tmp_path / "logs" / log).read_text()
        assert [line for line in text.splitlines() if "leaked" in line] == ["DATABASE_URL=leaked DATABASE_URL"]
        assert "OWN=1\n" in text
