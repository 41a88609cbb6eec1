"""`nova serve`, as a person starts it."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.command import NOVA, nova
from tests.web.runs import write_run
from tests.web.serving import TOKEN, Events


@contextmanager
def nova_serve(folder: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `nova serve`, and return the process and the line that it has printed."""
    with subprocess.Popen(
        [*NOVA, "serve", str(folder), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()
            process.communicate()


async def test_from_the_address_to_ctrl_c(tmp_path: Path) -> None:
    """It prints one address with a token in its fragment, answers to that, and ends within a second, pages or not."""
    await write_run(tmp_path)
    with nova_serve(tmp_path, "--port", "0") as (process, line):
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)#token=([\w-]{43})\n", line)
        assert found is not None, line
        address, token = found.groups()
        bearer = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=address, headers=bearer, timeout=20) as client:
            assert (await client.get("/api/v1/run")).json()["tasks"]["T1"]["status"] == "completed"
            task = (await client.get("/api/v1/tasks/T1")).json()
            assert (task["id"], task["now"]["status"]) == ("T1", "completed")
            assert len((await client.get("/api/v1/runs")).json()["runs"]) == 1
            plan = await client.get("/api/v1/plan")
            assert (plan.status_code, list(plan.json())) == (404, ["error"])
            async with client.stream("GET", "/api/v1/events") as page:
                lines = page.aiter_lines()
                assert await anext(lines) == "event: snapshot"
                begun = time.monotonic()
                process.send_signal(signal.SIGINT)
                async for _ in lines:
                    pass
                assert process.wait(20) == 0
                assert time.monotonic() - begun < 3  # on a busy machine; by itself a tenth of a second
        assert process.stderr is not None
        assert process.stderr.read() == ""


async def test_the_same_address_after_a_restart(tmp_path: Path, short_path: Path) -> None:
    """With a token of one's own, and on a Unix socket that is gone when the server is."""
    await write_run(tmp_path)
    path = short_path / "page.sock"
    for _ in range(2):
        with nova_serve(tmp_path, "--uds", str(path), NOVA_SERVE_TOKEN=TOKEN) as (process, line):
            assert line == f"serving at {path}; token {TOKEN}\n"
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                answer = await client.get("/api/v1/run", headers={"authorization": f"Bearer {TOKEN}"})
                assert answer.status_code == 200
            process.terminate()
            assert process.wait(20) == 0
        assert not path.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "use `ssh -L"),
        (["--host", "192.168.1.7"], "served on this machine only"),
        (["--host", "example.org"], "served on this machine only"),
        (["--port", "1", "--uds", "x"], "cannot be used together"),
        (["--port", "70000"], "--port"),
        (["nowhere"], "nowhere is not a folder"),
        (["--uds", "no/such/folder/x"], "cannot listen at"),
    ],
)
def test_what_cannot_be_served(options: list[str], said: str, tmp_path: Path) -> None:
    """It says why, in a sentence, and ends with 2."""
    done = nova("serve", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The sentence says what to do; a short token of one's own is refused as well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = nova("serve", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.returncode == 2
    assert "another program has it; choose another with --port" in done.stderr
    done = nova("serve", cwd=tmp_path, env={**os.environ, "NOVA_SERVE_TOKEN": "short"})
    assert done.returncode == 2
    assert "NOVA_SERVE_TOKEN must be at least 32" in done.stderr


def test_without_the_extra(tmp_path: Path) -> None:
    """It says which command installs it."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'uvicorn' else find(name, *more)\n"
    )
    done = nova("serve", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "hidden")})
    assert done.returncode == 2
    assert "pip install 'nova-async[web]'" in done.stderr


@contextmanager
def run_served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a plan with its page until the fifo is written, and return the process and the page's address."""
    (folder / "CASCADE.md").write_text("| ID | What |\n|---|---|\n| A1 | wait |\n")
    os.mkfifo(folder / "fifo")
    with subprocess.Popen(
        [*NOVA, "run", "--serve", "--plain", "--command", "cat fifo"], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("nova: page: http://127.0.0.1:"), line
            yield process, line.removeprefix("nova: page: ").strip()
        finally:
            process.kill()
            process.communicate()


async def is_gone(address: str) -> bool:
    """Wait until nobody answers there."""
    async with httpx.AsyncClient(timeout=20) as client:
        while True:
            try:
                await client.get(address)
            except httpx.TransportError:
                return True


async def test_a_run_with_its_page(tmp_path: Path) -> None:
    """The page is there from the beginning, shows the end as long as somebody looks, and then ends by itself."""
    with run_served(tmp_path) as (process, line):
        address, _, token = line.partition("#token=")
        bearer = {"authorization": f"Bearer {token}"}
        async with (
            httpx.AsyncClient(base_url=address, headers=bearer) as client,
            client.stream("GET", "/api/v1/events", timeout=20) as page,
        ):
            events = Events(page.aiter_lines())
            await events.next()
            (tmp_path / "fifo").write_text("")
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == "nova: the page stays as long as it is open in a browser\n"
            data = {}
            while data.get("condition") != "completed":
                _, _, data = await events.next()
        assert await is_gone(address)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_the_page_ends_with_the_run(how: signal.Signals, tmp_path: Path) -> None:
    """However the run ends, no server is left that nobody looks at."""
    with run_served(tmp_path) as (process, line):
        os.kill(process.pid, how)
        process.wait(20)
        assert await is_gone(line.partition("#")[0])
