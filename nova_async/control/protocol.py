"""What a run and its clients say to each other: one JSON object a line. Pure; docs/control.md tells it to others."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from msgspec import DecodeError, Meta, Struct, ValidationError, convert, field
from msgspec import json as fast_json

from nova_async.errors import ControlError, NovaError
from nova_async.journal.state_document import encoded
from nova_async.records import Event

__all__ = [
    "MOST_MESSAGE", "MOST_REQUEST", "PROTOCOL", "UNKNOWN_TASK", "Approve", "Budget", "Kind", "Message", "Pause",
    "Request", "Resume", "Retry", "Stop", "StopTask", "Watch", "Workers", "answer", "change", "encoded_event", "id_of",
    "message_of", "over", "refusal", "request_line", "request_of", "snapshot",
]  # fmt: skip

PROTOCOL = 1
"""Grows when something that programs read here means something else, or is gone; not for what is new."""

MOST_REQUEST = 1024 * 1024  # bytes of a line from a client; a command that names 10,000 tasks is a tenth of it
MOST_MESSAGE = 256 * 1024 * 1024  # bytes of a line from a run, as of a state file; 10,000 tasks are a tenth of it

UNKNOWN_TASK = "unknown_task"
"""The reason of a refusal: the plan has no such task."""

Message: TypeAlias = Mapping[str, Any]
"""One line from a run, read."""
TaskIds: TypeAlias = Annotated[tuple[str, ...], Meta(min_length=1)]


BUDGET = "budget"  # the command; an outcome has the same name


class Kind(StrEnum):
    """What a line from a run is."""

    SNAPSHOT = "snapshot"
    """The whole run, as the state file has it."""
    CHANGE = "change"
    """What has changed since the snapshot or change before: the same document, with only those tasks."""
    ANSWER = "answer"
    """What has become of a command."""
    OVER = "over"
    """The run is over; nothing comes after it."""


class Asked(Struct, frozen=True, kw_only=True, tag_field="do"):
    """A line from a client."""

    id: int | None = None
    """Chosen by the client, and repeated in the answer."""


class Watch(Asked, frozen=True, kw_only=True, tag="watch"):
    """Send a snapshot, and then what changes."""

    since: int | None = field(default=None, name="from")
    """The number of the last event that the client knows: later ones come with the snapshot."""


class Stop(Asked, frozen=True, kw_only=True, tag="stop"):
    """Stop the run: agents are asked to end, or with ``kill`` ended at once."""

    kill: bool = False


class StopTask(Asked, frozen=True, kw_only=True, tag="stop_task"):
    """Stop the agents of these tasks; the run goes on without them."""

    tasks: TaskIds
    kill: bool = False


class Retry(Asked, frozen=True, kw_only=True, tag="retry"):
    """Run these tasks again, and with ``downstream`` all that depends on them."""

    tasks: TaskIds
    downstream: bool = False


class Approve(Asked, frozen=True, kw_only=True, tag="approve"):
    """Let these tasks begin, which wait for a person."""

    tasks: TaskIds


class Pause(Asked, frozen=True, kw_only=True, tag="pause"):
    """Begin nothing new."""


class Resume(Asked, frozen=True, kw_only=True, tag="resume"):
    """Go on after a pause."""


class Workers(Asked, frozen=True, kw_only=True, tag="workers"):
    """Run so many tasks at once from now on."""

    count: Annotated[int, Meta(ge=1)]


class Budget(Asked, frozen=True, kw_only=True, tag=BUDGET):
    """Give the run another budget; what is not named stays."""

    usd: Annotated[float, Meta(gt=0)] | None = None
    tokens: Annotated[int, Meta(ge=1)] | None = None


Request: TypeAlias = Watch | Stop | StopTask | Retry | Approve | Pause | Resume | Workers | Budget
REQUESTS: dict[str, type[Request]] = {
    "watch": Watch, "stop": Stop, "stop_task": StopTask, "retry": Retry, "approve": Approve, "pause": Pause,
    "resume": Resume, "workers": Workers, BUDGET: Budget,
}  # fmt: skip


def request_line(request: Request) -> bytes:
    """Write what a client asks as a line."""
    said: dict[str, Any] = fast_json.decode(fast_json.encode(request))
    return fast_json.encode({"nova": PROTOCOL, **said}) + b"\n"


def request_of(line: bytes) -> Request:
    """Read what a client asks; keys that are unknown here are ignored.

    Raises ``ControlError`` with what is wrong with it.
    """
    try:
        said = fast_json.decode(line)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(f"not a request: it is not valid JSON ({error})") from None
    if not isinstance(said, dict):
        raise ControlError("not a request: it is not a JSON object")
    if said.get("nova", PROTOCOL) != PROTOCOL:
        raise ControlError(f"this run speaks protocol {PROTOCOL}, not {shown(said['nova'])}: use the nova it runs with")
    kind = REQUESTS.get(said["do"]) if isinstance(said.get("do"), str) else None
    if kind is None:
        known = ", ".join(REQUESTS)
        raise ControlError(f"unknown command {shown(said.get('do'))}: protocol {PROTOCOL} knows {known}")
    try:
        return convert(said, kind)
    except ValidationError as error:
        raise ControlError(f"{said['do']}: {error}") from None


def id_of(line: bytes) -> int | None:
    """Return the number of a request that may be wrong otherwise; None if it has none."""
    try:
        said = fast_json.decode(line)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
    number = said.get("id") if isinstance(said, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def shown(value: Any) -> str:
    """Write a stranger's value, cut to what a sentence can hold."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def message_of(line: bytes) -> Message:
    """Read a line from a run; raises ``ControlError`` for anything else."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"not a line of a run: it is not valid JSON ({error})") from None
    if not isinstance(said, dict) or not isinstance(said.get("kind"), str):
        raise ControlError("not a line of a run: it has no kind")
    return said


# What a run says is put together from parts that are encoded already: of thousands of tasks few change at a time.


def snapshot(
    parts: Mapping[str, bytes], tasks: Iterable[bytes], number: int, events: Sequence[bytes], since: int
) -> list[bytes]:
    """Write a whole run as the pieces of one line.

    ``parts`` are those of the document besides its tasks, each of which is ``"id":{…}``. Of the events all are there
    that came after ``since``.
    """
    head = b'{"kind":"snapshot","protocol":%d,"number":%d,"events_from":%d' % (PROTOCOL, number, since)
    return [head + line_of(parts, events) + b',"tasks":{', *separated(tasks), b"}}\n"]


def change(parts: Mapping[str, bytes], tasks: Iterable[bytes], number: int, events: Sequence[bytes]) -> list[bytes]:
    """Write what has changed as the pieces of one line; the parts and tasks that are not there stay as they were."""
    head = b'{"kind":"change","number":%d' % number
    return [head + line_of(parts, events) + b',"tasks":{', *separated(tasks), b"}}\n"]


def line_of(parts: Mapping[str, bytes], events: Sequence[bytes]) -> bytes:
    """Write the parts of a document, and events."""
    said = b"".join(b',"%b":%b' % (name.encode(), part) for name, part in parts.items())
    return said + b',"events":[' + b",".join(events) + b"]"


def separated(tasks: Iterable[bytes]) -> Iterable[bytes]:
    """Put commas between pieces."""
    for place, task in enumerate(tasks):
        yield b"," + task if place else task


def encoded_event(event: Event) -> bytes:
    """Write an event as ``nova run --json`` does, with its number."""
    return encoded({**event.as_dict(), "number": event.number})


def answer(id: int | None, **more: Any) -> bytes:  # noqa: A002 - the protocol's own word
    """Write that a command was obeyed."""
    return encoded({"kind": Kind.ANSWER, "id": id, "ok": True, **more}) + b"\n"


def refusal(id: int | None, error: NovaError) -> bytes:  # noqa: A002
    """Write why a command was not obeyed."""
    reason = {"reason": error.reason} if isinstance(error, ControlError) and error.reason else {}
    return encoded({"kind": Kind.ANSWER, "id": id, "ok": False, "error": str(error), **reason}) + b"\n"


def over(end: str | None) -> bytes:
    """Write that the run is over, and how it ended."""
    return encoded({"kind": Kind.OVER, "end": end}) + b"\n"
