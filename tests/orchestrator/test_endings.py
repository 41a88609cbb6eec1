"""Recorded endings of the real agents under a run: each task gets the right word and sentence."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade, Task
from nova_async.words import EventKind, Outcome
from tests.children import program
from tests.orchestrator.test_running import run

VERDICTS = Path(__file__).resolve().parents[1] / "data/verdicts"


@pytest.mark.parametrize("manner", ["burst", "lines"])
@pytest.mark.parametrize("agent", sorted(set(AGENTS) - {"plain"}))
async def test_a_run_tells_recorded_endings_by_their_words(agent: str, manner: str, tmp_path: Path) -> None:
    """A wrapper prints what the agent printed and exits as it did: outcome, sentence, tokens and refusals are right."""
    recordings = {path.stem.replace(".", "-"): path for path in sorted((VERDICTS / agent).glob("*.json"))}
    truths: dict[str, Any] = {task_id: json.loads(path.read_bytes()) for task_id, path in recordings.items()}

    def replay(task: Task) -> list[str]:
        output = recordings[task.id].with_suffix(".stdout")
        return ["sh", "-c", f'"$@"; exit {truths[task.id]["exit_code"]}', "sh", *program("replay", manner, output)]

    cascade = Cascade.of(Task(id=task_id, name=task_id) for task_id in recordings).with_options(retries=0)
    cascade = replace(cascade, settings=replace(cascade.settings, on_usage_limit="fail", retry_on=()))  # none waits
    report, _ = await run(cascade, tmp_path, agent=agent, command_for=replay)
    for task_id, truth in truths.items():
        task = report.tasks[task_id]
        assert task.outcome == truth["outcome"], (task_id, task.outcome, task.error)
        assert (task.error is None) == (truth["outcome"] == Outcome.OK), (task_id, task.error)
        assert "exit code" not in (task.error or ""), (task_id, task.error)
        assert task.usage.as_dict() == truth.get("printed", truth["served"]), task_id
        assert list(task.denied) == truth.get("denied", [])


async def test_an_agent_that_nobody_named_is_noticed_once(tmp_path: Path) -> None:
    """Three tasks by one script: one warning says whose output that is and what to write; nothing is counted by it."""
    output = Path(__file__).resolve().parents[1] / "data/claude/tools.sj.stdout"
    cascade = Cascade.of(Task(id=f"T{n}", name="x") for n in range(3))
    report, events = await run(cascade, tmp_path, command_for=lambda _: program("replay", "lines", output))
    told = [event.data["message"] for event in events if event.kind == EventKind.WARNING]
    assert list(report.warnings) == told
    [sentence] = told
    assert 'looks like claude\'s: write agent = "claude" or --agent claude' in sentence
    assert report.usage.total == 0


async def test_an_agent_that_nobody_can_read_is_named_once(tmp_path: Path) -> None:
    """Its exit code is all there is, so a check should look."""
    agent = tmp_path / "aider"
    agent.write_text("#!/bin/sh\nexit 0\n")
    agent.chmod(0o755)
    cascade = Cascade.of(Task(id=f"T{n}", name="x") for n in range(3))
    report, _ = await run(cascade, tmp_path, command_for=lambda _: ["nice", str(agent), "--message", "x"])
    assert list(report.warnings) == [
        "the success of `aider` is judged by its exit code alone: give its tasks a `verify`"
    ]


async def test_an_agent_whose_key_is_refused_is_ended(tmp_path: Path) -> None:
    """Left alone it would try for minutes; after three refusals it is ended, and its own words are the reason."""
    cascade = Cascade.of([Task(id="T1", name="x")]).with_options(retries=3, grace=0.5)
    report, _ = await run(cascade, tmp_path, agent="claude", command_for=lambda _: program("refused_agent"))
    task = report.tasks["T1"]
    assert (task.outcome, len(task.attempts)) == (Outcome.AUTH, 1)
    assert task.error == "the API rejected the key (authentication_failed)"
    assert (tmp_path / "logs/T1.log").read_text().count("api_retry") < 1000
