"""The report in the Common Test Report Format: it is what the format's own schema allows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.ctrf import ctrf_document
from nova_async.views import TaskView
from nova_async.words import Condition, Outcome, TaskState
from tests.cli.reported import done, failed, hostile_report, report_of
from tests.views import NOON, attempt

# As published in the npm package `ctrf` 0.3.0.
SCHEMA = json.loads((Path(__file__).with_name("ctrf") / "ctrf-schema-0.0.json").read_text())
TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
}  # fmt: skip
SAID = {"title", "description", "$schema", "format", "definitions"}  # nothing to check, or checked where it matters


def problems(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Return what a schema does not allow in a value; raises ``KeyError`` for a word of schemas that is not known."""
    found = list[str]()
    for word, wanted in schema.items():
        found += [] if word in SAID else CHECKS[word](value, wanted, where, schema)
    return found


def wrong(holds: bool, where: str, word: str) -> list[str]:
    """Return a problem unless something holds."""
    return [] if holds else [f"{where}: {word}"]


def of_type(value: Any, wanted: str, where: str, _: Any) -> list[str]:
    """Check a type; true is no number."""
    is_bool = isinstance(value, bool) and wanted != "boolean"
    return wrong(isinstance(value, TYPES[wanted]) and not is_bool, where, f"not a {wanted}")


def of_properties(value: Any, wanted: dict[str, Any], where: str, _: Any) -> list[str]:
    """Check the members of an object."""
    members = value.items() if isinstance(value, dict) else ()
    return [
        each for key, member in members if key in wanted for each in problems(member, wanted[key], f"{where}.{key}")
    ]


def of_others(value: Any, wanted: Any, where: str, schema: dict[str, Any]) -> list[str]:
    """Check the members that have no schema of their own."""
    rest = set(value) - set(schema.get("properties", ())) if isinstance(value, dict) else set()
    if wanted is False:
        return [f"{where}: {key} is not allowed" for key in rest]
    return [each for key in rest for each in problems(value[key], {} if wanted is True else wanted, f"{where}.{key}")]


def of_items(value: Any, wanted: dict[str, Any], where: str, _: Any) -> list[str]:
    """Check the items of an array."""
    items = value if isinstance(value, list) else []
    return [each for place, item in enumerate(items) for each in problems(item, wanted, f"{where}[{place}]")]


def of_reference(value: Any, wanted: str, where: str, _: Any) -> list[str]:
    """Follow a reference into the schema."""
    found = SCHEMA
    for part in wanted.removeprefix("#/").split("/"):
        found = found[part]
    return problems(value, found, where)


CHECKS: dict[str, Any] = {
    "type": of_type,
    "properties": of_properties,
    "additionalProperties": of_others,
    "items": of_items,
    "$ref": of_reference,
    "required": lambda value, wanted, where, _: [f"{where}: {key} is missing" for key in wanted if key not in value],
    "enum": lambda value, wanted, where, _: wrong(value in wanted, where, f"not one of {wanted}"),
    "const": lambda value, wanted, where, _: wrong(value == wanted, where, f"not {wanted}"),
    "pattern": lambda value, wanted, where, _: wrong(bool(re.search(wanted, value)), where, f"does not match {wanted}"),
    "minLength": lambda value, wanted, where, _: wrong(len(value) >= wanted, where, "too short"),
    "minItems": lambda value, wanted, where, _: wrong(len(value) >= wanted, where, "too few"),
    "minimum": lambda value, wanted, where, _: wrong(value >= wanted, where, "too small"),
    "anyOf": lambda value, wanted, where, _: wrong(any(not problems(value, each) for each in wanted), where, "none of"),
}


def document_of(*tasks: TaskView, **run: Any) -> dict[str, Any]:
    """Return the document of a run, after a look at whether the schema allows it, through JSON as readers get it."""
    document: dict[str, Any] = json.loads(json.dumps(ctrf_document(report_of(*tasks, **run))))
    assert problems(document, SCHEMA) == []
    return document


def test_a_run() -> None:
    """Tasks are tests, groups are suites, attempts are retries; a task that needed a second one is flaky."""
    shaky = done("T2", attempts=(attempt("T2", 1, Outcome.EXIT, error="exit code 1"), attempt("T2", 2)), group="App")
    blocked = TaskView(id="T4", state=TaskState.BLOCKED, blocked_by=("T3",))
    tasks = (done("T1", name="Build"), shaky, failed("T3", "exit code 7"), blocked)
    document = document_of(*tasks, log_ends={("T3", 2): ["assert 1 == 2", "bye"]})
    results = document["results"]
    assert results["summary"] == {
        "tests": 4, "passed": 2, "failed": 1, "skipped": 1, "pending": 0, "other": 0, "flaky": 1, "suites": 2,
        "start": round(NOON.timestamp() * 1000), "stop": round(NOON.timestamp() * 1000) + 60_000,
    }  # fmt: skip
    first, second, third, _ = results["tests"]
    assert (first["name"], first["status"], first["duration"], first["suite"]) == ("T1 Build", "passed", 5250, ["Shop"])
    assert (second["flaky"], second["retries"], second["suite"]) == (True, 1, ["App"])
    assert [each["status"] for each in second["retryAttempts"]] == ["failed", "passed"]
    assert (third["message"], third["trace"]) == ("exit code 7", "assert 1 == 2\nbye")
    assert third["attachments"][0]["path"] == "logs/T3.log"


def test_during_a_run() -> None:
    """What may still come is pending."""
    busy = TaskView(id="T1", state=TaskState.IN_PROGRESS, attempt=1, attempts=(attempt("T1", outcome=None),))
    document = document_of(busy, TaskView(id="T2"), condition=Condition.RUNNING)
    assert [test["status"] for test in document["results"]["tests"]] == ["pending", "pending"]


def test_hostile_text() -> None:
    """The schema allows it whatever agents have printed, and it is ASCII without what acts on a terminal."""
    text = json.dumps(ctrf_document(hostile_report()))
    assert problems(json.loads(text), SCHEMA) == []
    assert text.isascii()
    assert "\\u001b" not in text
    assert "\\ud800" not in text


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda document: document.pop("reportFormat"), "reportFormat is missing"),
        (lambda document: document.update(more=1), "more is not allowed"),
        (lambda document: document["results"]["tests"][0].update(status="good"), "not one of"),
        (lambda document: document["results"]["tests"][0].update(duration=1.5), "not a integer"),
        (lambda document: document["results"]["tests"][0].update(suite=[]), "too few"),
        (lambda document: document.update(specVersion="1"), "does not match"),
    ],
)
def test_the_schema_is_really_asked(break_it: Any, problem: str) -> None:
    """A document with a fault is not allowed."""
    document = document_of(done("T1"))
    break_it(document)
    assert problem in " ".join(problems(document, SCHEMA))
