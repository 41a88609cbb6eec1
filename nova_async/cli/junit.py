"""``--junit``: the run as the XML that CI servers show as test results."""

import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

from nova_async._core.text import clean
from nova_async.cli.log_end import end_of_log
from nova_async.views import RunReport, TaskView
from nova_async.words import TaskState

__all__ = ["junit_document", "write_junit"]

# XML 1.0 has no way to write any other sign, not even an escape.
IMPOSSIBLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LONGEST = 4_000  # characters of an error


def write_junit(path: Path, report: RunReport) -> None:
    """Write the document. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(junit_document(report))


def junit_document(report: RunReport) -> bytes:
    """Return the document: a suite for each group, a case for each task; what did not run counts as skipped."""
    project = report.project or "nova"
    groups: dict[str, list[TaskView]] = {}
    for task in report.selected.values():
        groups.setdefault(" / ".join(filter(None, (task.branch, task.group))) or project, []).append(task)
    root = ET.Element("testsuites", {"name": text(project), **counts(report.selected.values())})
    root.set("time", f"{report.duration_seconds:.3f}")
    for place, (group, tasks) in enumerate(groups.items()):
        suite = ET.SubElement(root, "testsuite", {"name": text(group), "id": str(place), **counts(tasks)})
        suite.set("time", f"{sum(task.duration_seconds for task in tasks):.3f}")
        suite.set("timestamp", report.started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        suite.set("hostname", text(socket.gethostname()))
        for task in tasks:
            add_case(suite, group, task)
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode").encode() + b"\n"


def counts(tasks: Iterable[TaskView]) -> dict[str, str]:
    """Return the counts that a suite tells of its cases."""
    states = [task.state for task in tasks]
    failed, completed = states.count(TaskState.FAILED), states.count(TaskState.COMPLETED)
    skipped = len(states) - failed - completed
    return {"tests": str(len(states)), "failures": str(failed), "errors": "0", "skipped": str(skipped)}


def add_case(suite: ET.Element, group: str, task: TaskView) -> None:
    """Add a task."""
    name = f"{task.id} {task.name}".strip()
    case = ET.SubElement(suite, "testcase", {"name": text(name), "classname": text(group)})
    case.set("time", f"{task.duration_seconds:.3f}")
    if task.state is TaskState.FAILED:
        outcome = task.outcome.value if task.outcome else ""
        error = text(task.error or outcome)[:LONGEST]
        failure = ET.SubElement(case, "failure", {"message": f"{outcome}: {error}", "type": outcome})
        failure.text = text("\n".join([error, *end_of_log(task)]))
    elif task.state is not TaskState.COMPLETED:
        ET.SubElement(case, "skipped", {"message": text(task.reason or "not run to its end")})
    if task.log_path is not None:
        ET.SubElement(case, "system-out").text = text(f"log: {task.log_path}")


def text(given: str) -> str:
    """Return a text as XML can hold it."""
    return IMPOSSIBLE.sub("", clean(given))
