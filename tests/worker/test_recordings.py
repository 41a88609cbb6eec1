"""Whole workers over real recordings: the log is the recording, the totals are its truth, however it is printed."""

import json
from pathlib import Path

import pytest

from nova_async import AsyncWorker
from nova_async.agents import AGENTS
from tests.agents.recordings import Recording
from tests.children import program

DATA = Path(__file__).resolve().parents[1] / "data"
RECORDINGS = sorted(
    path
    for path in DATA.rglob("*")
    if path.suffix != ".json" and (sidecar := path.with_name(path.name + ".json")).is_file()
    if json.loads(sidecar.read_text())["mode"] not in ("raw", "text")
)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
@pytest.mark.parametrize("manner", ["burst", "lines"])
async def test_a_worker_over_a_recording(recording: Path, manner: str, tmp_path: Path) -> None:
    """A replayed recording is logged to the byte and counted to the token."""
    truth = json.loads(recording.with_name(recording.name + ".json").read_text())
    worker = AsyncWorker("F1", log_dir=tmp_path, agent=truth["cli"])
    await worker.start(program("replay", manner, recording))
    assert await worker.wait() == 0
    assert worker.log_path.read_bytes() == recording.read_bytes()
    assert worker.get_token_usage() == truth["reported"]
    assert worker.report.usage_is_final is Recording(recording).is_final


async def test_a_recording_byte_by_byte(tmp_path: Path) -> None:
    """The same when each byte comes alone."""
    recording = DATA / "claude/tools.sj.stdout"
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start(program("replay", "bytes", recording))
    assert await worker.wait() == 0
    assert worker.log_path.read_bytes() == recording.read_bytes()
    assert worker.get_token_usage()["output_tokens"] == 3041


async def test_two_megabytes_in_one_burst_and_an_exit(tmp_path: Path) -> None:
    """A recording many times over, written at once by a child that exits at once."""
    recording = DATA / "claude/tools.sj.stdout"
    times = 2_000_000 // recording.stat().st_size + 1
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start(program("replay", "burst", recording, str(times)))
    assert await worker.wait() == 0
    assert worker.log_path.read_bytes() == recording.read_bytes() * times
    assert worker.get_token_usage()["output_tokens"] == 3041  # the last total replaces the ones before it


def test_there_are_recordings() -> None:
    """Every agent is there with its recordings; a test over none could not fail."""
    assert {path.parent.name for path in RECORDINGS} == set(AGENTS) - {"plain"}
