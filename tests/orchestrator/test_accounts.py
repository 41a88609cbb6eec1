"""Accounts: which variables a task's agent gets, and what is written down of it."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from nova_async import Orchestrator, parse_cascade
from nova_async.attempt.job import Job
from nova_async.journal.history import History
from nova_async.orchestrator.commands import make_job
from nova_async.orchestrator.resume import take_over
from nova_async.records import AttemptId

PLAN = """\
+++
agent = "claude@work"
command = ["sh", "-c", "echo \\"$CLAUDE_CONFIG_DIR $WHO $HOME\\""]
env = {{WHO = "anybody"}}

[accounts.work]
env = {{{env}}}
+++
- [ ] T1 See who it is
"""


def job_of(env: str, root: Path) -> Job:
    """Return the job of the one task."""
    cascade = parse_cascade(PLAN.format(env=env))
    return make_job(
        cascade, cascade.tasks["T1"], AttemptId("r", "T1", 1), session=None, root=root
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("~/.claude-work", "/home/ann/.claude-work"), ("~", "/home/ann"), ("~bob/x", "~bob/x"), ("/abs", "/abs"),
        ("./here", "{root}/here"), ("../there", "{root}/../there"), ("here", "{root}/here"), ("", ""),
    ],
)  # fmt: skip
def test_a_folder_of_an_account(value: str, expected: str, tmp_path: Path) -> None:
    """It is found from the home folder of the machine, or from the folder of the run, wherever the task works."""
    job = job_of(f'CLAUDE_CONFIG_DIR = "{value}"', tmp_path)
    assert job.environment({"HOME": "/home/ann"})["CLAUDE_CONFIG_DIR"] == expected.format(root=tmp_path)


def test_what_is_no_folder_stays(tmp_path: Path) -> None:
    """A key may be any text; only one that begins like a path is taken for one."""
    job = job_of('ANTHROPIC_API_KEY = "sk-a/b", N = 1', tmp_path)
    env = job.environment({"HOME": "/home/ann"})
    assert (env["ANTHROPIC_API_KEY"], env["N"]) == ("sk-a/b", "1")


def test_an_account_stands_above_the_plan_and_the_machine(tmp_path: Path) -> None:
    """Its variables are what tells it from another account."""
    job = job_of('WHO = "work"', tmp_path)
    assert (job.account, job.environment({"WHO": "me", "HOME": "/h"})["WHO"]) == ("work", "work")


async def test_a_run_under_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program sees its variables, and the attempt tells the account; a value to be redacted is in no log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    text = PLAN.format(env='CLAUDE_CONFIG_DIR = "~/own", WHO = "a-secret-login"')
    orchestrator = Orchestrator(parse_cascade(text.replace("+++\n", '+++\nredact = ["WHO"]\n', 1)))
    report = await orchestrator.run()
    [attempt] = report.tasks["T1"].attempts
    assert (attempt.start.agent, attempt.start.account) == ("claude", "work")
    assert Path("logs/T1.log").read_text().splitlines()[-1] == f"{tmp_path}/own [redacted] {tmp_path}"


@pytest.mark.parametrize("agent", ["claude@nobody", ["codex", "claude@nobody"]])
def test_an_orchestrator_knows_its_accounts(agent: str | list[str]) -> None:
    """One that the plan does not have is refused with what to write."""
    with pytest.raises(ValueError, match=r"there is no account 'nobody'; write \[accounts.nobody\]"):
        Orchestrator(parse_cascade("- [ ] T1 Do it\n"), agent=agent)
    with pytest.raises(ValueError, match="unknown agent 'cloud'"):
        Orchestrator(parse_cascade("- [ ] T1 Do it\n"), agent=["codex", "cloud"])


def test_thousands_of_tasks_of_one_account_are_looked_at_once(tmp_path: Path) -> None:
    """Who serves them is the same for all: the environment is not gone through again for each of them."""
    rows = "".join(f"| T{n} | Do {n} | {('claude@work', 'codex')[n % 2]} |\n" for n in range(50))
    front = '+++\n[accounts.work]\nenv = {CLAUDE_CONFIG_DIR = "~/w"}\n+++\n'
    runner = Orchestrator(
        parse_cascade(f"{front}| Task ID | Prompt | Agent |\n|---|---|---|\n{rows}"),
        root=tmp_path, log_dir=tmp_path / "logs", journal=tmp_path / "j.db", state_file=tmp_path / "s.json",
    )  # fmt: skip
    runner._known.update(take_over(runner._shown, History()))
    calls = Counter[str]()
    sys.setprofile(lambda frame, event, _: calls.update([frame.f_code.co_name] if event == "call" else []))
    try:
        prepared = [
            runner._attempts.prepare(known, AttemptId("r", task_id, 1), runner.cascade.tasks[task_id], None, None)
            for task_id, known in runner._known.items()
        ]
    finally:
        sys.setprofile(None)
    assert len({each.account.key for each in prepared if each.account is not None}) == 2
    assert (calls["prepare"], calls["login_key"], calls["environment"]) == (50, 2, 2)
