"""Reports, and what pages are told, of runs of which little is known or in which much waits."""

from typing import Any

import pytest

from nova_async.cli.report_markdown import report_markdown
from nova_async.cli.report_page import report_page
from nova_async.control.shown import graph_document, head_of, looks_of, timeline_document
from nova_async.views import Hold, TaskView
from nova_async.words import Condition, Outcome, TaskState
from tests.cli.reported import USED, done, failed, report_of
from tests.cli.test_report_ctrf import document_of
from tests.views import attempt

NOTHING: dict[str, Any] = {"started_at": None, "completed_at": None, "cascade_file": "", "run_id": ""}
HELD = Hold(agent="claude", program="claude", outcome=Outcome.AUTH, error="no key", cure="log in", waiting=("T1", "T2"))


def test_a_run_that_has_not_begun() -> None:
    """Nothing is said of what nobody knows: no time, no cost, no timeline."""
    report = report_of(TaskView(id="T1"), **NOTHING)
    text, page = report_markdown(report), report_page(report)
    assert "| model |" not in text
    assert " started 20" not in text
    assert " · started" not in page
    assert "<h2>Timeline" not in page


def test_a_run_that_cost_nothing() -> None:
    """There is no table of costs where no model was asked."""
    ended = attempt("T1", 1, Outcome.SPAWN_ERROR, error="not found")
    task = TaskView(id="T1", state=TaskState.FAILED, attempt=1, attempts=(ended,), error="not found")
    assert "| model |" not in report_markdown(report_of(task))


def test_several_models_are_added_up() -> None:
    """Below their costs stands the sum."""
    other: dict[str, Any] = {
        "usage": USED,
        "usage_by_model": {"other": USED},
        "usage_is_final": True,
        "cost_usd": 0.25,
        "model": "other",
    }
    report = report_of(done("T1"), done("T2", attempts=(attempt("T2", **other),)))
    assert "| **all** | 2.0k | 400 | 60.0k | 8.0k | " in report_markdown(report)


def test_tasks_that_wait_for_one_thing_are_told_together() -> None:
    """What holds several tasks back is said once, with all of them."""
    report = report_of(TaskView(id="T1"), TaskView(id="T2"), holds=(HELD,))
    assert " (2 tasks: T1, T2)" in report_page(report)
    assert report_markdown(report).count("log in") == 1


def test_many_gates_are_counted() -> None:
    """A list of what needs somebody ends where nobody would read on."""
    report = report_of(*(TaskView(id=f"G{number}", needs_approval=True) for number in range(60)))
    assert " more\n" in report_markdown(report)


@pytest.mark.parametrize("lines", [[], [""]])
def test_a_failure_without_a_log(lines: list[str]) -> None:
    """No empty frame stands for a log that has nothing in it, and no path for one that is nowhere."""
    report = report_of(failed("T1", log_path=None), log_ends={("T1", 2): lines})
    assert "log: " not in report_markdown(report)
    assert "End of the log" not in report_page(report) or lines


def test_of_many_tasks_few_changed_files_are_named() -> None:
    """A report of thousands must stay small."""
    changed = ("a.py", "b.py", "c.py", "d.py")
    page = report_page(report_of(*(done(f"T{number}", files_changed=changed) for number in range(700))))
    assert "c.py" in page
    assert "d.py" not in page


def test_an_attempt_without_an_end() -> None:
    """It is neither passed nor failed."""
    task = failed("T1", attempts=(attempt("T1", 1, None), attempt("T1", 2, Outcome.EXIT, error="exit code 1")))
    (test,) = document_of(task)["results"]["tests"]
    assert test["retryAttempts"][0]["status"] == "other"


def test_what_a_page_is_told() -> None:
    """Each task has its look, its place in the graph and its row in the timeline."""
    board = report_of(done("T1"), failed("T2", depends_on=("T1",)), holds=(HELD,), condition=Condition.RUNNING).board
    head = head_of(board, {"nova": {}})
    assert head["board"]["total"]["completed"] == 1
    assert head["board"]["needs"]
    assert looks_of(board, ["T1"])["T1"]["word"] == "completed"
    graph = graph_document(board)
    assert [node["task"] for node in graph["nodes"]] == ["T1", "T2"]
    assert len(graph["edges"]) == 1
    assert {row["task"] for row in timeline_document(board)["rows"]} == {"T1", "T2"}
    assert board.tasks["T2"].state is TaskState.FAILED
