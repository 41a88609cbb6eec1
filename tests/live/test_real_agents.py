"""The real agent CLIs under nova, without a network: what is counted is what a scripted model server has served.

Needs Linux, root, and the offline runner with its pinned CLIs beside the project; elsewhere these tests are skipped.
"""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async.agents import AGENTS
from tests.children import program
from tests.live.offline import MODELS, agents_folder, command_of, run_offline, what_is_missing

INSTALLED = agents_folder()
MISSING = what_is_missing(INSTALLED)
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
NOVA = Path(sys.executable).with_name("nova")

pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
    pytest.mark.skipif(not NOVA.exists(), reason="nova is not installed beside this Python"),
]


def offline(
    agent: str, scenario: str, folder: Path, *command: str, program: Path = NOVA, options: tuple[str, ...] = ()
) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Run nova (or ``program``) with a real agent on PATH and the scripted server; return it and what was served."""
    if not (INSTALLED / "bin" / agent).exists():
        pytest.skip(f"{agent} is not installed")
    done, served = run_offline(INSTALLED, agent, scenario, folder, [program, *command], *options)
    out, err = (os.fsdecode(text) for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err), served


@pytest.mark.parametrize(
    ("agent", "scenario"),
    [
        ("claude", "tools"),
        ("claude", "sub"),
        ("claude", "nohup"),
        *((name, "tools") for name in ("codex", "gemini", "opencode", "qwen")),
    ],
)
def test_what_is_counted_is_what_was_served(agent: str, scenario: str, tmp_path: Path) -> None:
    """A real agent's run, called as nova calls it: completed, counted to the token, and nobody left."""
    command = command_of(agent)
    done, served = offline(agent, scenario, tmp_path, "exec", "--json", "--quiet", "--task", "T1", "--", *command)
    facts = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, facts["status"]) == (0, "completed"), facts["error"]
    # opencode never prints its side calls; the other four have none here, or count them.
    assert facts["token_usage"] == served["totals_without_side_calls" if agent == "opencode" else "totals"]
    assert served["left_running"] == []


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_nobody_is_left_of_one_that_is_ended(agent: str, tmp_path: Path) -> None:
    """An agent that is ended in the middle of a long command leaves neither the command nor itself (G35, G36)."""
    command = command_of(agent)
    options = ("--json", "--quiet", "--timeout", "9s", "--task", "T1", "--")
    done, served = offline(agent, "sleeptool", tmp_path, "exec", *options, *command)
    facts = json.loads(done.stderr.splitlines()[-1])
    # Codex gives its command ten seconds and then goes on by itself.
    assert facts["end"] in ("timed_out", "exited"), facts
    assert served["left_running"] == []
    # What it has not printed by then stands in the files of its session.
    assert facts["token_usage"] == served["totals_without_side_calls" if agent == "opencode" else "totals"]
    if agent == "claude":  # interrupted first, it prints its totals (G37)
        assert facts["usage_is_final"]
        assert facts["token_usage"] == served["totals"]


def test_a_cascade_of_real_agents(tmp_path: Path) -> None:
    """A small plan run by the real Claude Code: completed, with the tokens that were served."""
    rows = "| F1 | Do it. | - |\n| F2 | Do it. | - |\n| F3 | Do it. | F1, F2 |\n"
    (tmp_path / "CASCADE.md").write_text(f"# Live\n\n| ID | What | Deps |\n|---|---|---|\n{rows}")
    done, served = offline("claude", "tools", tmp_path, "run", "--agent", "claude", "--plain", "--max-workers", "2")
    assert done.returncode == 0, done.stdout
    tasks = json.loads((tmp_path / "cascade_state.json").read_text())["tasks"].values()
    counted = {kind: sum(task["token_usage"][kind] for task in tasks) for kind in served["totals"]}
    assert counted == served["totals"]
    assert served["left_running"] == []


NAMES = ["claude", "codex", "gemini", "opencode", "qwen"]


def facts_of(done: subprocess.CompletedProcess[str]) -> Any:
    """Return what ``nova exec --json`` has told of the worker."""
    return json.loads(done.stderr.splitlines()[-1])


def tasks_and_tokens(folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the tasks of the state file, and the sums of their tokens."""
    tasks = json.loads((folder / "cascade_state.json").read_text())["tasks"]
    kinds = next(iter(tasks.values()))["token_usage"]
    return tasks, {kind: sum(task["token_usage"][kind] for task in tasks.values()) for kind in kinds}


# What people write, and what each agent would take for a command or an option of its own.
NEWCOMERS_PLAN = """+++
agent = "{agent}"
permissions = "{permissions}"
+++
# Live

| ID | What | Deps |
|---|---|---|
| T1 | /users endpoint answers 500 | - |
| T2 | -v is broken | T1 |
"""
OURS = {"CASCADE.md", "cascade_state.json", "served.json", "logs", ".nova"}


@pytest.mark.parametrize("agent", NAMES)
@pytest.mark.parametrize("permissions", ["read", "edit"])
def test_a_newcomers_plan(agent: str, permissions: str, tmp_path: Path) -> None:
    """Without any settings ``edit`` changes files, or says why nothing came of it; ``read`` changes nothing."""
    (tmp_path / "CASCADE.md").write_text(NEWCOMERS_PLAN.format(agent=agent, permissions=permissions))
    done, served = offline(agent, "work", tmp_path, "run", "--plain", options=("--newcomer",))
    tasks, counted = tasks_and_tokens(tmp_path)
    made = {path.name for path in tmp_path.iterdir()} - OURS
    failed = {task_id: task["error"] for task_id, task in tasks.items() if task["status"] == "failed"}
    if permissions == "read":
        assert (made, failed) == (set(), {}), done.stdout
    else:  # the second task has nothing new to write: refused the rest, it has not completed
        assert made or "T1" in failed, done.stdout
    assert done.returncode == bool(failed), done.stdout
    assert all(error and error in done.stdout for error in failed.values()), done.stdout
    # Whatever the prompt begins with, the model was asked; opencode never prints its side calls.
    assert counted == served["totals_without_side_calls" if agent == "opencode" else "totals"]
    assert served["calls"] >= len(tasks) - ("T1" in failed)
    assert served["left_running"] == []


STOPPED_WHILE_CHECKED = """+++
agent = "{agent}"
+++
# Live

| ID | What | Deps | Verify |
|---|---|---|---|
| T1 | Do the thing. | - | sh -c "echo >> checks; test -e resumed \\|\\| {{ echo > checking; sleep 300; }}" |
| T2 | Do the next. | T1 | true |
"""
STOP_AND_RESUME = """
{nova} run --plain & read line < checking; kill -{signal} $!; wait $!; echo "first: $?"
touch resumed; exec {nova} run --plain
"""
CALLS = 3  # of the model, for one task in the scenario `tools`


@pytest.mark.parametrize("agent", ["claude", "codex", "qwen"])
@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_a_stop_during_the_check_pays_no_agent_twice(agent: str, signal: str, tmp_path: Path) -> None:
    """Stopped or killed while a task is checked, the next run checks it again and asks no model for it."""
    (tmp_path / "CASCADE.md").write_text(STOPPED_WHILE_CHECKED.format(agent=agent))
    os.mkfifo(tmp_path / "checking")
    script = STOP_AND_RESUME.format(nova=shlex.quote(str(NOVA)), signal=signal)
    done, served = offline(agent, "tools", tmp_path, "-c", script, program=Path("/bin/sh"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"first: {143 if signal == 'TERM' else 137}" in done.stdout
    tasks, counted = tasks_and_tokens(tmp_path)
    outcomes = [attempt["outcome"] for attempt in tasks["T1"]["nova"]["attempts"]]
    assert outcomes == ["cancelled" if signal == "TERM" else "lost", "ok"]
    assert (tmp_path / "checks").read_text() == "\n\n"
    assert served["calls"] == CALLS * len(tasks)
    assert counted == served["totals"]
    assert served["left_running"] == []


SLACK = 0.25  # seconds for an answer's last bytes to be read


def assert_all_is_counted(counted: dict[str, int], served: Any, folder: Path) -> None:
    """Every answer, but for those whose requests were open when the run's budget stopped their agents.

    The server's log knows which these were.
    """
    book = sqlite3.connect(folder / ".nova/journal.db")
    told = book.execute("SELECT at FROM events WHERE kind = 'warning' AND data LIKE '%asked to stop%'").fetchall()
    book.close()
    stops = [datetime.fromisoformat(at).timestamp() for (at,) in told]
    calls = [call for run in served["runs"].values() for call in run["calls"] if call["completed"]]
    was_open = [call for call in calls if any(call["t0"] <= stop <= call["t1"] + SLACK for stop in stops)]
    tokens, whole = sum(counted.values()), sum(served["totals"].values())
    doubtful = sum(sum(call["billed"].values()) for call in was_open)
    assert stops
    assert whole - doubtful <= tokens <= sum(served["totals_with_cut_answers"].values())


def spent(attempt: dict[str, Any]) -> float:
    """Return what an attempt has cost; an agent that is interrupted in an answer mostly tells it, but not always."""
    told = attempt["estimated_usd"] if attempt["cost_usd"] is None else attempt["cost_usd"]
    return float(told)


def test_a_loop_ends_near_the_runs_budget(tmp_path: Path) -> None:
    """An agent that would never end, and tells its cost at its end alone, is held to what the run may spend."""
    front = "+++\nbudget_usd = 0.50\nagent = 'claude'\nagent_args = '--allowedTools Bash'\n+++\n"
    (tmp_path / "CASCADE.md").write_text(f"{front}# Live\n\n| ID | What |\n|---|---|\n| T1 | Do it. |\n")
    done, served = offline("claude", "loop", tmp_path, "run", "--plain", options=("--timeout", "60"))
    tasks, counted = tasks_and_tokens(tmp_path)
    assert (done.returncode, tasks["T1"]["status"]) == (1, "pending"), done.stdout
    # One call costs 0.1; the one that the stop has cut counts against the budget, but not in the agent's own total.
    assert 0.5 - 0.11 <= spent(tasks["T1"]["nova"]["attempts"][0]) < 0.75
    assert_all_is_counted(counted, served, tmp_path)
    assert served["left_running"] == []


SEVERAL_AGENTS = """+++
agent = "{agent}"
agent_args = {{claude = "--allowedTools Bash"}}
max_workers = 3
{budget}
+++
# Live

| ID | What |
|---|---|
| T1 | Do it. |
| T2 | Do it. |
| T3 | Do it. |
| T4 | Do it. |
"""
STOP_AND_RAISE = """
{nova} run --plain; echo "first: $?"; {nova} run --plain; echo "second: $?"
ANTHROPIC_BASE_URL=$NOVA_FAKE_URL/r/claude/single; export ANTHROPIC_BASE_URL
test -z "$CODEX_HOME" || sed -i 's,/loop,/single,' "$CODEX_HOME/config.toml"
exec {nova} run --plain {raised}
"""


@pytest.mark.parametrize(
    ("agent", "budget", "raised"),
    [
        ("claude", "budget_usd = 0.50", "--budget 5"),
        ("codex", "budget_tokens = 100_000", "--budget-tokens 2_000_000"),
    ],
)
def test_a_run_is_stopped_by_its_budget_and_goes_on_with_more(
    agent: str, budget: str, raised: str, tmp_path: Path
) -> None:
    """Of several agents at work, each exceeds it by one call at most; with more, all go on in their sessions."""
    (tmp_path / "CASCADE.md").write_text(SEVERAL_AGENTS.format(agent=agent, budget=budget))
    script = STOP_AND_RAISE.format(nova=shlex.quote(str(NOVA)), raised=raised)
    done, served = offline(agent, "loop", tmp_path, "-c", script, program=Path("/bin/sh"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first: 1" in done.stdout
    assert "second: 1" in done.stdout, "the same budget does not do"
    tasks, counted = tasks_and_tokens(tmp_path)
    attempts = [task["nova"]["attempts"] for task in tasks.values()]
    stopped = [each for tries in attempts for each in tries[:-1]]
    assert len(stopped) >= 3
    assert {each["outcome"] for each in stopped} == {"cancelled"}
    assert {tries[-1]["outcome"] for tries in attempts} == {"ok"}
    assert all(len({each["session_id"] for each in tries}) == 1 for tries in attempts), "they went on"
    if agent == "claude":  # one call costs 0.1; some of those that were cut are not in the agents' own totals
        assert 0.5 - 3 * 0.11 <= sum(map(spent, stopped)) < 0.5 + 3 * 0.11
    assert_all_is_counted(counted, served, tmp_path)
    assert served["left_running"] == []


@pytest.mark.parametrize("agent", ["codex", "gemini"])
def test_tokens_that_are_told_at_the_end_alone_are_limited_before(agent: str, tmp_path: Path) -> None:
    """An agent that would never end is held to its tokens by the files of its session, as far as a call goes."""
    limit, call = 60_000, 12_000
    command = command_of(agent)
    options = ("--json", "--quiet", "--max-tokens", str(limit), "--task", "T1", "--")
    done, served = offline(agent, "loop", tmp_path, "exec", *options, *command, options=("--timeout", "60"))
    facts = facts_of(done)
    assert facts["end"] == "over_budget", facts
    assert limit < sum(facts["token_usage"].values()) <= sum(served["totals"].values()) < limit + 4 * call
    assert facts["usage_source"] == "session_files"


@pytest.mark.parametrize("agent", ["codex", "opencode"])
def test_sub_agents_that_nobody_prints_are_counted(agent: str, tmp_path: Path) -> None:
    """Their calls stand in the files of the session; Codex's sum is then whole, opencode's lacks what names it."""
    command = command_of(agent)
    if agent == "codex":
        command[command.index("--") : command.index("--")] = ["-m", "gpt-5.1-codex"]
    arguments = ("exec", "--json", "--quiet", "--task", "T1", "--", *command)
    done, served = offline(agent, "sub", tmp_path, *arguments)
    facts = facts_of(done)
    assert facts["token_usage"] == served["totals_without_side_calls"]
    assert facts["usage_is_final"] is (agent == "codex")


@pytest.mark.parametrize("prompt", ["/users endpoint answers 500", "/init", "-x is no option", "--help", "-", "help"])
@pytest.mark.parametrize("agent", NAMES)
def test_a_prompt_reaches_the_model(agent: str, prompt: str, tmp_path: Path) -> None:
    """Whatever it begins with, the model is asked it, and nothing else is done with it."""
    command = AGENTS[agent].command(prompt, MODELS.get(agent))
    requests = tmp_path / "requests"
    arguments = ("exec", "--json", "--quiet", "--task", "T1", "--", *command)
    done, served = offline(agent, "single", tmp_path, *arguments, options=("--dump", str(requests)))
    assert facts_of(done)["status"] == "completed"
    assert served["calls"] >= 1
    asked = "".join(path.read_text() for path in requests.iterdir())
    assert json.dumps(prompt)[1:-1] in asked


def outcomes_of(folder: Path) -> list[str]:
    """Return how the attempts of the only task ended."""
    task = json.loads((folder / "cascade_state.json").read_text())["tasks"]["T1"]
    return [attempt["outcome"] for attempt in task["nova"]["attempts"]]


def write_plan(folder: Path, front: str) -> None:
    """Write a plan of one task."""
    (folder / "CASCADE.md").write_text(f"+++\n{front}\n+++\n# Live\n\n| ID | What |\n|---|---|\n| T1 | Do it. |\n")


REFUSED = {
    # Claude would try the refused key for three minutes more.
    "claude": "the API rejected the key",
    "codex": "unexpected status 401 Unauthorized",
    "gemini": "fake UNAUTHENTICATED",
    "opencode": "fake invalid_api_key",
    "qwen": "fake invalid_api_key",
}


@pytest.mark.parametrize("agent", NAMES)
def test_a_refused_key_is_told_and_not_tried_again(agent: str, tmp_path: Path) -> None:
    """The task ends as ``auth`` in its first attempt, in the agent's own words, long before its agent would give up."""
    write_plan(tmp_path, f"agent = '{agent}'\nretries = 3")
    done, served = offline(agent, "err401", tmp_path, "run", "--plain", options=("--timeout", "60"))
    assert outcomes_of(tmp_path) == ["auth"], done.stdout
    assert done.returncode == 1
    assert REFUSED[agent] in done.stdout
    assert served["left_running"] == []


KEYS = {"claude": "ANTHROPIC_API_KEY", "codex": "FAKE_KEY", "gemini": "GEMINI_API_KEY", "qwen": "OPENAI_API_KEY"}


@pytest.mark.parametrize("agent", KEYS)
def test_a_missing_key_is_told(agent: str, tmp_path: Path) -> None:
    """Without a login nothing is asked of the model, and the sentence says what is missing."""
    command = ["env", "-u", KEYS[agent], *command_of(agent)]
    write_plan(tmp_path, f"agent = '{agent}'\ncommand = {json.dumps(command)}")
    done, served = offline(agent, "single", tmp_path, "run", "--plain", options=("--timeout", "60"))
    assert outcomes_of(tmp_path) == ["auth"], done.stdout
    assert "log in" in done.stdout or "logged in" in done.stdout or KEYS[agent] in done.stdout
    assert served["calls"] == 0
    assert served["left_running"] == []


def test_a_busy_service_is_tried_again(tmp_path: Path) -> None:
    """A 429 to the end of the agent's own patience is ``overload``, which a later attempt may survive."""
    write_plan(tmp_path, "agent = 'codex'\nretries = 0\nbackoff = '0.1s..0.2s'")
    done, served = offline("codex", "always429", tmp_path, "run", "--plain", options=("--timeout", "30"))
    assert outcomes_of(tmp_path)[:2] == ["overload", "overload"], done.stdout
    assert served["left_running"] == []


def test_a_service_that_cannot_be_reached_is_tried_again(tmp_path: Path) -> None:
    """Without an HTTP status it is ``network``, which a later attempt may survive."""
    write_plan(tmp_path, "agent = 'claude'\nretries = 0\nbackoff = '0.1s..0.2s'")
    nobody = ("--env", "ANTHROPIC_BASE_URL=http://127.0.0.1:9", "--env", "CLAUDE_CODE_MAX_RETRIES=1")
    done, _ = offline("claude", "single", tmp_path, "run", "--plain", options=(*nobody, "--timeout", "30"))
    assert outcomes_of(tmp_path)[:2] == ["network", "network"], done.stdout


@pytest.mark.parametrize("agent", NAMES)
def test_a_refused_key_stops_one_agent_and_fails_no_task(agent: str, tmp_path: Path) -> None:
    """Of eight tasks one is started; once the key is accepted, a plain run completes them all."""
    rows = "".join(f"| T{number} | Do the thing. | - |\n" for number in range(1, 9))
    front = f"+++\nmodel = '{MODELS[agent]}'\n+++\n" if agent in MODELS else ""
    (tmp_path / "CASCADE.md").write_text(f"{front}| ID | What | Deps |\n|---|---|---|\n{rows}")
    words = ("run", "--agent", agent, "--json")
    done, _ = offline(agent, "err401", tmp_path, *words, "-j", "1", options=("--newcomer",))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [event["task"] for event in events if event["event"] == "attempt_started"] == ["T1"]
    (hold,) = events[-1]["holds"]
    assert (hold["agent"], hold["outcome"], len(hold["waiting"])) == (agent, "auth", 8)
    assert hold["cure"].endswith("then run `nova run` again")
    if agent == "codex":  # the others take a minute for eight tasks
        done, _ = offline(agent, "single", tmp_path, *words, "-j", "4", options=("--newcomer",))
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("agent", "dying"),
    [("claude", ()), ("codex", ()), *((agent, ("guard",)) for agent in NAMES)],
)
def test_after_a_kill_the_session_is_resumed(agent: str, dying: tuple[str, ...], tmp_path: Path) -> None:
    """Nova is killed in the agent's second answer, and run again: the first answer is not paid for again."""
    command = program("kills_a_run_and_resumes_it", str(NOVA), agent, *dying)
    done, served = offline(agent, "toolslow", tmp_path, *command[1:], program=Path(command[0]))
    assert done.returncode == 0, done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("asked")] == ["asked: 2", "asked: 3"]
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    rows = book.execute(
        f"SELECT outcome, session_id, resumes, {', '.join(KINDS)} FROM attempts ORDER BY number"
    ).fetchall()
    book.close()
    assert [row[0] for row in rows] == ["lost", "ok"]
    assert rows[0][1] == rows[1][1] == rows[1][2]
    counted = dict(zip(KINDS, map(sum, zip(*(row[3:] for row in rows), strict=True)), strict=True))
    whole = "totals_without_side_calls" if agent == "opencode" else "totals"
    assert counted["input_tokens"] in (
        served[whole]["input_tokens"],
        served["totals_with_cut_answers"]["input_tokens"],
    )
    calls = served["runs"][agent]["calls"]
    cut = next(call["n"] for call in calls if not call["completed"])
    again = [call["billed"] for call in calls if call["n"] > cut and (agent != "opencode" or call["kind"] == "main")]
    assert dict(zip(KINDS, rows[1][3:], strict=True)) == {kind: sum(each[kind] for each in again) for kind in KINDS}
    assert served["left_running"] == []
