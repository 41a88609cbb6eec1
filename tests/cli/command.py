"""How tests run the command, as people and scripts run it."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NOVA = [sys.executable, "-W", "error", "-m", "nova_async"]
HAS_SETSID = shutil.which("setsid") is not None
PROGRAMS = Path(__file__).parents[1] / "programs"
SILENCE = 30.0  # seconds; far more than nova ever says nothing on a terminal: the test fails, and does not hang
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")

_sockets: list[str] = []


def nova(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **options: str
) -> subprocess.CompletedProcess[str]:
    """Run nova to its end: forked by the warm one, or started, where what Python reads at its start is other than ours.

    For signals, terminals and whatever else is about one process, start ``NOVA``.
    """
    command = warm_command() if env is None or _at_start(env) == _at_start(os.environ) else NOVA
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        **options,  # type: ignore[call-overload]
    )


def warm_command(face: str = "-m") -> list[str]:
    """Return the command that asks the warm nova for ``python -m nova_async`` or, with ``nova``, for the script.

    Where no warm one is running, it is the real one.
    """
    if not _sockets:
        return NOVA
    return [sys.executable, "-I", "-S", str(PROGRAMS / "ask_warm_nova.py"), _sockets[-1], face]


@contextmanager
def warm_nova_running() -> Iterator[None]:
    """Keep a warm nova for `nova` to ask; it ends with us, however we end."""
    # A socket's path may have no more than a hundred bytes, which a folder of pytest's can exceed.
    with TemporaryDirectory(prefix="nova-") as folder:
        command = [sys.executable, "-W", "error", str(PROGRAMS / "warm_nova.py"), f"{folder}/socket"]
        environment = {**os.environ, "PYTHONPATH": str(PROGRAMS.parents[1])}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            _sockets.append(f"{folder}/socket")
            try:
                yield
            finally:
                _sockets.pop()


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python reads once, when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


@contextmanager
def in_a_terminal(
    *arguments: str, cwd: Path, columns: int = 80, lines: int = 24
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run nova in a terminal of its own; give the process and our end of the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    # setsid makes the new session, --ctty makes the pty its controlling terminal, so that ^C is a real Ctrl-C.
    command = [shutil.which("setsid") or "setsid", "--ctty", "--wait", *NOVA, *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color"}
    )
    os.close(theirs)
    try:
        yield process, ours
        process.wait(20)
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Read the terminal until the text appears; return what it showed, without colours and movements."""
    seen = b""
    while wanted not in ESCAPES.sub(b"", seen):
        chunk = _read(terminal, seen)
        assert chunk, f"{wanted!r} never came: {_shown(seen)}"
        seen += chunk
    return ESCAPES.sub(b"", seen)


def read_to_the_end(terminal: int) -> bytes:
    """Read the terminal until its programs have gone; return what it showed, without colours and movements."""
    return ESCAPES.sub(b"", read_raw(terminal))


def read_raw(terminal: int) -> bytes:
    """Read the terminal until its programs have gone; return every byte that was sent to it."""
    seen = b""
    while chunk := _read(terminal, seen):
        seen += chunk
    return seen


def _read(terminal: int, seen: bytes) -> bytes:
    """Return what came next; nothing once nobody has the other end any more."""
    readable, _, _ = select.select([terminal], [], [], SILENCE)
    assert readable, f"nothing more came within {SILENCE:.0f} s: {_shown(seen)}"
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says it
        return b""


def _shown(seen: bytes) -> str:
    return ESCAPES.sub(b"", seen).decode(errors="replace")
