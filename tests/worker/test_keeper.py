"""A keeper finds in the library what otherwise only nova finds, and is not noticed by anyone else (G54)."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nova_async import AsyncWorker, WorkerEnd
from nova_async.process import keeper
from tests.children import is_alive, program, ready

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, which has subreapers")

WAYS = ["clears", "overwrites", "undumpable"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_daemon_that_hides_is_ended_and_told(way: str, tmp_path: Path) -> None:
    """The command has exited; its daemon is known by the keeper's last words."""
    worker = AsyncWorker("F1", log_dir=tmp_path, keeper=True)
    await worker.start(program("daemon", way))
    assert await worker.wait() == 0
    daemon = int(worker.log_path.read_text().split()[1])
    assert [member.pid for member in worker.leftovers] == [daemon]
    assert not is_alive(daemon)


async def test_a_daemon_of_a_running_command_is_ended(tmp_path: Path) -> None:
    """While the command runs, it is a descendant of the keeper, which outlives the command's SIGTERM."""
    worker = AsyncWorker("F1", log_dir=tmp_path, keeper=True)
    await worker.start(program("daemon", "clears", "stay"))
    daemon = int((await ready(worker)).split()[1])
    await worker.terminate()
    assert worker.get_exit_code() == -signal.SIGTERM
    assert not is_alive(daemon)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -KILL $$", -9), ("kill -TERM $$", -15), ("kill -SEGV $$", -11)]
)
async def test_it_ends_as_its_command_does(script: str, code: int, tmp_path: Path) -> None:
    """By the same code, or the same signal."""
    async with AsyncWorker("F1", log_dir=tmp_path, keeper=True) as worker:
        await worker.start(["sh", "-c", script])
        assert await worker.wait() == code
        assert worker.end is (WorkerEnd.EXITED if code >= 0 else WorkerEnd.SIGNALED)


async def test_a_deaf_command_is_killed_with_its_keeper(tmp_path: Path) -> None:
    """Nothing of ours stays either."""
    worker = AsyncWorker("F1", log_dir=tmp_path, keeper=True)
    await worker.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"])
    await ready(worker)
    await worker.terminate(grace=0.1)
    assert worker.pid is not None
    assert not is_alive(worker.pid)


async def test_a_command_that_cannot_run_says_so(tmp_path: Path) -> None:
    """As a shell does it: 126, and a line in the log."""
    script = tmp_path / "script"
    script.write_text("no program, and no shebang\n")
    script.chmod(0o700)
    worker = AsyncWorker("F1", log_dir=tmp_path, keeper=True)
    await worker.start([str(script)])
    assert await worker.wait() == 126
    assert "cannot run" in worker.log_path.read_text()


@pytest.mark.parametrize("environment", [{"A": "1", "B": "x=y\nz", "C": "\udcff"}, {"LC_ALL": "C"}])
async def test_the_command_does_not_notice(environment: dict[str, str], tmp_path: Path) -> None:
    """Environment, signals, descriptors and arguments are what they are without a keeper, to the byte."""
    found = []
    command = [sys.executable, "-I", "-S", *program("tells_its_state", "a b", "", "-I", "ü", "\udcff")[1:]]
    for kept in (False, True):
        worker = AsyncWorker("F1", log_dir=tmp_path, keeper=kept)
        await worker.start(command, env=environment)
        assert await worker.wait() == 0, worker.log_path.read_text()
        state = json.loads(worker.log_path.read_text())
        state["environment"] = [line for line in state["environment"] if not line.startswith("NOVA_WORKER=")]
        assert state.pop("leads") is not kept  # it is in the keeper's session, and in its process group
        found.append(state)
    assert found[0] == found[1]


def test_the_keeper_loads_next_to_nothing(tmp_path: Path) -> None:
    """It is there once for each worker, so every module counts."""
    listed = tmp_path / "modules"
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import os, sys; del sys.argv[0]; path = sys.argv[0]\n"
        f"os._exit = lambda code: open({str(listed)!r}, 'w').write(' '.join(sys.modules))\n"
        "exec(compile(open(path).read(), path, 'exec'), {'__name__': '__main__', '__file__': path})\n"
    )
    command = [sys.executable, "-I", "-S", str(runner), str(keeper.PROGRAM), "1", "/bin/true", "true"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=30)
    loaded = set(listed.read_text().split())
    assert "nova_async.process.descendants" in loaded
    assert {module for module in loaded if module.startswith("nova_async.")} == {
        "nova_async.process", "nova_async.process.descendants", "nova_async.process.kinship",
        "nova_async.process.procfs",
    }  # fmt: skip
    assert loaded.isdisjoint({"enum", "signal", "subprocess", "typing", "dataclasses", "asyncio", "re", "pathlib"})


def test_it_is_refused_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and before anything is started."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(ValueError, match="keeper=True is not possible here"):
        AsyncWorker("F1", keeper=True)
