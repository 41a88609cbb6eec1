"""What a fleet's end costs: looks at the process table are shared, and taken outside the loop."""

import asyncio
import os
import sys
import threading
from pathlib import Path

import pytest

from nova_async import AsyncWorker, WorkerStatus
from nova_async.process import procfs

LOOKS: list[int] = []
"""The threads in which the whole of /proc was listed."""


def note_look(event: str, arguments: tuple[object, ...]) -> None:
    """Note whoever lists the process table."""
    if event == "os.listdir" and arguments[0] == "/proc":
        LOOKS.append(threading.get_ident())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
async def test_a_fleet_that_ends_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred workers that exit at once after a long life need four looks at most, none of them in the loop."""
    sys.addaudithook(note_look)  # it cannot be taken back, and costs next to nothing
    # As after days: so many processes have come and gone that only a look at all of them can tell.
    monkeypatch.setattr(procfs, "_pid_limit", 1000)
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    ours = os.open(fifo, os.O_RDWR)
    workers = [AsyncWorker(f"T{number}", log_dir=tmp_path) for number in range(100)]
    for worker in workers:
        await worker.start(["sh", "-c", f"exec 3<{fifo}; echo ready; exec cat <&3"])
    async with asyncio.timeout(30):
        for worker in workers:
            async for line in worker.lines():
                assert line == "ready"
                break
    LOOKS.clear()
    # They have it open; once all are cat, they see its end at the same moment.
    while sum(b"cat" in Path(f"/proc/{worker.pid}/comm").read_bytes() for worker in workers) < 100:
        await asyncio.sleep(0.01)
    os.close(ours)
    async with asyncio.timeout(30):
        await asyncio.gather(*(worker.wait() for worker in workers))
    assert {worker.status for worker in workers} == {WorkerStatus.COMPLETED}
    assert 1 <= len(LOOKS) <= 4
    assert threading.get_ident() not in LOOKS
