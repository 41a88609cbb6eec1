"""Which column holds which field of a record: the tables are created, written and read from these lists."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

from nova_async.journal.columns import (
    as_flag,
    as_json,
    as_moment,
    as_real,
    as_text,
    as_texts,
    as_whole,
    cut,
    either,
    from_word,
    to_json,
    to_moment,
    to_real,
    to_seconds,
    to_text,
    to_whole,
    to_word,
)
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, Event, LogRef, RunStart
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome, Phase, UsageSource

__all__ = ["ATTEMPT", "END", "EVENT", "PROCESS", "RUN", "START", "TOKENS", "USED", "Column", "attempt_of", "end_of",
           "end_row", "event_of", "event_row", "fields", "names", "row_of", "run_of", "run_row", "start_row",
           "to_log", "used_of"]  # fmt: skip


class Column(NamedTuple):
    """One column and the field that it holds."""

    name: str
    kind: str
    """Its type and constraints in SQL."""
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    field: str = ""
    """The record's field, if it is not named like the column."""


def row_of(columns: Sequence[Column]) -> Callable[[object], tuple[Any, ...]]:
    """Return what makes a record's values for the columns; that raises if a value has the wrong type."""
    told = attrgetter(*(column.field or column.name for column in columns))
    writes = tuple(column.write for column in columns)
    return lambda record: tuple([write(value) for write, value in zip(writes, told(record), strict=True)])


def fields(columns: Sequence[Column], row: Sequence[Any]) -> dict[str, Any]:
    """Return a record's fields from its row; raises if another program wrote it."""
    return {column.name: column.read(value) for column, value in zip(columns, row, strict=True)}


def names(columns: Sequence[Column], prefix: str = "") -> str:
    """List the columns' names for a statement."""
    return ", ".join(prefix + column.name for column in columns)


def to_models(usage: Mapping[str, TokenUsage]) -> str:
    """Write the tokens of each model, the four kinds in their usual order."""
    return to_json({name: [to_whole(kind) for kind in used.as_dict().values()] for name, used in usage.items()})


def as_models(value: object) -> dict[str, TokenUsage]:
    """Read what ``to_models`` gave."""
    return {name: TokenUsage(*map(as_whole, used)) for name, used in as_json(value, dict).items()}


def to_limits(limits: Mapping[str, float]) -> str:
    """Write the limits that are finite numbers."""
    return to_json({name: limit for name, limit in limits.items() if to_real(limit) is not None})


def as_limits(value: object) -> dict[str, float]:
    """Read what ``to_limits`` gave."""
    return {name: as_real(limit) for name, limit in as_json(value, dict).items()}


def to_log(log: LogRef | None) -> str | None:
    """Write a log's identity; as text, because inode numbers can be unsigned 64-bit integers."""
    return None if log is None else to_json({"path": log.path, "device": log.device, "inode": log.inode})


def as_log(value: object) -> LogRef:
    """Read what ``to_log`` gave."""
    log = as_json(value, dict)
    whole = either(as_whole)
    return LogRef(path=as_text(log["path"]), device=whole(log["device"]), inode=whole(log["inode"]))


def words(vocabulary: type[StrEnum]) -> tuple[Callable[[Any], str], Callable[[object], StrEnum]]:
    """Return a writer and a reader for the words of a vocabulary."""
    return to_word(vocabulary), from_word(vocabulary)


TEXT = (to_text, as_text)
MAYBE_TEXT = (to_text, either(as_text))
MAYBE_LONG_TEXT = (lambda text: to_text(cut(text)), either(as_text))
WHOLE = (to_whole, as_whole)
MAYBE_WHOLE = (to_whole, either(as_whole))
MAYBE_REAL = (to_real, either(as_real))
MOMENT = (to_moment, as_moment)
MAYBE_MOMENT = (lambda moment: None if moment is None else to_moment(moment), either(as_moment))
FLAG = (to_whole, as_flag)
LIST = (to_json, as_texts)

RUN = (
    Column("run_id", "TEXT NOT NULL PRIMARY KEY", *TEXT),
    Column("plan", "TEXT NOT NULL", *TEXT),
    Column("project", "TEXT NOT NULL", *TEXT),
    Column("started_at", "TEXT NOT NULL", *MOMENT),
    Column("supervisor", "TEXT NOT NULL", *TEXT),
    Column("pid", "INTEGER NOT NULL", *WHOLE),
    Column("pid_start_time", "REAL NOT NULL", to_seconds, as_real),
    Column("max_workers", "INTEGER NOT NULL", *WHOLE),
)
START = (
    Column("run_id", "TEXT NOT NULL", *TEXT, "id.run_id"),
    Column("task_id", "TEXT NOT NULL", *TEXT, "id.task_id"),
    Column("number", "INTEGER NOT NULL", *WHOLE, "id.number"),
    Column("plan", "TEXT NOT NULL", *TEXT),
    Column("started_at", "TEXT NOT NULL", *MOMENT),
    Column("agent", "TEXT NOT NULL", *TEXT),
    Column("prompt_digest", "TEXT NOT NULL", *TEXT),
    Column("command", "TEXT NOT NULL", *LIST),
    Column("log_path", "TEXT NOT NULL", *TEXT),
    Column("limits", "TEXT NOT NULL", to_limits, as_limits),
    Column("account", "TEXT NOT NULL DEFAULT ''", *TEXT),
    Column("resumes", "TEXT", *MAYBE_TEXT),
    Column("cwd", "TEXT NOT NULL DEFAULT ''", *TEXT),
)
PROCESS = (
    Column("counts", "INTEGER NOT NULL DEFAULT 1", *FLAG),
    Column("pid", "INTEGER", *MAYBE_WHOLE),
    Column("pid_start_time", "REAL", *MAYBE_REAL),
    Column("cookie", "TEXT", *MAYBE_TEXT),
)
END = (
    Column("outcome", "TEXT", *words(Outcome)),
    Column("phase", "TEXT", *words(Phase)),
    Column("ended_at", "TEXT", *MOMENT),
    Column("duration_seconds", "REAL", to_seconds, as_real),
    Column("error", "TEXT", *MAYBE_LONG_TEXT),
    Column("exit_code", "INTEGER", *MAYBE_WHOLE),
    Column("input_tokens", "INTEGER", *WHOLE, "usage.input_tokens"),
    Column("output_tokens", "INTEGER", *WHOLE, "usage.output_tokens"),
    Column("cache_read_tokens", "INTEGER", *WHOLE, "usage.cache_read_tokens"),
    Column("cache_creation_tokens", "INTEGER", *WHOLE, "usage.cache_creation_tokens"),
    Column("usage_by_model", "TEXT", to_models, as_models),
    Column("usage_is_final", "INTEGER", *FLAG),
    Column("usage_source", "TEXT NOT NULL DEFAULT 'none'", *words(UsageSource)),
    Column("cost_usd", "REAL", *MAYBE_REAL),
    Column("estimated_usd", "REAL", *MAYBE_REAL),
    Column("session_id", "TEXT", *MAYBE_TEXT),
    Column("model", "TEXT", *MAYBE_TEXT),
    Column("result", "TEXT", *MAYBE_LONG_TEXT),
    Column("denied", "TEXT", *LIST),
    Column("limit_kind", "TEXT", *MAYBE_TEXT),
    Column("limit_resets_at", "TEXT", *MAYBE_MOMENT),
    Column("retry_after", "REAL", *MAYBE_REAL),
    Column("leftovers", "INTEGER", *WHOLE),
    Column("ended_by_us", "INTEGER", *FLAG),
    Column("commit_sha", "TEXT", *MAYBE_TEXT),
    Column("files_changed", "TEXT", *LIST),
    Column("log", "TEXT", to_log, either(as_log)),
    Column("log_error", "TEXT", *MAYBE_LONG_TEXT),
)
TOKENS = tuple(column.name for column in END if column.field.startswith("usage."))
EVENT = (
    Column("kind", "TEXT NOT NULL", *words(EventKind)),
    Column("at", "TEXT NOT NULL", *MOMENT),
    Column("task_id", "TEXT", *MAYBE_TEXT),
    Column("data", "TEXT NOT NULL", lambda data: to_json(dict(data)), lambda value: as_json(value, dict)),
    Column("run_id", "TEXT NOT NULL", *TEXT),
)

run_row, start_row, end_row, event_row = map(row_of, (RUN, START, END, EVENT))

# Selects all that makes up an Attempt.
ATTEMPT = (
    f"SELECT {names(START, 'a.')}, {names(PROCESS, 'a.')}, {names(END, 'a.')}, {names(END, 'f.')} FROM attempts a"
    " LEFT JOIN finished f ON f.run_id = a.run_id AND f.task_id = a.task_id AND f.number = a.number"
)

# Of an attempt that has ended or not, what it is counted and paid by: neither texts nor files.
NOT_USED = frozenset({
    "limits", "log_path", "resumes", "cwd", "error", "exit_code", "result", "denied", "limit_kind", "limit_resets_at",
    "retry_after", "leftovers", "ended_by_us", "commit_sha", "files_changed", "log", "log_error",
})  # fmt: skip
USED_START, USED_END = (tuple(each for each in part if each.name not in NOT_USED) for part in (START, END))
USED = f"SELECT {names(USED_START)}, {names(USED_END)} FROM attempts"


def run_of(row: Sequence[Any]) -> RunStart:
    """Build a run from the columns ``RUN``."""
    return RunStart(**fields(RUN, row))


def attempt_of(row: Sequence[Any]) -> Attempt:
    """Build an attempt from what ``ATTEMPT`` selects."""
    start, process, end, finished = split(row, START, PROCESS, END, END)
    begun, log = start_of(start), None
    if end[0] is None:  # it is written before the rest of the end
        log = either(as_log)(end[[column.name for column in END].index("log")])
    return Attempt(
        start=begun,
        **fields(PROCESS, process),
        log=log,
        finished=None if finished[0] is None else end_of(begun.id, finished),
        end=None if end[0] is None else end_of(begun.id, end),
    )


def used_of(row: Sequence[Any]) -> Attempt:
    """Build an attempt from what ``USED`` selects; all else of it has its default."""
    start, end = split(row, USED_START, USED_END)
    begun = start_of(start, USED_START)
    return Attempt(start=begun, end=None if end[0] is None else end_of(begun.id, end, USED_END))


def start_of(row: Sequence[Any], columns: Sequence[Column] = START) -> AttemptStart:
    """Build the start of an attempt from the columns ``START``, or some of them."""
    about = fields(columns, row)
    return AttemptStart(id=AttemptId(about.pop("run_id"), about.pop("task_id"), about.pop("number")), **about)


def end_of(id: AttemptId, row: Sequence[Any], columns: Sequence[Column] = END) -> AttemptEnd:  # noqa: A002
    """Build the end of an attempt from the columns ``END``, or some of them."""
    about = fields(columns, row)
    return AttemptEnd(id=id, usage=TokenUsage(*(about.pop(name) for name in TOKENS)), **about)


def event_of(number: int, row: Sequence[Any]) -> Event:
    """Build an event from its number and the columns ``EVENT``."""
    return Event(number=as_whole(number), **fields(EVENT, row))


def split(row: Sequence[Any], *parts: Sequence[Column]) -> list[Sequence[Any]]:
    """Cut a row into the parts that were selected."""
    cuts, begin = [], 0
    for columns in parts:
        cuts.append(row[begin : begin + len(columns)])
        begin += len(columns)
    return cuts
