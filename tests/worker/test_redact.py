"""What is to be redacted leaves a worker nowhere: not in its log, nor in what is told of it."""

import json
import os
import sys
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Worker
from nova_async.words import WorkerEnd

KEY = "sk-live-0123456789/abcdef"
REPLAY = [sys.executable, str(Path(__file__).parents[1] / "programs" / "replay.py")]
EVENTS = [
    {"type": "system", "subtype": "init", "session_id": "s1", "model": "m"},
    {
        "type": "assistant",
        "message": {
            "id": "1", "usage": {"input_tokens": 3, "output_tokens": 4},
            "content": [{"type": "text", "text": f"I use {KEY} now."}],
        },
    },
    {
        "type": "result", "subtype": "success", "is_error": False, "result": f"The key is {KEY}.", "num_turns": 1,
        "usage": {"input_tokens": 3, "output_tokens": 4}, "total_cost_usd": 0.5,
    },
]  # fmt: skip


def recorded(folder: Path) -> Path:
    """Return a file with an agent's output that holds the key, spelled as PHP and others spell it."""
    file = folder / "events"
    file.write_text("".join(json.dumps(event).replace("/", "\\/") + "\n" for event in EVENTS))
    return file


@pytest.mark.parametrize("manner", ["bytes", "burst"])
async def test_nothing_of_a_value_gets_out(manner: str, tmp_path: Path) -> None:
    """However the output is cut: log, lines, output, result and the command line show a mark instead."""
    async with AsyncWorker("A1", f"use {KEY}", log_dir=tmp_path, agent="claude", redact=["API_*"]) as worker:
        command = [*REPLAY, manner, str(recorded(tmp_path)), "1", KEY]
        await worker.start(command, env={**os.environ, "API_KEY": KEY})
        lines = [line async for line in worker.lines()]
        output = b"".join([chunk async for chunk in worker.output()])
        await worker.wait()
    shown = json.dumps([lines, output.decode(), worker.get_status_dict(), repr(worker)]).replace("\\", "")
    assert KEY not in shown
    assert KEY not in worker.log_path.read_text().replace("\\", "")
    assert worker.report.result == "The key is [redacted]."
    assert worker.get_status_dict()["command"][-1] == "[redacted]"
    assert (worker.report.usage.total, worker.report.is_error) == (7, False)


async def test_standard_error_apart_from_events(tmp_path: Path) -> None:
    """Where the two streams come by two pipes, both are redacted, each by itself."""
    apart = 'printf %.8s "$API_KEY"; echo "$API_KEY" >&2; echo "${API_KEY#????????}"'
    script = f"{apart}; cat {recorded(tmp_path)}"
    async with AsyncWorker("A1", log_dir=tmp_path, agent="claude", redact=["API_KEY"]) as worker:
        await worker.start(["sh", "-c", script], env={**os.environ, "API_KEY": KEY})
        await worker.wait()
    logged = worker.log_path.read_text()
    assert sorted(logged.splitlines())[:2] == ["[redacted]", "[redacted]"]
    assert KEY[:9] not in logged.replace("\\", "")
    assert worker.report.result == "The key is [redacted]."


async def test_the_activity(tmp_path: Path) -> None:
    """The last line of a plain command is what it does now: it shows a mark as well."""
    async with AsyncWorker("A1", log_dir=tmp_path, redact=["API_KEY"]) as worker:
        await worker.start(["echo", f"using {KEY}"], env={**os.environ, "API_KEY": KEY})
        await worker.wait()
    assert worker.report.activity == "using [redacted]"


async def test_the_end_of_the_output_is_not_lost(tmp_path: Path) -> None:
    """What was held back because it could have become a secret comes out when nothing more can come."""
    async with AsyncWorker("A1", log_dir=tmp_path, redact=["API_KEY"]) as worker:
        await worker.start(["printf", "a sk-liv"], env={**os.environ, "API_KEY": KEY})
        await worker.wait()
    assert worker.log_path.read_text() == "a sk-liv"


async def test_a_secret_that_is_cut_off(tmp_path: Path) -> None:
    """Most of a secret at the end of the output is not told either: its program may have been killed while printing."""
    async with AsyncWorker("A1", log_dir=tmp_path, redact=["API_KEY"]) as worker:
        await worker.start(["printf", f"a {KEY[:-1]}"], env={**os.environ, "API_KEY": KEY})
        await worker.wait()
    assert worker.log_path.read_text() == "a [redacted]"


def test_values_of_our_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that only we have is redacted too: its value may have reached the command in another way."""
    monkeypatch.setenv("API_KEY", KEY)
    with Worker("A1", log_dir=tmp_path, redact=["API_KEY", "/tok-[a-z]{8,}/"]) as worker:
        worker.start(["echo", KEY, "tok-abcdefghi"], env={"PATH": os.environ["PATH"]})
        assert list(worker.lines()) == ["[redacted] [redacted]"]
        worker.wait()


async def test_a_start_that_fails(tmp_path: Path) -> None:
    """The error that is kept shows no secret either."""
    worker = AsyncWorker("A1", log_dir=tmp_path, redact=["API_KEY"])
    with pytest.raises(FileNotFoundError):
        await worker.start([f"./{KEY}"], env={**os.environ, "API_KEY": KEY})
    assert worker.end is WorkerEnd.NOT_STARTED
    assert "[redacted]" in (worker.error or "")
    assert KEY not in json.dumps(worker.get_status_dict())


@pytest.mark.parametrize(
    ("redact", "error"),
    [
        ("API_KEY", TypeError), ([1], TypeError), (None, TypeError), (["*"], ValueError), (["a-b"], ValueError),
        (["/(a|b){20}/"], ValueError), (["/abc/"], ValueError), (["/a{1000}/"], ValueError),
        (["/a+bcdefgh/"], ValueError), (["/[[:alpha:]]{9}/"], ValueError), (["/abcdef\\/"], ValueError),
        (["/[a--b]{9}/"], ValueError), (["/[z-a]{9}/"], ValueError),
        (["//"], ValueError), (["/"], ValueError), ([""], ValueError),
        (["/abcd\\b/"], ValueError), (["/^abcdef/"], ValueError), (["/abcdef?/"], ValueError),
    ],
)  # fmt: skip
def test_what_cannot_be_redacted(redact: object, error: type[Exception]) -> None:
    """What is neither a name nor a pattern that can be matched in a stream is refused at once."""
    with pytest.raises(error, match=r"redact|pattern|/"):
        AsyncWorker("A1", redact=redact)  # type: ignore[arg-type]
