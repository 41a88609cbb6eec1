"""The original's API: its page, and programs written for it, find what they look for, in the same places."""

from pathlib import Path

from tests.web.conftest import Window
from tests.web.serving import Served
from tests.web.shown_run import say, shown_run, written_to

# What the original's page reads of each: it adds costs up, and calls toFixed on them, so they are numbers.
ROLLUP = {"status": str, "duration_seconds": int, "token_usage": dict, "cost_usd": float}
TASK = {
    "name": str, "status": str, "duration_seconds": int, "token_usage": dict, "files_changed": list,
}  # fmt: skip
KINDS = {"input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"}
STATUSES = {"pending", "in_progress", "completed", "failed"}


def has(found: dict[str, object], shape: dict[str, type]) -> bool:
    """Tell whether an object has these keys, with values of these types."""
    return all(isinstance(found.get(name), kind) for name, kind in shape.items())


async def test_status(served: Served) -> None:
    """The project, all tasks, three levels of sums, the hierarchy that these follow, milestones and definitions."""
    status = (await served.client.get("/api/status")).json()
    assert set(status) == {
        "project", "tasks", "rollups", "hierarchy", "milestones", "all_tasks_completed", "task_definitions",
    }  # fmt: skip
    assert status["project"]["name"] == "Shop"
    assert status["all_tasks_completed"] is False
    assert status["hierarchy"] == {"App": {"Base": ["T1", "T2"]}, "": {"": ["T3"]}}
    rollups = status["rollups"]
    assert set(rollups) == {"l0_rollup", "l1_rollups", "l2_rollups"}
    assert rollups["l1_rollups"].keys() == status["hierarchy"].keys()
    levels = [rollups["l0_rollup"], *rollups["l1_rollups"].values()]
    for branch, groups in status["hierarchy"].items():
        assert rollups["l2_rollups"][branch].keys() == groups.keys()
        levels += rollups["l2_rollups"][branch].values()
    for rollup in levels:
        assert has(rollup, ROLLUP)
        assert set(rollup["token_usage"]) == KINDS
    assert (rollups["l0_rollup"]["status"], rollups["l1_rollups"][""]["status"]) == ("failed", "pending")
    for task_id, task in status["tasks"].items():
        assert has(task, TASK)
        assert task["status"] in STATUSES
        assert {"started_at", "completed_at", "worker_id", "error", "commit_sha"} <= task.keys()
        definition = status["task_definitions"][task_id]
        assert set(definition) == {"name", "branch", "group", "depends_on"}
    assert status["task_definitions"]["T3"]["depends_on"] == ["T2"]


async def test_a_task_and_its_log(served: Served) -> None:
    """A task has its id beside what stands in the status; a log is a text, all of it or its last lines."""
    task = (await served.client.get("/api/tasks/T1")).json()
    assert (task["id"], task["status"]) == ("T1", "completed")
    log = (served.folder / "logs" / "T1.log").read_text()
    assert (await served.client.get("/api/tasks/T1/logs")).json() == {"task_id": "T1", "logs": log}
    last = (await served.client.get("/api/tasks/T1/logs", params={"lines": 1})).json()
    assert last["logs"] == log.splitlines(keepends=True)[-1]
    assert (await served.client.get("/api/tasks/T1/logs", params={"lines": 0})).json()["logs"] == log
    for path, status in (("T9", 404), ("T9/logs", 404), ("T3/logs", 404), ("T1/logs?lines=x", 400)):
        answer = await served.client.get(f"/api/tasks/{path}")
        assert answer.status_code == status, path


async def test_a_long_log_is_bounded(served: Served) -> None:
    """Its end is given, for all of it could be gigabytes."""
    (served.folder / "logs" / "T1.log").write_bytes(b"line\n" * 2_000_000)
    whole = (await served.client.get("/api/tasks/T1/logs")).json()["logs"]
    assert 3_000_000 < len(whole) < 5_000_000
    assert (await served.client.get("/api/tasks/T1/logs", params={"lines": 3})).json()["logs"] == "line\n" * 3


PAGE = Path(__file__).parents[1] / "data/original/dashboard.html"
ROWS = "ID | What | Deps\n A1 | echo hello; read x < fifo | -\n B1 | true | A1"


async def test_a_page_of_the_originals_kind_shows_a_run(tmp_path: Path, window: Window) -> None:
    """Served beside the API, it finds all that it reads, follows the run by asking again and again, and shows a log."""
    async with shown_run(ROWS, tmp_path) as (run, served):
        page = await window(served)  # which has the token from now on
        await page.see("#row-A1", "running")
        address = f"http://127.0.0.1:{served.port}/dashboard.html"
        await page.do(
            lambda shown: shown.route(
                address, lambda route: route.fulfill(body=PAGE.read_text(), content_type="text/html")
            )
        )
        await page.do(lambda shown: shown.goto(address))
        await page.see("#A1", "in_progress")
        assert await page.see("#all") == "in_progress, 0m, 0 tokens, $0.00"
        assert await page.see("h2") == ": in_progress, 0m, 0 tokens, $0.00"
        assert await page.ask("() => document.querySelector('#B1').title") == "after A1"
        await page.click("#A1")
        await page.see("#log", "hello")
        with await written_to(run, "A1") as speaking:
            await say(speaking, "go")
        await page.see("#B1", "completed")
        await page.see("#all", "all done")
        await run.running
