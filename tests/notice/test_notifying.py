"""Notifying people of a run, with real commands and a real web hook: they are told, and nothing of it harms the run."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_async.cascade import Cascade
from nova_async.cascade.notify import parse_notify
from nova_async.notice import notifying as room
from nova_async.notice.notifying import notifying
from nova_async.views import RunReport
from nova_async.words import Outcome
from tests.cli.command import NOVA, in_a_terminal, nova, read_raw
from tests.notice.hook import OK, Hook, hooked
from tests.orchestrator.test_agents_on_hold import DATA, recorded
from tests.orchestrator.test_running import orchestrator, plan

PROGRAMS = Path(__file__).parents[1] / "programs"
GIVEN_UP = "given up, because the run is over"
NOTIFIED = [sys.executable, str(PROGRAMS / "notified.py")]


def receivers(cascade: Cascade, *receivers: Any, **settings: Any) -> Cascade:
    """Return a plan that names these."""
    return replace(cascade, settings=replace(cascade.settings, notify=parse_notify([*receivers]), **settings))


async def run(cascade: Cascade, folder: Path, **options: Any) -> tuple[RunReport, list[str]]:
    """Run a plan and notify; return its report, and what was told of after its end."""
    troubles: list[str] = []
    runner = orchestrator(cascade, folder, **options)
    async with notifying(runner, on_trouble=troubles.append):
        report = await runner.run()
    return report, troubles


def told(path: Path) -> list[dict[str, Any]]:
    """Return what was told, in order of the kinds."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return sorted(lines, key=lambda line: str(line["notice"]["notice"]))


async def test_a_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the event on its standard input, the words as arguments and variables, and no descriptor of ours."""
    monkeypatch.setenv("SHOP_KEY", "key-of-the-shop")
    notes = tmp_path / "notes"
    cascade = plan("ID | What | Deps\nT1 | exit 3 | -\nT2 | exit 4 | -\nT3 | true | T1")
    cascade = receivers(cascade, {"command": [*NOTIFIED, str(notes), "{title}", "a {text} {notice}"]}, pass_env=())
    with (tmp_path / "open").open("w") as kept:
        os.set_inheritable(kept.fileno(), True)
        report, troubles = await run(cascade, tmp_path)
    assert (report.ok, report.warnings, troubles) == (False, (), [])
    end, failure = told(notes)
    assert end["notice"]["event"] == "run_ended"
    assert (end["notice"]["failed"], end["notice"]["project"], end["notice"]["run_id"]) == (2, "Test", report.run_id)
    assert failure["notice"]["event"] == "task_failed"
    assert failure["notice"]["task"] in ("T1", "T2")
    text = failure["notice"]["text"]
    assert failure["arguments"] == ["nova: Test", f"a {text} failure"]
    variables = {name: value for name, value in failure["variables"].items() if name != "NOVA_WORKER"}
    assert variables == {"NOVA_NOTICE": "failure", "NOVA_TITLE": "nova: Test", "NOVA_TEXT": text}
    assert failure["descriptors"] == [0, 1, 2]


async def test_each_run_tells_of_itself(tmp_path: Path) -> None:
    """A run that goes on with what an earlier one has left tells again; one kind is told to those who want it."""
    notes, ends = tmp_path / "notes", tmp_path / "ends"
    cascade = receivers(
        plan("ID | What\nT1 | exit 3"),
        {"command": [*NOTIFIED, str(notes)], "on": ["failure"]}, {"command": [*NOTIFIED, str(ends)], "on": ["end"]},
    )  # fmt: skip
    for _ in range(2):
        await run(cascade, tmp_path, retry_failed=True)
    assert [note["notice"]["notice"] for note in told(notes)] == ["failure", "failure"]
    assert len({note["notice"]["run_id"] for note in told(ends)}) == 2


async def test_what_needs_somebody_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that is missing, a usage limit, a denied tool, a budget: each once, however many tasks meet it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    denied = DATA.parent / "verdicts/claude/newcomer-denied.stdout"
    for place, (printed, kind) in enumerate([
        (recorded(tmp_path, Outcome.AUTH), "blocked"), (recorded(tmp_path, Outcome.LIMIT), "limit"),
        (denied, "blocked"),
    ]):  # fmt: skip
        folder = tmp_path / str(place)
        folder.mkdir()
        cascade = plan(f"ID | What\nT1 | cat {printed}; exit 1\nT2 | cat {printed}; exit 1", "agent = 'claude'\n")
        cascade = receivers(cascade, {"command": [*NOTIFIED, str(folder / "notes")], "on": [kind]}, max_wait=0.0)
        await run(cascade, folder, max_workers=1)
        assert [note["notice"]["notice"] for note in told(folder / "notes")] == [kind], printed
    folder = tmp_path / "budget"
    folder.mkdir()
    script = "echo Token usage: input=9, output=0, cache_read=0, cache_creation=0"
    cascade = plan("ID | What\n" + "\n".join(f"T{number} | {script}" for number in range(1, 5)), "budget_tokens = 20\n")
    cascade = receivers(cascade, {"command": [*NOTIFIED, str(folder / "notes")], "on": ["budget"]})
    await run(cascade, folder, max_workers=1)
    near, used_up = sorted(note["notice"]["text"] for note in told(folder / "notes"))
    assert "80 % used" in near
    assert "used up" in used_up


async def test_no_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan wants redacted is redacted in all that a notice gets, and in what is said about it."""
    monkeypatch.setenv("SHOP_KEY", "key-of-the-shop")
    notes = tmp_path / "notes"
    cascade = plan("ID | What\nT1 | echo key-of-the-shop; exit 3")
    project = f"{'Shop ' * 17}key-of-the-shop"  # where a title is cut
    cascade = replace(cascade, project=project, name="key-of-the-shop.md")
    cascade = receivers(
        cascade, {"command": [*NOTIFIED, str(notes), "{title}", "{text}"], "on": ["end"]},
        {"command": ["sh", "-c", "echo key-of-the-shop; exit 5"], "on": ["failure"]}, redact=("SHOP_KEY",),
    )  # fmt: skip
    report, troubles = await run(cascade, tmp_path)
    [note] = told(notes)
    said = json.dumps([note["notice"], note["arguments"], note["variables"]["NOVA_TITLE"]])
    assert "key-of" not in said + "".join(report.warnings + tuple(troubles))
    assert "exited with code 5: [redacted]" in "".join(report.warnings + tuple(troubles))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sh", str(PROGRAMS / "deaf_tree.sh")], GIVEN_UP),
        (["sh", "-c", "yes & yes"], "exited with code "),
        (["sh", "-c", "sleep 60 & exit 0"], ""),
        (["sh", "-c", "echo no >&2; exit 3"], "exited with code 3: no"),
        (["sh", "-c", "kill -9 $$"], "exited with code -9"),
    ],
    ids=["deaf", "flooding", "leaving one behind", "failing", "killed"],
)  # fmt: skip
async def test_a_bad_command_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], said: str
) -> None:
    """One that hangs, floods or leaves others behind is ended with all its family; the run's end hardly waits."""
    monkeypatch.setattr(room, "LAST_SECONDS", 0.5)
    began = time.monotonic()
    report, troubles = await run(receivers(plan("ID | What\nT1 | true"), {"command": command, "on": "end"}), tmp_path)
    assert report.ok
    assert time.monotonic() - began < 5
    prefix = f"notify: `{command[0]}`: "
    assert [trouble.startswith(prefix + said) for trouble in troubles] == ([True] if said else []), troubles


async def test_a_command_that_takes_too_long_is_ended_in_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the run goes on, a notice has its time and no more; that it had not enough is a warning of the run."""
    monkeypatch.setattr(room, "SECONDS", 0.2)
    cascade = receivers(
        plan("ID | What | Deps\nT1 | exit 3 | -\nT2 | until [ -e ended ]; do sleep 0.01; done | -"),
        {"command": ["sh", "-c", f"trap '> {tmp_path}/ended; exit' TERM; sleep 60 & wait"], "on": "failure"},
    )
    report, _ = await run(cascade, tmp_path)
    assert report.warnings == ("notify: `sh`: took longer than 0.2 s and was ended",)


async def test_what_cannot_work_is_said_when_the_run_begins(tmp_path: Path) -> None:
    """A missing program, or a variable that is not set, is a warning at once, and is not tried in the night."""
    cascade = receivers(
        plan("ID | What\nT1 | exit 3"), {"command": ["no-such-program"]}, {"url": "${NO_SUCH_URL}"}, "bell"
    )
    report, troubles = await run(cascade, tmp_path)
    assert report.warnings == (
        "notify: `no-such-program`: No such file or directory", "notify: ${NO_SUCH_URL}: NO_SUCH_URL is not set"
    )  # fmt: skip
    assert troubles == []


async def test_a_cancelled_run_ends_its_notices(tmp_path: Path) -> None:
    """Who cancels the run and its notices waits for neither: nothing is left."""
    cascade = receivers(
        plan("ID | What\nT1 | exit 3\nT2 | sleep 60"),
        {"command": ["sh", "-c", f"trap '' TERM; echo > {tmp_path}/begun; sleep 60"], "on": "failure"},
    )
    running = asyncio.create_task(run(cascade, tmp_path))
    async with asyncio.timeout(20):
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 4


def posting(hook: Hook, **more: Any) -> dict[str, Any]:
    """Return a receiver that posts to a hook."""
    return {"url": f"http://127.0.0.1:{hook.port}/hook?x=${{HOOK_KEY}}", **more}


async def test_a_web_hook_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the event as JSON, with the headers of the plan; secrets come from variables."""
    monkeypatch.setenv("HOOK_KEY", "k1")
    async with hooked() as hook:
        cascade = plan("ID | What\nT1 | true")
        cascade = receivers(cascade, posting(hook, headers={"Authorization": "Bearer ${HOOK_KEY}"}))
        report, troubles = await run(cascade, tmp_path)
    assert (report.warnings, troubles) == ((), [])
    [(first, headers, body)] = hook.requests
    assert first == "POST /hook?x=k1 HTTP/1.1"
    assert (headers["authorization"], headers["content-type"]) == ("Bearer k1", "application/json")
    assert (body["event"], body["notice"], body["ok"]) == ("run_ended", "end", True)


@pytest.mark.parametrize(
    ("answer", "slowly", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False, "the answer was HTTP 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", False, "the answer was HTTP 302"),
        (b"", False, "Remote end closed connection without response"),
        (b"nonsense\r\n\r\n", False, "nonsense"),
        (None, False, GIVEN_UP),
        (OK * 1000, True, GIVEN_UP),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, True, GIVEN_UP),
    ],
    ids=["missing", "moved", "closing", "no HTTP", "silent", "slow", "without end"],
)
async def test_a_bad_web_hook_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, slowly: bool, said: str
) -> None:
    """One that fails, is silent or drips is said, without its path, or given up; the run's end hardly waits."""
    monkeypatch.setenv("HOOK_KEY", "k1")
    monkeypatch.setattr(room, "LAST_SECONDS", 0.5)
    async with hooked(answer, slowly=slowly) as hook:
        began = time.monotonic()
        report, troubles = await run(receivers(plan("ID | What\nT1 | true"), posting(hook)), tmp_path)
        assert time.monotonic() - began < 4
    assert (report.ok, len(hook.requests)) == (True, 1)
    assert [trouble.strip() for trouble in troubles] == [f"notify: 127.0.0.1:{hook.port}: {said}"]


async def test_nobody_there(tmp_path: Path) -> None:
    """A refused connection, and a server that speaks no TLS, are said, and nothing else happens."""

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Speak plainly\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cascade = receivers(plan("ID | What\nT1 | true"), "http://127.0.0.1:1/", f"https://127.0.0.1:{port}/")
    report, troubles = await run(cascade, tmp_path)
    server.close()
    assert report.ok
    assert sorted(trouble.split(": ")[1] for trouble in troubles) == sorted(["127.0.0.1:1", f"127.0.0.1:{port}"])
    assert "SSL" in "".join(troubles)


async def test_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address elsewhere is reached through the proxy of the environment, which is told who we are."""
    asked: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    _, troubles = await run(receivers(plan("ID | What\nT1 | true"), "https://hooks.example.org/x"), tmp_path)
    proxy.close()
    assert asked[0].startswith("CONNECT hooks.example.org:443 HTTP/1.")
    assert "Proxy-Authorization: Basic bWU6cEBzcw==" in asked[0]
    assert "403" in troubles[0]


async def test_the_end_is_told_beside_what_still_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many notices hang, that of the end has its turn."""
    monkeypatch.setattr(room, "LAST_SECONDS", 1.0)
    notes = tmp_path / "notes"
    hanging = [{"command": ["sleep", "60"], "on": "failure"} for _ in range(2 * room.AT_ONCE)]
    cascade = receivers(plan("ID | What\nT1 | exit 3"), *hanging, {"command": [*NOTIFIED, str(notes)], "on": "end"})
    await run(cascade, tmp_path)
    assert [note["notice"]["notice"] for note in told(notes)] == ["end"]


def test_a_killed_run_leaves_no_notice(tmp_path: Path) -> None:
    """Two seconds after `kill -9` of a run, what it had started to notify somebody is gone."""
    (tmp_path / "CASCADE.md").write_text(
        "+++\ncommand = ['sh', '-c', '[ $NOVA_TASK_ID = T2 ] && sleep 60']\n"
        "notify = [{command = ['sh', '-c', 'echo $$ > pid; exec sleep 60'], on = 'failure'}]\n+++\n"
        "- [ ] T1 x\n- [ ] T2 y\n"
    )
    with subprocess.Popen([*NOVA, "run", "--order", "deps"], cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "")
        process.kill()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists() and not is_alive(pid), seconds=2.0)


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_terminal_rings(tmp_path: Path) -> None:
    """Bell and OSC 9 come behind the drawing, on a terminal and nowhere else."""
    (tmp_path / "CASCADE.md").write_text(
        "+++\ncommand = ['true']\n+++\n# Shop\n\n| ID | What |\n|---|---|\n| A1 | x |\n"
    )
    rings = ("--notify", "bell", "--notify", "osc9")
    with in_a_terminal("run", *rings, cwd=tmp_path) as (process, terminal):
        shown = read_raw(terminal)
        assert process.wait(20) == 0
    assert shown.count(b"\a") == 1
    assert b"\a\x1b]9;ended: 1 completed in" in shown
    assert shown.partition(b"\a")[0].endswith((b"\x1b[?7h", b"\x1b[?25h"))  # the end of a picture, or of the table
    done = nova("run", "--fresh", *rings, cwd=tmp_path)
    assert (done.returncode, "\a" in done.stdout, "\x1b" in done.stdout) == (0, False, False)


def test_the_command_line_names_receivers(tmp_path: Path) -> None:
    """Those of the command line stand in place of the plan's; what is none is refused before anything runs."""
    (tmp_path / "CASCADE.md").write_text(
        "+++\ncommand = ['true']\nnotify = ['touch by-plan']\n+++\n# Shop\n\n| ID | What |\n|---|---|\n| A1 | x |\n"
    )
    assert nova("run", "--notify", "touch by-option", cwd=tmp_path).returncode == 0
    assert ((tmp_path / "by-option").exists(), (tmp_path / "by-plan").exists()) == (True, False)
    assert nova("run", "--fresh", "--notify", "none", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "by-plan").exists()
    refused = nova("run", "--notify", "http://example.org/x", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--notify: url: http://example.org would be sent unencrypted" in " ".join(refused.stderr.split())
