"""What is looked at before a run: all that is missing is said at once, and nothing is written down or started."""

import asyncio
import os
import pickle
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade, parse_cascade
from nova_async.errors import NotReadyError
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator import readiness
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.readiness import Readiness, login_left_out
from nova_async.records import Event
from nova_async.words import EventKind
from tests.orchestrator.test_running import orchestrator, plan, run, states
from tests.orchestrator.test_strange_executors import Change, Strange


def program(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def by_agents(rows: str, path: Path | str, front: str = "") -> Cascade:
    """Make a plan for agents, whose programs are looked for in these folders."""
    lines = [line.strip() for line in rows.strip().splitlines()]
    table = "\n".join(f"| {line} |" for line in [lines[0], "|".join("---" for _ in lines[0].split("|")), *lines[1:]])
    return parse_cascade(f"+++\nenv = {{ PATH = '{path}' }}\n{front}\n+++\n{table}\n")


async def refused(cascade: Cascade, folder: Path, **options: object) -> tuple[str, ...]:
    """Return the problems of a run that cannot begin, which has left nothing behind."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(NotReadyError) as found:
        await orchestrator(cascade, folder, **options).run()
    assert sorted(folder.rglob("*")) == before
    assert all(problem in str(found.value) for problem in found.value.problems)
    return found.value.problems


async def test_an_agent_that_is_not_installed(tmp_path: Path) -> None:
    """It is said once for all its tasks, with how to install it, and nothing is left behind."""
    rows = "ID | What\n" + "\n".join(f"T{number} | x" for number in range(1, 9))
    assert await refused(by_agents(rows, tmp_path), tmp_path) == (
        "T1, T2, T3 and 5 more: `claude` is not on PATH. Install it with `npm install -g @anthropic-ai/claude-code`",
    )


async def test_another_agent_that_is_here(tmp_path: Path) -> None:
    """One that is installed is offered in its place; one whose interpreter is missing is not."""
    program(tmp_path / "bin/codex", "#!/usr/bin/env no-such-node\n")
    program(tmp_path / "bin/gemini")
    (problem,) = await refused(by_agents("ID | What\nT1 | x", tmp_path / "bin"), tmp_path)
    assert problem.endswith("`npm install -g @anthropic-ai/claude-code`, or use `--agent gemini`, which is installed")


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("#!/bin/sh\n", 0o644, "`claude` is not executable"),
        ("#!/usr/bin/env no-such-node\n", 0o755, "needs `no-such-node`, which is not on PATH"),
        ("#!/usr/bin/env -S A=1 no-such-node --x\n", 0o755, "needs `no-such-node`, which is not on PATH"),
        ("#! /no/such/python3 -s\n", 0o755, "needs `/no/such/python3`, which does not exist"),
    ],
)
async def test_an_agent_that_cannot_start(tmp_path: Path, text: str, mode: int, says: str) -> None:
    """A file without permission, and a script whose interpreter is missing, are told from outside."""
    program(tmp_path / "bin/claude", text, mode)
    (problem,) = await refused(by_agents("ID | What\nT1 | x", tmp_path / "bin"), tmp_path)
    assert says in problem
    assert "Install it" not in problem


@pytest.mark.parametrize(
    "text",
    [
        *("", "#!", "#!\n", "#! \n", "#!/bin/sh", "#!/usr/bin/env sh\n", "#!/bin/sh -e\n", "\x7fELF"),
        *("#!/usr/bin/env -S -u NO_SUCH sh\n", "#!/usr/bin/env -S -C /no/such sh\n", "#!/usr/bin/env -Ssh -e\n"),
        *("#!/usr/bin/env\n", "#!/usr/bin/env -S\n", "#!/usr/bin/env -iSA=1\n", '#!/usr/bin/env -S "sh" -e\n'),
        "#!/usr/bin/env -S ${SHELL} -e\n",
    ],
)
def test_programs_that_may_start(tmp_path: Path, text: str) -> None:
    """Whatever does not show at the file is left to the system."""
    path = program(tmp_path / "odd", text)
    assert readiness.program_problem(str(path), None, os.environ) is None


async def test_everything_at_once(tmp_path: Path) -> None:
    """Programs, checks, folders: one look tells all that has to be mended."""
    program(tmp_path / "bin/codex")
    (tmp_path / "file").touch()
    cascade = by_agents(
        """ID | What | Agent | Verify | Cwd
        T1 | x | claude | no-such-check --all | .
        T2 | x | gemini | - | nowhere
        T3 | x | codex | /no/such/check | file
        T4 | x | codex | no-such-check | .""",
        tmp_path / "bin",
    )
    problems = await refused(cascade, tmp_path)
    assert [problem.split(":")[0] for problem in problems] == ["T1", "T1, T4", "T2", "T2", "T3", "T3"]
    said = "\n".join(problems)
    for words in (
        "`claude` is not on PATH",
        "verify: `no-such-check` is not on PATH",
        "nowhere does not exist",
        "`gemini` is not on PATH",
        "file is not a folder",
        "verify: `/no/such/check` does not exist",
    ):
        assert words in said


async def test_what_an_earlier_task_may_make_is_only_noted(tmp_path: Path) -> None:
    """A folder, a program in it and a check of the task's own may be what the plan is to make."""
    cascade = plan("""ID | What | Deps | Cwd | Verify
        A1 | mkdir app; printf '#!/bin/sh' > app/check; chmod +x app/check | - | . | app/check
        A2 | true | A1 | app | ./check""")
    report, events = await run(cascade, tmp_path)
    assert report.ok
    assert [event.data["message"] for event in events if event.kind is EventKind.WARNING] == [
        "A1: verify: `app/check` does not exist yet",
        f"A2: the working folder {tmp_path / 'app'} does not exist yet: create it, or change `cwd`",
        "A2: verify: `./check` does not exist yet",
    ]
    assert report.warnings == ()


def test_a_program_in_a_folder_may_be_made_by_an_earlier_task(tmp_path: Path) -> None:
    """It is noted for the task that needs another one first, and a problem of any other."""
    rows = "| ID | What | After |\n|---|---|---|\n| A | a | |\n| B | b | A |\n"
    cascade = parse_cascade(f"+++\ncommand = ['./made', '{{prompt}}']\n+++\n{rows}")
    found = readiness.Readiness(
        cascade, root=tmp_path, logs=tmp_path, files=(tmp_path / "state", tmp_path / "journal")
    ).look(cascade.tasks.values())
    assert found.sentences() == ("A: `./made` does not exist",)
    assert "B: `./made` does not exist yet" in found.noted()


async def test_what_is_completed_needs_no_program(tmp_path: Path) -> None:
    """Neither does what has failed for good or is ticked off, until it is to run again."""
    path = tmp_path / "bin"
    agent = program(path / "codex", '#!/bin/sh\n/bin/echo \'{"type":"turn.completed","usage":{}}\'\n')
    rows = "ID | What | Agent\nT1 | x | codex\nT2 | x | claude"
    with pytest.raises(NotReadyError):
        await run(by_agents(rows, path), tmp_path)
    report, _ = await run(
        by_agents("ID | What | Agent\nT1 | x | codex", path), tmp_path, command_for=lambda _: ["/bin/true"]
    )
    assert report.ok
    agent.unlink()
    (problem,) = await not_ready(by_agents(rows, path), tmp_path)
    assert problem.startswith("T2: ")
    problems = await not_ready(by_agents(rows, path), tmp_path, fresh=True)
    assert [problem.split(":")[0] for problem in problems] == ["T1", "T2"]


async def not_ready(cascade: Cascade, folder: Path, **options: object) -> tuple[str, ...]:
    """Return the problems of a run that cannot begin, with a journal that is there, and stays as it is."""
    before = JournalReader(folder / ".nova/journal.db").runs()
    with pytest.raises(NotReadyError) as found:
        await orchestrator(cascade, folder, **options).run()
    assert JournalReader(folder / ".nova/journal.db").runs() == before
    return found.value.problems


async def test_what_failed_needs_its_program_only_to_be_retried(tmp_path: Path) -> None:
    """A task that nobody retries, and those it blocks, are not in the way of the rest."""
    front = "retries = 0"
    rows = "ID | What | Deps\nT1 | x | -\nT2 | x | T1\nT3 | x | -"
    cascade = by_agents(rows, tmp_path, front)
    failing = {"T1": ["/bin/false"], "T3": ["/bin/sleep", "60"]}
    runner = orchestrator(cascade, tmp_path, command_for=lambda task: failing[task.id])
    async for event in follow(runner):
        if event.kind is EventKind.TASK_FAILED:
            runner.stop(0.0)
    assert [problem.split(":")[0] for problem in await not_ready(cascade, tmp_path)] == ["T3"]
    (problem,) = await not_ready(cascade, tmp_path, retry_failed=True)
    assert problem.startswith("T1, T2, T3: ")


async def follow(runner: Orchestrator) -> AsyncIterator[Event]:
    """Run, and give what happens."""
    events = runner.events()
    running = asyncio.create_task(runner.run())
    async for event in events:
        yield event
    await running


@pytest.mark.parametrize("what", ["log_dir", "state_file", "journal"])
async def test_places_that_cannot_be_written(tmp_path: Path, what: str) -> None:
    """Each of the three files and folders of a run is looked at, and named with what to do."""
    (tmp_path / "file").touch()
    options: dict[str, object] = {
        "log_dir": tmp_path / "logs", "state_file": tmp_path / "s.json", "journal": tmp_path / "j.db",
    }  # fmt: skip
    options[what] = tmp_path / "file/below" / "x"
    with pytest.raises(NotReadyError) as found:
        await Orchestrator(plan("ID | What\nT1 | true"), root=tmp_path, **options).run()  # type: ignore[arg-type]
    (problem,) = found.value.problems
    assert f"{tmp_path / 'file'} is not a folder. Choose another place" in problem


async def test_another_machine_is_not_looked_at(tmp_path: Path) -> None:
    """Where somebody else places the attempts, what is installed here says nothing."""
    cascade = by_agents("ID | What | Cwd\nT1 | x | nowhere", tmp_path)
    strange = Strange(tmp_path, Change())
    report, _ = await run(cascade, tmp_path, executor=strange)
    assert strange.submitted
    assert states(report) == {"T1": "failed"}


def test_its_error_can_be_sent_to_another_process() -> None:
    """With all problems as they were."""
    for problems in (("one",), ("one", "two")):
        copy = pickle.loads(pickle.dumps(NotReadyError(problems)))
        assert (copy.problems, str(copy)) == (problems, str(NotReadyError(problems)))


@pytest.mark.parametrize(("year", "is_right"), [(1970, False), (2024, False), (2026, True), (2150, False)])
def test_a_clock_that_is_out_of_the_question(year: int, is_right: bool) -> None:
    """A machine whose clock stands at its beginning, or far ahead, could trust no certificate."""
    problem = readiness.clock_problem(datetime(year, 3, 4, tzinfo=UTC))
    assert (problem is None) is is_right
    assert (
        is_right or problem == f"the clock says {year}-03-04: set it, or agents will reject every server's certificate"
    )


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is noted, none at all is a problem."""
    look = Readiness(plan("ID | What\nT1 | true"), root=tmp_path, logs=tmp_path, files=(tmp_path / "s", tmp_path / "j"))
    assert not look.look([]).notes
    monkeypatch.setattr(readiness, "LITTLE_ROOM", 2**62)
    (note,) = look.look([]).noted()
    assert f" MB free in {tmp_path}" in note
    monkeypatch.setattr(readiness, "LEAST_ROOM", 2**61)
    assert look.look([]).sentences() == (note,)
    (tmp_path / "other").mkdir()
    places = {"logs": tmp_path / "other/logs", "files": (tmp_path / "other/s", tmp_path / "j")}
    look = Readiness(plan("ID | What\nT1 | true"), root=tmp_path, **places)
    assert len(look.look([]).sentences()) == 1, "one disk is told of once, whatever is written where"


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    """Other permissions would not help there."""
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=400k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk can be mounted by root only")
    try:
        problem = readiness.folder_problem("logs", tmp_path / "logs")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert problem is not None
    assert f"{tmp_path} is on a read-only file system. Choose another place" in problem


def test_several_problems_stand_below_each_other() -> None:
    """No line ends in a blank."""
    assert str(NotReadyError(["one"])) == "not started: one"
    assert str(NotReadyError(["one", "two"])) == "not started:\n  one\n  two"


def test_ten_thousand_tasks_need_few_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program and each folder is looked at once."""
    rows = "ID | What | Verify\n" + "\n".join(f"T{number} | x | true" for number in range(10_000))
    cascade = plan(rows)
    looks: list[Any] = []
    look = os.stat

    def counted(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
        looks.append(path)
        return look(path, *arguments, **more)

    monkeypatch.setattr(os, "stat", counted)
    found = Readiness(cascade, root=tmp_path, logs=tmp_path, files=(tmp_path / "s", tmp_path / "j")).look(
        list(cascade.tasks.values())
    )
    assert 0 < len(looks) < 200
    assert not found.problems


def test_every_agent_can_be_found_by_its_program(tmp_path: Path) -> None:
    """A program of that name on the path is the agent."""
    for agent in AGENTS.values():
        if agent.program:
            path = program(tmp_path / agent.program)
            assert readiness.find_agent(agent, {"PATH": str(tmp_path)}) == str(path)


@pytest.mark.parametrize(
    ("user", "permissions", "variable", "is_told"),
    [(0, "full", None, True), (0, "full", "1", False), (0, "edit", None, False), (1000, "full", None, False)],
)
def test_permissions_that_an_agent_refuses_to_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, permissions: str, variable: str | None, is_told: bool
) -> None:
    """Each such task would fail at its start; it is a note, since a wrapper of that name may know better."""
    program(tmp_path / "bin/claude")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.delenv("IS_SANDBOX", raising=False)
    if variable is not None:
        monkeypatch.setenv("IS_SANDBOX", variable)
    cascade = by_agents(f"ID | What | Permissions\nT1 | x | {permissions}", tmp_path / "bin")
    files = tmp_path / "state.json", tmp_path / "journal.db"
    found = Readiness(cascade, root=tmp_path, logs=tmp_path, files=files).look(cascade.tasks.values())
    told = 'T1: claude refuses `permissions = "full"` to root: run nova as another user, '
    told += "or set IS_SANDBOX=1 if this machine is a sandbox"
    assert (found.sentences(), found.noted()) == ((), (told,) if is_told else ())


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ('pass_env = "none"', True), ('pass_env = ["OPENAI_*"]', True), ("", False),
        ('pass_env = ["ANTHROPIC_*"]', False),
        ('pass_env = []\nenv = {ANTHROPIC_AUTH_TOKEN = "x"}', False),
        ('pass_env = []\nagent = "claude@a"\n[accounts.a]\nenv = {ANTHROPIC_API_KEY = "x"}', False),
        ('pass_env = []\nagent = "codex"', False),
    ],
)  # fmt: skip
def test_a_login_that_is_not_passed(front: str, told: bool) -> None:
    """An agent whose key is set here and does not reach it would fail each task, and nobody would know why."""
    cascade = parse_cascade(f"+++\n{front}\n+++\n- [ ] T1 Do it\n")
    here = {"ANTHROPIC_API_KEY": "x", "OPENAI_API_KEY": "y"}
    found = login_left_out(cascade.tasks["T1"], cascade.settings, here)
    sentence = "claude does not get ANTHROPIC_API_KEY, which is set here: add it to pass_env if it is to log in with it"
    assert found == (sentence if told else None)


def test_agents_that_follow_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of an order must be there; of one that could take over it is told that it cannot."""
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    cascade = parse_cascade('+++\nagent = ["claude", "codex"]\n+++\n- [ ] T1 Do it\n')
    files = (tmp_path / "state.json", tmp_path / ".nova" / "journal.db")
    look = Readiness(cascade, root=tmp_path, logs=tmp_path / "logs", files=files).look
    found = look(cascade.tasks.values())
    assert found.sentences() == ()
    assert found.noted() == ("T1: codex cannot take over at a usage limit: `codex` is not on PATH",)
    [problem] = look(cascade.with_options(agent=("codex", "claude")).tasks.values()).sentences()
    assert problem.startswith("T1: `codex` is not on PATH")
