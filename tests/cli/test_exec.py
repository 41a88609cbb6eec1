"""``nova exec``: one supervised command, as people and scripts run it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nova_async import Worker
from nova_async.cascade.values import parse_limit_duration, parse_money, whole_number
from nova_async.cli.exec import Options, checked, limit
from nova_async.cli.summary import write_summary
from tests.children import is_alive, program
from tests.cli.command import HAS_SETSID, NOVA, in_a_terminal, nova, read_until

LINE = "Token usage: input=1234, output=567, cache_read=890, cache_creation=123"


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """Return the JSON summary: the last line on stderr."""
    answer = json.loads(done.stderr.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def test_output_passes_through_and_is_logged_and_counted(tmp_path: Path) -> None:
    """What the command prints is on our stdout and in its log; the summary is on stderr."""
    done = nova("exec", "--task", "F1", "--", "sh", "-c", f"echo hello; echo '{LINE}'; exit 3", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout == (tmp_path / "logs/F1.log").read_text() == f"hello\n{LINE}\n"
    assert re.search(r"nova: F1 failed in [\d.]+ s\n", done.stderr)
    assert "1,234 input · 567 output · 890 cache read · 123 cache creation" in done.stderr
    assert "logs/F1.log" in done.stderr


def test_bytes_pass_through_as_they_are(tmp_path: Path) -> None:
    """Also what is no text, and a lot of it."""
    odd = tmp_path / "odd"
    odd.write_bytes(os.urandom(3_000_000))
    done = subprocess.run([*NOVA, "exec", "--", "cat", str(odd)], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.stdout == odd.read_bytes()


@pytest.mark.parametrize(
    ("reported", "told"),
    [("1.23456", "cost    $1.23, as"), ("0.00421", "cost    $0.0042, as"), ("0", "cost    $0.00, as")],
)
def test_a_cost_is_written_as_everywhere(
    reported: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In cents, or with two digits where it is less than one."""
    result = {
        "type": "result", "subtype": "success", "is_error": False, "result": "x", "session_id": "s",
        "total_cost_usd": float(reported), "usage": {"input_tokens": 5, "output_tokens": 5},
    }  # fmt: skip
    with Worker("F1", "", log_dir=tmp_path, agent="claude") as worker:
        worker.start(["echo", json.dumps(result)])
        worker.wait()
        write_summary(worker)
    assert told in capsys.readouterr().err


def test_the_json_summary(tmp_path: Path) -> None:
    """--json writes the worker's whole state as one line of JSON on stderr."""
    done = nova("exec", "--json", "--task", "F1", "--", "echo", LINE, cwd=tmp_path)
    assert done.stdout == LINE + "\n"
    facts = summary(done)
    assert facts["status"] == "completed"
    assert facts["token_usage"] == {
        "input_tokens": 1234, "output_tokens": 567, "cache_read_tokens": 890, "cache_creation_tokens": 123,
    }  # fmt: skip


def test_quiet_is_about_nova(tmp_path: Path) -> None:
    """-q leaves the command's output as it is, and says nothing of its own but errors."""
    done = nova("exec", "-q", "--task", "F1", "--", "sh", "-c", "echo hi; echo no >&2; exit 3", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, "hi\nno\n", "")
    assert "cannot run no-such-program" in nova("exec", "-q", "no-such-program", cwd=tmp_path).stderr
    asked_for = nova("exec", "-q", "--json", "--task", "F1", "true", cwd=tmp_path)
    assert summary(asked_for)["status"] == "completed"


def test_no_output_only_logs(tmp_path: Path) -> None:
    """--no-output shows nothing of what the command prints; the summary is there."""
    done = nova("exec", "--no-output", "--task", "F1", "--", "echo", "hi", cwd=tmp_path)
    assert done.stdout == ""
    assert "F1 completed" in done.stderr
    assert (tmp_path / "logs/F1.log").read_text() == "hi\n"


def test_an_id_is_made_up(tmp_path: Path) -> None:
    """Without --task the log is named after the command and the time."""
    nova("exec", "--", "/bin/echo", "hi", cwd=tmp_path)
    (log,) = (tmp_path / "logs").glob("*.log")
    assert re.fullmatch(r"echo-\d{8}-\d{6}-\d+\.log", log.name)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--", "sh", "-c", "exit 42"], 42, "exit code 42"),
        (["--", "sh", "-c", "kill -TERM $$"], 143, "killed by SIGTERM"),
        (["--", "sh", "-c", "kill -KILL $$"], 137, "out of memory?"),
        (["--", "no-such-program"], 127, "cannot run no-such-program: No such file or directory"),
        (["--", "/etc/passwd"], 126, "cannot run /etc/passwd: Permission denied"),
        (["--cwd", "nowhere", "--", "true"], 127, "(nowhere)"),
        (["--timeout", "0.2s", "--", "sleep", "60"], 124, "still running after 0.2 s (timeout)"),
        (["--idle-timeout", "200ms", "--", "sleep", "60"], 124, "no output for 0.2 s (idle_timeout)"),
        (
            ["--max-tokens", "100", "--", "sh", "-c", f"echo '{LINE}'; sleep 60"],
            124,
            "token budget exceeded: 2,814 used, limit 100",
        ),
        (["--max-memory", "20MiB", "--", *program("hungry", "100")], 124, "used, limit 20 MiB (max_memory)"),
        (["--idle-timeout", "400ms", "--", "sleep", "60"], 124, "unless it prints something (idle_timeout 0.4 s)"),
        (["--timeout", "soon", "--", "true"], 2, "not a duration"),
        (["--max-memory", "much", "--", "true"], 2, "--max-memory: 'much' is not a size"),
        (["--task", "../x", "--", "true"], 2, "task id"),
        (["--agent", "clod", "--", "true"], 2, "unknown agent"),
        (["--stdin", "nowhere", "--", "true"], 2, "nowhere"),
        (["--log-dir", "/dev/null/x", "--", "true"], 2, "/dev/null"),
        ([], 2, "Missing argument"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, says: str, tmp_path: Path) -> None:
    """The command's own code; 127, 126 and 128+n as the shells have it; 124 for a limit; 2 for bad input."""
    done = nova("exec", *arguments, cwd=tmp_path, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == code, done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"timeout": "0"}, "--timeout: '0': a limit must be above 0"),
        ({"idle_timeout": "0s"}, "--idle-timeout: '0s': a limit must be above 0"),
        ({"linger": "0"}, "--linger: '0': a limit must be above 0"),
        ({"max_tokens": "0"}, "--max-tokens: '0': a budget must be above 0"),
        ({"max_tokens": "1M"}, "--max-tokens: '1M' is not a whole number"),
        ({"max_cost": "0"}, "--max-cost: '0': a budget must be above 0"),
        ({"max_cost": "5 EUR"}, "--max-cost: '5 EUR' is not an amount in US dollars (write 4.50)"),
    ],
)
def test_a_limit_that_is_none(limits: dict[str, str], says: str) -> None:
    """The message names the option as it was written, the value, and what can be written instead."""
    with pytest.raises(click.UsageError) as caught:
        checked(Options(command=("true",), **limits))
    assert says in str(caught.value)


def test_limits_are_written_as_in_a_plan(tmp_path: Path) -> None:
    """Money with its sign, numbers with underscores, and off for none."""
    checked(Options(command=("true",), log_dir=str(tmp_path), max_cost="$4.50", max_tokens="1_000", timeout="off"))
    assert limit("--max-cost", "$4.50", parse_money) == 4.5
    assert limit("--max-tokens", "1_000", whole_number(1)) == 1000
    assert limit("--timeout", "off", parse_limit_duration) is None


def test_options_of_the_command_are_its_own(tmp_path: Path) -> None:
    """Behind the program's name everything belongs to it, also without the two hyphens."""
    done = nova("exec", "echo", "--json", "-q", cwd=tmp_path)
    assert done.stdout == "--json -q\n"


def test_standard_input(tmp_path: Path) -> None:
    """A file or a pipe is given on, as by any command that runs another one; a file may be named instead."""
    (tmp_path / "prompt").write_text("from a file")
    assert nova("exec", "cat", cwd=tmp_path, input="from us").stdout == "from us"
    assert nova("exec", "--stdin", "-", "cat", cwd=tmp_path, input="from us").stdout == "from us"
    assert nova("exec", "--stdin", "prompt", "cat", cwd=tmp_path, input="unseen").stdout == "from a file"
    assert nova("exec", "--no-stdin", "cat", cwd=tmp_path, input="unseen").stdout == ""
    script = f"{shlex.join(NOVA)} exec -q cat < prompt; {shlex.join(NOVA)} exec -q cat < /dev/null"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("from a file", "")


def test_standard_input_streams(tmp_path: Path) -> None:
    """What comes is with the command at once: nothing waits for the end of a pipe, and nothing is kept in memory."""
    command = [*NOVA, "exec", "-q", "--", "cat"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_an_agent_is_not_given_a_pipe_in_which_nothing_happens(options: list[str], tmp_path: Path) -> None:
    """Such a pipe is what CI and cron give, and some agents wait for its end for ever."""
    (tmp_path / "claude").write_text("#!/bin/sh\ncat; echo over\n")
    (tmp_path / "claude").chmod(0o755)
    command = [*NOVA, "exec", *options, "--", "./claude"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == "over\n"
        assert "no input within 1 s, so claude gets none" in process.stderr.read()


@pytest.mark.parametrize("agent", [[], ["--agent", "claude"]])
def test_an_agent_is_given_what_there_is(agent: list[str], tmp_path: Path) -> None:
    """A prompt in a pipe, an empty one that is over, and whatever comes however late if that is asked for."""
    name = "reader" if agent else "claude"
    (tmp_path / name).write_text("#!/bin/sh\ncat; echo over\n")
    (tmp_path / name).chmod(0o755)
    for given in ("a prompt\n", ""):
        done = nova("exec", "-q", *agent, "--", f"./{name}", cwd=tmp_path, input=given)
        assert (done.stdout, done.stderr) == (f"{given}over\n", "")
    late = f"(sleep 1.2; echo late) | {shlex.join(NOVA)} exec -q --stdin - {shlex.join(agent)} -- ./{name}"
    done = subprocess.run(["sh", "-c", late], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("late\nover\n", "")


@pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
def test_a_terminal_is_not_given_on(tmp_path: Path) -> None:
    """The command runs in a session of its own: a terminal would give it nothing but errors."""
    with in_a_terminal("exec", "--task", "F1", "cat", cwd=tmp_path) as (_, terminal):
        read_until(terminal, b"F1 completed")


def test_nobody_reads_our_output(tmp_path: Path) -> None:
    """When the reader of our output leaves, the work goes on and is logged: it may be hours of paid work."""
    script = f"{' '.join(NOVA)} exec --json --task F1 -- seq 300000 2>summary | head -1"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n"
    errors = (tmp_path / "summary").read_text().splitlines()
    assert errors[0] == "nova: output is no longer shown (Broken pipe); it is still logged in logs/F1.log"
    assert json.loads(errors[-1])["status"] == "completed"
    assert (tmp_path / "logs/F1.log").read_text().splitlines()[-1] == "300000"


@pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
def test_ctrl_c_once(tmp_path: Path) -> None:
    """Ctrl-C asks the command to end, waits for it, and sums up; the exit code is 130."""
    script = "trap 'echo tidying; exit 0' TERM; echo ready $$; while :; do sleep 0.01; done"
    with in_a_terminal("exec", "--task", "F1", "--", "sh", "-c", script, cwd=tmp_path) as (process, terminal):
        read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        said = read_until(terminal, b"logs/F1.log")
    assert b"stopping F1; press Ctrl-C again to kill it" in said
    assert process.returncode == 130
    assert (tmp_path / "logs/F1.log").read_text().endswith("tidying\n")


@pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
def test_ctrl_c_twice(tmp_path: Path) -> None:
    """A second Ctrl-C kills at once what would not end."""
    script = "trap '' TERM; echo ready $$; while :; do sleep 0.01; done"
    command = ("exec", "--grace", "10m", "--task", "F1", "--", "sh", "-c", script)
    with in_a_terminal(*command, cwd=tmp_path) as (process, terminal):
        pid = int(re.search(rb"ready (\d+)", read_until(terminal, b"\n"))[1])  # type: ignore[index]
        os.write(terminal, b"\x03")
        read_until(terminal, b"again to kill it")
        os.write(terminal, b"\x03")
        read_until(terminal, b"logs/F1.log")
    assert process.returncode == 130
    assert not is_alive(pid)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_signals(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """SIGTERM and SIGHUP act as one Ctrl-C."""
    command = [*NOVA, "exec", "--json", "--task", "F1", "--", *program("silent")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        facts = json.loads(process.stderr.read())
    assert process.returncode == code
    assert facts["end"] == "terminated"
    assert not is_alive(facts["pid"])


def test_a_signal_is_heard_where_nobody_reads_what_we_say(tmp_path: Path) -> None:
    """Also with stderr closed, the first one ends the command."""
    words = [*NOVA, "exec", "--task", "F1", "--", *program("silent")]
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=20) == 143
        finally:
            process.kill()


def test_a_signal_that_was_inherited_ignored_stays_so(tmp_path: Path) -> None:
    """Under nohup a closed terminal does not end the work."""
    command = ["nohup", *NOVA, "exec", "--task", "F1", "--", *program("silent")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        ignored = re.search(r"SigIgn:\s+([0-9a-f]+)", Path(f"/proc/{process.pid}/status").read_text())
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert ignored is not None
    assert int(ignored[1], 16) & 1 << (signal.SIGHUP - 1)


def test_the_first_signal_names_the_end(tmp_path: Path) -> None:
    """Whatever comes after it, and insists."""
    script = "exec 2>/dev/null; trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"
    command = [*NOVA, "exec", "--grace", "10m", "--task", "F1", "--", "sh", "-c", script]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        asked = process.stdout.readline()
        process.send_signal(signal.SIGINT)
    assert (asked, process.returncode) == (b"asked\n", 143)


def test_an_agent_that_stays_after_its_failure_has_failed(tmp_path: Path) -> None:
    """That we ended it changes nothing about that."""
    result = {"type": "result", "subtype": "success", "is_error": True, "session_id": "s", "num_turns": 1}
    (tmp_path / "said").write_text(json.dumps({**result, "result": "no"}) + "\n")
    for is_error, code in (("true", 1), ("false", 0)):
        script = f"sed s/true/{is_error}/ said; exec sleep 60"
        done = nova("exec", "--agent", "claude", "--linger", "0.2s", "--", "sh", "-c", script, cwd=tmp_path)
        assert done.returncode == code, done.stderr


def test_killing_nova_itself(tmp_path: Path) -> None:
    """After kill -9 of nova nobody of its family lives on: its output ends, and so does its child."""
    script = "echo ready $$; setsid sleep 60 & trap '' TERM; while :; do sleep 0.01; done"
    command = [*NOVA, "exec", "--task", "F1", "--", "sh", "-c", script]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline().split()[1])
        watched = os.pidfd_open(pid)
        process.kill()
    import select

    assert select.select([watched], [], [], 5)[0]
    os.close(watched)
    assert not is_alive(pid)


def test_version_and_agents(tmp_path: Path) -> None:
    """Nova tells its version, and the agents that it knows, as a table and as JSON."""
    assert re.fullmatch(r"nova \d+\.\d+\.\d+\n", nova("--version", cwd=tmp_path).stdout)
    fake = tmp_path / "claude"
    fake.touch(mode=0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "COLUMNS": "200"}
    table = nova("agents", cwd=tmp_path, env=environment).stdout
    assert re.search(rf"claude +{re.escape(str(fake))} +claude -p PROMPT --output-format stream-json", table)
    known = json.loads(nova("agents", "--json", cwd=tmp_path, env=environment).stdout)
    assert [entry["agent"] for entry in known] == ["claude", "codex", "gemini", "opencode", "qwen"]
    assert known[0]["path"] == str(fake)


@pytest.mark.parametrize(("content", "code"), [("echo hi\n", 126), ("#!/no/such/interpreter\n", 127)])
def test_a_file_that_is_no_program(content: str, code: int, tmp_path: Path) -> None:
    """What only the start itself can tell has the shells' exit codes, too."""
    (tmp_path / "tool").write_text(content)
    (tmp_path / "tool").chmod(0o755)
    done = nova("exec", "./tool", cwd=tmp_path)
    assert done.returncode == code
    assert "cannot run ./tool" in done.stderr


def test_closed_standard_streams(tmp_path: Path) -> None:
    """Started with closed input and output, it supervises all the same."""
    script = f"{' '.join(NOVA)} exec --stdin - --task F1 -- sh -c 'cat; echo done' <&- >&-"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "logs/F1.log").read_text() == "done\n"


def test_output_that_does_not_block(tmp_path: Path) -> None:
    """An output that somebody made non-blocking is waited for as any other."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with subprocess.Popen(
        [*NOVA, "exec", "--task", "F1", "--", "seq", "300000"], cwd=tmp_path, stdout=theirs, stderr=subprocess.DEVNULL
    ):
        os.close(theirs)
        while not (tmp_path / "logs/F1.log").is_file() or (tmp_path / "logs/F1.log").stat().st_size < 1_000_000:
            pass  # so that the pipe is full
        with os.fdopen(ours, "rb") as output:
            shown = output.read()
    assert shown == (tmp_path / "logs/F1.log").read_bytes()


def test_an_argument_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 reach the command, and the JSON summary."""
    done = subprocess.run(
        [*NOVA, "exec", "--json", "--", "printf", b"a\xff"], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"a\xff"
    assert [os.fsencode(word) for word in json.loads(done.stderr)["command"]] == [b"printf", b"a\xff"]


def test_ctrl_c_before_anything_runs() -> None:
    """Until a command listens for it, Ctrl-C just ends nova, without a word: while a FIFO is opened, say."""
    program = (
        "import os, signal\nfrom nova_async.cli import app, main\n"
        "app.app.main = lambda **_: os.kill(os.getpid(), signal.SIGINT)\nmain.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_an_agent_that_nobody_named_is_noticed(tmp_path: Path) -> None:
    """The summary says whose output it looks like, and what to write."""
    output = Path(__file__).resolve().parents[1] / "data/codex/tools.json.merged"
    done = nova("exec", "--no-output", "--", "cat", str(output), cwd=tmp_path)
    assert "note    the output looks like codex's: use --agent codex to count its tokens" in done.stderr


def test_a_log_that_cannot_be_opened_is_not_blamed_on_the_command(tmp_path: Path) -> None:
    """It says which file it is."""
    (tmp_path / "logs").write_text("in the way")
    done = nova("exec", "--task", "F1", "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"nova: cannot open the log {tmp_path}/logs/F1.log: ")
