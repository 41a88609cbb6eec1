"""No client holds the server up, or keeps it from ending: slow, silent, many or gone."""

import asyncio
import os
import resource
import socket
import stat
import time
from pathlib import Path

import pytest

from nova_async.web import server
from nova_async.web.server import AddressError, listen, listen_at, listen_on
from tests.web.runs import write_run
from tests.web.serving import QUICK, TOKEN, Served, serving

HEAD = f"GET /api/v1/run HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes the connection."""
    data = b""
    async with asyncio.timeout(QUICK):
        try:
            while chunk := await reader.read(1 << 16):
                data += chunk
        except ConnectionResetError:
            pass
    return data


async def test_a_request_that_never_ends_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing, and one that says a little again and again, both end in time."""
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.5)
    silent, silent_writer = await asyncio.open_connection("127.0.0.1", served.port)
    slow, slow_writer = await asyncio.open_connection("127.0.0.1", served.port)
    slow_writer.write(HEAD.encode())
    begun = time.monotonic()

    async def drip() -> None:
        while not slow_writer.is_closing():
            slow_writer.write(b"X-Slow: 1\r\n")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await closed(silent) == b""
    assert b"200 OK" not in await closed(slow)
    assert time.monotonic() - begun < 5
    slow_writer.close()
    await dripping
    silent_writer.close()
    assert (await served.client.get("/api/v1/run")).status_code == 200


async def test_a_second_request_must_come_in_time_as_well(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a connection that is kept, whether or not the next request has begun."""
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.5)
    for begun in ("", HEAD):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(f"{HEAD}\r\n{begun}".encode())
        assert (await closed(reader)).count(b"200 OK") == 1
        writer.close()


async def test_a_body_must_come_in_time_and_have_an_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A POST whose body does not come, or is too long, is answered with what is wrong."""
    monkeypatch.setattr("nova_async.web.answers.SAY_WITHIN", 0.3)
    own = f"POST /api/v1/stop HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    status, answer = await served.raw(f"{own}Content-Length: 100\r\n\r\n{{".encode())
    assert status == 408
    assert b"did not arrive" in answer
    status, answer = await served.raw(f"{own}Content-Length: 70000\r\n\r\n".encode() + b" " * 70_000)
    assert status == 413
    status, _ = await served.raw(b"nonsense\r\n\r\n")
    assert status == 400
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD.encode() + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n")
    assert b"200 OK" not in await closed(reader)
    writer.close()


async def test_a_client_that_reads_nothing_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer waits for it, in its system and in 64 KiB of ours, for so long and no longer."""
    monkeypatch.setattr(server, "STALL_SECONDS", 0.5)
    await write_run(tmp_path)
    (tmp_path / "logs" / "T1.log").write_bytes(b"x" * 30_000_000)
    async with serving(tmp_path) as served:
        deaf = socket.create_connection(("127.0.0.1", served.port))
        deaf.sendall(HEAD.replace("/run", "/tasks/T1/attempts/2/log").encode() + b"\r\n")
        async with asyncio.timeout(QUICK):
            while not served.server.server_state.connections:
                await asyncio.sleep(0.01)
            while served.server.server_state.connections:
                await asyncio.sleep(0.05)
        deaf.close()


async def test_connections_are_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is closed at once; the others stay, and there is room again when one has gone."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 5)
    opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(5)]
    while len(served.server.server_state.connections) < 5:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    assert await closed(reader) == b""
    writer.close()
    for _, each in opened:
        each.close()
    while served.server.server_state.connections:
        await asyncio.sleep(0.01)
    assert (await served.client.get("/api/v1/run")).status_code == 200


async def test_it_ends_within_a_second_whoever_is_connected(tmp_path: Path) -> None:
    """Pages are open, a request is half way, and one client reads nothing: none of them is waited for."""
    await write_run(tmp_path)
    (tmp_path / "logs" / "T1.log").write_bytes(b"x" * 30_000_000)
    async with serving(tmp_path) as served, served.events() as events:
        await events.next()
        _, half = await asyncio.open_connection("127.0.0.1", served.port)
        half.write(HEAD.encode())
        deaf = socket.create_connection(("127.0.0.1", served.port))
        deaf.sendall(HEAD.replace("/run", "/tasks/T1/attempts/2/log").encode() + b"\r\n")
        while len(served.server.server_state.connections) < 3:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        served.ended.set()
        served.server.stop()
        while served.server.servers[0].sockets or served.server.server_state.connections:
            await asyncio.sleep(0.01)
        assert time.monotonic() - begun < 1.5
        half.close()
        deaf.close()


async def test_a_quiet_page_costs_nothing(tmp_path: Path) -> None:
    """While nothing happens, nothing wakes up: neither uvicorn nor the stream of an open page looks at a clock."""
    await write_run(tmp_path)
    async with serving(tmp_path) as served, served.events() as events:
        await events.next()
        loop = asyncio.get_running_loop()
        woken = 0
        select = loop._selector.select  # type: ignore[attr-defined]

        def counted(timeout: float | None = None) -> object:
            nonlocal woken
            woken += 1
            return select(timeout)

        loop._selector.select = counted  # type: ignore[attr-defined]
        try:
            before = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.sleep(1.5)
            after = resource.getrusage(resource.RUSAGE_SELF)
        finally:
            del loop._selector.select  # type: ignore[attr-defined]
        assert woken <= 4  # the end of this sleep
        assert after.ru_utime - before.ru_utime < 0.1


def test_only_loopback_is_listened_on() -> None:
    """On 127.0.0.1 and, where there is one, ::1, with the same port; another program's port is refused or avoided."""
    sockets = listen_on(0)
    try:
        port = sockets[0].getsockname()[1]
        assert {each.getsockname()[0] for each in sockets} <= {"127.0.0.1", "::1"}
        assert {each.getsockname()[1] for each in sockets} == {port}
        with pytest.raises(AddressError, match="another program has it; choose another with --port"):
            listen(port, 0)
        others = listen(None, port)
        assert others[0].getsockname()[1] != port
        for each in others:
            each.close()
    finally:
        for each in sockets:
            each.close()


async def test_a_unix_socket_is_the_users_own(tmp_path: Path, short_path: Path) -> None:
    """Nobody else can open it; what a killed server left is replaced, and nothing else that has its name."""
    path = short_path / "page.sock"
    await write_run(tmp_path)
    listening = listen_at(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with serving(tmp_path, [listening]):
        with pytest.raises(AddressError, match="another server answers there"):
            listen_at(path)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(HEAD.encode() + b"Connection: close\r\n\r\n")
        assert b"200 OK" in await closed(reader)
        writer.close()
        await writer.wait_closed()
    listen_at(path).close()
    path.unlink()
    path.write_text("mine")
    with pytest.raises(AddressError, match="something else has this name"):
        listen_at(path)
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_cannot_connect_to_the_socket(short_path: Path) -> None:
    """The system refuses it, before any token is asked for."""
    for folder in (short_path, *short_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    listening = listen_at(short_path / "page.sock")
    child = os.fork()
    if child == 0:
        os.setuid(4242)
        try:
            socket.socket(socket.AF_UNIX).connect(str(short_path / "page.sock"))
        except PermissionError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    listening.close()
