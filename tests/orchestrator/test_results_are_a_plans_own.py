"""Whose result it is: a plan's path and a task's id, a tick of the author's, an attempt that was never finished."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from nova_async.cascade import Cascade, load_cascade
from nova_async.words import EventKind, Outcome, Phase, TaskState
from tests.orchestrator.test_running import FRONT, orchestrator, run, states


def write(path: Path, rows: str, front: str = "") -> Cascade:
    """Write a plan of shell scripts, and read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{FRONT}{front}\n+++\n# Test\n\n{rows}\n")
    return load_cascade(path)


TABLE = "| ID | What | Verify |\n|---|---|---|\n"


async def test_two_plans_with_the_same_name_and_ids_share_nothing(tmp_path: Path) -> None:
    """The second feature's tasks run although the first one's, of the same name, have completed."""
    rows = TABLE + "| T001 | echo {0} >> ran | - |\n| T002 | echo {0} >> ran | - |"
    plans = [write(tmp_path / f"specs/{name}/tasks.md", rows.format(name)) for name in ("001", "002")]
    for cascade in plans:
        report, _ = await run(cascade, tmp_path)
        assert report.ok
    assert sorted((tmp_path / "ran").read_text().split()) == ["001", "001", "002", "002"]
    for cascade in plans:  # and each of them remembers its own
        report, events = await run(cascade, tmp_path)
        assert report.ok
        assert not [event for event in events if event.kind is EventKind.ATTEMPT_STARTED]


async def test_one_plan_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan reached by another path, or through a link, is the same plan."""
    write(tmp_path / "plans/a.md", TABLE + "| T1 | echo x >> ran | - |")
    (tmp_path / "link.md").symlink_to(tmp_path / "plans/a.md")
    monkeypatch.chdir(tmp_path / "plans")
    for name in (tmp_path / "plans/a.md", tmp_path / "link.md", Path("a.md"), Path("../plans/a.md")):
        assert (await run(load_cascade(name), tmp_path))[0].ok
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_tick_completes_what_has_failed(tmp_path: Path) -> None:
    """Who ticks a failed task off says that it is done: its dependants run."""
    plan = "- [{}] T1 false\n- [ ] T2 echo x >> ran (depends on T1)\n"
    first = write(tmp_path / "p.md", plan.format(" "))
    assert states((await run(first, tmp_path))[0]) == {"T1": TaskState.FAILED, "T2": TaskState.BLOCKED}
    report, _ = await run(write(tmp_path / "p.md", plan.format("x")), tmp_path)
    assert report.ok
    assert report.exit_code == 0
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_tick_does_not_outvote_a_check_that_failed(tmp_path: Path) -> None:
    """An agent that ticks its own box before its check fails has completed nothing."""
    plan = "- [{}] T1 sed -i 's/\\[ \\] T1/[x] T1/' p.md\n  - verify: false\n- [ ] T2 echo x >> ran (depends on T1)\n"
    first = write(tmp_path / "p.md", plan.format(" "))
    report, _ = await run(first, tmp_path)
    assert report.tasks["T1"].outcome is Outcome.VERIFY
    again = load_cascade(tmp_path / "p.md")
    assert again.tasks["T1"].done
    report, _ = await run(again, tmp_path)
    assert states(report) == {"T1": TaskState.FAILED, "T2": TaskState.BLOCKED}
    assert not (tmp_path / "ran").exists()


CHECKED = TABLE + "| T1 | echo ran >> ran; echo 'Token usage: input=7, output=0, cache_read=0, cache_creation=0' | {} |"
SLOW = "sh -c 'echo checking; touch checking; while [ -e slow ]; do sleep 0.05; done'"


async def test_a_stop_while_a_task_is_checked_does_not_pay_its_agent_again(tmp_path: Path) -> None:
    """The next run only checks, and the sum of tokens is that of the one agent."""
    (tmp_path / "slow").touch()
    cascade = write(tmp_path / "p.md", CHECKED.format(SLOW))
    runner = orchestrator(cascade, tmp_path)
    running = asyncio.create_task(runner.run())
    while not (tmp_path / "checking").exists():
        await asyncio.sleep(0.01)
    runner.stop()
    report = await running
    assert states(report) == {"T1": TaskState.WAITING}
    (tmp_path / "slow").unlink()
    report, events = await run(cascade, tmp_path)
    assert report.ok
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert report.usage.total == 7
    assert [event.data["phase"] for event in events if event.kind is EventKind.PHASE_STARTED] == ["verify"]


async def test_a_tick_does_not_take_the_place_of_a_check_that_was_cut_short(tmp_path: Path) -> None:
    """An agent that ticked its box before the run was stopped during its check is still checked, and not paid again."""
    (tmp_path / "slow").touch()
    rows = "- [ ] T1 sed -i 's/\\[ \\] T1/[x] T1/' p.md; echo ran >> ran\n  - verify: " + SLOW.replace(
        "done'", "done; exit 3'"
    )
    runner = orchestrator(write(tmp_path / "p.md", rows), tmp_path)
    running = asyncio.create_task(runner.run())
    while not (tmp_path / "checking").exists():
        await asyncio.sleep(0.01)
    runner.stop()
    await running
    (tmp_path / "slow").unlink()
    again = load_cascade(tmp_path / "p.md")
    assert again.tasks["T1"].done
    report, _ = await run(again, tmp_path)
    assert report.tasks["T1"].outcome is Outcome.VERIFY
    assert (tmp_path / "ran").read_text() == "ran\n"


async def test_a_changed_prompt_is_another_task(tmp_path: Path) -> None:
    """What was only left to be checked is run again where its prompt has changed since."""
    (tmp_path / "slow").touch()
    runner = orchestrator(write(tmp_path / "p.md", CHECKED.format(SLOW)), tmp_path)
    running = asyncio.create_task(runner.run())
    while not (tmp_path / "checking").exists():
        await asyncio.sleep(0.01)
    runner.stop()
    await running
    (tmp_path / "slow").unlink()
    changed = write(tmp_path / "p.md", CHECKED.format(SLOW).replace("echo ran", "echo other"))
    assert (await run(changed, tmp_path))[0].ok
    assert (tmp_path / "ran").read_text() == "ran\nother\n"


async def test_what_is_checked_is_visible(tmp_path: Path) -> None:
    """While a check runs, the task shows its phase, its process and its words; the state file does too."""
    (tmp_path / "slow").touch()
    cascade = write(tmp_path / "p.md", CHECKED.format(SLOW))
    runner = orchestrator(cascade, tmp_path)
    running = asyncio.create_task(runner.run())
    while not (runner.views["T1"].activity or "").endswith(": checking"):
        await asyncio.sleep(0.01)
    view = runner.views["T1"]
    assert (view.state, view.phase) == (TaskState.IN_PROGRESS, Phase.VERIFY)
    assert b"checking" in Path(f"/proc/{view.pid}/cmdline").read_bytes()
    assert view.duration_seconds > 0
    assert view.usage.total == 7
    while (told := json.loads((tmp_path / "state.json").read_text())["tasks"]["T1"])["nova"]["phase"] != "verify":
        await asyncio.sleep(0.02)
    assert (told["status"], told["nova"]["usage_exact"]) == ("in_progress", False)
    runner.stop(grace=0)
    await running


async def test_a_plan_begun_anew_sums_only_what_it_used_since(tmp_path: Path) -> None:
    """What was spent before ``fresh`` is in no sum, in that run and in those after it; a retry's cost stays."""
    script = "echo 'Token usage: input=5, output=0, cache_read=0, cache_creation=0'; [ -e ok ]"
    cascade = write(tmp_path / "p.md", TABLE + f"| T1 | {script} | - |")
    assert (await run(cascade, tmp_path))[0].usage.total == 5
    assert (await run(cascade, tmp_path, retry_failed=True))[0].usage.total == 10
    (tmp_path / "ok").touch()
    report, _ = await run(cascade, tmp_path, fresh=True)
    assert (report.ok, report.usage.total) == (True, 5)
    assert (await run(cascade, tmp_path))[0].usage.total == 5


async def test_a_task_that_is_stopped_twice_while_it_is_checked(tmp_path: Path) -> None:
    """However often its check is cut short, its agent is paid once, and what it said is not lost."""
    (tmp_path / "slow").touch()
    cascade = write(tmp_path / "p.md", CHECKED.format(SLOW))
    for _ in range(3):
        runner = orchestrator(cascade, tmp_path)
        running = asyncio.create_task(runner.run())
        while not (tmp_path / "checking").exists():
            await asyncio.sleep(0.01)
        assert runner.views["T1"].usage.total == 7
        runner.stop()
        assert (await running).usage.total == 7
        (tmp_path / "checking").unlink()
    (tmp_path / "slow").unlink()
    report, _ = await run(cascade, tmp_path, retry_failed=True)
    assert report.ok
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert report.usage.total == 7


@pytest.mark.parametrize("then", [["retry_failed"], [], ["stopped"]], ids=["retried", "resumed", "stopped in between"])
async def test_a_tick_never_outvotes_a_check_that_failed(tmp_path: Path, then: list[str]) -> None:
    """Neither where failures are tried again nor where the next attempt came to no verdict."""
    script = "sed -i 's/\\[ \\] T1/[x] T1/' p.md; echo x >> ran; while [ -e slow ]; do sleep 0.05; done"
    first = write(tmp_path / "p.md", f"- [ ] T1 {script}\n  - verify: test -e good\n")
    await run(first, tmp_path)
    again = load_cascade(tmp_path / "p.md")
    assert again.tasks["T1"].done
    if then == ["stopped"]:
        (tmp_path / "slow").touch()
        runner = orchestrator(again, tmp_path, retry_failed=True)
        running = asyncio.create_task(runner.run())
        while len((tmp_path / "ran").read_text().split()) < 2:
            await asyncio.sleep(0.01)
        runner.stop()
        assert states(await running) == {"T1": TaskState.WAITING}
        (tmp_path / "slow").unlink()
    report, _ = await run(again, tmp_path, retry_failed="retry_failed" in then)
    assert states(report) == {"T1": TaskState.FAILED}
    assert report.tasks["T1"].outcome is Outcome.VERIFY


async def test_what_an_agent_came_to_is_written_down_with_its_end(tmp_path: Path) -> None:
    """Where the journal did not take it at once, it is there when the attempt ends: nobody pays the agent again."""
    (tmp_path / "slow").touch()
    cascade = write(tmp_path / "p.md", CHECKED.format(SLOW))
    await run(write(tmp_path / "other.md", TABLE + "| Z1 | true | - |"), tmp_path)
    book = sqlite3.connect(tmp_path / ".nova/journal.db", isolation_level=None)
    book.execute("create trigger full before insert on finished begin select raise(abort, 'no room'); end")
    runner = orchestrator(cascade, tmp_path)
    running = asyncio.create_task(runner.run())
    while not any("no room" in warning for warning in runner.run_view.warnings):
        await asyncio.sleep(0.01)
    book.execute("drop trigger full")
    book.close()
    runner.stop()
    await running
    (tmp_path / "slow").unlink()
    assert (await run(cascade, tmp_path))[0].usage.total == 7
    assert (tmp_path / "ran").read_text() == "ran\n"
