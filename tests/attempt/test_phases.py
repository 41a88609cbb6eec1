"""One attempt on this machine: its phases, what is known in each, and how it ends."""

import asyncio
import errno
import os
import shlex
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from nova_async.agents import AGENTS
from nova_async.attempt.ends import describe_refusal
from nova_async.attempt.local_attempt import LocalAttempt, run_attempt
from nova_async.records import AttemptFacts
from nova_async.words import Outcome, Phase
from nova_async.worker.limits import Limits
from tests.attempt.conftest import MakeJob
from tests.children import is_alive

DATA = Path(__file__).parents[1] / "data"


def git(folder: Path, *words: str) -> str:
    """Run git and return what it prints."""
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    return subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True).stdout


async def test_each_phase_is_told(tmp_path: Path, job: MakeJob) -> None:
    """The agent works, then its check: each with its own pid, and what the agent came to is known meanwhile."""
    git(tmp_path, "init", "-q")
    told: list[AttemptFacts] = []
    work = job("echo working; echo made > made", verify=("sh", "-c", "echo checking; test -e made"))
    end = await run_attempt(work, told.append, log_dir=tmp_path / "logs")
    assert (end.outcome, end.exit_code, end.error) == (Outcome.OK, 0, None)
    assert end.files_changed == ("made",)
    phases = [facts.phase for facts in told]
    assert list(dict.fromkeys(phases)) == [Phase.RUN, Phase.VERIFY, Phase.SETTLE]
    pids = {facts.phase: facts.pid for facts in told if facts.pid}
    assert pids[Phase.RUN] != pids[Phase.VERIFY]
    activities = {facts.phase: facts.activity for facts in told if facts.activity}
    check = "sh -c 'echo checking; test -e made'"
    assert activities == {Phase.RUN: "working", Phase.VERIFY: f"{check}: checking"}
    assert check in [facts.activity for facts in told]  # before it has printed anything
    checking = [facts for facts in told if facts.phase is Phase.VERIFY]
    assert all(facts.finished is not None and facts.finished.outcome is Outcome.OK for facts in checking)
    assert (tmp_path / "logs/A1.log").read_text() == "working\n"
    assert (tmp_path / "logs/A1~verify.log").read_text() == "checking\n"


async def test_a_stop_while_it_is_checked_keeps_the_agent(tmp_path: Path, job: MakeJob) -> None:
    """What the agent came to is kept; the next attempt only checks, and uses nothing."""
    (tmp_path / "sleeps").touch()
    work = job(
        "echo run >> runs; echo 'Token usage: input=1, output=2, cache_read=3, cache_creation=4'",
        verify=("sh", "-c", "touch checking; [ -e sleeps ] && sleep 60; true"),
    )
    attempt = LocalAttempt(work, tmp_path / "logs")
    running = asyncio.create_task(attempt.run())
    while not (tmp_path / "checking").exists():
        await asyncio.sleep(0.01)
    finished = attempt.facts.finished
    assert finished is not None
    assert finished.usage.total == attempt.facts.usage.total == 10
    attempt.stop(5.0)
    end = await running
    assert (end.outcome, end.phase) == (Outcome.CANCELLED, Phase.VERIFY)
    assert end.usage.total == 10
    (tmp_path / "sleeps").unlink()
    finished = replace(finished, cost_usd=0.5, usage_by_model={"m": finished.usage})
    again = job("echo run >> runs", number=2, verify=work.verify, finished=finished)
    end = await run_attempt(again, log_dir=tmp_path / "logs")
    assert (end.outcome, end.usage.total, end.id.number) == (Outcome.OK, 0, 2)
    assert (end.cost_usd, end.usage_by_model, end.usage_is_final) == (None, {}, True)
    assert (tmp_path / "runs").read_text() == "run\n"


OPENINGS = {
    "claude": "tools.sj.stdout", "codex": "cachewrite.json.stdout", "gemini": "empty.sj.stdout",
    "opencode": "tools.json.stdout", "qwen": "tools.sj.stdout",
}  # fmt: skip


@pytest.mark.parametrize("agent", OPENINGS)
@pytest.mark.parametrize("wrapper", ["sh", "script", "env"])
async def test_what_was_printed_decides_whether_a_result_must_come(
    tmp_path: Path, job: MakeJob, agent: str, wrapper: str
) -> None:
    """An agent whose events were seen has not succeeded without its final one, whatever it was started by."""
    begins = f"head -n 2 {DATA / agent / OPENINGS[agent]}"
    script = tmp_path / "w.sh"
    script.write_text(f"#!/bin/sh\n{begins}\n")
    script.chmod(0o755)
    command = {"sh": ("sh", "-c", begins), "script": (str(script), "prompt"), "env": ("env", "X=1", str(script))}
    end = await run_attempt(replace(job("", agent=agent), command=command[wrapper]), log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.LOST_TAIL
    assert end.error == "exited with code 0, but without a final result"


@pytest.mark.parametrize("agent", OPENINGS)
@pytest.mark.parametrize(
    "before", ["nice -n 5", "timeout 60", "stdbuf -oL", "nohup", "setsid -w", "sh -c", "bash -c", "env A=b nice sh -c"]
)
async def test_an_agent_that_nobody_named_is_judged_by_what_it_printed(
    tmp_path: Path, job: MakeJob, agent: str, before: str
) -> None:
    """Behind whatever starts it, its program tells who it is: exit code 0 is no success there, either."""
    program = tmp_path / AGENTS[agent].program
    program.write_text(f"#!/bin/sh\nhead -n 2 {DATA / agent / OPENINGS[agent]}\n")
    program.chmod(0o755)
    call = shlex.join([str(program), *AGENTS[agent].command("x")[1:]])
    words = shlex.split(before)
    command = (*words, f"cd . && {call}") if words[-1] == "-c" else (*words, *shlex.split(call))
    end = await run_attempt(replace(job("", agent=None), command=command), log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.LOST_TAIL
    assert end.session_id is not None


async def test_stopped_before_it_had_begun(tmp_path: Path, job: MakeJob) -> None:
    """Nothing is started then."""
    attempt = LocalAttempt(job("touch began"), tmp_path / "logs")
    attempt.stop(5.0)
    end = await attempt.run()
    assert end.outcome is Outcome.CANCELLED
    assert not (tmp_path / "began").exists()


@pytest.mark.parametrize("how", ["as a function", "as an attempt"])
async def test_a_cancellation_kills_and_is_delivered(tmp_path: Path, job: MakeJob, how: str) -> None:
    """Also when the caller is cancelled, nobody is left when he hears of it; an attempt just ends."""
    work, pid_file = job("trap '' TERM; echo $$ > pid; sleep 60 & wait"), tmp_path / "pid"
    attempt = LocalAttempt(work, tmp_path / "logs")
    begun = run_attempt(work, log_dir=tmp_path / "logs") if how == "as a function" else attempt.run()
    running = asyncio.create_task(begun)
    async with asyncio.timeout(20):
        while not pid_file.exists() or not pid_file.read_text().strip():
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
    assert not is_alive(int(pid_file.read_text()))
    assert running.cancelled() or running.result().outcome is Outcome.CANCELLED
    assert running.cancelled() is (how == "as a function")


async def test_what_ends_a_worker_has_ended_with_it(tmp_path: Path, job: MakeJob) -> None:
    """No task of a stop is left in the loop."""
    attempt = LocalAttempt(job("sleep 60"), tmp_path / "logs")
    attempt.on_change = lambda: attempt.facts.pid and attempt.stop(5.0)
    before = asyncio.all_tasks()
    end = await attempt.run()
    assert asyncio.all_tasks() == before
    assert end.outcome is Outcome.CANCELLED


async def test_who_has_ended_is_at_work_no_more(tmp_path: Path, job: MakeJob) -> None:
    """The number of the process may be a stranger's by then; which process it was stays known."""
    attempt = LocalAttempt(job("sleep 0.2"), tmp_path / "logs")
    pids: list[int | None] = []
    attempt.on_change = lambda: pids.append(attempt.facts.pid)
    await attempt.run()
    assert any(pids)
    assert attempt.facts.pid is None
    assert attempt.facts.pid_start_time


async def test_limits_are_the_attempts(tmp_path: Path, job: MakeJob) -> None:
    """What passes a limit is ended by us, and its error names the limit."""
    end = await run_attempt(job("sleep 60", limits=Limits(timeout=0.1)), log_dir=tmp_path / "logs")
    assert (end.outcome, end.ended_by_us) == (Outcome.TIMEOUT, True)
    assert "0.1 s" in (end.error or "")


async def test_what_cannot_begin(tmp_path: Path, job: MakeJob) -> None:
    """A missing program, a missing folder and a log that cannot be opened are told apart."""
    (tmp_path / "file").touch()
    cases = [
        ({"log_dir": tmp_path}, {"command": ("no-such",)}, Outcome.SPAWN_ERROR, "`no-such` is not on PATH"),
        ({"log_dir": tmp_path}, {"command": ("./no",)}, Outcome.SPAWN_ERROR, "`./no` does not exist"),
        ({"log_dir": tmp_path}, {"cwd": str(tmp_path / "none")}, Outcome.SPAWN_ERROR, "none"),
        ({"log_dir": tmp_path / "file"}, {}, Outcome.LOG_ERROR, "file"),
    ]  # fmt: skip
    for where, change, outcome, words in cases:
        end = await run_attempt(replace(job("true"), **change), **where)  # type: ignore[arg-type]
        assert end.outcome is outcome, end
        assert words in (end.error or "")


@pytest.mark.parametrize("checkout", [True, False])
@pytest.mark.parametrize(
    ("script", "verify", "phase"),
    [("exit 3", ("true",), Phase.RUN), ("true", ("false",), Phase.VERIFY), ("true", ("true",), Phase.VERIFY)],
)
async def test_the_end_names_the_phase_that_decided(
    tmp_path: Path, job: MakeJob, checkout: bool, script: str, verify: tuple[str, ...], phase: Phase
) -> None:
    """Not the look at what has changed, which comes after it."""
    if checkout:
        git(tmp_path, "init", "-q")
    end = await run_attempt(job(script, verify=verify), log_dir=tmp_path / "logs")
    assert end.phase is phase


async def test_what_outlived_the_agent_is_counted(tmp_path: Path, job: MakeJob) -> None:
    """It was ended with the attempt, which has succeeded all the same and was not ended by us."""
    end = await run_attempt(job("sleep 60 & echo $! > pid"), log_dir=tmp_path / "logs")
    assert (end.outcome, end.leftovers, end.ended_by_us) == (Outcome.OK, 1, False)
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_bytes_missing_in_the_log_are_told(tmp_path: Path, job: MakeJob) -> None:
    """While it runs and in its end, in the words of the disk."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/A1.log").symlink_to("/dev/full")
    attempt = LocalAttempt(job("echo lost; while [ ! -e go ]; do sleep 0.01; done"), tmp_path / "logs")
    running = asyncio.create_task(attempt.run())
    async with asyncio.timeout(20):
        while attempt.facts.log_error is None:
            await asyncio.sleep(0.01)
    (tmp_path / "go").touch()
    end = await running
    assert end.outcome is Outcome.OK
    assert end.log_error == "No space left on device (5 bytes not logged)"


async def test_only_a_plain_command_needs_no_total(tmp_path: Path, job: MakeJob) -> None:
    """What it does not say is not there; an agent that dies before its total has used more than it said."""
    plain = await run_attempt(job("true"), log_dir=tmp_path / "logs")
    agent = await run_attempt(replace(job("true", agent="claude"), command=("sh", "-c", "exit 1")), log_dir=tmp_path)
    assert (plain.usage_is_final, agent.usage_is_final) == (True, False)


async def test_a_stop_as_the_check_begins(tmp_path: Path, job: MakeJob) -> None:
    """The check does not even start; what the agent came to is kept."""
    attempt = LocalAttempt(job("true", verify=("touch", "checked")), tmp_path / "logs")
    attempt.on_change = lambda: attempt.facts.phase is Phase.VERIFY and attempt.stop(5.0)
    end = await attempt.run()
    assert (end.outcome, end.error) == (Outcome.CANCELLED, "stopped before verify ran")
    assert not (tmp_path / "checked").exists()


async def test_a_check_has_the_tasks_time(tmp_path: Path, job: MakeJob) -> None:
    """One that takes longer has failed."""
    work = job("true", verify=("sleep", "60"), limits=Limits(timeout=0.3))
    end = await run_attempt(work, log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.VERIFY
    assert "still running after 0.3 s (timeout)" in (end.error or "")


async def test_a_git_that_hangs_does_not_outlast_a_stop(
    tmp_path: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the one that runs nor any that would come after it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexec sleep 60\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    (tmp_path / ".git").mkdir()
    attempt = LocalAttempt(job("touch began"), tmp_path / "logs")
    running = asyncio.create_task(attempt.run())
    async with asyncio.timeout(10):
        while not (tmp_path / "asked").exists():
            await asyncio.sleep(0.01)
    attempt.stop(5.0)
    done, _ = await asyncio.wait([running], timeout=10)
    assert done, "it waits for a git that hangs"
    assert running.result().outcome is Outcome.CANCELLED
    assert not (tmp_path / "began").exists()


async def test_looking_leaves_the_checkout_alone(tmp_path: Path, job: MakeJob) -> None:
    """Not even git's own notes are brought up to date: an agent may be committing at this moment (G31)."""
    git(tmp_path, "init", "-q")
    (tmp_path / "old").write_text("x")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "start")
    os.utime(tmp_path / "old", (1, 1))  # so that git would have something to note
    index = (tmp_path / ".git/index").read_bytes()
    await run_attempt(job("true"), log_dir=tmp_path / "logs")
    assert (tmp_path / ".git/index").read_bytes() == index
    git(tmp_path, "status")
    assert (tmp_path / ".git/index").read_bytes() != index


async def test_the_first_commit_of_all_is_a_change(tmp_path: Path, job: MakeJob) -> None:
    """There was nothing to compare it with."""
    git(tmp_path, "init", "-q")
    script = "echo x > made; git add made; git -c user.name=t -c user.email=t@t commit -qm made"
    end = await run_attempt(job(script), log_dir=tmp_path / "logs")
    assert end.files_changed == ("made",)


def test_a_program_always_finds_its_files_and_its_family(job: MakeJob) -> None:
    """Whatever the plan lets through; its own variables count most."""
    here = {"PATH": "/bin", "HOME": "/me", "TMPDIR": "/t", "NOVA_WORKER": "/a.1", "SECRET": "x", "LANG": "C"}
    work = job("", pass_env=("LANG",), env={"HOME": "/plan"}, number=3)
    assert work.environment(here) == {
        "PATH": "/bin", "HOME": "/plan", "TMPDIR": "/t", "NOVA_WORKER": "/a.1", "LANG": "C", "NOVA_ATTEMPT": "3",
    }  # fmt: skip


async def test_a_check_that_cannot_run_or_fails(tmp_path: Path, job: MakeJob) -> None:
    """The agent's success is none without its check."""
    for verify, words in ((("no-such",), "verify could not run"), (("false",), "verify failed: exit code 1")):
        end = await run_attempt(job("true", verify=verify), log_dir=tmp_path / "logs")
        assert end.outcome is Outcome.VERIFY
        assert words in (end.error or "")


async def test_no_room_for_a_process(tmp_path: Path) -> None:
    """A machine without descriptors says nothing about the task."""
    program = Path(__file__).parents[1] / "programs" / "attempt_without_descriptors.py"
    command = [sys.executable, str(program), str(tmp_path)]
    done = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await done.communicate()
    assert said.decode().split() == ["no_resources"]


async def test_our_own_files_are_nobodys_change(tmp_path: Path, job: MakeJob) -> None:
    """Logs and state of the run are not among what an agent has changed; what it commits is."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "start")
    script = "echo x > state.json; echo y > made; git add made; git -c user.name=t -c user.email=t@t commit -qm made"
    ours = [tmp_path / "logs", tmp_path / "state.json"]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/mine.txt").touch()
    end = await LocalAttempt(job(script), tmp_path / "logs", ours).run()
    assert end.files_changed == ("made",)
    assert end.commit_sha == git(tmp_path, "rev-parse", "HEAD").strip()


async def test_a_checkouts_own_programs_are_not_run(tmp_path: Path, job: MakeJob) -> None:
    """What an agent has configured in its checkout is not executed by our looking at it."""
    git(tmp_path, "init", "-q")
    spy = tmp_path / "spy.sh"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/spied\n")
    spy.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(spy))
    await run_attempt(job("echo x > made"), log_dir=tmp_path / "logs")
    assert not (tmp_path / "spied").exists()


GITS: list[int] = []
"""The threads in which git was started."""


def note_git(event: str, arguments: tuple[object, ...]) -> None:
    """Note whoever starts git."""
    if event == "subprocess.Popen" and arguments[0] == "git":
        GITS.append(threading.get_ident())


async def test_git_is_looked_at_outside_of_the_loop(tmp_path: Path, job: MakeJob) -> None:
    """While git lists a large checkout and its files are looked at, the loop in which pipes are read goes on."""
    git(tmp_path, "init", "-q")
    for number in range(20_000):
        (tmp_path / f"f{number}").touch()
    sys.addaudithook(note_git)  # it cannot be taken back, and costs next to nothing
    GITS.clear()
    turns = 0
    attempt = asyncio.create_task(run_attempt(job("true"), log_dir=tmp_path / "logs"))
    while not attempt.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await attempt).outcome is Outcome.OK
    assert len(GITS) >= 4
    assert threading.get_ident() not in GITS
    assert turns > 100


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_what_the_machine_lacks_at_the_moment_is_no_verdict(number: int) -> None:
    """Processes, memory and descriptors come back; the task has done nothing wrong."""
    outcome, sentence = describe_refusal(OSError(number, os.strerror(number), "sh"), ("sh",))
    assert outcome is Outcome.NO_RESOURCES
    assert os.strerror(number) in sentence


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.ENOTDIR])
def test_a_disk_that_takes_no_log_is_no_verdict(number: int) -> None:
    """It may take one later, and the task has done nothing wrong; a folder that is closed to us stays closed."""
    log = Path("logs/F1.log")
    outcome, sentence = describe_refusal(OSError(number, os.strerror(number), log.absolute()), ("sh",), log)
    is_closed = number in (errno.EACCES, errno.ENOTDIR)
    assert outcome is (Outcome.LOG_ERROR if is_closed else Outcome.NO_RESOURCES)
    assert sentence == f"its log cannot be opened: {log.absolute()}: {os.strerror(number)}"


def test_a_thread_that_there_is_no_room_for_is_no_verdict() -> None:
    """Python has no error number for it, only these words; another failure of its kind may be a fault."""
    outcome, sentence = describe_refusal(RuntimeError("can't start new thread"), ("sh",))
    assert (outcome, sentence) == (Outcome.NO_RESOURCES, "the system could not start another thread")
    assert describe_refusal(RuntimeError("something else"), ("sh",))[0] is Outcome.SPAWN_ERROR


def replayed(name: str, then: str = "") -> tuple[str, ...]:
    """Return a command that prints a recording as the real program did, and does something beside."""
    return ("sh", "-c", f"{then}cat {DATA / name}")


async def test_a_task_that_was_allowed_nothing_has_not_completed(tmp_path: Path, job: MakeJob) -> None:
    """An agent that was refused its tools and says that it succeeded has not, where nothing came of its work."""
    work = replace(job("", agent="claude"), command=replayed("claude/refused-edit.sj.stdout"))
    end = await run_attempt(work, log_dir=tmp_path.parent / "logs")
    assert end.outcome is Outcome.DENIED
    assert end.denied
    assert all(name in (end.error or "") for name in end.denied)


@pytest.mark.parametrize("checkout", [True, False])
async def test_an_agent_that_got_round_a_refusal_has_completed(tmp_path: Path, job: MakeJob, checkout: bool) -> None:
    """Where something has changed, the refusal is only told."""
    if checkout:
        git(tmp_path, "init", "-q")
    command = replayed("claude/refused-edit.sj.stdout", then="echo x > made; ")
    end = await run_attempt(replace(job("", agent="claude"), command=command), log_dir=tmp_path / "logs")
    assert (end.outcome, bool(end.denied)) == (Outcome.OK, True)


@pytest.mark.parametrize("checkout", [True, False])
async def test_a_folder_in_which_nothing_has_changed(tmp_path: Path, job: MakeJob, checkout: bool) -> None:
    """Files that were there before, our own logs and state, and those of git are no work of the agent."""
    (tmp_path / "old").write_text("x")
    (tmp_path / "logs").mkdir()
    if checkout:
        git(tmp_path, "init", "-q")
    ours = [tmp_path / "logs", tmp_path / "state.json"]
    command = replayed("claude/refused-edit.sj.stdout", then="echo x > state.json; ")
    await asyncio.sleep(0.05)  # a file's time is no finer than the system's clock tick
    attempt = LocalAttempt(replace(job("", agent="claude"), command=command), tmp_path / "logs", ours)
    assert (await attempt.run()).outcome is Outcome.DENIED


@pytest.mark.parametrize("checkout", [True, False])
async def test_a_folder_that_is_named_from_where_we_stand(
    tmp_path: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch, checkout: bool
) -> None:
    """Our own files are no work of the agent either where the folder's name is relative, or leads through a link."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    if checkout:
        git(folder, "init", "-q")
    monkeypatch.chdir(folder)
    command = replayed("claude/refused-edit.sj.stdout", then="echo x > state.json; ")
    for number, (cwd, ours) in enumerate([(".", folder), (str(folder), tmp_path / "link"), ("../link", folder)], 1):
        work = replace(job("", number=number, agent="claude"), command=command, cwd=cwd)
        attempt = LocalAttempt(work, ours / "logs", [ours / "logs", ours / "state.json"])
        assert (await attempt.run()).outcome is Outcome.DENIED


async def test_who_may_only_look_has_not_failed_for_a_refusal(tmp_path: Path, job: MakeJob) -> None:
    """A review that was refused a tool has done its work: nothing was to change. The refusal is told."""
    work = replace(job("", agent="claude"), command=replayed("claude/refused-read.sj.stdout"), reads_only=True)
    end = await run_attempt(work, log_dir=tmp_path.parent / "logs")
    assert (end.outcome, end.denied) == (Outcome.OK, ("Bash",))


async def test_a_check_that_passes_outvotes_a_refusal(tmp_path: Path, job: MakeJob) -> None:
    """Who says how success is told is believed."""
    command = replayed("claude/refused-edit.sj.stdout")
    work = replace(job("", agent="claude", verify=("true",)), command=command)
    # The logs lie elsewhere: they would be something that has changed.
    end = await run_attempt(work, log_dir=tmp_path.parent / f"{tmp_path.name}-logs")
    assert (end.outcome, bool(end.denied)) == (Outcome.OK, True)


async def test_what_was_cancelled_while_it_started_has_run(tmp_path: Path, job: MakeJob) -> None:
    """Whatever had a process has a log, and may have used tokens that nobody has counted."""
    attempt = LocalAttempt(job("sleep 60", agent="claude"), tmp_path / "logs")
    pids: list[int] = []

    def cancel_at_once() -> None:
        if attempt.facts.pid and not pids:
            pids.append(attempt.facts.pid)
            running.cancel()

    attempt.on_change = cancel_at_once
    running = asyncio.create_task(attempt.run())
    end = await running
    assert pids
    assert not is_alive(pids[0])
    assert end.outcome is Outcome.CANCELLED
    assert end.log is not None
    assert not end.usage_is_final


@pytest.mark.parametrize("change", [{"agent": "nobody"}, {"command": "true"}], ids=str)
async def test_a_job_that_no_worker_takes(tmp_path: Path, job: MakeJob, change: dict[str, object]) -> None:
    """It ends as one whose command could not be started, and says why."""
    end = await run_attempt(replace(job("true"), **change), log_dir=tmp_path / "logs")  # type: ignore[arg-type]
    assert end.outcome is Outcome.SPAWN_ERROR
    assert end.error
