"""Records what a real agent CLI prints in a scenario, with the truth beside it, or checks our reader against it.

    python tests/live/record.py [--agents DIR] [--out DIR] claude,qwen tools,sub,err401
    python tests/live/record.py [--agents DIR] --check all all

``--out`` keeps each output as ``AGENT/SCENARIO.sj.merged`` with a sidecar of the same name and ``.json``, as those in
``tests/data``. ``--check`` prints a line for each run: what the reader makes of it, and every kind of line that is in
no recording of ``tests/data``, so that a new version of an agent shows where it differs. The exit code is 1 if
anything does. Needs what the tests of this folder need; see docs/agents.md.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nova_async.agents import AGENTS, AgentReport
from nova_async.attempt.outcome import outcome_of
from nova_async.words import Outcome, WorkerEnd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.live.offline import agents_folder, command_of, run_offline, what_is_missing

DATA = Path(__file__).resolve().parents[1] / "data"
NAMES = sorted(set(AGENTS) - {"plain"})
# What each scenario comes to, whoever plays it; those that differ between agents are not judged.
OUTCOMES = {
    **dict.fromkeys(("single", "thinking", "tools", "parallel", "sub", "subs", "retry429", "retry500"), Outcome.OK),
    "err400": Outcome.AGENT_ERROR,
    "err401": Outcome.AUTH,
}
UNCOUNTED = {"opencode": "totals_without_side_calls"}  # it prints its side calls nowhere
SECONDS = 100  # for one run; the longest scenarios take a minute


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents_run", metavar="AGENT[,AGENT…]", help=f"of {', '.join(NAMES)}, or all")
    parser.add_argument("scenarios", metavar="SCENARIO[,…]", help="of the scripted server, or all that can be judged")
    parser.add_argument("--agents", type=Path, default=agents_folder(), metavar="DIR", help="where the CLIs are")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the recordings there")
    parser.add_argument("--check", action="store_true", help="compare with the reader's report")
    options = parser.parse_args()
    if (missing := what_is_missing(options.agents)) is not None:
        parser.error(missing)
    differences = 0
    agents = NAMES if options.agents_run == "all" else options.agents_run.split(",")
    for agent in agents:
        if not (options.agents / "bin" / agent).exists():
            print(f"{agent}: not installed in {options.agents}")
            continue
        for scenario in OUTCOMES if options.scenarios == "all" else options.scenarios.split(","):
            output, sidecar = record(options.agents, agent, scenario)
            if options.out is not None:
                keep(options.out, output, sidecar)
            report = read(agent, output)
            found = list(compare(report, output, sidecar))
            differences += len(found)
            print(f"{agent} {sidecar['version']} {scenario}: exit {sidecar['exit_code']}, {outcome(report, sidecar)}, "
                  f"{report.usage.total} tokens", *found, sep="\n    ", flush=True)  # fmt: skip
    return int(options.check and differences > 0)


def record(agents: Path, agent: str, scenario: str) -> tuple[bytes, dict[str, Any]]:
    """Run an agent once, and return what it printed and the truth about it."""
    command = command_of(agent)
    with tempfile.TemporaryDirectory() as folder:
        done, served = run_offline(
            agents, agent, scenario, Path(folder), command, "--timeout", str(SECONDS), merged=True, seconds=SECONDS + 60
        )
        output = without_places(done.stdout, agents, Path(folder))
    report = read(agent, output)
    return output, {
        "cli": agent, "version": version_of(agents, agent), "scenario": scenario,
        "mode": AGENTS[agent].mode_of(command), "merged": True, "argv": command, "stdin": "devnull",
        "exit_code": served["exit_code"], "signals": [], "bytes": len(output),
        "served": served[UNCOUNTED.get(agent, "totals")], "served_by_model": served["by_model"],
        "reported": report.usage.as_dict(), "final_total_printed": report.usage_is_final,
    }  # fmt: skip


def keep(folder: Path, output: bytes, sidecar: dict[str, Any]) -> None:
    """Write a recording and its sidecar."""
    path = folder / sidecar["cli"] / f"{sidecar['scenario']}.{'sj' if sidecar['mode'] != 'json' else 'json'}.merged"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(output)
    path.with_name(f"{path.name}.json").write_text(json.dumps(sidecar, indent=1) + "\n")


def read(agent: str, output: bytes) -> AgentReport:
    """Return what our reader says of an output."""
    reader = AGENTS[agent].reader()
    reader.feed(output)
    reader.close()
    return reader.report


def outcome(report: AgentReport, sidecar: dict[str, Any]) -> Outcome:
    """Return what a run would make of it."""
    code = sidecar["exit_code"]
    return outcome_of(
        WorkerEnd.EXITED if code >= 0 else WorkerEnd.SIGNALED, code, report, AGENTS[sidecar["cli"]].exit_meanings
    )


def compare(report: AgentReport, output: bytes, sidecar: dict[str, Any]) -> Iterator[str]:
    """Yield each difference between what is read and what is true or known."""
    counted, served = report.usage.as_dict(), sidecar["served"]
    if counted != served and (report.usage_is_final or any(counted[kind] > served[kind] for kind in served)):
        yield f"tokens: {counted}, but {served} were served"
    expected = OUTCOMES.get(sidecar["scenario"])
    if expected is not None and (found := outcome(report, sidecar)) is not expected:
        yield f"outcome: {found}, but it should be {expected} ({report.error})"
    known = {kind for path in DATA.rglob("*") if sidecar["cli"] in path.parts and path.suffix in (".stdout", ".merged")
             for kind in kinds_of(path.read_bytes())}  # fmt: skip
    for kind in sorted(kinds_of(output) - known):
        yield f"new kind of line: {kind}"


def kinds_of(output: bytes) -> set[str]:
    """Return the kinds of events in an output: their types, and what stands for a type within."""
    kinds = set()
    for line in output.split(b"\n"):
        try:
            event = json.loads(line) if line.startswith(b"{") else None
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            inner = [event.get("subtype")] + [
                part.get("type") for name in ("event", "item", "part") if isinstance(part := event.get(name), dict)
            ]
            kinds.add("/".join([event["type"], *(word for word in inner if isinstance(word, str))]))
    return kinds


def version_of(agents: Path, agent: str) -> str:
    """Return the installed version."""
    package = agents / agent / "node_modules" / AGENTS[agent].packages[0] / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.is_file() else "?"


def without_places(output: bytes, agents: Path, folder: Path) -> bytes:
    """Put the places of this machine as those of an agent's own."""
    output = output.replace(str(agents.resolve()).encode(), b"/opt/agents")
    output = output.replace(str(folder).encode(), b"/home/agent/project")
    output = re.sub(rb"/tmp/nova-offline\.\w+/home", b"/home/agent", output)
    return re.sub(rb"/tmp/nova-offline\.\w+(/tmp)?", b"/tmp", output)


if __name__ == "__main__":
    sys.exit(main())
