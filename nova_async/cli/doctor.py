"""``nova doctor``: checks what a run needs, before one fails because something is missing."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade
from nova_async.cli.agent_checks import check_agents
from nova_async.cli.checks import Check, Verdict, check_folder, check_machine
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.earlier import earlier_runs
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.options import argument, command_of, flag
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE
from nova_async.cli.plan import read_cascade
from nova_async.cli.say import say
from nova_async.errors import NotReadyError, NovaError
from nova_async.orchestrator.readiness import Readiness

__all__ = ["command"]

FAILS = 1
INKS = {Verdict.OK: Ink.GREEN, Verdict.NOTE: Ink.AMBER, Verdict.PROBLEM: Ink.RED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    plan: str | None = argument("[PLAN]", default=None)
    json: bool = flag(help="Write one JSON document.")


def examine(options: Options) -> int:
    """Check agents, folder and machine; with PLAN, what its next run needs.

    Without PLAN, all agents are checked. Agents are only asked for their version; nothing is written. The exit code is
    0 if no problem was found, 1 if a run would fail, 2 for bad input.
    """
    cascade = read_cascade(options.plan) if options.plan is not None else None
    parts = {"agents": asyncio.run(look_at_agents(cascade)), "folder": list(check_folder(Path.cwd()))}
    parts["machine"] = list(check_machine())
    if cascade is not None:
        parts["plan"] = list(look_at_plan(cascade))
    fails = any(check.verdict is Verdict.PROBLEM for checks in parts.values() for check in checks)
    if options.json:
        found = [{"part": part, **asdict(check)} for part, checks in parts.items() for check in checks]
        say(json.dumps({"ok": not fails, "checks": found}, indent=2))
    else:
        show(parts)
    return FAILS if fails else 0


async def look_at_agents(cascade: Cascade | None) -> list[Check]:
    """Check the agents of the plan, or without one all agents."""
    if cascade is not None:
        own = [task for task in cascade.tasks.values() if cascade.command_of(task) is None]
        agents = (each.options.agent for task in own for each in cascade.in_order(task))
        names = dict.fromkeys(agent for agent in agents if agent in AGENTS)
        return await check_agents(names)
    checks = await check_agents([name for name, agent in AGENTS.items() if agent.program])
    if all(check.verdict is Verdict.NOTE and not check.facts for check in checks):
        return [*checks, Check("any", Verdict.PROBLEM, "no agent is installed", "install one of these")]
    return checks


def look_at_plan(cascade: Cascade) -> Iterable[Check]:
    """Check what the next run of a plan would begin."""
    journal, state_file = Path(JOURNAL), Path(STATE_FILE)
    try:
        ready = Readiness(cascade, root=Path(), logs=Path(LOG_DIR), files=(state_file, journal))
        notes = ready.require(earlier_runs(cascade, journal, state_file), None, False, False)
    except NotReadyError as error:
        return [Check("run", Verdict.PROBLEM, problem) for problem in error.problems]
    except NovaError as error:
        return [Check("journal", Verdict.PROBLEM, str(error))]
    found = [Check("run", Verdict.NOTE, note) for note in notes]
    return found or [Check("run", Verdict.OK, "the next run has everything it needs")]


def show(parts: dict[str, list[Check]]) -> None:
    """Print a table with a row for each check."""
    rows: list[list[Line]] = []
    for part, checks in parts.items():
        for place, check in enumerate(checks):
            text: list[str | Span] = [check.text]
            text += [Span(f" → {check.cure}", Ink.GREY)] if check.cure else []
            title = [Span(part if place == 0 else "", Ink.BOLD)]
            rows.append([title, check.name, [Span(check.verdict, INKS[check.verdict])], text])
    say(*table_lines(rows, folding=(3,), width=columns_of_terminal()))
    problems = sum(check.verdict is Verdict.PROBLEM for checks in parts.values() for check in checks)
    say("", f"{problems} problem{'s' if problems > 1 else ''}" if problems else "no problems found")


command = command_of(Options, examine)
