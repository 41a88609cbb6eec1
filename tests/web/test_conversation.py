"""A log as a conversation, by parts: whatever the parts, together they are the whole, and each is bounded."""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.agents import Piece
from nova_async.agents.unknown import renderer_of
from nova_async.views import TaskView
from nova_async.web import conversation
from nova_async.web.conversation import PART, Conversations, Shown, document
from nova_async.web.logs import Log
from nova_async.words import TaskState
from tests.agents.recordings import KEPT_RECORDINGS, Recording
from tests.views import attempt, by_id, run_view
from tests.web.runs import log_in, publish, said
from tests.web.serving import Served, serving


def log_with(content: bytes, agent: str = "claude", *, is_over: bool = True) -> Log:
    """Return a log with this content, without a name on the disk."""
    descriptor = os.memfd_create("log")
    os.write(descriptor, content)
    return Log(io.FileIO(descriptor, "r+"), "T1", 1, agent, is_over)


def all_parts(log: Log, most: int, *, by: Conversations | None = None) -> list[Shown]:
    """Read a whole log by parts."""
    conversations, parts, begin = by or Conversations(), [], 0
    while begin is not None and (not parts or begin != parts[-1].begin or parts[-1].next != begin):
        parts.append(conversations.part(log, begin, most))
        begin = parts[-1].next
    return parts


def pieces_of(parts: Sequence[Shown]) -> list[Piece]:
    """Return what parts show together."""
    return [piece for part in parts for piece in part.pieces]


@pytest.mark.parametrize("recording", KEPT_RECORDINGS, ids=lambda each: each.name)
def test_parts_are_the_whole(recording: Recording) -> None:
    """Of every recorded agent, read in one part, in small ones, and with another reader between them."""
    renderer = renderer_of(recording.agent)
    whole = [*renderer.feed(recording.output), *renderer.close()]
    with log_with(recording.output, recording.agent).file as file:
        log = Log(file, "T1", 1, recording.agent, True)
        both = Conversations()
        for most in (PART, 5_000, 1):
            parts = all_parts(log, most, by=both)
            assert pieces_of(parts) == whole
            assert [part.begin for part in parts[1:]] == [part.next for part in parts[:-1]]


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=20), st.integers(1, 100), st.booleans())
def test_any_bytes_in_any_parts(lines: list[bytes], most: int, is_over: bool) -> None:
    """Nothing an agent prints makes a part fail, stand still or repeat; while it runs, the last line is left out."""
    content = b"\n".join(lines)
    log = log_with(content, "plain", is_over=is_over)
    with log.file:
        parts = all_parts(log, most)
        seen = content if is_over else content[: content.rfind(b"\n") + 1]
        renderer = renderer_of("plain")
        expected = [*renderer.feed(seen), *(renderer.close() if is_over else [])]
        assert pieces_of(parts) == expected
        assert (parts[-1].next is None) is is_over
        assert is_over or parts[-1].next == len(seen)


def test_the_end_of_a_long_log_comes_first() -> None:
    """A part can begin anywhere: at the next line, without looking at what stands before it."""
    lines = [said(f"This is line {number}.") for number in range(20_000)]
    log = log_with(b"".join(lines))
    with log.file:
        part = Conversations().part(log, -1000)
        assert part.pieces[-1].text == "This is line 19999."
        assert part.begin >= log.size - 1000
        assert part.next is None
        middle = Conversations().part(log, log.size // 2, 1000)
        assert middle.pieces[0].text.startswith("This is line 10")
        assert middle.next is not None
        assert middle.next - middle.begin <= 1000


def test_a_conversation_that_grows_is_gone_on_with() -> None:
    """A call is known by its label when its output comes in a later part, and the verdict comes once, at the end."""
    call = {"type": "assistant", "message": {"content": [
        {"type": "tool_use", "id": "c1", "name": "Bash", "input": {"command": "ls"}}]}}  # fmt: skip
    gave = {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "c1", "content": "a.txt"}]}}
    log = log_with(json.dumps(call).encode() + b"\n" + said("Meanwhile.") + b'{"type": "user', is_over=False)
    conversations = Conversations()
    with log.file as file:
        first = conversations.part(log, 0)
        assert [piece.text for piece in first.pieces] == ["Bash: ls", "Meanwhile."]
        assert first.next is not None
        again = conversations.part(log, first.next)
        assert (again.pieces, again.next) == ([], first.next)
        os.pwrite(file.fileno(), json.dumps(gave).encode() + b"\n", first.next)
        second = [piece.text for piece in conversations.part(log, first.next).pieces]
        assert second == ["Bash: ls (ended)", "a.txt"]
        assert [piece.text for piece in conversations.part(log, first.next).pieces] == second  # another page


@pytest.mark.parametrize("size", [10_000_000, 40_000_000])
def test_a_line_of_many_megabytes_is_cut(size: int) -> None:
    """One entry has the beginning of it, or says that it is too large to show, and what follows it is shown."""
    log = log_with(said("Before.") + b'{"x": "' + b"y" * size + b'"}\n' + said("After."))
    with log.file:
        parts = all_parts(log, PART)
        told = [each for part in parts for each in document(log, part)["entries"]]
        texts = [each["text"] for each in told]
        assert texts[0] == "Before."
        assert "After." in texts
        assert sum(map(len, texts)) < 100_000
        assert any(each["is_cut"] or "too large" in each["text"] for each in told)
        assert len(parts) <= 6


def test_a_line_without_an_end_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One longer than we look through is left out by pieces, and the reader comes to what follows."""
    monkeypatch.setattr(conversation, "LONGEST_PART", 50_000)
    log = log_with(b"x" * 400_000 + b"\n" + said("After."))
    with log.file:
        parts = all_parts(log, 10_000)
        assert len(parts) < 12
        assert [piece.text for piece in pieces_of(parts)][-1] == "After."


def test_what_is_kept_is_bounded() -> None:
    """However many parts are asked for, only the latest are gone on with."""
    log = log_with(b"line\n" * 1000, "plain")
    with log.file:
        conversations = Conversations()
        all_parts(log, 5, by=conversations)
        assert len(conversations._kept) == conversation.MOST_KEPT


async def test_the_route_says_it_all(served: Served) -> None:
    """Where the part begins and ends, whose it is, and whether more will come."""
    answer = await served.json("tasks/T1/attempts/2/conversation")
    told = [(entry["kind"], entry["text"]) for entry in answer.pop("entries")]
    assert told[:2] == [("text", "I work."), ("text", "Done.")]
    size = (served.folder / "logs" / "T1.log").stat().st_size
    assert answer == {
        "task": "T1", "attempt": 2, "agent": "claude", "is_over": True, "from": 0, "next": None, "size": size,
    }  # fmt: skip
    assert (await served.json("tasks/T1/attempts/1/conversation"))["entries"][0]["text"] == "I try."
    for wrong in ("x", "1.5", "", "--1", "9" * 30):
        answer = await served.client.get("/api/v1/tasks/T1/attempts/2/conversation", params={"from": wrong})
        assert answer.status_code == 400, wrong
    beyond = await served.json("tasks/T1/attempts/2/conversation", **{"from": 10**17})
    assert beyond["from"] == size


def append(path: Path, content: bytes) -> None:
    """Write at the end of a file."""
    with path.open("ab") as file:
        file.write(content)


async def test_growth_is_told_as_it_happens(tmp_path: Path) -> None:
    """A page that looks at a log is told its size whenever the agent has written, and gets what is new."""
    log = log_in(tmp_path, "T1.log", said("First."))
    running = attempt("T1", 1, None)
    task = TaskView(id="T1", state=TaskState.IN_PROGRESS, attempt=1, attempts=(running,), log=log)
    await publish(tmp_path, run_view(pid=os.getpid()), by_id(task))
    async with serving(tmp_path) as served, served.events(query="?log=T1~1&log=T9~1") as events:
        assert (await events.next())[0] == "snapshot"
        kind, _, data = await events.next()
        assert (kind, data) == ("log", {"task": "T1", "attempt": 1, "size": len(said("First."))})
        first = await served.json("tasks/T1/attempts/1/conversation")
        assert first["next"] == data["size"]
        append(Path(log.path), said("Second."))
        kind, _, data = await events.next()
        assert (kind, data["size"]) == ("log", len(said("First.") + said("Second.")))
        second = await served.json("tasks/T1/attempts/1/conversation", **{"from": first["next"]})
        assert [entry["text"] for entry in second["entries"]] == ["Second."]


async def test_an_earlier_part_of_a_conversation_ends_where_another_begins(served: Served) -> None:
    """Going back in a log, nothing is told twice: an earlier part ends where the known one begins."""
    path = "tasks/T1/attempts/2/conversation"
    whole = await served.json(path)
    log = (await served.client.get("/api/v1/tasks/T1/attempts/2/log")).content
    last = await served.json(path, **{"from": log.rindex(b"\n", 0, -1) + 1})
    earlier = await served.json(path, **{"from": 0, "until": last["from"]})
    assert earlier["next"] == last["from"]
    assert [*earlier["entries"], *last["entries"]] == whole["entries"]
    assert (await served.json(path, **{"from": last["from"], "until": last["from"]}))["entries"] == []
