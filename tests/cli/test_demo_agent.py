"""The demo agent: it prints what Claude Code prints, and its numbers add up."""

import json
import signal
import subprocess
import sys

import pytest

from nova_async.agents import AGENTS, AgentReport

PROGRAM = "import sys; from nova_async.demo_agent import main; sys.exit(main(sys.argv[1:]))"
COMMAND = [sys.executable, "-W", "error", "-c", PROGRAM]


def run(prompt: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end, quickly."""
    return subprocess.run([*COMMAND, "--speed", "50", *options, "--", prompt], capture_output=True, timeout=30)


def read(output: bytes) -> AgentReport:
    """Return what Claude's reader makes of an output."""
    reader = AGENTS["claude"].reader("stream-json")
    reader.feed(output)
    reader.close()
    return reader.report


@pytest.mark.parametrize("prompt", ["Define the types.", "Write the store. (demo: sub-agent)", "-x", "Prüfe: „ä“"])
def test_the_streamed_tokens_are_the_total(prompt: str) -> None:
    """What it streams adds up to what its result says, in all and by model, and so does its cost."""
    done = run(prompt)
    assert (done.returncode, done.stderr) == (0, b"")
    *lines, last = done.stdout.splitlines(keepends=True)
    live, final = read(b"".join(lines)), read(done.stdout)
    assert final.usage_is_final
    assert not live.usage_is_final
    assert live.usage == final.usage
    assert live.usage_by_model == final.usage_by_model
    assert final.usage.total > 0
    bills = [bill["costUSD"] for bill in json.loads(last)["modelUsage"].values()]
    assert final.cost_usd == sum(bills) > 0
    assert final.is_error is False


def test_a_sub_agent_is_counted_under_its_own_model() -> None:
    """The sub-agent's model stands in the total beside the main one."""
    assert len(read(run("x (demo: sub-agent)").stdout).usage_by_model) == 2


def test_the_same_prompt_gives_the_same_numbers() -> None:
    """Tokens and session are drawn from the prompt; another prompt gives others."""
    first, second, other = (read(run(prompt).stdout) for prompt in ("a", "a", "b"))
    assert (first.usage, first.session_id) == (second.usage, second.session_id)
    assert first.usage != other.usage


def test_it_tells_what_it_does() -> None:
    """Its tool calls are read as activities."""
    reader = AGENTS["claude"].reader("stream-json")
    seen = set()
    for line in run("Define the types.").stdout.splitlines(keepends=True):
        reader.feed(line)
        seen.add(reader.report.activity)
    assert {"starting", "waiting for the model", "thinking"} <= seen
    assert any(activity and ": " in activity for activity in seen)


def test_overloaded_at_first() -> None:
    """Its first attempt ends as an overloaded API ends one, the second succeeds."""
    prompt = "x (demo: overloaded at first)"
    first, second = run(prompt), run(prompt, "--attempt", "2")
    assert first.returncode == 1
    report = read(first.stdout)
    assert (report.is_error, report.error_status, report.limit) == (True, 529, None)
    assert second.returncode == 0
    assert read(second.stdout).is_error is False


def test_it_fails() -> None:
    """A prompt that says so fails in every attempt, and its tokens count all the same."""
    done = run("x (demo: fails)", "--attempt", "3")
    assert done.returncode == 1
    report = read(done.stdout)
    assert report.is_error
    assert "2 tests still fail" in str(report.error)
    assert report.usage.total > 0


def test_it_is_interrupted_as_claude_is() -> None:
    """SIGINT ends it with a result that says so, whose total is what was streamed."""
    process = subprocess.Popen([*COMMAND, "--speed", "0.5", "x (demo: slow)"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(8)]
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    *more, last = rest.splitlines(keepends=True)
    assert json.loads(last)["subtype"] == "error_during_execution"
    live, final = read(b"".join([*lines, *more])), read(b"".join(lines) + rest)
    assert live.usage == final.usage
    assert final.error == "it was interrupted (aborted_streaming)"


def test_a_reader_that_leaves(tmp_path: object) -> None:
    """It ends without a traceback when nobody reads it."""
    process = subprocess.Popen(
        [*COMMAND, "--speed", "20", "x (demo: slow)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaints = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 1
    assert complaints == b""


def test_bad_usage() -> None:
    """An option that Claude does not have is refused with exit code 2."""
    done = subprocess.run([*COMMAND, "--speed", "0", "x"], capture_output=True, timeout=30)
    assert done.returncode == 2
    assert b"--speed must be above 0" in done.stderr
