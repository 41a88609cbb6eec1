"""``nova run`` and what it writes to: a terminal that must stay usable, an encoding that lacks signs."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.command import HAS_SETSID, in_a_terminal, nova, read_until

SCRIPT = "trap '' TERM; echo $PPID > begun; sleep 60"
STUBBORN = f"+++\ncommand = ['sh', '-c', '{{prompt}}']\n+++\n\n| ID | What |\n|---|---|\n| A1 | {SCRIPT} |\n"


@pytest.mark.skipif(not HAS_SETSID, reason="needs setsid")
def test_the_third_request_leaves_the_cursor_visible(tmp_path: Path) -> None:
    """Also when the run is left at once, the terminal is as it was."""
    (tmp_path / "CASCADE.md").write_text(STUBBORN)
    os.mkfifo(tmp_path / "begun")
    with in_a_terminal("run", cwd=tmp_path) as (process, terminal):
        read_until(terminal, b"running")
        pid = int((tmp_path / "begun").read_text())  # of nova itself; waits for the agent to write it
        os.kill(pid, signal.SIGSTOP)  # all three are there before the first is heard, so no run can end in between
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        shown = b""
        with suppress(OSError):  # how Linux says that nobody has the other end any more
            while chunk := os.read(terminal, 4096):
                shown += chunk
        assert process.wait(20) in (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP)
    assert shown.rstrip().endswith(b"\x1b[?25h")


def test_an_encoding_that_lacks_signs(tmp_path: Path) -> None:
    """What cannot be written as it is comes as an escape, and the exit code is the run's."""
    (tmp_path / "CASCADE.md").write_text(
        "+++\ncommand = ['true']\n+++\n# Caf\xe9 \u2603\n\n| ID | What |\n|---|---|\n| A1 | x |\n", encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for command in (["run", "--plain"], ["status"], ["plan"]):
        done = nova(*command, cwd=tmp_path, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Caf\\xe9 \\u2603" in done.stdout
        assert done.stdout.isascii()
    for command in ("status", "plan"):
        done = nova(command, "--json", cwd=tmp_path, env=environment)
        project = json.loads(done.stdout)["project"]
        assert (project["name"] if command == "status" else project) == "Caf\xe9 \u2603"
