"""``nova run`` and ``nova retry``: a whole plan from the command line, as people and scripts run it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nova_async.agents import AGENTS
from tests.children import is_alive, program
from tests.cli.command import HAS_SETSID, NOVA, in_a_terminal, nova, read_to_the_end, read_until

IN_A_TERMINAL = pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
LINE = "Token usage: input=1000, output=200, cache_read=30, cache_creation=4"
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "demo" / "CASCADE.md"


def write_plan(folder: Path, rows: str, settings: str = "") -> None:
    """Write a plan whose prompts are shell scripts."""
    (folder / "CASCADE.md").write_text(
        f"+++\ncommand = ['sh', '-c', '{{prompt}}']\nretries = 0\n{settings}\n+++\n# Shop\n"
        f"| ID | Name | What | Depends On |\n|---|---|---|---|\n{rows}\n"
    )


def test_a_whole_plan(tmp_path: Path) -> None:
    """Into a pipe: a line for each event, then the summary; the exit code is 0, and a second run has nothing to do."""
    rows = f"| F1 | Types | echo {LINE}; echo 1 >> ran | - |\n| F2 | Errors | echo 2 >> ran | F1 |"
    write_plan(tmp_path, rows, '[[milestone]]\nid = "half"\nmessage = "Half."\npercent = 50')
    done = nova("run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = [line.split(" ", 1)[-1] for line in done.stdout.splitlines()]
    assert told[:2] == ["Shop: 2 tasks", "F1 started (attempt 1) sh"]
    assert any(line.startswith("F1 completed in") and line.endswith("1,234 tokens") for line in told)
    assert "milestone: Half." in told
    assert told.index("F2 started (attempt 1) sh") > 2
    assert "Shop: 2 of 2 completed" in done.stdout
    assert "tokens  1,234: 1,000 input · 200 output · 30 cache read · 4 cache creation" in done.stdout
    again = nova("run", cwd=tmp_path)
    assert again.returncode == 0
    assert "Shop: 2 tasks, 2 already completed" in again.stdout
    assert (tmp_path / "ran").read_text() == "1\n2\n"
    status = nova("status", cwd=tmp_path)
    assert status.returncode == 0
    assert status.stdout.startswith("Shop: completed\n")
    assert nova("run", "--fresh", cwd=tmp_path).returncode == 0
    assert (tmp_path / "ran").read_text() == "1\n2\n1\n2\n"


def test_a_failure_and_its_retry(tmp_path: Path) -> None:
    """A failed task makes the exit code 1; the summary says why and what to do, and doing that works."""
    rows = "| F1 | Types | echo no such luck; test -e luck | - |\n| F2 | Errors | true | F1 |\n| F3 | Docs | true | - |"
    write_plan(tmp_path, rows)
    done = nova("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 3 completed, 1 failed, 1 blocked" in done.stdout
    assert "│ no such luck" in done.stdout
    assert "log     logs/F1.log" in done.stdout
    assert "blocked by F1: F2" in done.stdout
    assert "`nova retry F1`" in done.stdout
    assert nova("run", cwd=tmp_path).returncode == 1  # it stays failed until somebody says otherwise
    (tmp_path / "luck").touch()
    assert nova("retry", "F1", cwd=tmp_path).stdout == "F1 will run again with the next `nova run`\n"
    done = nova("run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "F1 started (attempt 2)" in done.stdout


def test_retry_failed(tmp_path: Path) -> None:
    """--retry-failed tries again all that failed."""
    write_plan(tmp_path, "| F1 | Types | test -e luck | - |")
    assert nova("run", cwd=tmp_path).returncode == 1
    (tmp_path / "luck").touch()
    assert nova("run", "--retry-failed", cwd=tmp_path).returncode == 0


def test_a_check_that_fails(tmp_path: Path) -> None:
    """Of a task whose check fails, the summary shows what the check printed."""
    write_plan(tmp_path, "| F1 | Types | echo all fine | - |", "verify = \"sh -c 'echo not at all; exit 1'\"")
    done = nova("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "F1 failed Types: verify" in done.stdout
    assert "│ not at all" in done.stdout


def test_retrying_what_never_ran(tmp_path: Path) -> None:
    """There must be a run, and it must have come to that task."""
    done = nova("retry", "F1", cwd=tmp_path)
    why = "nothing has been run here yet: .nova/journal.db does not exist"
    todo = "start one with `nova run`, or name the folder of the run"
    assert (done.returncode, done.stderr) == (2, f"nova: {why}; {todo}\n")
    assert nova("approve", "F1", cwd=tmp_path).stderr == done.stderr
    write_plan(tmp_path, "| F1 | Types | true | - |")
    nova("run", cwd=tmp_path)
    done = nova("retry", "F9", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "nova: no task F9 in CASCADE.md\n")


def test_json(tmp_path: Path) -> None:
    """--json: nothing but JSON, one event a line, the summary last."""
    write_plan(tmp_path, "| F1 | Types | exit 3 | - |")
    done = nova("run", "--json", cwd=tmp_path)
    assert done.returncode == 1
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["run_started", "attempt_started", "attempt_ended", "task_failed", "run_ended", "summary"]
    assert events[3]["task"] == "F1"
    assert events[-1]["tasks"]["F1"]["outcome"] == "exit"


def test_agents_work_where_nova_was_started(tmp_path: Path) -> None:
    """Or in --cwd; never in the folder of the plan. A task's own folder lies below."""
    (tmp_path / "specs/001").mkdir(parents=True)
    (tmp_path / "app/sub").mkdir(parents=True)
    write_plan(tmp_path / "specs/001", "| F1 | Types | pwd >> where | - |")
    plan = tmp_path / "specs/001/CASCADE.md"
    assert nova("run", plan, cwd=tmp_path).returncode == 0
    assert (tmp_path / "where").read_text() == f"{tmp_path}\n"
    assert nova("run", "specs/001/CASCADE.md", "--fresh", "--cwd", "app", cwd=tmp_path).returncode == 0
    assert (tmp_path / "app/where").read_text() == f"{tmp_path / 'app'}\n"
    write_plan(tmp_path / "specs/001", "| F1 | Types | pwd >> where | - |", 'cwd = "sub"')
    assert nova("run", "specs/001/CASCADE.md", "--fresh", "--cwd", "app", cwd=tmp_path).returncode == 0
    assert (tmp_path / "app/sub/where").read_text() == f"{tmp_path / 'app/sub'}\n"
    status = json.loads(nova("status", "--json", cwd=tmp_path).stdout)
    assert status["tasks"]["F1"]["nova"]["attempt"] == 3, "wherever it worked, the results are the plan's"


def test_a_plan_with_errors_starts_nothing(tmp_path: Path) -> None:
    """All problems are on stderr, and nothing was run or written."""
    write_plan(tmp_path, "| F1 | Types | touch ran | F9 |\n| F2 | Errors | touch ran | F2 |")
    done = nova("run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "E201" in done.stderr
    assert "E202" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["CASCADE.md"]


def test_another_command(tmp_path: Path) -> None:
    """--command replaces the plan's; its words are split before the prompt is put in."""
    write_plan(tmp_path, "| F1 | Types | a; touch oops | - |", 'agent = "claude"')
    done = nova("run", "--command", "echo '<{prompt}>' {task_id}", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "logs" / "F1.log").read_text() == "<a; touch oops> F1\n"
    assert not (tmp_path / "oops").exists()


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--agent", "cloude", "did you mean 'claude'?"),
        ("--agent", "plain", "is not one of claude"),
        ("--command", "'", "No closing quotation"),
        ("--command", " ", "no program given"),
        ("--max-workers", "0", "'0' is not a whole number from 1 up"),
    ],
)
def test_bad_usage(tmp_path: Path, option: str, value: str, told: str) -> None:
    """What makes no sense is said before anything starts; the exit code is 2."""
    write_plan(tmp_path, "| F1 | Types | true | - |")
    done = nova("run", option, value, cwd=tmp_path)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())


def test_only_one_run_in_a_directory(tmp_path: Path) -> None:
    """The second one says so and exits with 2; the first goes on."""
    write_plan(tmp_path, "| F1 | Types | echo ready; read line < fifo | - |")
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen([*NOVA, "run"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert any("F1 started" in line for line in first.stdout)
        second = nova("run", cwd=tmp_path)
        assert second.returncode == 2
        assert second.stderr.startswith("nova: ")
        assert "Traceback" not in second.stderr
        (tmp_path / "fifo").write_text("go\n")
        assert "1 of 1 completed" in first.stdout.read()
        assert first.wait(20) == 0


def test_nobody_reads_any_more(tmp_path: Path) -> None:
    """``nova run | head -1``: the work goes on unseen, and the exit code is that of the work."""
    rows = "| F1 | Types | read line < fifo | - |\n| F2 | Errors | true | F1 |"
    write_plan(tmp_path, rows)
    os.mkfifo(tmp_path / "fifo")
    process = subprocess.Popen([*NOVA, "run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    (tmp_path / "fifo").write_text("go\n")
    told = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 0
    assert "display stopped (Broken pipe); the run continues" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_being_told_to_stop(tmp_path: Path, number: int, code: int) -> None:
    """Signals end the agents and save the state; the next run goes on. Only of Ctrl-C is it said what it does next."""
    write_plan(tmp_path, "| F1 | Types | test -e go && exit 0; echo $$ > pid; sleep 300 | - |")
    with subprocess.Popen([*NOVA, "run"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("F1 started" in line for line in process.stdout)
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(20) == code
    assert "stopping F1" in rest
    assert ("press Ctrl-C again to kill them" in rest) == (number == signal.SIGINT)
    assert "Resume with `nova run`" in rest
    (tmp_path / "go").touch()
    assert nova("run", cwd=tmp_path).returncode == 0


@IN_A_TERMINAL
@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_on_a_terminal(tmp_path: Path, columns: int) -> None:
    """On a terminal one sees who runs and what it says; at the end only what stays, and the summary."""
    os.mkfifo(tmp_path / "fifo")
    write_plan(tmp_path, "| F1 | Types | read line < fifo | - |\n| F2 | Errors | exit 3 | F1 |")
    with in_a_terminal("run", cwd=tmp_path, columns=columns) as (process, terminal):
        seen = read_until(terminal, b"running")
        assert b"waits for F1" in seen + read_until(terminal, b"1/3 busy")
        (tmp_path / "fifo").write_text("go\n")
        rest = read_to_the_end(terminal)
    assert process.returncode == 1
    assert b"F2 failed after" in rest
    assert b"1 of 2 completed, 1 failed" in rest
    assert b"Traceback" not in rest


@IN_A_TERMINAL
def test_plain_on_a_terminal(tmp_path: Path) -> None:
    """--plain writes lines there, too."""
    write_plan(tmp_path, "| F1 | Types | true | - |")
    with in_a_terminal("run", "--plain", cwd=tmp_path) as (process, terminal):
        seen = read_to_the_end(terminal)
    assert process.returncode == 0
    assert b"F1 started (attempt 1) sh" in seen
    assert b"elapsed" not in seen


@IN_A_TERMINAL
def test_a_stopped_terminal_does_not_stop_the_work(tmp_path: Path) -> None:
    """While nobody reads the terminal (Ctrl-S), tasks go on to their end; what they told is shown later."""
    rows = "".join(f"| F{number} | {'x' * 60} | exit 3 | - |\n" for number in range(200))
    os.mkfifo(tmp_path / "fifo")
    last = f"| G1 | Gate | read line < fifo | - |\n{rows}| L1 | Last | echo done > fifo2 | G1 |"
    os.mkfifo(tmp_path / "fifo2")
    write_plan(tmp_path, last, "max_workers = 2")
    with in_a_terminal("run", cwd=tmp_path) as (process, terminal):
        (tmp_path / "fifo").write_text("go\n")
        assert (tmp_path / "fifo2").read_text() == "done\n"
        seen = read_to_the_end(terminal)
    assert process.returncode == 1
    assert seen.count(b" failed after ") == 200


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_output(tmp_path: Path, closed: str) -> None:
    """Whoever closed our output gets the work done all the same."""
    write_plan(tmp_path, "| F1 | Types | echo hi | - |")
    command = f'"$@" {closed}'
    done = subprocess.run(["sh", "-c", command, "sh", *NOVA, "run"], cwd=tmp_path, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "logs" / "F1.log").read_text() == "hi\n"


@IN_A_TERMINAL
def test_ctrl_c_once(tmp_path: Path) -> None:
    """Ctrl-C asks the agents to end, and waits for them; the exit code is 130."""
    rows = "| F1 | Types | trap 'echo bye; exit 0' TERM; echo $$ > up; read line < fifo | - |\n| F2 | x | true | F1 |"
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "up")
    write_plan(tmp_path, rows)
    with in_a_terminal("run", cwd=tmp_path) as (process, terminal):
        pid = int((tmp_path / "up").read_text())
        os.write(terminal, b"\x03")
        seen = read_to_the_end(terminal)
    assert b"stopping F1; press Ctrl-C again to kill them" in seen
    assert b"2 unfinished" in seen
    assert process.returncode == 130
    assert not is_alive(pid)


@IN_A_TERMINAL
def test_ctrl_c_twice(tmp_path: Path) -> None:
    """A second Ctrl-C kills those who do not listen."""
    stubborn = " ".join(program("stubborn"))
    write_plan(tmp_path, f"| F1 | Types | exec {stubborn} | - |", 'grace = "1h"')
    with in_a_terminal("run", cwd=tmp_path) as (process, terminal):
        read_until(terminal, b"running")
        log = tmp_path / "logs" / "F1.log"
        while not (log.exists() and "ready" in log.read_text()):
            pass
        os.write(terminal, b"\x03")
        read_until(terminal, b"Ctrl-C again to kill them")
        os.write(terminal, b"\x03")
        read_to_the_end(terminal)
    assert process.returncode == 130


def test_the_demo(tmp_path: Path) -> None:
    """The example for the demo agent runs to its end, with a retry on its way, and all its tokens are counted."""
    plan = EXAMPLE.read_text().replace('"demo-agent",', '"demo-agent", "--speed", "20",')
    (tmp_path / "CASCADE.md").write_text(plan.replace("1s..5s", "10ms..20ms"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where `nova` is
    done = nova("run", "--json", cwd=tmp_path, env={**os.environ, "PATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["task"] for event in events if event["event"] == "task_retrying"] == ["S2"]
    assert {event["id"] for event in events if event["event"] == "milestone"} == {"foundation", "half"}
    summary = events[-1]
    assert summary["ok"]
    assert summary["cost_is_complete"]
    bills = [
        json.loads(log.read_text().splitlines()[-1])["total_cost_usd"] for log in (tmp_path / "logs").glob("*.log")
    ]
    assert len(bills) == 13
    assert summary["cost_usd"] == pytest.approx(sum(bills))
    assert len(summary["token_usage_by_model"]) == 2


def test_what_agents_may_do_can_be_said_for_one_run(tmp_path: Path) -> None:
    """Permissions and further words of the command line stand above the plan's, and reach the agent as it is called."""
    write_plan(tmp_path, "| F1 | a | x | - |", "permissions = 'read'\nagent = 'codex'")
    fake = tmp_path / "bin/codex"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > called\n')
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    front = (tmp_path / "CASCADE.md").read_text()
    (tmp_path / "CASCADE.md").write_text(re.sub(r"^command = .*\n", "", front, flags=re.M))
    words = ["--permissions", "full", "--agent-arg", "--color", "--agent-arg", "never"]
    nova("run", *words, cwd=tmp_path, env=environment)
    called = (tmp_path / "called").read_text().split("\n")
    wanted = AGENTS["codex"].command("x", permissions="full", extra=["--color", "never"])
    assert called[:-1] == wanted[1:]
    refused = nova("run", "--permissions", "some", cwd=tmp_path)
    assert (refused.returncode, "--permissions" in refused.stderr) == (2, True)


def test_a_command_of_the_command_line_is_read_as_what_it_is(tmp_path: Path) -> None:
    """Whatever agent the plan was written for."""
    write_plan(tmp_path, f"| F1 | Types | {LINE} | - |", 'agent = "codex"')
    done = nova("run", "--command", "echo {prompt}", "--json", cwd=tmp_path)
    assert json.loads(done.stdout.splitlines()[-1])["token_usage"]["input_tokens"] == 1000


def test_an_agent_of_the_command_line_outvotes_the_plans_command(tmp_path: Path) -> None:
    """Who names one wants it, not the plan's own program."""
    (tmp_path / "codex").write_text("#!/bin/sh\ntouch called\n")
    (tmp_path / "codex").chmod(0o755)
    write_plan(tmp_path, "| F1 | Types | touch began | - |")
    nova("run", "--agent", "codex", cwd=tmp_path, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (tmp_path / "called").exists()
    assert not (tmp_path / "began").exists()


def test_a_changed_prompt_is_no_news_once_the_task_is_begun_anew(tmp_path: Path) -> None:
    """It is told as long as the earlier result counts."""
    write_plan(tmp_path, "| F1 | Types | true | - |")
    nova("run", cwd=tmp_path)
    write_plan(tmp_path, "| F1 | Types | true again | - |")
    assert "F1's prompt changed" in nova("plan", cwd=tmp_path).stderr
    nova("retry", "F1", cwd=tmp_path)
    assert nova("plan", cwd=tmp_path).stderr == ""


def test_a_plan_that_grows_while_it_is_run(tmp_path: Path) -> None:
    """An agent may plan more: which tasks are new is said at the end, and which command runs them."""
    (tmp_path / "CASCADE.md").write_text("- [ ] T1 Plan\n")
    grow = "printf -- '- [ ] T2 More\\n- [ ] T3 More\\n' >> CASCADE.md"
    done = nova("run", "--plain", "--command", shlex.join(["sh", "-c", grow]), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        0, "nova: new in the plan since this run began: T2, T3; `nova run` runs them\n",
    )  # fmt: skip
    done = nova("run", "--plain", "--command", "sh -c 'echo nonsense > nova.toml; touch CASCADE.md'", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "nova: new in the plan since the last run: T2, T3\n")


def test_a_gate_where_nobody_answers(tmp_path: Path) -> None:
    """The run ends with 1 and says what to approve; a look ahead says so, too."""
    (tmp_path / "CASCADE.md").write_text("- [ ] F1 Types\n- [ ] F2 Publish (deps: F1)\n  - gate: yes\n- [ ] F3 Tell\n")
    done = nova("run", "--plain", "--command", "true", cwd=tmp_path)
    assert done.returncode == 1
    assert "F2 waits for approval: `nova approve F2`" in done.stdout
    assert done.stdout.endswith("Approve with `nova approve F2`, then `nova run` goes on\n")
    ahead = nova("run", "--dry-run", "--command", "true", cwd=tmp_path).stdout
    assert "first `nova approve F2`" in ahead
    said = json.loads(nova("run", "--dry-run", "--json", "--command", "true", cwd=tmp_path).stdout)
    assert said["to_approve"] == ["F2"]
    last = json.loads(nova("run", "--json", "--command", "true", cwd=tmp_path).stdout.splitlines()[-1])
    assert last["tasks"]["F2"]["needs_approval"] is True
