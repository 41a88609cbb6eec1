"""How tests run the command, as people and scripts run it."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOVA = [sys.executable, "-W", "error", "-m", "nova_async"]
HAS_SETSID = shutil.which("setsid") is not None
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def nova(*arguments: str | Path, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run nova to its end."""
    return subprocess.run(
        [*NOVA, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60, **options  # type: ignore[call-overload]
    )  # fmt: skip


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
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # how Linux says that nobody has the other end any more
            chunk = b""
        if not chunk:
            raise AssertionError(f"{wanted!r} never came: {ESCAPES.sub(b'', seen).decode(errors='replace')}")
        seen += chunk
    return ESCAPES.sub(b"", seen)


def read_to_the_end(terminal: int) -> bytes:
    """Read the terminal until its programs have gone."""
    seen = b""
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            chunk = b""
        if not chunk:
            return ESCAPES.sub(b"", seen)
        seen += chunk
