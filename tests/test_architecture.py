"""The house: imports point down only, pure rooms stay pure, and each word is said in one place."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from nova_async import words
from nova_async.agents import AGENTS

HOUSE = Path(__file__).resolve().parents[1] / "nova_async"

# Every room with the rooms it may know, from the ground up. A room always knows itself.
VALUES = {"errors", "words", "usage", "prices", "records", "views"}
MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "words": set(),
    "usage": {"_core"},
    "prices": {"_core", "usage"},
    "records": {"words", "usage"},
    "views": {"words", "usage", "records"},
    "_core": set(),
    "redaction": set(),
    "agents": VALUES | {"_core"},
    "cascade": VALUES | {"_core", "redaction", "agents"},
    "process": VALUES | {"_core"},
    "worker": VALUES | {"_core", "redaction", "agents", "process"},
    "journal": VALUES | {"_core", "process"},
    "attempt": VALUES | {"_core", "redaction", "agents", "process", "worker"},
    "orchestrator": VALUES | {"_core", "redaction", "agents", "cascade", "process", "worker", "journal", "attempt"},
    "demo_agent": set(),  # a program by itself
    "notice": VALUES | {"_core", "redaction", "cascade", "process", "worker", "attempt", "orchestrator", "control"},
    "tracing": VALUES | {"_core", "agents", "cascade", "orchestrator"},
    "control": VALUES
    | {"_core", "redaction", "agents", "cascade", "process", "worker", "journal", "attempt", "orchestrator"},
    "cli": VALUES
    | {"_core", "redaction", "demo_agent", "attempt", "agents", "cascade", "process", "worker", "journal"}
    | {"orchestrator", "control", "notice", "tracing", "web", ""},  # web is loaded by `nova serve` only
    "web": VALUES | {"_core", "agents", "journal", "control"},
    "__main__": {"cli"},
    "": VALUES | {"attempt", "agents", "cascade", "process", "worker", "journal", "orchestrator", "notice", "tracing"},
}

DECIDING = (
    "admission", "decide", "run_state", "after_an_end", "holds", "gates", "stopping", "obeying", "happenings",
    "actions",
    "schedule", "budget", "within_budget", "countable", "cost_sources", "retry", "holding", "serving", "resume",
    "sessions", "outlook", "reporting", "noticing", "pace", "pacing",
)  # fmt: skip

SHOWN = ("board", "denials", "event_words", "figures", "graph", "looks", "shown", "timeline")

REPORTED = (
    "ctrf", "markup", "report_drawings", "report_markdown", "report_page", "report_style", "report_tasks", "reported",
)  # fmt: skip

# What a pure room or file may import besides our own values: nothing here can wait, read a clock, or touch the system.
PURE = (
    VALUES
    | {"redaction", "agents", "cascade"}
    | {f"orchestrator/{name}.py" for name in DECIDING}
    | {f"control/{name}.py" for name in SHOWN}
    | {"notice/due.py", "web/metrics.py", "tracing/context.py", "tracing/spans.py"}
    | {f"cli/{name}.py" for name in REPORTED}
)
PURE_IMPORTS = {
    "__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "datetime", "difflib", "enum",
    "fnmatch", "functools", "graphlib", "heapq", "html", "itertools", "json", "math", "operator", "re", "shlex",
    "string", "tomllib", "types", "typing", "unicodedata", "msgspec", "markdown_it",
}  # fmt: skip
PURE_CORE = {f"nova_async._core.{name}" for name in ("text", "sizes", "money", "moments", "advice")}
# The ways of pure rooms to the system.
DOORS = {
    "agents/load.py": {"importlib", "warnings"},  # strangers' agents are installed packages
    "cascade/load.py": {"pathlib", "os"},  # plans lie on the disk
    "cli/report_page.py": {"base64", "hashlib"},  # the mark of its style sheet
    "errors.py": {"socket"},  # names this machine, where a lock is another's
    "orchestrator/reporting.py": {"hashlib"},  # a number of a text
    "tracing/context.py": {"hashlib"},  # the same
    "orchestrator/retry.py": {"random"},  # jitter, from a source that is handed in
    "orchestrator/run_state.py": {"random"},  # jitter, from a source that is handed in
    "orchestrator/gates.py": {"random"},  # the same
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today", "read_text", "write_text"}

# Where a word of `words` is another's word of the same spelling: a file or a room, and why.
NOT_OUR_WORDS = {
    "agents": "what agents print, and how they are called",
    "cascade/options.py": "`verify` is a key of the plan",
    "cli/plan.py": "`verify` is a key of the plan",
    "demo_agent.py": "it speaks as Claude does",
    "journal/older.py": "what stands in journals of another version",
    "worker/log/follower.py": "`lost` is a log that cannot be found again",
}
# Where an agent's name may stand outside of its own file.
NAMES_AGENTS = {
    "agents": "their room",
    "demo_agent.py": "it stands in for Claude, down to the names of its models",
    "prices.py": "two makers of models are called like their agents",
}

SOURCES = sorted(HOUSE.rglob("*.py"))
DOORS_TO_NOBODY = {"utils", "helpers", "helper", "manager", "base", "common", "misc"}


def name_of(source: Path) -> str:
    """Return a file's path in the house."""
    return str(source.relative_to(HOUSE))


def room_of(module: str) -> str:
    """Return the room of a dotted module name below ``nova_async``; the front door is ``""``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def is_in(source: Path, places: set[str] | dict[str, str]) -> bool:
    """Tell whether a file or its room is one of these places."""
    name = name_of(source)
    return name in places or name.split("/")[0].removesuffix(".py") in places


@cache
def tree_of(source: Path) -> ast.Module:
    """Return a file, parsed."""
    return ast.parse(source.read_text())


def imports_of(source: Path) -> set[str]:
    """Return every module that a source file imports anywhere, type checking included."""
    found: set[str] = set()
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: write imports in full"
            found.add(node.module or "")
            if node.module == "nova_async":
                found.update(f"nova_async.{alias.name}" for alias in node.names)
    return found


def told(offenders: list[str]) -> str:
    """Return all offenders, a line each."""
    return "\n" + "\n".join(offenders)


def test_imports_point_down_only() -> None:
    """No room knows a room above it or beside it."""
    offenders = []
    for source in SOURCES:
        room = name_of(source).split("/")[0].removesuffix(".py")
        room = "" if room == "__init__" else room
        assert room in MAY_KNOW, f"{room} is no room of the house yet: say in MAY_KNOW what it may know"
        known = {room_of(module) for module in imports_of(source) if module.split(".")[0] == "nova_async"}
        if unknown := known - MAY_KNOW[room] - ({room} if room else set()):
            offenders.append(f"{name_of(source)} looks up at {sorted(unknown)}")
    assert not offenders, told(offenders)


def test_pure_rooms_stay_pure() -> None:
    """The values, the readers of agents and of cascades, and the deciding can neither wait nor touch the system."""
    offenders = []
    for source in SOURCES:
        if not is_in(source, PURE):
            continue
        name = name_of(source)
        core = {module for module in imports_of(source) if module.startswith("nova_async._core")}
        foreign = {module.split(".")[0] for module in imports_of(source)} - {"nova_async"} - PURE_IMPORTS
        offenders += [f"{name} imports {module}" for module in core - PURE_CORE]
        offenders += [f"{name} imports {module}" for module in foreign - DOORS.get(name, set())]
        if name not in DOORS:
            offenders += [f"{name}:{line} calls {call}()" for line, call in impure_calls(tree_of(source))]
    assert not offenders, told(offenders)


def impure_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the calls that need no import and still read a clock or touch a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in IMPURE_CALLS:
                yield node.lineno, called


def test_no_fork_between_spawn_and_exec() -> None:
    """Nobody uses preexec_fn: it forces a slow fork and dead-locks with threads (G21)."""
    offenders = [name_of(source) for source in SOURCES if "preexec_fn=" in source.read_text()]
    assert not offenders, told(offenders)


def test_rooms_are_small_and_named_for_what_they_are() -> None:
    """No file is a place for whatever has no place, and none is so long that it must be several things."""
    long = [name_of(source) for source in SOURCES if len(source.read_text().splitlines()) > 400]
    nameless = [
        name_of(source) for source in SOURCES if {*source.parts} & DOORS_TO_NOBODY or source.stem in DOORS_TO_NOBODY
    ]
    assert not long + nameless, told(long + nameless)


OUR_WORDS = {word.value for kind in (words.Outcome, words.TaskState, words.Phase) for word in kind}


def test_words_are_said_in_one_place() -> None:
    """Nobody compares with, or hands over, an outcome, a state or a phase as a bare string."""
    offenders = []
    for source in SOURCES:
        if not is_in(source, {"words", *NOT_OUR_WORDS}):
            offenders += [f"{name_of(source)}:{line}: {word!r}" for line, word in bare_words(tree_of(source))]
    assert not offenders, told(offenders) + "\nsay Outcome.…, TaskState.… or Phase.… of nova_async.words"


def bare_words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the strings of ours that are compared, matched or given by keyword."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            said = [node.left, *node.comparators]
        elif isinstance(node, ast.keyword | ast.MatchValue):
            said = [node.value]
        else:
            continue
        for constant in (each for expression in said for each in strings_in(expression)):
            if constant.value in OUR_WORDS:
                yield constant.lineno, str(constant.value)


def strings_in(node: ast.expr) -> Iterator[ast.Constant]:
    """Yield the strings that an expression is, or chooses from."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from strings_in(element)
    elif isinstance(node, ast.IfExp):
        yield from strings_in(node.body)
        yield from strings_in(node.orelse)


AGENT_NAMES = re.compile(rf"\b(?:{'|'.join(sorted(set(AGENTS) - {'plain'}))})\b")


def test_agents_are_named_in_their_room_only() -> None:
    """To whoever is outside of ``agents``, an agent is whatever the registry holds: no name stands in the code."""
    offenders = []
    for source in SOURCES:
        if not is_in(source, set(NAMES_AGENTS)):
            offenders += [f"{name_of(source)}:{line}: {name}" for line, name in agents_named(tree_of(source))]
    assert not offenders, told(offenders) + "\nask the registry of nova_async.agents"


def agents_named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the agents named in strings, those of documentation aside."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield from ((node.lineno, found[0]) for found in AGENT_NAMES.finditer(node.value))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (bare_words, "if outcome == 'ok': pass"),
        (bare_words, "if 'lost' != outcome: pass"),
        (bare_words, "if state in ('x', 'failed'): pass"),
        (bare_words, "end(outcome='lost')"),
        (bare_words, "end(outcome='lost' if gone else other)"),
        (bare_words, "match phase:\n case 'verify': pass"),
        (agents_named, "if agent == 'claude': pass"),
        (agents_named, "KNOWN = {'agent': f'as {x} codex'}"),
        (impure_calls, "datetime.now(UTC)"),
        (impure_calls, "open(path)"),
    ],
)
def test_the_rules_can_be_broken(rule: object, text: str) -> None:
    """Each rule sees what it is there for."""
    assert list(rule(ast.parse(text)))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (bare_words, "if outcome is Outcome.OK: pass"),
        (bare_words, "def f():\n 'ok'\n return {'ok': 1}"),
        (agents_named, "class A:\n 'Reads claude.'\n name = 'plain'\n 'As codex.'"),
        (impure_calls, "known(path)"),
    ],
)
def test_the_rules_can_be_kept(rule: object, text: str) -> None:
    """No rule sees what is not there."""
    assert not list(rule(ast.parse(text)))  # type: ignore[operator]


def test_every_exception_is_needed() -> None:
    """Nothing stands on a list of exceptions that breaks no rule: it would hide the next one who does."""
    for rule, places in ((bare_words, NOT_OUR_WORDS), (agents_named, NAMES_AGENTS)):
        for place in places:
            assert any(is_in(source, {place}) and list(rule(tree_of(source))) for source in SOURCES), place
