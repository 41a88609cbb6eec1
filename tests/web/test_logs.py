"""The bytes of a log: all, or the part that was asked for, and never of another file."""

import asyncio

import pytest

from nova_async.web.logs import Part, part_of
from tests.web.runs import said
from tests.web.serving import Served


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        (None, Part(0, 10)), ("bytes=0-", Part(0, 10)), ("bytes=0-0", Part(0, 1)), ("bytes=3-5", Part(3, 6)),
        ("bytes=9-99", Part(9, 10)), ("bytes=-3", Part(7, 10)), ("bytes=-99", Part(0, 10)), ("bytes = 2-4", Part(2, 5)),
        ("bytes=10-", None), ("bytes=99-100", None), ("bytes=-0", None),
        ("bytes=5-3", Part(0, 10)), ("bytes=-", Part(0, 10)), ("lines=1-2", Part(0, 10)),
        ("bytes=1-2,4-5", Part(0, 10)),
        ("bytes=x-1", Part(0, 10)), ("bytes=1-2x", Part(0, 10)), ("bytes=" + "9" * 30 + "-", Part(0, 10)),
        ("bytes=-1-2", Part(0, 10)), ("bytes=٣-", Part(0, 10)), ("", Part(0, 10)),
    ],
)  # fmt: skip
def test_which_part_is_meant(wanted: str | None, part: Part | None) -> None:
    """As RFC 9110 has it: what cannot be satisfied is refused, what cannot be understood is ignored."""
    assert part_of(wanted, 10) == part


def test_an_empty_log_has_no_part() -> None:
    """But it can be read as a whole."""
    assert part_of(None, 0) == Part(0, 0)
    assert part_of("bytes=0-", 0) is None


async def test_bytes_come_as_they_are(served: Served) -> None:
    """Whole, by part, by its end, for a HEAD without any, and with a name to save it under."""
    log = "/api/v1/tasks/T1/attempts/2/log"
    content = (served.folder / "logs" / "T1.log").read_bytes()
    whole = await served.client.get(log)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["accept-ranges"] == "bytes"
    part = await served.client.get(log, headers={"range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, content[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(content)}"
    end = await served.client.get(log, headers={"range": "bytes=-4"})
    assert (end.status_code, end.content) == (206, content[-4:])
    beyond = await served.client.get(log, headers={"range": "bytes=99999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")
    head = await served.client.head(log)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(content))
    kept = await served.client.get(log, params={"download": ""})
    assert kept.headers["content-disposition"] == "attachment; filename*=UTF-8''T1-2.log"
    assert "content-disposition" not in whole.headers
    first = await served.client.get("/api/v1/tasks/T1/attempts/1/log")
    assert first.content == said("I try.")


async def test_a_client_that_goes_leaves_nothing_open(served: Served) -> None:
    """The log is closed, also where only its beginning was read, or it shrinks meanwhile."""
    (served.folder / "logs" / "T1.log").write_bytes(b"x" * 5_000_000)
    async with served.client.stream("GET", "/api/v1/tasks/T1/attempts/2/log") as answer:
        await anext(answer.aiter_bytes())
        (served.folder / "logs" / "T1.log").write_bytes(b"")
    async with asyncio.timeout(20):
        while any(connection.cycle for connection in served.server.server_state.connections):
            await asyncio.sleep(0.01)
