"""The lines between a run and its clients: what is written can be read, and what strangers send does no harm."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nova_async.control import protocol
from nova_async.control.protocol import (
    PROTOCOL,
    REQUESTS,
    Approve,
    Budget,
    Kind,
    Pause,
    Request,
    Resume,
    Retry,
    Stop,
    StopTask,
    Watch,
    Workers,
    id_of,
    message_of,
    request_line,
    request_of,
)  # fmt: skip
from nova_async.errors import ControlError, NovaError
from nova_async.records import Event
from nova_async.words import EventKind

T = TypeVar("T")
KEYS = ("id", "from", "kill", "tasks", "downstream", "count", "usd", "tokens", "other")

ids = st.none() | st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
tasks = st.lists(texts, min_size=1).map(tuple)
flags = st.booleans()
numbers = st.integers(1, 2**63 - 1)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Watch, id=ids, since=st.none() | st.integers(0, 2**63 - 1)),
    st.builds(Stop, id=ids, kill=flags),
    st.builds(StopTask, id=ids, tasks=tasks, kill=flags),
    st.builds(Retry, id=ids, tasks=tasks, downstream=flags),
    st.builds(Approve, id=ids, tasks=tasks),
    st.builds(Pause, id=ids),
    st.builds(Resume, id=ids),
    st.builds(Workers, id=ids, count=numbers),
    st.builds(Budget, id=ids, usd=st.none() | st.floats(0.01, 1e9), tokens=st.none() | numbers),
)
plain_values = st.none() | flags | st.integers() | st.floats() | texts
json_values = plain_values | st.lists(plain_values) | st.dictionaries(texts, plain_values)


def read(reader: Callable[[bytes], T], line: bytes) -> T | str:
    """Return what a line says, or what is said about it."""
    try:
        return reader(line)
    except ControlError as error:
        return str(error)


@given(requests)
def test_what_is_asked_is_understood(request: Request) -> None:
    """A request is the same when it is read again, and is one line."""
    line = request_line(request)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["nova"] == PROTOCOL
    assert request_of(line) == request
    assert id_of(line) == request.id


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"1" * 100_000)
@example(b'{"do": "stop", "id": 1e400}')
@example(b'{"do": "stop", "id": true}')
@example(b"\xff")
@example(b"")
def test_whatever_bytes_come_there_is_a_sentence(line: bytes) -> None:
    """Bytes that are no request are refused with what is wrong, and nothing else happens."""
    found = read(request_of, line)
    assert found if isinstance(found, str) else type(found) in REQUESTS.values()
    assert isinstance(id_of(line), int | None)


@given(st.sampled_from(sorted(REQUESTS)), st.dictionaries(st.sampled_from(KEYS), json_values))
def test_whatever_a_command_says_about_itself(do: str, more: dict[str, Any]) -> None:
    """A command with arbitrary values is either one of ours or refused by name."""
    found = read(request_of, json.dumps({"tasks": ["A"], "count": 1, **more, "nova": 1, "do": do}).encode())
    if isinstance(found, str):
        assert found.startswith((f"{do}: ", "not a request: "))
    else:
        assert request_of(request_line(found)) == found


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
def test_whatever_a_stranger_answers_is_no_message(line: bytes) -> None:
    """A client takes only lines that say of what kind they are."""
    found = read(message_of, line)
    assert found.startswith("not a line of a run") if isinstance(found, str) else isinstance(found["kind"], str)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"stop", "not a request: it is not valid JSON"),
        (b"[]", "not a request: it is not a JSON object"),
        (b'{"nova": 2, "do": "stop"}', "this run speaks protocol 1, not 2: use the nova it runs with"),
        (b'{"nova": 1, "do": "dance"}', 'unknown command "dance": protocol 1 knows watch, stop, '),
        (b'{"nova": 1}', "unknown command null: protocol 1 knows watch, "),
        (b'{"do": ["stop"]}', 'unknown command \\["stop"\\]: protocol 1 knows watch, '),
        (b'{"do": "workers", "count": 0}', r"workers: Expected `int` >= 1 - at `\$.count`"),
        (b'{"do": "pause", "id": true}', r"pause: Expected `int \| null`, got `bool` - at `\$.id`"),
        (b'{"do": "workers", "count": true}', r"workers: Expected `int`, got `bool` - at `\$.count`"),
        (b'{"do": "retry"}', "retry: Object missing required field `tasks`"),
        (b'{"do": "retry", "tasks": []}', "retry: Expected `array` of length >= 1"),
    ],
)
def test_what_is_wrong_is_said(line: bytes, error: str) -> None:
    """A program's author is told which key is wrong, and which protocol this is."""
    with pytest.raises(ControlError, match=f"^{error}"):
        request_of(line)


def test_a_refusal_names_a_number_and_nothing_else() -> None:
    """`true` is no number, although Python takes it for one: an answer to it could be taken for that to 1."""
    told = (b"1", b"true", b"false", b"1.0", b'"1"', b"null")
    assert [id_of(b'{"id": %b}' % number) for number in told] == [1, *[None] * 5]


def test_a_long_word_is_cut() -> None:
    """What is told of a stranger's line fits into a sentence."""
    with pytest.raises(ControlError) as refused:
        request_of(json.dumps({"do": "x" * 10_000}).encode())
    assert len(str(refused.value)) < 250


def test_what_is_answered() -> None:
    """That it was done, or why not, with the number of the command; and how the run ended."""
    done = message_of(protocol.answer(3, running=2))
    assert done == {"kind": Kind.ANSWER, "id": 3, "ok": True, "running": 2}
    refused = message_of(protocol.refusal(None, NovaError("not now")))
    assert refused == {"kind": Kind.ANSWER, "id": None, "ok": False, "error": "not now"}
    unknown = message_of(protocol.refusal(4, ControlError("no task T9", reason=protocol.UNKNOWN_TASK)))
    assert unknown["reason"] == "unknown_task"
    assert message_of(protocol.over("failed")) == {"kind": Kind.OVER, "end": "failed"}


def test_unknown_keys_are_ignored() -> None:
    """A later client may say more than this nova understands."""
    assert request_of(b'{"nova": 1, "do": "stop", "gently": true, "id": 7}') == Stop(id=7)


@given(st.dictionaries(texts, texts), st.integers(0), st.integers(0))
def test_a_snapshot_is_the_state_files_document(documents: dict[str, str], number: int, since: int) -> None:
    """Put together from its parts, a line is the document with a number and the events."""
    events = [
        Event(kind=EventKind.WARNING, at=datetime.now(UTC), number=4, data={"message": "odd", "at": float("nan")})
    ]
    parts = {"project": b'{"name":"Shop"}', "nova": b'{"schema":1}'}
    tasks = [json.dumps(name).encode() + b":" + json.dumps({"s": said}).encode() for name, said in documents.items()]
    written = [protocol.encoded_event(event) for event in events]
    whole = b"".join(protocol.snapshot(parts, tasks, number, written, since))
    later = b"".join(protocol.change(parts, tasks, number, written))
    assert whole.count(b"\n") == later.count(b"\n") == 1
    said, told = message_of(whole), message_of(later)
    assert (said["kind"], told["kind"]) == (Kind.SNAPSHOT, Kind.CHANGE)
    assert (said["protocol"], said["events_from"]) == (PROTOCOL, since)
    for message in (said, told):
        assert message["number"] == number
        assert message["project"] == {"name": "Shop"}
        assert message["nova"] == {"schema": 1}
        assert message["tasks"] == {name: {"s": text} for name, text in documents.items()}
        assert [(event["event"], event["number"]) for event in message["events"]] == [("warning", 4)]
