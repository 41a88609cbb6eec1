"""The document that strangers read has exactly the documented shape, whatever the run looks like."""

import json
import re
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.journal.records import Attempt
from nova_async.journal.state_file import TaskFacts, state_document
from nova_async.usage import TokenUsage
from tests.journal.making import NOON, end, full_end, start

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


class Moment(str):
    """Stands for a text that is a moment in ISO 8601, in UTC."""


TEXT, TIME = (str, type(None)), (Moment, type(None))
PROJECT = {"name": str, "cascade_file": str, "started_at": TIME, "completed_at": TIME}
KINDS = dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"), int)
ATTEMPT = {
    "outcome": TEXT, "exit_code": (int, type(None)), "log": str, "session_id": TEXT,
    "cost_usd": (float, type(None)), "leftovers": int, "forced": bool,
}  # fmt: skip
NOVA = {
    "name": str, "branch": str, "group": str, "attempt": int, "attempts": [ATTEMPT],
    "start_time": (float, type(None)), "cookie": TEXT, "blocked_by": [str], "cost_usd": (float, type(None)),
    "usage_exact": bool,
}  # fmt: skip
TASK = {
    "status": str, "worker_id": TEXT, "pid": (int, type(None)), "started_at": TIME, "completed_at": TIME,
    "duration_seconds": int, "current_step": TEXT, "token_usage": KINDS, "error": TEXT, "commit_sha": TEXT,
    "files_changed": [str], "nova": NOVA,
}  # fmt: skip


def check(value: Any, schema: Any, where: str = "") -> None:
    """Compare a piece of a document with its schema: the same names, values of the named kinds."""
    if isinstance(schema, dict):
        assert list(value) == list(schema), where
        for name, inner in schema.items():
            check(value[name], inner, f"{where}.{name}")
    elif isinstance(schema, list):
        assert isinstance(value, list), where
        for item in value:
            check(item, schema[0], f"{where}[]")
    else:
        kinds = schema if isinstance(schema, tuple) else (schema,)
        if Moment in kinds and isinstance(value, str):
            assert MOMENT.fullmatch(value), where
        else:
            assert type(value) in kinds, f"{where}: {value!r}"


texts = st.none() | st.text()
moments = st.none() | st.datetimes(timezones=st.timezones(), min_value=datetime(1970, 1, 2))
money = st.none() | st.floats(0, 1000)
counts = st.integers(0, 10**12)
usages = st.builds(TokenUsage, counts, counts, counts, counts)
attempts = st.builds(
    Attempt,
    start=st.builds(start, number=st.integers(1, 99)),
    end=st.none() | st.just(full_end()) | st.builds(end, cost_usd=money, exit_code=st.none() | st.integers(-64, 255)),
)
facts = st.builds(
    TaskFacts,
    status=st.sampled_from(["pending", "in_progress", "completed", "failed"]),
    current_step=texts, worker_id=texts, pid=st.none() | st.integers(1, 2**22), pid_start_time=st.none() | st.floats(0),
    cookie=texts, started_at=moments, completed_at=moments, duration_seconds=st.floats(0, 1e7), usage=usages,
    error=texts, commit_sha=texts, files_changed=st.lists(st.text()).map(tuple), name=st.text(), branch=st.text(),
    group=st.text(), attempt=st.integers(0, 99), attempts=st.lists(attempts, max_size=3).map(tuple),
    blocked_by=st.lists(st.text()).map(tuple), cost_usd=money, usage_exact=st.booleans(),
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.text(), facts, max_size=4), moments, moments)
def test_every_document_has_the_documented_shape(
    tasks: dict[str, TaskFacts], started: datetime | None, completed: datetime | None
) -> None:
    """The names are exactly the documented ones, the values of the documented kinds, the tasks in their order."""
    project = {"name": "Shop", "cascade_file": "CASCADE.md", "started_at": started, "completed_at": completed}
    document = state_document(project, tasks, {"run_id": "r1", "milestones": {"half": {"reached_at": NOON}}})
    assert json.loads(json.dumps(document)) == document
    assert list(document) == ["project", "tasks", "nova"]
    check(document["project"], PROJECT)
    assert list(document["tasks"]) == list(tasks)
    for task_id, task in document["tasks"].items():
        check(task, TASK, task_id)
        assert task["token_usage"] == tasks[task_id].usage.as_dict()
        assert 0 <= tasks[task_id].duration_seconds - task["duration_seconds"] < 1
    assert document["nova"] == {
        "schema": 1, "run_id": "r1", "milestones": {"half": {"reached_at": "2030-01-02T12:00:00.123+00:00"}}
    }  # fmt: skip


def test_a_running_and_an_ended_attempt() -> None:
    """An attempt that runs has no outcome yet; one that has ended shows the log where it lies by now."""
    task = TaskFacts(attempts=(Attempt(start=start(), end=full_end()), Attempt(start=start(number=2))))
    document = state_document({}, {"F1": task}, {})
    assert document["tasks"]["F1"]["nova"]["attempts"] == [
        {
            "outcome": "agent_error", "exit_code": -9, "log": "logs/F1~1.log", "session_id": "s-1", "cost_usd": 0.1,
            "leftovers": 2, "forced": True,
        },
        {
            "outcome": None, "exit_code": None, "log": "logs/F1.log", "session_id": None, "cost_usd": None,
            "leftovers": 0, "forced": False,
        },
    ]  # fmt: skip


def test_the_document_is_a_copy() -> None:
    """What changes in the run later does not change a document that is being written."""
    milestones: dict[str, Any] = {}
    document = state_document({}, {}, {"milestones": milestones})
    milestones["half"] = {}
    assert document["nova"]["milestones"] == {}
