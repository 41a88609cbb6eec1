"""Agents of strangers: found in installed packages when they are asked for, and none can harm another."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = """
from nova_async.agents import Agent, AgentReport, Call, ModeOption
from nova_async.usage import TokenUsage

class Reader:
    def __init__(self):
        self.seen = 0
    def feed(self, chunk):
        self.seen += len(chunk)
        if b"break" in chunk:
            raise ValueError("broken")
    def close(self):
        pass
    @property
    def report(self):
        return AgentReport(usage=TokenUsage(self.seen))

def command(call):
    if call.model == "bad":
        raise KeyError(call.model)
    if call.model == "odd":
        return "one text"
    return ["hello-agent", str(call.permissions), call.prompt]

AGENT = Agent(
    name="hello", program="hello-agent", packages=("hello-agent",), make_reader=lambda mode, before: Reader(),
    make_command=command, streaming_modes=frozenset({"json"}), mode_option=ModeOption(flags=("--json",)),
)
UNNAMED = Agent(name="unnamed", program="")
OTHER = Agent(name="someone", program="someone")
CUSTOM = Agent(name="custom", program="custom")
CLAUDE = Agent(name="claude", program="mine")
LOUD = Agent(name="Loud", program="loud")
TEXT = "an agent"
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder that Python looks for packages in, with a module of agents."""
    (tmp_path / "hello_agents.py").write_text(GOOD)
    (tmp_path / "explodes.py").write_text("raise OSError('no licence')")
    (tmp_path / "exits.py").write_text("raise SystemExit(3)")
    return tmp_path


def install(folder: Path, *agents: str, package: str = "hello-agents") -> None:
    """Install a package with these entry points."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nova_async.agents]\n" + "\n".join(agents))


def run(folder: Path, program: str) -> tuple[Any, list[str]]:
    """Run a program that prints JSON; return that, and the warnings."""
    code = f"import json, sys\nsys.path.insert(0, {str(folder)!r})\nfrom nova_async.agents import *\n{program}"
    command = [sys.executable, "-W", "always", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    warnings = [line.split("RuntimeWarning: ")[1] for line in ended.stderr.splitlines() if "RuntimeWarning: " in line]
    return json.loads(ended.stdout), warnings


def test_an_agent_of_an_installed_package_is_known_by_its_name(packages: Path) -> None:
    """It is in the list, is called with what any agent is called with, and its output is read."""
    install(packages, "hello = hello_agents:AGENT")
    program = """
agent = AGENTS["hello"]
reader = agent.reader()
reader.feed(b"12345")
print(json.dumps([
    list(AGENTS)[-2:], len(AGENTS), "hello" in AGENTS, agent.command("-x", permissions="full"),
    reader.report.usage.total, agent.streams(agent.mode_of(["npx", "hello-agent", "--json"])),
    recognise(["hello-agent"]).name,
]))
"""
    told, warnings = run(packages, program)
    assert told == [["plain", "hello"], 7, True, ["hello-agent", "full", " -x"], 5, True, "plain"]
    assert warnings == []


def test_its_readers_and_commands_are_guarded(packages: Path) -> None:
    """A reader that raises loses its counting; a command that cannot be made is a ValueError that names the agent."""
    install(packages, "hello = hello_agents:AGENT")
    program = """
agent = AGENTS["hello"]
reader = agent.reader()
for chunk in (b"12345", b"break", b"123"):
    reader.feed(chunk)
    before = reader.report
errors = []
for model in ("bad", "odd"):
    try:
        agent.command("x", model)
    except ValueError as error:
        errors.append(str(error))
print(json.dumps([reader.report.usage.total, reader.report.error, errors]))
"""
    told, _ = run(packages, program)
    assert told == [
        5,
        "its reader failed: ValueError: broken; nothing is counted from here on",
        [
            "agent 'hello' cannot make a command: KeyError: 'bad'",
            "agent 'hello' returned an invalid command: 'one text' is not a list of strings",
        ],
    ]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("explodes = explodes:AGENT", "OSError: no licence"),
        ("exits = exits:AGENT", "SystemExit: 3"),
        ("missing = nowhere:AGENT", "ModuleNotFoundError: No module named 'nowhere'"),
        ("absent = hello_agents:ABSENT", "AttributeError"),
        ("text = hello_agents:TEXT", "TypeError: 'an agent' is not an Agent"),
        ("another = hello_agents:OTHER", "ValueError: its name is 'someone': give the entry point the same name"),
        ("unnamed = hello_agents:UNNAMED", "ValueError: no program given"),
        ("custom = hello_agents:CUSTOM", "ValueError: a name must start with a lowercase letter"),
        ("Loud = hello_agents:LOUD", "ValueError: a name must start with a lowercase letter"),
        ("claude = hello_agents:CLAUDE", "nova_async already has an agent of this name"),
    ],
)
def test_a_bad_one_is_told_of_once_and_harms_nobody(packages: Path, entry: str, why: str) -> None:
    """One clear warning that names agent and package; the others are there as ever."""
    install(packages, entry, package="bad-agents")
    install(packages, "hello = hello_agents:AGENT")
    name = entry.split(" ")[0]
    program = (
        f"known = [list(AGENTS), list(AGENTS), {name!r} in AGENTS, AGENTS['claude'].program]\nprint(json.dumps(known))"
    )
    told, warnings = run(packages, program)
    names = ["claude", "codex", "gemini", "opencode", "qwen", "plain", "hello"]
    assert told == [names, names, name == "claude", "claude"]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"the agent {name!r} of the package bad-agents cannot be used: {why}")


def test_a_malformed_package_harms_nobody(packages: Path) -> None:
    """Where entry points cannot be read at all, our own agents are there, and it is said why there are no others."""
    install(packages, "hello")
    told, warnings = run(packages, "print(json.dumps([list(AGENTS)[:1], 'hello' in AGENTS]))")
    assert told == [["claude"], False]
    assert len(warnings) == 1
    assert "cannot look for agents" in warnings[0]


def test_the_first_of_two_with_one_name_counts(packages: Path) -> None:
    """Two packages may bring an agent of one name; there is one."""
    install(packages, "hello = hello_agents:AGENT")
    install(packages, "hello = hello_agents:AGENT", package="hello-again")
    told, warnings = run(packages, 'print(json.dumps([list(AGENTS).count("hello"), AGENTS["hello"].program]))')
    assert (told, warnings) == ([1, "hello-agent"], [])


def test_nothing_is_looked_for_until_it_is_asked_for(packages: Path) -> None:
    """Our own agents are had without a look at what is installed, and one that is asked for loads no other."""
    install(packages, "hello = hello_agents:AGENT", "explodes = explodes:AGENT")
    program = """
AGENTS["claude"], "codex" in AGENTS, recognise(["npx", "some-agent"]), AGENTS["plain"].reader()
light = not {"importlib.metadata", "hello_agents", "explodes"} & set(sys.modules)
AGENTS["hello"]
print(json.dumps([light, "hello_agents" in sys.modules, "explodes" in sys.modules]))
"""
    told, warnings = run(packages, program)
    assert (told, warnings) == ([True, True, False], [])


def test_a_plan_may_name_it(packages: Path) -> None:
    """The option ``agent`` takes every agent that is there, in any case of letters."""
    install(packages, "hello = hello_agents:AGENT")
    program = """
from nova_async import CascadeError, parse_cascade
plan = "# P\\n\\n| ID | What | Agent | Timeout |\\n|---|---|---|---|\\n| A1 | Do it. | {} | 5m |\\n"
try:
    parse_cascade(plan.format("helo"))
except CascadeError as error:
    problem = str(error)
print(json.dumps([parse_cascade(plan.format("Hello")).tasks["A1"].options.agent, problem]))
"""
    told, _ = run(packages, program)
    assert told[0] == "hello"
    assert "is not one of claude, codex, gemini, opencode, qwen, hello, custom; did you mean 'hello'?" in told[1]
