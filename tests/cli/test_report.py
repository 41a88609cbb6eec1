"""``nova report`` as people call it: from state file and journal, during a run, after it, and of one long past."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.agents.recordings import kept
from tests.cli.command import NOVA, PROGRAMS, in_a_terminal, nova, read_to_the_end

FAILING, WELL = (str(kept(f"claude/{name}.sj.stdout").path) for name in ("maxturns", "tools"))
PLAN = f"""+++
retries = 0
agent = "claude"
command = ["{sys.executable}", "{PROGRAMS / "replay.py"}", "burst", "{{prompt}}"]
+++
# Shop

| ID | Name | Prompt | Depends |
|---|---|---|---|
| T1 | Build | {WELL} | |
| T2 | Check | ANSWER | T1 |
| T3 | Ship | {WELL} | T2 |
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs: in the first, which is reported as it ends, T2 fails; the second goes on."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "CASCADE.md").write_text(PLAN.replace("ANSWER", FAILING))
    assert nova("run", "--plain", "--report", "out/first.html", cwd=folder).returncode == 1
    (folder / "CASCADE.md").write_text(PLAN.replace("ANSWER", WELL))
    assert nova("run", "--plain", "--retry-failed", cwd=folder).returncode == 0
    return folder


def test_the_page(ran: Path) -> None:
    """It goes to the output or to a file, and tells of all runs of the plan; `nova run --report` has left one, too."""
    page = nova("report", cwd=ran).stdout
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "3 of 3" in page
    assert "End of the log of attempt 1" in page, "of the one that failed, found though its log was moved aside"
    assert nova("report", str(ran), "-o", ran / "new/page.html", cwd=ran.parent).stdout == ""
    assert "3 of 3" in (ran / "new/page.html").read_text()
    first = (ran / "out/first.html").read_text()
    assert "1 of 3" in first
    assert "Reached maximum number of turns" in first
    assert "blocked by T2" in first


def test_one_run_of_the_past(ran: Path) -> None:
    """With --run it is what that run did itself: its attempts, its cost, and how its tasks stood then."""
    runs = json.loads(nova("runs", "--json", cwd=ran).stdout)["runs"]
    then = nova("report", "--run", runs[1]["run_id"][:10], "--markdown", cwd=ran).stdout
    assert then.startswith("### Shop: failed, 1 of 2 completed")
    assert "T2 Check" in then, "with the name that the plan has for it"
    assert "Turn 1." in then
    now = nova("report", "--run", runs[0]["run_id"], "--ctrf", cwd=ran).stdout
    tests = {test["name"]: test["status"] for test in json.loads(now)["results"]["tests"]}
    assert tests == {"T2 Check": "passed", "T3 Ship": "passed"}
    assert "no run zzz" in nova("report", "--run", "zzz", cwd=ran).stderr


def test_without_a_state_file(ran: Path, tmp_path: Path) -> None:
    """The journal is enough: then it is about the latest run."""
    text = nova("report", "--markdown", "--state", tmp_path / "none.json", cwd=ran).stdout
    assert text.startswith("### Shop: completed, 2 of 2 completed")


def test_junit_is_that_of_nova_run(ran: Path) -> None:
    """The same cases come out as at the end of a run, with all attempts of each task."""
    xml = ElementTree.fromstring(nova("report", "--junit", cwd=ran).stdout)
    assert [case.get("name") for case in xml.iter("testcase")] == ["T1 Build", "T2 Check", "T3 Ship"]
    assert xml.get("failures") == "0"


def test_what_cannot_be(ran: Path, tmp_path: Path) -> None:
    """No run, two forms at once, a page on a terminal, a file that cannot be written: each is said, with a 2."""
    done = nova("report", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no run here" in done.stderr
    assert "cannot be used together" in nova("report", "--junit", "--ctrf", cwd=ran).stderr
    done = nova("report", "-o", "CASCADE.md/page.html", cwd=ran)
    assert (done.returncode, "cannot write CASCADE.md/page.html" in done.stderr) == (2, True)
    assert "cannot write CASCADE.md" in nova("run", "--report", "CASCADE.md/page.html", cwd=ran).stderr
    with in_a_terminal("report", cwd=ran) as (process, terminal):
        shown = read_to_the_end(terminal).decode()
    assert process.returncode == 2
    assert "name its file (-o report.html)" in " ".join(shown.split())


def test_after_ctrl_c(tmp_path: Path) -> None:
    """A run that is stopped leaves its page as well."""
    (tmp_path / "CASCADE.md").write_text("# Shop\n\n- [ ] F1 Sleep\n- [ ] F2 Never (depends on F1)\n")
    command = [*NOVA, "run", "--plain", "--command", "sleep 60", "--report", "page.html"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        while b"F1 started" not in run.stdout.readline():
            assert run.poll() is None
        during = nova("report", "--markdown", cwd=tmp_path).stdout
        run.send_signal(signal.SIGINT)
        run.stdout.read()
    assert run.returncode == 130
    assert during.startswith("### Shop: running, 0 of 2 completed")
    page = (tmp_path / "page.html").read_text()
    assert "Shop: stopped" in page
    assert "cancelled" in page
