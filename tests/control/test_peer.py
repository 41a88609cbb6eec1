"""A run answers its own user only."""

import asyncio
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from nova_async._core.threads import in_thread
from nova_async.control.client import connected
from nova_async.control.peer import is_trusted, peer_uid
from nova_async.control.protocol import Stop
from nova_async.errors import ControlError, JournalError
from tests.control.runs import answering
from tests.ordinary_user import as_ordinary_user, ordinary_environment, ordinary_folder, ordinary_python

ASKS = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
client.connect(sys.argv[1])
print(client.makefile().read())
"""
LISTENS = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
print(listener.accept()[0].recv(9))
"""
SLEEPS = "ID | What\n A1 | exec sleep 60"


def test_the_kernel_says_who_it_is() -> None:
    """Of our own connection: we."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()
        assert is_trusted(ours)


def test_where_nobody_can_say_nobody_is_trusted() -> None:
    """A connection whose other end is unknown is refused."""
    with socket.socket(socket.AF_INET) as alone:
        assert not is_trusted(alone)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
async def test_another_user_is_refused(tmp_path: Path) -> None:
    """By the modes of the folder and of the socket, and without them by who it is."""
    ordinary_folder(tmp_path)
    command = [*as_ordinary_user(ordinary_python(), "-c", ASKS)]
    environment = ordinary_environment(tmp_path)
    async with answering(SLEEPS, tmp_path) as run:

        def ask() -> subprocess.CompletedProcess[str]:
            return subprocess.run([*command, str(run.address)], capture_output=True, text=True, env=environment)

        assert run.address.parent.stat().st_mode & 0o777 == 0o700
        assert "PermissionError" in (await in_thread(ask)).stderr
        run.address.parent.chmod(0o777)
        assert "PermissionError" in (await in_thread(ask)).stderr
        run.address.chmod(0o666)
        said = json.loads((await in_thread(ask)).stdout)
        assert (said["ok"], said["error"]) == (False, "this run belongs to another user")
        assert not run.running.done()
        async with connected(run.journal) as control:
            await control.ask(Stop(kill=True))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
async def test_another_users_socket_is_not_asked(tmp_path: Path) -> None:
    """A client hands nothing to a socket that somebody else has put in the place of the run's."""
    ordinary_folder(tmp_path)
    async with answering(SLEEPS, tmp_path) as run:
        impostor = tmp_path / "impostor"
        stranger = await asyncio.create_subprocess_exec(
            *as_ordinary_user(ordinary_python(), "-c", LISTENS), str(impostor),
            stdout=subprocess.PIPE, env=ordinary_environment(tmp_path),
        )  # fmt: skip
        assert stranger.stdout is not None
        assert await stranger.stdout.readline() == b"ready\n"
        await run.runner.note_control(str(impostor))
        with pytest.raises(ControlError, match="belongs to another user"):
            async with connected(run.journal):
                pass
        assert await stranger.communicate() == (b"b''\n", None)
        run.runner.stop(grace=0.0)


async def test_a_foreign_journal_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a socket is, only a journal of ours is believed."""
    async with answering(SLEEPS, tmp_path) as run:
        monkeypatch.setattr("nova_async.journal.reader.require_ours", refuse)
        with pytest.raises(JournalError, match="not ours"):
            async with connected(run.journal):
                pass
        run.runner.stop(grace=0.0)


def refuse(*_: object) -> None:
    """Take a journal for somebody else's."""
    raise JournalError("not ours")
