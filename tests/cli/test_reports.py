"""What a run writes for other programs: GNU parallel's job log, JUnit's XML, GitHub's annotations and summary."""

import json
import os
import re
import shlex
import signal
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.cli.github import annotation, escaped
from nova_async.cli.joblog import TITLES, joblog_line
from nova_async.cli.junit import junit_document
from nova_async.cli.run_lines import as_json_line
from nova_async.cli.step_summary import LARGEST, inert, step_summary
from nova_async.cli.step_summary import TITLES as TITLES_OF_SUMMARY
from nova_async.usage import TokenUsage
from nova_async.views import RunReport, TaskView
from nova_async.words import Outcome, TaskState
from tests.cli.command import NOVA, nova
from tests.views import attempt

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAN = """+++
backoff = "1ms..1ms"
retries = 1
+++
# Shop

### Base

- [ ] F1 Types
- [ ] F2 Errors, tried again
- [ ] F3 Store, fails

### Pages

- [ ] P1 List (depends on F3)
"""
SCRIPT = """
printf '::error::evil\\n##[set-output name=a]b\\n\\033[31mred\\001\\n'
case $NOVA_TASK_ID$NOVA_ATTEMPT in F21) kill -9 $$;; F3*) exit 3;; esac
"""
COMMAND = ("--command", shlex.join(["sh", "-c", SCRIPT]))
TEXTS = st.text(st.characters(exclude_categories=()), max_size=60)


def report(*tasks: TaskView, project: str = "Shop") -> RunReport:
    """Return how a run of these tasks ended."""
    return RunReport(
        run_id="r", project=project, tasks={task.id: task for task in tasks}, started_at=SINCE, duration_seconds=1.5,
        usage=TokenUsage(1, 2), usage_by_model={}, usage_is_final=True, cost_usd=0.5, cost_is_complete=True,
        milestones={}, warnings=("a | warning",),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the plan."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    return tmp_path


# The job log.


def columns(line: str) -> dict[str, str]:
    """Return a line's cells by their titles."""
    assert line.endswith("\n")
    return dict(zip(TITLES, line[:-1].split("\t"), strict=True))


def test_the_columns_of_a_job() -> None:
    """They are parallel's, in its order and in its forms."""
    assert "\t".join(TITLES) == "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand"
    done = attempt()
    assert done.end is not None
    line = joblog_line(7, replace(done, start=replace(done.start, command=("sh", "-c", "a\tb\nc  'd'"))))
    cells = columns(line)
    assert (cells["Seq"], cells["Host"], cells["Send"]) == ("7", ":", "0")
    assert float(cells["Starttime"]) == round(done.start.started_at.timestamp(), 3)
    assert re.fullmatch(r" *\d+\.\d{3}", cells["JobRuntime"])
    assert cells["Command"].startswith(
        f"NOVA_TASK_ID={done.start.id.task_id} NOVA_ATTEMPT={done.start.id.number} sh -c"
    )


@pytest.mark.parametrize(
    ("outcome", "exit_code", "told"),
    [
        (Outcome.OK, 0, ("0", "0")),
        (Outcome.EXIT, 3, ("3", "0")),
        (Outcome.SIGNAL, -9, ("0", "9")),
        (Outcome.VERIFY, 0, ("1", "0")),
        (Outcome.SPAWN_ERROR, None, ("1", "0")),
        (Outcome.CANCELLED, -15, ("0", "15")),
    ],
)
def test_how_a_job_ended(outcome: Outcome, exit_code: int | None, told: tuple[str, str]) -> None:
    """The exit code or the signal; a success of the command alone is none."""
    done = attempt()
    assert done.end is not None
    cells = columns(joblog_line(1, replace(done, end=replace(done.end, outcome=outcome, exit_code=exit_code))))
    assert (cells["Exitval"], cells["Signal"]) == told


def test_the_job_log_of_a_run(folder: Path) -> None:
    """A line for each attempt, numbered as its task; the next run adds its own."""
    nova("run", "--plain", "--joblog", "reports/jobs.tsv", *COMMAND, cwd=folder)
    lines = (folder / "reports/jobs.tsv").read_text().splitlines(keepends=True)
    assert lines[0].split() == list(TITLES)
    jobs = sorted((cells["Seq"], cells["Exitval"], cells["Signal"]) for cells in map(columns, lines[1:]))
    assert jobs == [("1", "0", "0"), ("2", "0", "0"), ("2", "0", "9"), ("3", "3", "0")]
    assert {columns(line)["Receive"] for line in lines[1:]} == {str((folder / "logs/F1.log").stat().st_size)}
    nova("run", "--plain", "--retry-failed", "--joblog", "reports/jobs.tsv", "--command", "true", cwd=folder)
    again = (folder / "reports/jobs.tsv").read_text().splitlines(keepends=True)
    assert again[: len(lines)] == lines
    assert [columns(line)["Seq"] for line in again[len(lines) :]] == ["3", "4"]


# JUnit.


def test_the_results_of_a_run(folder: Path) -> None:
    """A suite for each group, a case for each task, with why it failed or did not run; nothing XML cannot hold."""
    done = nova("run", "--plain", "--junit", "reports/junit.xml", *COMMAND, cwd=folder)
    assert done.returncode == 1
    root = ET.parse(folder / "reports/junit.xml").getroot()
    assert_is_junit(root)
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("Base", "3", "1"), ("Pages", "1", "0"),
    ]  # fmt: skip
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert list(cases) == ["F1 Types", "F2 Errors, tried again", "F3 Store, fails", "P1 List"]
    failure = cases["F3 Store, fails"].find("failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("exit", "exit: exit code 3")
    assert failure.text == "exit code 3\n::error::evil\n##[set-output name=a]b\nred"
    skipped = cases["P1 List"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "blocked by F3"


def assert_is_junit(root: ET.Element) -> None:
    """Check what the schema that CI servers share asks for: names, attributes, their order and their sums."""
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"} <= set(suite.keys())
        datetime.strptime(suite.attrib["timestamp"], "%Y-%m-%dT%H:%M:%S")
        cases = list(suite)
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
        for case in cases:
            assert case.tag == "testcase"
            assert {"name", "classname", "time"} <= set(case.keys())
            order = ["skipped", "failure", "system-out"]
            tags = [child.tag for child in case]
            assert tags == sorted(tags, key=order.index)
            assert len(tags) == len(set(tags))
    for word in ("tests", "failures", "errors", "skipped"):
        assert int(root.attrib[word]) == sum(int(suite.attrib[word]) for suite in root)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from([TaskState.FAILED, TaskState.WAITING, TaskState.COMPLETED]))
def test_any_text_is_well_formed(name: str, group: str, error: str, state: TaskState) -> None:
    """Whatever a plan or an agent says, the document can be read back."""
    task = TaskView(id="F1", name=name, group=group, error=error, reason=error, state=state, outcome=Outcome.EXIT)
    root = ET.fromstring(junit_document(report(task, project=name)))
    assert_is_junit(root)
    assert root.attrib["tests"] == "1"


def test_the_results_are_there_after_ctrl_c(folder: Path) -> None:
    """What did not come to its end is skipped, and the file is written all the same."""
    command = [*NOVA, "run", "--json", "--junit", "junit.xml", "--command", "sleep 60"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "attempt_started":
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
    assert process.returncode == 130
    root = ET.parse(folder / "junit.xml").getroot()
    assert_is_junit(root)
    assert (root.get("tests"), root.get("skipped")) == ("4", "4")


@pytest.mark.parametrize(
    ("option", "where"), [("--junit", "/dev/null/x"), ("--joblog", "/dev/null/x"), ("--junit", ".")]
)
def test_what_cannot_be_written_is_told_before_the_run(option: str, where: str, folder: Path) -> None:
    """After hours of work would be too late."""
    done = nova("run", "--plain", option, where, "--command", "true", cwd=folder)
    assert done.returncode == 2
    assert f"cannot write {where}" in done.stderr
    assert not (folder / "logs").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_costs_the_report_alone(folder: Path) -> None:
    """It is told, and the run and its exit code are what they would be."""
    words = ("--joblog", "/dev/full", "--junit", "/dev/full")
    refused = nova("run", "--plain", *words, "--command", "true", cwd=folder)
    assert refused.returncode == 2
    assert "cannot write" in refused.stderr
    done = nova("run", "--plain", *words[2:], "--command", "true", cwd=folder)
    assert done.returncode == 0
    assert "--junit could not be written" in done.stderr


# GitHub.


def in_github(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run nova as a step of a workflow."""
    environment = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return nova("run", *words, *COMMAND, cwd=folder, env=environment)


def obeyed(output: str) -> list[str]:
    """Return the commands that a runner takes from an output, as it does: but for those between fences."""
    commands, token = [], None
    for line in output.splitlines():
        found = re.match(r"\s*::([^ :]+)(?: [^:]*)?::", line) or re.search(r"##\[([^] ]+)[^]]*\]", line)
        if found is None:
            continue
        if token is None and found[1] == "stop-commands":
            token = line.strip().rpartition("::")[2]
        elif token is None:
            commands.append(line)
        elif found[1] == token:
            token = None
    assert token is None, "the fence is left standing"
    return commands


def test_what_a_runner_obeys(folder: Path) -> None:
    """Our groups and annotations, and not one command that an agent has printed, wherever that is shown."""
    done = in_github(folder)
    assert "::error::evil" in done.stdout
    commands = obeyed(done.stdout)
    assert [command.split("::")[1].split(" ")[0] for command in sorted(commands)] == [
        "endgroup", "error", "group", "warning",
    ]  # fmt: skip
    assert "::group::F3 failed: the end of logs/F3.log" in commands
    (error,) = (command for command in commands if command.startswith("::error"))
    assert re.fullmatch(r"::error title=F3 Store%2C fails::F3 failed after .* s%?: exit code 3; blocks P1", error)
    (warning,) = (command for command in commands if command.startswith("::warning"))
    assert "retrying" in warning


def test_the_log_of_a_failed_task_is_in_its_fold(folder: Path) -> None:
    """Between the beginning of the group and its end."""
    fold = in_github(folder).stdout.split("::group::")[1].split("::endgroup::")[0]
    assert "##[set-output name=a]b\nred\n" in fold


def test_json_is_for_programs(folder: Path) -> None:
    """No command stands between the lines of --json, and none can be in them."""
    (folder / "CASCADE.md").write_text("- [ ] F1 x ##[add-mask]a\n")
    done = in_github(folder, "--json")
    assert obeyed(done.stdout) == []
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()][-1] == "summary"
    assert json.loads(as_json_line({"a": "##[add-mask]a"})) == {"a": "##[add-mask]a"}
    assert "##[" not in as_json_line({"a": "##[add-mask]a"})
    assert (folder / "summary.md").is_file()


def test_elsewhere_there_are_no_commands(folder: Path) -> None:
    """Only where the runner says that it is there."""
    assert "::" not in nova("run", "--plain", "--command", "true", cwd=folder).stdout


@given(TEXTS, TEXTS)
def test_an_annotation_is_one_line(title: str, text: str) -> None:
    """Whatever stands in it, it is one command, and the text can be read back."""
    line = annotation("error", title, text)
    assert line.count("\n") == 1
    assert "\r" not in line
    found = re.fullmatch(r"::error title=([^:,]*)::(.*)\n", line, flags=re.S)
    assert found is not None
    assert escaped("50%\r\n::x") == "50%25%0D%0A::x"


@given(TEXTS)
def test_no_text_means_anything_in_the_summary(text: str) -> None:
    """No sign of Markdown or HTML is left, but for the references that stand for them."""
    assert re.fullmatch(r"(?:&#\d+;|[^\\`*_{}\[\]()<>#+.!|~:&@$\"'\n-])*", inert(text))


def test_the_summary_of_a_run(folder: Path) -> None:
    """It is added to what earlier commands of the step have written: counts, then a row for each task, failed first."""
    (folder / "summary.md").write_text("# before\n")
    in_github(folder)
    text = (folder / "summary.md").read_text()
    assert text.startswith("# before\n\n### Shop: 2 of 4 completed, 1 failed, 1 blocked\n")
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("| ")]
    assert [row[1] for row in rows] == ["task", "F3", "F1", "F2", "P1"]
    assert [row[3] for row in rows[1:]] == ["failed", "completed", "completed", "blocked"]
    assert {len(row) for row in rows} == {len(TITLES_OF_SUMMARY[0].split("|"))}


@pytest.mark.parametrize("room", [LARGEST, 5_000, 700, 10, 0])
def test_the_summary_fits(room: int) -> None:
    """However many tasks there are, it has no more bytes than there is room for, and says how many it leaves out."""
    tasks = [TaskView(id=f"T{number}", name="ä|" * 40, state=TaskState.COMPLETED) for number in range(20_000)]
    text = step_summary(report(*tasks), room)
    assert len(text.encode()) <= room
    if room > 1_000:
        left_out = re.search(r"and (\d+) more tasks", text)
        assert left_out is not None
        assert int(left_out[1]) + text.count("\n| T") == len(tasks)
