"""``nova demo``: the first thing that anybody sees, on a machine where nothing is installed but this package."""

import json
import os
import re
from pathlib import Path

import pytest

from nova_async.cascade import load_cascade
from nova_async.cli.demo import SHIPPED, demo_plan
from tests.cli.command import nova

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "demo" / "CASCADE.md"

pytestmark = pytest.mark.usefixtures("warm_nova")


def test_the_shipped_plan_is_the_documented_one() -> None:
    """The wheel holds no docs, so the plan stands in the package as well, to the byte."""
    assert SHIPPED.read_bytes() == EXAMPLE.read_bytes()


def test_its_agent_is_the_one_of_this_installation(tmp_path: Path) -> None:
    """The plan that is run names no program that has to be on PATH."""
    (tmp_path / "CASCADE.md").write_text(demo_plan(2.0))
    command = load_cascade(tmp_path / "CASCADE.md").settings.command
    assert command is not None
    assert Path(command[0]).is_absolute()
    assert "nova" not in command


def test_it_runs_with_nothing_on_path(tmp_path: Path) -> None:
    """Without nova on PATH, all twelve tasks complete in a folder of their own, which is kept and named."""
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    done = nova("demo", "--json", "--speed", "50", cwd=work, env=environment)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert [task["state"] for task in summary["tasks"].values()] == ["completed"] * 12
    named = re.search(r"the demo runs in (\S+);", done.stderr)
    assert named is not None
    assert Path(named[1]).parent == tmp_path
    assert (Path(named[1]) / "logs" / "S2~1.log").is_file()  # what failed at first
    assert list(work.iterdir()) == []


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    """--dir names it; run there again, everything is done; another plan is not written over."""
    first = nova("demo", "--dir", "here", "--plain", "--speed", "50", cwd=tmp_path)
    again = nova("demo", "--dir", "here", "--plain", "--speed", "50", cwd=tmp_path)
    assert (first.returncode, again.returncode) == (0, 0)
    assert "12 tasks, 12 already completed" in again.stdout
    (tmp_path / "here" / "CASCADE.md").write_text("- [ ] T1 mine\n")
    refused = nova("demo", "--dir", "here", cwd=tmp_path)
    assert refused.returncode == 2
    assert "already exists and is not the demo's; choose another --dir" in refused.stderr
    assert (tmp_path / "here" / "CASCADE.md").read_text() == "- [ ] T1 mine\n"


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """What the system says is told in a sentence, with exit code 2."""
    refused = nova("demo", "--dir", "/dev/null/x", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "cannot use /dev/null/x: Not a directory" in refused.stderr
