"""The document that strangers read has exactly the documented shape, and our own reader takes back what it says."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.errors import StateFileError
from nova_async.journal.rollup import status_word
from nova_async.journal.state_document import encoded, read_run, read_state, run_document, task_document
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, EarlierAttempts, LogRef
from nova_async.usage import TokenUsage, Totals
from nova_async.views import BudgetView, GaugeView, Hold, MilestoneView, RunView, TaskView
from nova_async.words import Outcome, Phase, RunEnd, TaskState
from tests.views import NOON, attempt, run_view

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


class Moment(str):
    """Stands for a text that is a moment in ISO 8601, in UTC."""


TEXT, TIME, WHOLE, AMOUNT = (str, type(None)), (Moment, type(None)), (int, type(None)), (float, type(None))
KINDS = dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"), int)
PROJECT = {"name": str, "cascade_file": str, "started_at": TIME, "completed_at": TIME}
ATTEMPT = {
    "outcome": TEXT, "exit_code": WHOLE, "log": TEXT, "session_id": TEXT, "cost_usd": AMOUNT, "estimated_usd": AMOUNT,
    "leftovers": int, "forced": bool, "number": int, "started_at": Moment, "ended_at": TIME, "duration_seconds": AMOUNT,
    "log_device": WHOLE, "log_inode": WHOLE, "agent": TEXT,
}  # fmt: skip
NOVA = {
    "name": str, "branch": str, "group": str, "depends_on": [str], "attempt": int, "agent": str,
    "attempts": [ATTEMPT], "earlier": (dict, type(None)), "start_time": AMOUNT, "cookie": TEXT, "blocked_by": [str],
    "is_stopped": bool, "needs_approval": bool,
    "cost_usd": AMOUNT, "estimated_usd": AMOUNT, "usage_by_model": dict, "usage_exact": bool,
    "usage_is_final": bool,
    "cost_is_complete": bool, "state": str, "selected": bool, "phase": TEXT, "phase_since": TIME, "is_stopping": bool,
    "retry_at": TIME,
    "duration_seconds": float, "denied": [str], "result": TEXT,
    "log_error": TEXT,
}  # fmt: skip
TASK = {
    "status": str, "worker_id": TEXT, "pid": WHOLE, "started_at": TIME, "completed_at": TIME, "duration_seconds": int,
    "current_step": TEXT, "token_usage": KINDS, "error": TEXT, "commit_sha": TEXT, "files_changed": [str], "nova": NOVA,
}  # fmt: skip
HOLD = {
    "agent": str, "program": str, "model": TEXT, "outcome": str, "error": str, "cure": str, "kind": TEXT,
    "resets_at": TIME, "until": TIME, "waiting": [str],
}  # fmt: skip
BUDGET = {
    "task": TEXT, "max_cost_usd": AMOUNT, "max_tokens": WHOLE, "cost_usd": float, "tokens": int, "is_used_up": bool,
    "stopped": [str], "waiting": [str],
}  # fmt: skip
RUN = {
    "schema": int, "run_id": str, "supervisor": {"pid": WHOLE, "start_time": AMOUNT}, "milestones": dict,
    "removed": dict, "end": TEXT, "max_workers": int, "warnings": [str], "is_paused": bool, "is_stopping": bool,
    "holds": [HOLD], "budgets": [BUDGET], "control": TEXT,
    "gauges": [{"agent": str, "limit": str, "used": float, "resets_at": TIME, "next_start_at": TIME}],
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


# Any text that Python can hold: also names that are not UTF-8, and worse.
text = st.text(st.characters()) | st.binary(max_size=8).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
texts = st.none() | text
several = st.lists(text, max_size=3).map(tuple)
moment = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1), timezones=st.timezones()).map(
    lambda found: found.replace(microsecond=found.microsecond // 1000 * 1000).astimezone(UTC)
)
moments = st.none() | moment
amount = st.floats(0, 1e12)
amounts = st.none() | amount
counts = st.integers(0, 2**63 - 1)
usages = st.builds(TokenUsage, counts, counts, counts, counts)
pids = st.none() | st.integers(1, 2**22)
inodes = st.none() | st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
logs = st.builds(
    lambda path, found: LogRef(path=path, device=found and found[0], inode=found and found[1]), text, inodes
)


@st.composite
def attempts_of(draw: st.DrawFn, task_id: str, runs: bool) -> tuple[Attempt, ...]:
    """Draw the attempts of a task, all of them ended but for the one that runs."""
    found = []
    for number in range(1, draw(st.integers(int(runs), 3)) + 1):
        start = AttemptStart(
            id=AttemptId("", task_id, number), plan="", started_at=draw(moment), agent=draw(text), prompt_digest=""
        )
        end = AttemptEnd(
            id=start.id, outcome=draw(st.sampled_from(Outcome)), phase=Phase.SETTLE, ended_at=draw(moment),
            duration_seconds=draw(amount), exit_code=draw(st.none() | st.integers(-64, 255)), cost_usd=draw(amounts),
            estimated_usd=draw(amounts), session_id=draw(st.none() | text.filter(bool)),
            leftovers=draw(st.integers(0, 99)), ended_by_us=draw(st.booleans()), log=draw(st.none() | logs),
        )  # fmt: skip
        found.append(Attempt(start=replace(start, log_path=end.log.path if end.log else ""), end=end))
    if runs:
        found[-1] = replace(found[-1], end=None)
    return tuple(found)


def earlier_attempts(outcomes: dict[Outcome, int], seconds: float) -> EarlierAttempts:
    """Return as much of attempts long ago as the file holds."""
    return EarlierAttempts(outcomes=Counter(outcomes), totals=Totals(duration_seconds=seconds))


long_ago = st.builds(earlier_attempts, st.dictionaries(st.sampled_from(Outcome), counts), amount)


@st.composite
def views(draw: st.DrawFn) -> TaskView:
    """Draw a task at any moment, with every fact that the file holds."""
    task_id, state = draw(st.from_regex(r"[A-Z][0-9]{1,3}", fullmatch=True)), draw(st.sampled_from(TaskState))
    runs, ended = state is TaskState.IN_PROGRESS, state in (TaskState.COMPLETED, TaskState.FAILED)
    attempts = draw(attempts_of(task_id, runs))
    last = attempts[-1] if attempts else None
    log = last.end.log if last and last.end else draw(st.none() | logs) if last else None
    if last is not None and runs:
        start = replace(last.start, log_path=log.path if log else "")
        attempts = (*attempts[:-1], Attempt(start=start))
    sessions = [found.end.session_id for found in attempts if found.end and found.end.session_id]
    return TaskView(
        id=task_id, name=draw(text), branch=draw(text), group=draw(text), depends_on=draw(several), state=state,
        is_selected=draw(st.booleans()), agent=draw(text), is_stopped=draw(st.booleans()),
        needs_approval=draw(st.booleans()), result=draw(texts),
        phase=draw(st.sampled_from(Phase)) if runs else None, phase_since=draw(moment) if runs else None,
        retry_at=None if runs else draw(st.none() | moment), is_stopping=runs and draw(st.booleans()),
        attempt=len(attempts),
        outcome=last.end.outcome if last and last.end else None,
        error=draw(texts) if state is TaskState.FAILED else None, reason=None if runs else draw(texts),
        activity=draw(texts) if runs else None, blocked_by=draw(several), pid=draw(pids), pid_start_time=draw(amounts),
        cookie=draw(texts), started_at=draw(moments) if runs or ended else None,
        completed_at=draw(moments) if ended else None, duration_seconds=draw(amount), usage=draw(usages),
        usage_by_model=draw(st.dictionaries(text.map(lambda name: spelled_out(name)), usages, max_size=2)),
        usage_is_final=draw(st.booleans()), cost_usd=draw(amounts), estimated_usd=draw(amounts),
        cost_is_complete=draw(st.booleans()),
        denied=draw(several), session_id=sessions[-1] if sessions else None, log_path=log.path if log else None,
        log=log, log_error=draw(texts), commit_sha=draw(texts), files_changed=draw(several), attempts=attempts,
        earlier=draw(st.none() | long_ago),
    )  # fmt: skip


milestones = st.builds(MilestoneView, id=text, message=text, reached_at=moment)
holds = st.builds(
    Hold, agent=text, program=text, model=texts, outcome=st.sampled_from(Outcome), error=text, cure=text, kind=texts,
    resets_at=moments, until=moments, waiting=several,
)  # fmt: skip
budgets = st.builds(
    BudgetView, task_id=texts, max_cost_usd=amounts, max_tokens=st.none() | counts, cost_usd=amount, tokens=counts,
    is_used_up=st.booleans(), stopped=several, waiting=several,
)  # fmt: skip
runs = st.builds(
    RunView, run_id=text, project=text, cascade_file=text, started_at=moments, completed_at=moments,
    end=st.none() | st.sampled_from(RunEnd), pid=pids, pid_start_time=amounts, max_workers=st.integers(1, 999),
    milestones=st.lists(milestones, max_size=2, unique_by=lambda found: spelled_out(found.id)).map(tuple),
    removed=st.dictionaries(text.map(lambda name: spelled_out(name)), st.none() | st.sampled_from(Outcome), max_size=2),
    warnings=several, is_paused=st.booleans(), is_stopping=st.booleans(), holds=st.lists(holds, max_size=2).map(tuple),
    budgets=st.lists(budgets, max_size=2).map(tuple), control=texts,
    gauges=st.lists(
        st.builds(
            GaugeView, agent=text, kind=text, used=st.floats(0.0, 1.0).map(lambda used: round(used, 4)),
            resets_at=moments, next_start_at=moments,
        ), max_size=2,
    ).map(tuple),
)  # fmt: skip


def spelled_out(value: Any) -> Any:
    """Return a value as a reader gets it: whatever is not UTF-8 in its texts stands there as an escape."""
    if type(value) is str:
        return re.sub(
            "[\udc80-\udcff]", lambda half: f"\\x{ord(half[0]) - 0xDC00:02x}", value
        ).encode("utf-8", "backslashreplace").decode()  # fmt: skip
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(spelled_out, value))
    shown = TaskView | RunView | GaugeView | MilestoneView | Hold | BudgetView
    if isinstance(value, shown | Attempt | AttemptStart | AttemptEnd | LogRef):
        names = (name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()))
        return replace(value, **{name: spelled_out(getattr(value, name)) for name in names})
    return value


def whole(run: RunView, tasks: list[TaskView]) -> bytes:
    """Return the file of a run."""
    about = run_document(run)
    documents = {task.id: task_document(task) for task in tasks}
    return encoded({"project": about["project"], "tasks": documents, "nova": about["nova"]})


@settings(deadline=None)
@given(run=runs, tasks=st.lists(views(), max_size=3, unique_by=lambda task: task.id))
def test_every_document_has_the_documented_shape(run: RunView, tasks: list[TaskView]) -> None:
    """The names are exactly the documented ones, the values of the documented kinds, and any reader takes it."""
    document = msgspec.json.decode(whole(run, tasks))  # which is as strict as jq about what is no text
    assert list(document) == ["project", "tasks", "nova"]
    check(document["project"], PROJECT)
    assert list(document["nova"]) == list(RUN)
    check({**document["nova"], "milestones": {}, "removed": {}}, {**RUN, "milestones": {}, "removed": {}})
    assert list(document["tasks"]) == [task.id for task in tasks]
    for task in tasks:
        said = json.loads(encoded(task_document(task)))  # msgspec makes floats of numbers beyond 64 bits
        check(said, TASK, task.id)
        assert said["status"] == status_word(task.state)
        assert said["token_usage"] == task.usage.as_dict()
        assert said["duration_seconds"] == int(task.duration_seconds)


def test_a_log_is_found_again_beside_a_name_that_is_not_utf_8() -> None:
    """A document that only the slower encoder takes has the same devices and inodes, whose numbers may fill 64 bits."""
    log = {"log_device": 2**64 - 2, "log_inode": 2**64 - 1}
    assert json.loads(encoded({**log, "name": "\udcff"})) == {**log, "name": "\\xff"}
    assert json.loads(encoded({**log, "name": "plain"})) == {**log, "name": "plain"}


@settings(deadline=None)
@given(run=runs, tasks=st.lists(views(), max_size=3, unique_by=lambda task: task.id))
def test_the_reader_gets_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, run: RunView, tasks: list[TaskView]
) -> None:
    """Every fact in the file comes back as it was, whatever the names are made of."""
    path = tmp_path_factory.getbasetemp() / "cascade_state.json"
    path.write_bytes(whole(run, tasks))
    read_run, read_tasks = read_state(path)
    assert read_run == spelled_out(run)
    assert list(read_tasks.values()) == [spelled_out(task) for task in tasks]


def test_names_that_are_not_utf_8() -> None:
    r"""Their odd bytes are spelled out, and what looks like a spelled byte is not taken for one."""
    assert encoded(b"lo\xff".decode("utf-8", "surrogateescape")) == rb'"lo\\xff"'
    assert encoded("\ud800") == rb'"\\ud800"'
    assert encoded("ö \\xff \U0001f600") == '"ö \\\\xff \U0001f600"'.encode()


@pytest.mark.parametrize("char", ["\x1b", "\x7f", "\x9b", "\u202e", "\u200b", "\u2028", "\ufeff", "\U000e0041"])
def test_what_acts_on_a_terminal_is_spelled_out(char: str) -> None:
    """Who prints the file sees its text and nothing else happens; who parses it gets what was said."""
    written = encoded({"error": f"a{char}b"})
    assert written.isascii()
    assert json.loads(written) == {"error": f"a{char}b"}


def test_a_running_and_an_ended_attempt() -> None:
    """One that runs has no outcome yet and the log of now; one that never had a log has none."""
    here = LogRef(path="logs/F1.log", device=1, inode=3)
    aside = LogRef(path="logs/F1.log", device=1, inode=2)
    killed = attempt(number=1, outcome=Outcome.SIGNAL, exit_code=-9, log=aside, session_id="s-1", cost_usd=0.1,
                     leftovers=2, ended_by_us=True)  # fmt: skip
    unstarted = attempt(number=2, outcome=Outcome.SPAWN_ERROR, duration_seconds=0.0)
    task = TaskView(id="F1", state=TaskState.IN_PROGRESS, attempts=(killed, unstarted, attempt(number=3, outcome=None)),
                    log=here)  # fmt: skip
    at, ended = "2030-01-02T12:00:00.123+00:00", "2030-01-02T12:00:05.123+00:00"
    assert task_document(task)["nova"]["attempts"] == [
        {
            "outcome": "signal", "exit_code": -9, "log": "logs/F1.log", "session_id": "s-1", "cost_usd": 0.1,
            "estimated_usd": None, "leftovers": 2, "forced": True, "number": 1, "started_at": at, "ended_at": ended,
            "duration_seconds": 5.25, "log_device": 1, "log_inode": 2, "agent": "claude",
        },
        {
            "outcome": "spawn_error", "exit_code": None, "log": None, "session_id": None, "cost_usd": None,
            "estimated_usd": None, "leftovers": 0, "forced": False, "number": 2, "started_at": at, "ended_at": ended,
            "duration_seconds": 0.0, "log_device": None, "log_inode": None, "agent": "claude",
        },
        {
            "outcome": None, "exit_code": None, "log": "logs/F1.log", "session_id": None, "cost_usd": None,
            "estimated_usd": None, "leftovers": 0, "forced": False, "number": 3, "started_at": at, "ended_at": None,
            "duration_seconds": None, "log_device": 1, "log_inode": 3, "agent": "claude",
        },
    ]  # fmt: skip


@pytest.mark.parametrize(("length", "kept"), [(0, 0), (2000, 2000), (2001, 1999), (65536, 1999)])
def test_a_long_answer_of_an_agent_is_cut(length: int, kept: int) -> None:
    """The file stays small: what may be 64 KiB a task is in the journal, and an ellipsis says that there is more."""
    said = task_document(TaskView(id="F1", result="x" * length))["nova"]["result"]
    assert said == "x" * kept + "…" * (kept < length)


KNOWN = sorted({*TASK, *NOVA, *ATTEMPT, *RUN, *PROJECT, *KINDS})
WORDS = ["in_progress", "completed", "ok", "stopped"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KNOWN), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)
@given(project=json_values, nova=json_values, tasks=st.dictionaries(text, json_values, max_size=3))
def test_whatever_stands_there_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, project: Any, nova: Any, tasks: dict[str, Any]
) -> None:
    """A file of another version or another program is read as far as it makes sense."""
    path = tmp_path_factory.getbasetemp() / "cascade_state.json"
    path.write_text(json.dumps({"project": project, "tasks": tasks, "nova": nova}))
    run, read = read_state(path)
    assert len(read) == len({spelled_out(name) for name in tasks})
    encoded({**run_document(run), "tasks": [task_document(task) for task in read.values()]})  # fit to be written


def test_a_file_of_an_earlier_version(tmp_path: Path) -> None:
    """Its attempts are counted, its blocked tasks are so, and its word for exact tokens counts where nothing runs."""
    used = dict.fromkeys(KINDS, 2)
    nova = {"attempts": [{"outcome": "ok", "log": "logs/F1~1.log"}, {"outcome": None, "log": "logs/F1.log"}]}
    tasks = {
        "F1": {"status": "in_progress", "started_at": "2030-01-02T12:00:00", "token_usage": used,
               "nova": {**nova, "usage_exact": True}},
        "F2": {"status": "completed", "token_usage": used, "duration_seconds": 7, "nova": {"usage_exact": True}},
        "F3": {"status": "pending", "nova": {"blocked_by": ["F1"]}},
        "F4": {"status": "completed", "token_usage": used},
    }  # fmt: skip
    (tmp_path / "state.json").write_text(json.dumps({"tasks": tasks}))
    _, read = read_state(tmp_path / "state.json")
    assert [found.start.id.number for found in read["F1"].attempts] == [1, 2]
    assert read["F1"].started_at == NOON.replace(microsecond=0)
    assert [task.state for task in read.values()] == ["in_progress", "completed", "blocked", "completed"]
    assert [task.usage_is_final for task in read.values()] == [False, True, True, False]
    assert (read["F2"].duration_seconds, read["F4"].cost_is_complete) == (7.0, False)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b'{"tasks": 3}', b"\x80", b'{"tasks": {"F1": '])
def test_no_state_file(tmp_path: Path, content: bytes) -> None:
    """What is no state file is one error, which names the file; so is none at all."""
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(StateFileError, match=r"state\.json is not a state file: it "):
        read_state(tmp_path / "state.json")
    with pytest.raises(StateFileError, match="does not exist; start one with `nova run`"):
        read_state(tmp_path / "nowhere.json")


def test_the_run_is_read_back() -> None:
    """The supervisor, the end and the warnings of a run stand where they are documented."""
    said = run_document(run_view(pid=7, pid_start_time=1.5, end=RunEnd.STOPPED, warnings=("the disk is full",)))
    assert said["nova"]["supervisor"] == {"pid": 7, "start_time": 1.5}
    assert (said["nova"]["end"], said["nova"]["warnings"], said["nova"]["schema"]) == (
        "stopped", ["the disk is full"], 1,
    )  # fmt: skip


def test_gauges_are_read_back() -> None:
    """How full the limits of the run's accounts are, and nothing of what no gauge can be."""
    moment = datetime(2026, 11, 26, 14, tzinfo=UTC)
    gauges = (GaugeView(agent="claude", kind="five_hour", used=0.86, resets_at=moment, next_start_at=moment),
              GaugeView(agent="codex", kind="primary", used=0.5))  # fmt: skip
    said = run_document(run_view(gauges=gauges))
    assert read_run(said["project"], said["nova"]).gauges == gauges
    for odd, read in (([7], (GaugeView(agent="", kind="", used=0.0),)), ("x", ()), (None, ())):
        assert read_run({}, {"gauges": odd}).gauges == read
    assert read_run({}, {"gauges": [{"used": 9e9}]}).gauges[0].used == 1.0
