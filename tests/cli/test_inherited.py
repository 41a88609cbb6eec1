"""What ``nova`` inherits from whoever started it does no harm, neither to it nor to its agents."""

import json
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import NOVA

FACTS = """
import json, os, resource, signal, sys
facts = {
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "ignored": [number for number in (2, 3, 15, 17) if signal.getsignal(number) is signal.SIG_IGN],
    "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "of_nova": hasattr(resource, "prlimit") and resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)[0],
}
print(json.dumps(facts))
sys.exit(3)
"""


def nova_from(parent: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run nova by a Python program that gets into some state first."""
    script = f"import os, resource, signal, sys\n{parent}\nos.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", script, *NOVA, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_signals_ignored_and_blocked_by_the_parent(tmp_path: Path) -> None:
    """A script's `nova … &` below a parent that ignores SIGCHLD: exit codes are true, and agents hear every signal."""
    parent = (
        "for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD): signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))"
    )
    done = nova_from(parent, "exec", "--", sys.executable, "-c", FACTS, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["blocked"], facts["ignored"]) == ([], [])


def test_a_blocked_sigterm_reaches_nova(tmp_path: Path) -> None:
    """What its parent has blocked, nova hears."""
    parent = "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))"
    done = nova_from(parent, "exec", "-q", "--", "sh", "-c", "kill -TERM $PPID; exec sleep 30", cwd=tmp_path)
    assert done.returncode == 143


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    """What is started in the background of a script is not ended by the Ctrl-C that is meant for the script."""
    parent = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    interrupt = "kill -INT $PPID; echo it goes on"
    done = nova_from(parent, "exec", "--", "sh", "-c", interrupt, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "it goes on\n")


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2000, reason="needs a hard limit of 2,000 files")
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, which only Linux has")
@pytest.mark.parametrize(("workers", "of_nova"), [(1, 300), (100, 1728)])
def test_agents_get_the_limit_of_descriptors_that_nova_got(tmp_path: Path, workers: int, of_nova: int) -> None:
    """Room for a hundred workers is room for nova alone: some programs close every descriptor up to their limit."""
    parent = "resource.setrlimit(resource.RLIMIT_NOFILE, (300, 2000))"
    (tmp_path / "CASCADE.md").write_text("- [ ] T1 one\n")
    command = shlex.join([sys.executable, "-c", FACTS.replace("exit(3)", "exit(0)")])
    done = nova_from(parent, "run", "--plain", "-j", str(workers), "--command", command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads((tmp_path / "logs/T1.log").read_text())
    assert (facts["descriptors"], facts["of_nova"]) == (300, of_nova)


def test_the_current_folder_has_been_deleted(tmp_path: Path) -> None:
    """A sentence, not a traceback."""
    gone = tmp_path / "gone"
    gone.mkdir()
    plan = tmp_path / "plan.md"
    plan.write_text("- [ ] T1 one\n")
    parent = f"os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
    done = nova_from(parent, "run", str(plan), "--command", "true", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nova: the current folder has been deleted; change to one that exists\n"
    assert list(tmp_path.iterdir()) == [plan]
