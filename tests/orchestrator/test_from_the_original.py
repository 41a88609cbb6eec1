"""A plan that the original has half done: what it has completed is not paid for again, and its file is kept."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nova_async import Orchestrator, RunReport, parse_cascade
from nova_async.journal.original import is_ours, keep_original, original_results
from nova_async.journal.state_document import read_state
from nova_async.words import EventKind

PLAN = "- [ ] F1 a\n- [ ] F2 b\n- [ ] F3 c (depends on F1)\n- [ ] F4 d\n"


def task(status: str, **more: Any) -> dict[str, Any]:
    """Return a task as the original writes one."""
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 3, "cache_creation_tokens": 4}
    times = {"started_at": "2026-01-01T10:00:00+00:00", "completed_at": "2026-01-01T10:05:00+00:00"}
    return {
        "status": status, "worker_id": "F1", "pid": 7, **times, "duration_seconds": 300, "current_step": None,
        "token_usage": usage, "error": None, "commit_sha": "abc", "files_changed": ["a.py"], **more,
    }  # fmt: skip


ORIGINAL = {
    "project": {"name": "X", "cascade_file": "CASCADE.md", "started_at": None, "completed_at": None},
    "tasks": {
        "F1": task("completed"),
        "F2": task("failed", error="Worker exited with code 1"),
        "F3": task("in_progress"),
        "GONE": task("completed"),
    },
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which the original has worked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cascade_state.json").write_text(json.dumps(ORIGINAL))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "F1.log").write_text("from the original\n")
    return tmp_path


def run(**options: Any) -> tuple[RunReport, list[str], list[str]]:
    """Run the plan; return the report, the tasks that were begun, and the warnings."""
    events = []

    async def follow() -> RunReport:
        orchestrator = Orchestrator(parse_cascade(PLAN), command_for=lambda task: ["true"], **options)
        stream = orchestrator.events()
        report = await orchestrator.run()
        events.extend([event async for event in stream])
        return report

    report = asyncio.run(follow())
    begun = sorted(event.task_id or "" for event in events if event.kind is EventKind.ATTEMPT_STARTED)
    return report, begun, [event.data["message"] for event in events if event.kind is EventKind.WARNING]


def test_what_it_has_completed_stays_completed(folder: Path) -> None:
    """Only the rest runs; the file is kept, and one line says both. So it is in every later run."""
    report, begun, warnings = run()
    assert report.ok
    assert begun == ["F2", "F3", "F4"]
    (said,) = warnings
    assert "cascade_state.json was written by the original; it is kept as cascade_state.original.json" in said
    assert "are skipped: 1 (--fresh runs them)" in said
    assert json.loads((folder / "cascade_state.original.json").read_text()) == ORIGINAL
    view = report.tasks["F1"]
    assert (view.duration_seconds, view.usage.total, view.usage_is_final) == (300.0, 10, False)
    assert (view.commit_sha, view.files_changed, view.log_path) == ("abc", ("a.py",), "logs/F1.log")
    assert (folder / "logs" / "F1.log").read_text() == "from the original\n"
    _, again, silent = run()
    assert (again, silent) == ([], [])
    _, tasks = read_state(folder / "cascade_state.json")
    assert tasks["F1"].usage.total == 10


def test_fresh_takes_nothing_over(folder: Path) -> None:
    """All of it runs; the file is kept all the same."""
    _, begun, (said,) = run(fresh=True)
    assert begun == ["F1", "F2", "F3", "F4"]
    assert "not run again" not in said
    assert (folder / "cascade_state.original.json").exists()


def test_a_plan_with_a_journal_is_not_touched(folder: Path) -> None:
    """Once we have run it, our journal alone says what is completed, whatever stands in the file."""
    (folder / "cascade_state.json").unlink()
    run()
    tampered = {**ORIGINAL, "tasks": {**ORIGINAL["tasks"], "F4": task("completed")}}  # type: ignore[dict-item]
    (folder / "cascade_state.json").write_text(json.dumps(tampered))
    report, begun, _ = run(fresh=True)
    assert begun == ["F1", "F2", "F3", "F4"]
    assert report.tasks["F4"].duration_seconds < 300


def test_nothing_is_kept_of_our_own_file(folder: Path) -> None:
    """A state file of ours is no original's, also where its journal is gone."""
    (folder / "cascade_state.json").unlink()
    run()
    (folder / ".nova" / "journal.db").unlink()
    _, begun, warnings = run()
    assert (begun, warnings) == (["F1", "F2", "F3", "F4"], [])
    assert not (folder / "cascade_state.original.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff", b"[]", b'{"tasks": []}', b'{"tasks": {"F1": {"status": "completed"}}}',
        b'{"project": {}, "tasks": {"F1": null}}', b'{"project": {}, "tasks": {"F1": {"status": ["completed"]}}}',
        b'{"project": {}, "tasks": {"F1": {"status": "completed"}}, "nova": {}}', b"[" * 100_000,
    ],
    ids=range(10),
)  # fmt: skip
def test_another_file_of_that_name(content: bytes, tmp_path: Path) -> None:
    """What is no file of the original completes nothing and harms nothing."""
    (tmp_path / "cascade_state.json").write_bytes(content)
    assert original_results(tmp_path / "cascade_state.json", "p", "r", {"F1": "x"}) == {}


def test_odd_values(tmp_path: Path) -> None:
    """A completed task counts, whatever else stands in it."""
    odd = {"status": "completed", "started_at": 5, "completed_at": "soon", "duration_seconds": -1, "token_usage": "x",
           "files_changed": [1, "a"], "commit_sha": {}}  # fmt: skip
    (tmp_path / "cascade_state.json").write_text(json.dumps({"project": {}, "tasks": {"F1": odd}}))
    (found,) = original_results(tmp_path / "cascade_state.json", "p", "r", {"F1": "x"}).values()
    assert found.end is not None
    assert (found.end.duration_seconds, found.end.usage.total, found.end.files_changed) == (0.0, 0, ("a",))


def test_every_original_is_kept(tmp_path: Path) -> None:
    """A second one does not take the place of the first; the same one twice is one."""
    state = tmp_path / "cascade_state.json"
    for number in (1, 1, 2):
        state.write_text(json.dumps({**ORIGINAL, "number": number}))
        keep_original(state)
    kept = sorted(path.name for path in tmp_path.glob("*.original*"))
    assert kept == ["cascade_state.original.json", "cascade_state.original~2.json"]


@pytest.mark.parametrize("part", ["{}", "null", '{"deep": [[1]]}'])
def test_a_file_of_ours_is_told_by_its_part(part: str) -> None:
    """Without the rest being read, wherever the part stands; the same word within a task makes no file ours."""
    tasks = json.dumps({"F1": {"nova": {}}, "F2": {"name": "é"}})
    assert is_ours(f'{{"tasks": {tasks}, "nova": {part}}}'.encode())
    assert is_ours(f'{{"nova": {part}, "tasks": {tasks}}}'.encode())
    assert not is_ours(f'{{"tasks": {tasks}}}'.encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"nova": {}'])
def test_what_is_no_state_file_is_not_ours(content: bytes) -> None:
    """Then it is read in full, which says what it is."""
    assert not is_ours(content)
