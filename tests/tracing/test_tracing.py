"""Traces of real runs: what a collector receives, what agents are told, and that a bad endpoint costs nothing."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nova_async.tracing import tracing as room
from nova_async.tracing.exporting import is_wanted, unusable
from nova_async.tracing.tracing import traced
from nova_async.views import RunReport
from tests.cli.command import nova
from tests.orchestrator.test_running import orchestrator, plan

memory = pytest.importorskip(
    "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="needs the extra [otel]: opentelemetry-sdk"
)
RECEIVER = Path(__file__).parents[1] / "programs/otlp_receiver.py"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TWO = "ID | What\nT1 | echo $TRACEPARENT > told-$NOVA_ATTEMPT; [ $NOVA_ATTEMPT = 2 ]"


@pytest.fixture(autouse=True)
def no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test depend on how these tests were started."""
    for name in list(os.environ):
        if name.startswith("OTEL_") or name == "TRACEPARENT":
            monkeypatch.delenv(name)


async def run_traced(folder: Path, exporter: Any = None, rows: str = TWO) -> RunReport:
    """Run a plan, traced."""
    runner = orchestrator(plan(rows, "retry_on = ['exit']\n"), folder)
    async with traced(runner, exporter):
        return await runner.run()


async def test_a_run_as_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run, task and attempts are one trace below who started the run, and each attempt knew its own span."""
    monkeypatch.setenv("TRACEPARENT", PARENT)
    exporter = memory.InMemorySpanExporter()
    assert (await run_traced(tmp_path, exporter)).ok
    first, second, task, run = sorted(exporter.get_finished_spans(), key=lambda span: span.end_time)
    assert [span.name for span in (first, second, task, run)] == ["run sh", "run sh", "task T1", "invoke_workflow Test"]
    assert {f"{span.context.trace_id:032x}" for span in (first, second, task, run)} == {PARENT.split("-")[1]}
    assert f"{run.parent.span_id:016x}" == PARENT.split("-")[2]
    assert (task.parent.span_id, first.parent.span_id) == (run.context.span_id, task.context.span_id)
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    for number, span in enumerate((first, second), 1):
        told = (tmp_path / f"told-{number}").read_text().strip()
        assert told == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert run.resource.attributes["service.name"] == "nova"
    assert (first.status.is_ok, first.status.description) == (False, "exit code 1")


async def test_who_does_not_want_the_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the trace that the run belongs to is not kept, nothing is sent, and agents are told so."""
    monkeypatch.setenv("TRACEPARENT", f"{PARENT[:-1]}0")
    exporter = memory.InMemorySpanExporter()
    await run_traced(tmp_path, exporter)
    assert exporter.get_finished_spans() == ()
    assert (tmp_path / "told-1").read_text().strip().endswith("-00")


@contextmanager
def receiving() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run a collector."""
    with subprocess.Popen([sys.executable, str(RECEIVER)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}", process
        finally:
            process.terminate()


def test_a_collector_receives_a_run_of_nova(tmp_path: Path) -> None:
    """By the environment alone, `nova run` sends its spans by OTLP; without it, it sends none and loads nothing."""
    (tmp_path / "CASCADE.md").write_text(
        "+++\ncommand = ['true']\n+++\n# Shop\n\n| ID | What |\n|---|---|\n| A1 | x |\n"
    )
    with receiving() as (endpoint, process):
        done = nova("run", cwd=tmp_path, env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
        assert (done.returncode, done.stderr) == (0, "")
        assert process.stdout is not None
        spans = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert {span["name"] for span in spans} == {"run true", "task A1", "invoke_workflow Shop"}
    assert {(span["path"], span["service"]) for span in spans} == {("/v1/traces", "nova")}
    assert len({span["trace"] for span in spans}) == 1


async def test_a_dead_endpoint_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there, or somebody does and never answers: the run is the same, and its end hardly waits."""
    monkeypatch.setattr(room, "LAST_SECONDS", 0.3)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for place, port in enumerate((1, silent.getsockname()[1])):
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
            folder = tmp_path / str(place)
            folder.mkdir()
            began = time.monotonic()
            report = await run_traced(folder, rows="ID | What\nT1 | true")
            assert report.ok
            assert time.monotonic() - began < 5 + report.duration_seconds
        wait_for_threads()


def wait_for_threads() -> None:
    """Wait for the SDK's threads, which outlive a run whose endpoint is dead by as much as its timeout."""
    for thread in threading.enumerate():
        if thread.name.startswith("Otel"):
            thread.join(20)


@pytest.mark.parametrize(
    ("environment", "wanted", "trouble"),
    [
        ({}, False, None),
        ({"OTEL_SERVICE_NAME": "x"}, False, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False, None),
        ({"OTEL_TRACES_EXPORTER": "console"}, True, "sends traces by otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True, "http/protobuf"),
    ],
)
def test_who_wants_traces(environment: dict[str, str], wanted: bool, trouble: str | None) -> None:
    """OpenTelemetry's own variables say it; what we have not is said, and is no reason not to run."""
    assert is_wanted(environment) is wanted
    if trouble is not None:
        assert trouble in (unusable(environment) or "")
    elif wanted:
        assert unusable(environment) is None
