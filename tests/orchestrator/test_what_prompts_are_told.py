"""What the prompt of a task is told: the answers of the tasks before it, and why its last attempt failed."""

import json
from pathlib import Path

import pytest

from nova_async.cascade import Cascade, Task, parse_cascade
from nova_async.orchestrator.commands import make_job
from nova_async.orchestrator.known import TaskKnown
from nova_async.records import AttemptId
from nova_async.words import EventKind, Outcome, TaskState
from tests.orchestrator.test_running import plan, run, states
from tests.views import attempt

# Says what it was asked, as Claude says it; a prompt with "no" in it fails.
ECHO = r"""
import json, sys
asked = sys.argv[1]
print(json.dumps({"type": "system", "subtype": "init", "session_id": "s"}))
bad = "no" in asked.split()
print(json.dumps({"type": "result", "subtype": "success", "is_error": bad, "result": f"<{asked}>", "num_turns": 1,
                  "session_id": "s", "usage": {"input_tokens": 1, "output_tokens": 1}}))
"""


def echoing(rows: str, front: str = "") -> Cascade:
    """Make a plan whose agent answers each prompt with the prompt."""
    text = f"+++\nagent = 'claude'\ncommand = ['python3', '-c', {json.dumps(ECHO)}, '{{prompt}}']\n{front}\n+++\n"
    return parse_cascade(f"{text}{rows}")


async def test_an_answer_reaches_the_tasks_after_it(tmp_path: Path) -> None:
    """In the same run, and in a later one, from the journal; the views, the report and the events have it too."""
    chain = "- [ ] T1 first\n- [ ] T2 second {{T1.result}} (depends on T1)\n"
    report, events = await run(echoing(chain), tmp_path)
    assert report.ok
    assert (report.tasks["T1"].result, report.tasks["T2"].result) == ("<first>", "<second <first>>")
    told = {event.task_id: event.data["result"] for event in events if event.kind is EventKind.TASK_COMPLETED}
    assert told == {"T1": "<first>", "T2": "<second <first>>"}
    report, _ = await run(echoing(chain + "- [ ] T3 third {{T1.result}} (depends on T2)\n"), tmp_path)
    assert report.tasks["T3"].result == "<third <first>>"
    assert report.tasks["T1"].result == "<first>"


async def test_no_agent_is_paid_for_a_prompt_with_a_hole(tmp_path: Path) -> None:
    """A task that was ticked off has no answer, and neither has a plain command: what needs one is not begun."""
    rows = "- [x] T1 first\n- [ ] T2 second {{T1.result}} (depends on T1)\n"
    report, _ = await run(echoing(rows), tmp_path)
    assert states(report) == {"T1": TaskState.COMPLETED, "T2": TaskState.FAILED}
    task = report.tasks["T2"]
    assert (task.outcome, task.log_path, task.usage.total) == (Outcome.SPAWN_ERROR, None, 0)
    assert task.error == (
        "the prompt of T2 asks for the result of T1, which was ticked off in the plan and has never completed a run"
    )
    plain = plan("ID | What | Deps\n A1 | true | -\n A2 | echo {{A1.result}} | A1")
    report, _ = await run(plain, tmp_path)
    assert report.tasks["A2"].error == "the prompt of A2 asks for the result of A1, which has reported no final answer"


async def test_a_tick_does_not_take_an_answer_away(tmp_path: Path) -> None:
    """Agents tick their boxes: what they answered is in the journal all the same."""
    await run(echoing("- [ ] T1 first\n"), tmp_path)
    report, _ = await run(echoing("- [x] T1 first\n- [ ] T2 second {{T1.result}} (depends on T1)\n"), tmp_path)
    assert report.tasks["T2"].result == "<second <first>>"


async def test_a_retry_is_told_why_the_last_attempt_failed(tmp_path: Path) -> None:
    """Where the prompt says so; the first attempt is told nothing, and one of a plan begun anew neither."""
    rows = "- [ ] T1 {error}|\n  - verify: sh -c 'test -e ok || (touch ok; exit 7)'\n"
    cascade = echoing(rows, "retry_on = ['verify']\nbackoff = '1ms..1ms'")
    report, _ = await run(cascade, tmp_path)
    assert report.ok
    first, second = (attempt.end.result for attempt in report.tasks["T1"].attempts if attempt.end)
    assert first == "<|>"
    called = "sh -c 'test -e ok || (touch ok; exit 7)'"
    assert second == f"<verify failed: exit code 7 from `{called}`; see {tmp_path / 'logs/T1~verify.log'}|>"
    report, _ = await run(cascade, tmp_path, fresh=True)
    assert report.tasks["T1"].result == "<|>"


async def test_a_retry_asked_for_by_hand_is_told_as_well(tmp_path: Path) -> None:
    """It is the same try of the same task, in a later run."""
    rows = "- [ ] T1 {error}|\n  - verify: test -e ok\n"
    await run(echoing(rows), tmp_path)
    (tmp_path / "ok").touch()
    report, _ = await run(echoing(rows), tmp_path, retry_failed=True)
    assert str(report.tasks["T1"].result).startswith("<verify failed: exit code 1")


def prompt_made(prompt: str, last_error: str | None, front: str = "", **more: object) -> list[str]:
    """Return the command that is made for a task whose last attempt failed."""
    cascade = parse_cascade(f"+++\n{front}\n+++\n| ID | What |\n|---|---|\n| F1 | {prompt} |\n")
    made = make_job(
        cascade, cascade.tasks["F1"], AttemptId("r", "F1", 2), session=None, root=Path(),
        last_error=last_error, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return list(made.command)


@pytest.mark.parametrize(
    ("front", "prompt", "first", "told"),
    [
        (
            "",
            "do it",
            "do it",
            "An earlier attempt at this task failed: boom. Its changes may still be there.\n\ndo it",
        ),
        ("", "do it; before: {error}", "do it; before: ", "do it; before: boom"),
        ("prompt_suffix = ' ({error})'", "do it", "do it ()", "do it (boom)"),
    ],
)
def test_an_agent_is_told_by_a_sentence_unless_the_prompt_says_where(
    front: str, prompt: str, first: str, told: str
) -> None:
    """Before the prompt, or where {error} stands in it, in its prefix or its suffix; the first attempt is not told."""
    assert prompt_made(prompt, "boom", front)[2] == told
    assert prompt_made(prompt, None, front)[2] == first


def test_a_command_of_ones_own_is_told_only_where_it_asks() -> None:
    """Its prompt may be a script, which a sentence would break."""
    assert prompt_made("make it", "boom", "command = 'sh -c {prompt}'") == ["sh", "-c", "make it"]
    assert prompt_made("make it", "boom", "command = 'run {prompt} --because={error}'")[-1] == "--because=boom"
    seen: list[str] = []
    prompt_made("make it {error}", "boom", command_for=lambda task: seen.append(task.description) or ["x"])
    assert seen == ["make it boom"]


def test_arguments_of_an_agent_are_filled_as_a_command_is() -> None:
    """Placeholders of a command stand in agent_args, too."""
    made = prompt_made("a", None, "agent_args = '--name {task_id}.{attempt} {other}'")
    assert made[-3:] == ["--name", "F1.2", "{other}"]


def test_the_words_of_a_failed_attempt_are_no_answer() -> None:
    """Where a task was ticked off by hand after it had failed, there is none."""
    task = Task(id="A", name="a")
    assert TaskKnown(task, [attempt("A", outcome=Outcome.VERIFY, result="half")]).answer is None
    assert TaskKnown(task, [attempt("A", result="whole")]).answer == "whole"
