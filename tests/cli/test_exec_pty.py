"""``nova exec --pty``: the command has a terminal; ours, if there is one, is its keyboard."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from nova_async.cli.pty_relay import Relay
from tests.children import program
from tests.cli.command import HAS_SETSID, NOVA, in_a_terminal, nova, read_until

USER = program("terminal_user")


def test_without_a_terminal_of_ours(tmp_path: Path) -> None:
    """It has one all the same, of the usual size, controlled by it; what comes in a pipe is typed and not echoed."""
    done = nova("exec", "-q", "--pty", "--task", "F1", "--", *USER, cwd=tmp_path, input="a\nb")
    lines = done.stdout.splitlines()
    assert lines == ["terminal True True True True 80 24", r"read 'a\n'", "read 'b'", "the end"]
    assert done.returncode == 0
    assert (tmp_path / "logs/F1.log").read_bytes().replace(b"\r\n", b"\n") == done.stdout.encode()


def test_a_terminal_that_has_nothing_to_say_after_all() -> None:
    """That it was told to be readable, and is not, does not end the relay."""
    terminal, other = os.pipe()
    os.set_blocking(terminal, False)
    relay = Relay(0, terminal)
    try:
        assert relay._show()
        os.close(other)
        assert not relay._show()
    finally:
        for descriptor in (signal.set_wakeup_fd(-1), relay._news, terminal):
            os.close(descriptor)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
        ("kill -INT $$", 130),
        ("exec 0<&- 1>&- 2>&-; exit 5", 5),
    ],
)
def test_it_ends_as_the_command_ends(script: str, code: int, tmp_path: Path) -> None:
    """By a code or by a signal, also where it closes its terminal before."""
    done = nova("exec", "-q", "--pty", "--no-stdin", "--", "sh", "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(("content", "code"), [("#!/no/such/interpreter\n", 127), ("\x7fELF nonsense", 126)])
def test_what_cannot_run(content: str, code: int, tmp_path: Path) -> None:
    """The shells' codes, whether it shows before the start or at it."""
    (tmp_path / "tool").write_text(content)
    (tmp_path / "tool").chmod(0o755)
    done = nova("exec", "-q", "--pty", "--no-stdin", "--", "./tool", cwd=tmp_path)
    assert done.returncode == code
    assert "cannot run ./tool" in done.stdout
    assert nova("exec", "--pty", "no-such-program", cwd=tmp_path).returncode == 127


def test_all_of_the_output_passes(tmp_path: Path) -> None:
    """However much it is, and to its last line, though the terminal holds only a few kilobytes."""
    done = nova("exec", "-q", "--pty", "--no-stdin", "--", "seq", "200000", cwd=tmp_path)
    assert done.stdout.splitlines() == [str(number) for number in range(1, 200_001)]


def test_much_is_typed(tmp_path: Path) -> None:
    """More than the terminal takes at once waits, and nothing of it is lost."""
    text = "".join(f"{number}\n" for number in range(50_000))
    done = nova("exec", "-q", "--pty", "--", "wc", "-l", cwd=tmp_path, input=text)
    assert done.stdout.split() == ["50000"]


def test_it_is_told_to_stop_and_heard(tmp_path: Path) -> None:
    """SIGTERM reaches the command itself, and what it says then is shown and logged."""
    script = "trap 'echo tidying; exit 0' TERM; echo ready; while :; do sleep 0.01; done 2>/dev/null"
    command = [*NOVA, "exec", "--json", "--pty", "--no-stdin", "--task", "F1", "--", "sh", "-c", script]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\r\n"
        process.send_signal(signal.SIGTERM)
        assert b"tidying" in process.stdout.read()
        facts = json.loads(process.stderr.read().splitlines()[-1])
    assert (process.returncode, facts["end"], facts["leftovers"]) == (143, "terminated", 0)


def test_what_is_left_behind_is_ended(tmp_path: Path) -> None:
    """A process that keeps the terminal open delays the end by half a second, and is ended."""
    script = "trap '' HUP; sleep 60 & echo done"
    done = nova("exec", "--json", "--pty", "--no-stdin", "--", "sh", "-c", script, cwd=tmp_path)
    facts = json.loads(done.stderr.splitlines()[-1])
    assert done.stdout == "done\n"
    assert [process["name"] for process in facts["leftover_processes"]] == ["sleep"]


@pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
def test_our_keys_are_its_own(tmp_path: Path) -> None:
    """It has our size, hears of a new one, gets Ctrl-C and Ctrl-Z, and leaves our terminal as it was."""
    words = ("exec", "-q", "--pty", "--task", "F1", "--", *USER)
    with in_a_terminal(*words, cwd=tmp_path, columns=101, lines=33) as (process, terminal):
        before = termios.tcgetattr(terminal)
        read_until(terminal, b"terminal True True True True 101 33")
        os.write(terminal, b"hello\r")
        read_until(terminal, b"read 'hello")
        os.write(terminal, b"\x03")
        read_until(terminal, b"interrupted")
        os.write(terminal, b"\x1a")
        read_until(terminal, b"asked to stop")
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 50, 0, 0))
        read_until(terminal, b"size 50 20")
        os.write(terminal, b"quit\r")
        process.wait(20)
        assert termios.tcgetattr(terminal) == before
    assert process.returncode == 7


@pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
def test_our_terminal_is_given_back_after_a_signal(tmp_path: Path) -> None:
    """Also where nova is told to stop while the command has the keyboard."""
    with in_a_terminal("exec", "-q", "--pty", "--", *USER, cwd=tmp_path) as (process, terminal):
        before = termios.tcgetattr(terminal)
        read_until(terminal, b"terminal True")
        process.send_signal(signal.SIGTERM)  # setsid has become nova
        process.wait(20)
        assert termios.tcgetattr(terminal) == before
    assert process.returncode == 143


def test_an_agent_is_recognised_behind_it(tmp_path: Path) -> None:
    """Its events are read as those of the agent that the command names."""
    (tmp_path / "claude").write_text(
        '#!/bin/sh\necho \'{"type":"result","subtype":"success","is_error":false,"num_turns":1,"session_id":"s",'
        '"result":"hi","total_cost_usd":0.5,"modelUsage":{"m":{"inputTokens":3,"outputTokens":4}}}\'\n'
    )
    (tmp_path / "claude").chmod(0o755)
    words = ("--", "./claude", "-p", "x", "--output-format", "stream-json", "--verbose")
    done = nova("exec", "-q", "--json", "--pty", "--no-stdin", *words, cwd=tmp_path)
    facts = json.loads(done.stderr.splitlines()[-1])
    assert facts["agent"] == "claude"
    assert facts["token_usage"]["output_tokens"] == 4


def test_each_reader_finds_the_end(tmp_path: Path) -> None:
    """As with a pipe, the end stays the end, also for the next command that reads."""
    done = nova("exec", "-q", "--pty", "--", "sh", "-c", "cat; cat; cat; echo over", cwd=tmp_path, input="a\n")
    assert done.stdout == "a\nover\n"
