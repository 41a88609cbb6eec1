"""The documentation: its programs run, its commands are the real ones, its links lead somewhere, its tests exist."""

import ast
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

import nova_async
from nova_async.agents import AGENTS
from nova_async.cascade import TaskOptions, load_cascade
from nova_async.cascade.columns import FIELDS
from nova_async.cascade.options import OPTIONS, as_header
from nova_async.cascade.reading import read_plan
from nova_async.cascade.settings import SETTINGS, RunSettings
from nova_async.cli import not_enforced
from nova_async.control.looks import LOOKS
from nova_async.journal.schema import TABLES
from nova_async.journal.state_file import run_document, task_document
from nova_async.orchestrator.retry import BUSY, FREE, MOST_LOST, MOST_OVERLOADS, MOST_SHORTAGES, UNSERVED
from nova_async.views import BudgetView, GaugeView, Hold, TaskView
from nova_async.words import EventKind, Outcome, TaskState
from tests.agents.recordings import KEPT_RECORDINGS
from tests.cli.command import warm_command
from tests.views import attempt, run_view

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
EXAMPLES = DOCS / "examples"
SCRIPTS = ["blocking_script", "async_fleet", "budget_watch", "recorded_agent", "embedded_orchestrator", "own_executor"]

NOT_RUN = re.compile(r"<!-- (?:not run|needs an agent)\b.*-->")
CLOCK = re.compile(r"^\d\d:\d\d:\d\d ", flags=re.M)
SECONDS = re.compile(r"\b\d+\.\d s\b")
MARGIN = re.compile(r" +$", flags=re.M)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page, and what the page says it prints."""

    page: Path
    line: int
    language: str
    text: str
    prints: str | None
    is_run: bool
    plan: str | None = None
    """The latest plan above it on the page."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return a page's fenced blocks; a ``text`` block right after a program, or a sentence later, is what it prints."""
    lines = page.read_text().splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    assert len(fences) % 2 == 0, f"{page.name}: a block is not closed"
    found: list[Block] = []
    plan = None
    for begin, end in zip(fences[::2], fences[1::2], strict=True):
        after = next((number for number in fences if number > end), None)
        between = lines[end + 1 : after]
        prints = None
        if after is not None and lines[after] == "```text" and len([line for line in between if line]) <= 1:
            closing = fences[fences.index(after) + 1]
            prints = "\n".join(lines[after + 1 : closing])
        is_run = not any(NOT_RUN.fullmatch(line) for line in lines[max(0, begin - 1) : begin])
        language = lines[begin].removeprefix("```")
        text = "\n".join(lines[begin + 1 : end])
        plan = text if language == "markdown" else plan
        found.append(Block(page, begin + 1, language, text, prints, is_run, plan))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
SHELL = [block for block in BLOCKS if block.language == "sh"]
CASCADES = [block for block in BLOCKS if block.language == "markdown"]

HASTY_NOVA = """#!/bin/sh
if [ "$1" = demo-agent ]; then shift; set -- demo-agent --speed 20 "$@"; fi
exec {nova} "$@"
"""

# What the commands of the pages do is what is tested here; that they start is tested in tests/cli/test_start.py.
pytestmark = pytest.mark.usefixtures("warm_nova")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder from which docs/examples can be reached."""
    (tmp_path / "docs").symlink_to(DOCS)
    return tmp_path


def run(command: list[str], folder: Path, seconds: str = "0.2") -> subprocess.CompletedProcess[str]:
    """Run a command as a reader of the page would, with this Python on the PATH, and agents that are in a hurry."""
    ours = Path(sys.executable).parent
    hasty = folder / "hasty"
    hasty.mkdir(exist_ok=True)
    (hasty / "nova").write_text(HASTY_NOVA.format(nova=shlex.join(warm_command("nova"))))
    (hasty / "nova").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(hasty), str(ours), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RECORDED_AGENT_SECONDS": seconds,
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("block", [block for block in PYTHON if block.is_run], ids=str)
def test_python_blocks_run(block: Block, folder: Path) -> None:
    """Every Python block is a program that ends well, without a warning, and prints what the page says."""
    program = folder / "test_block.py"
    program.write_text(block.text)
    if "def test_" in block.text:
        options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
        options += ["-o", "asyncio_default_fixture_loop_scope=function"]
        ended = run([sys.executable, "-m", "pytest", *options, str(program)], folder)
        assert "passed" in ended.stdout
    else:
        ended = run([sys.executable, str(program)], folder)
        if block.prints is not None:
            assert ended.stdout.rstrip("\n") == as_nice_as_we(block)
    assert (ended.returncode, ended.stderr) == (0, "")


def as_nice_as_we(block: Block) -> str | None:
    """Return what a block prints; a niceness that it shows adds to the one with which these tests run."""
    if block.prints is None or '"nice", "-n"' not in block.text:
        return block.prints
    return str(min(19, int(block.prints) + os.nice(0)))


@pytest.mark.parametrize("block", [block for block in SHELL if block.is_run], ids=str)
def test_shell_blocks_run(block: Block, folder: Path) -> None:
    """Every shell block runs, ``uv run`` finding what is installed here, and the plan above it being CASCADE.md."""
    if block.plan is not None:
        (folder / "CASCADE.md").write_text(block.plan + "\n")
    ended = run(["sh", "-e", "-c", f'uv() {{ shift; "$@"; }}\n{block.text}'], folder)
    assert ended.returncode == 0, ended.stderr
    if block.prints is not None:
        told = ended.stderr if block.prints.startswith("nova: ") else ended.stdout
        assert timeless(told.rstrip("\n")) == timeless(block.prints)


def timeless(text: str) -> str:
    """Return what is told without the hour, how long it took, and what stands invisible at the end of lines."""
    return MARGIN.sub("", SECONDS.sub("N s", CLOCK.sub("HH:MM:SS ", text)))


def test_blocks_that_do_not_run_are_rare() -> None:
    """Only what would install something or run these very tests is left out."""
    left_out = [block.text for block in PYTHON + SHELL if not block.is_run]
    assert left_out == ["pip install uv", "uv run pytest"]


def test_the_readmes_test_command_is_the_one_of_the_change_check() -> None:
    """The second command of the quick start is what .ci/run calls."""
    commands = [block.text for block in blocks_of(README) if block.language == "sh"]
    assert commands[:3] == ["pip install uv", "uv run nova run docs/examples/demo/CASCADE.md", "uv run pytest"]
    assert commands[2] in (ROOT / ".ci" / "run").read_text().splitlines()


EXPECTED = {
    "blocking_script": ["completed: 420 input and 4,062 output tokens", "logs/F1.log holds 17,464 bytes"],
    "async_fleet": ["fleet: 2,100 input, 20,310 output, $1.1984", "F5 completed: 76,672 tokens, $0.2397"],
    "budget_watch": [
        "loop: failed, terminated: 2,031 output (counted up to its end)",
        "limits: failed, over_budget: token budget exceeded: 56,449 used, limit 40,000",
    ],
    "embedded_orchestrator": [
        "B2 task_retrying signal",
        "run milestone Everything is built.",
        "C2: blocked, attempt 0, blocked by C1",
        "120 tokens, exit code 1",
    ],
    "own_executor": ["all completed"],
    "recorded_agent": ['"modelUsage":{"claude-sonnet-4-6":{"inputTokens":420,"outputTokens":4062,'],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_example_scripts_run(script: str, folder: Path) -> None:
    """Every example runs where no agent is installed, and says what it should."""
    ended = run([sys.executable, f"docs/examples/{script}.py"], folder, seconds="1.5" if "budget" in script else "0.2")
    assert (ended.returncode, ended.stderr) == (0, "")
    for line in EXPECTED[script]:
        assert line in ended.stdout


def test_every_example_is_known_here() -> None:
    """No example is left without a run, and each says in its docstring how to run it."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SCRIPTS)
    for script in SCRIPTS:
        assert f"docs/examples/{script}.py" in (ast.get_docstring(ast.parse(source(script))) or "")


def source(script: str) -> str:
    """Return an example's source."""
    return (EXAMPLES / f"{script}.py").read_text()


def test_the_recording_shows_what_the_promises_say() -> None:
    """Its three figures for output tokens are those of the lines, of the result's usage, and of what was served."""
    events = [json.loads(line) for line in (EXAMPLES / "claude_with_a_sub_agent.jsonl").read_bytes().splitlines()]
    added = sum(event["message"]["usage"]["output_tokens"] for event in events if event["type"] == "assistant")
    result = events[-1]
    served = sum(model["outputTokens"] for model in result["modelUsage"].values())
    assert (added, result["usage"]["output_tokens"], served) == (12, 2030, 4062)
    text = (DOCS / "promises.md").read_text()
    assert all(f"{figure:,}" in text for figure in (added, result["usage"]["output_tokens"], served))
    assert f"{sum(recording.is_comparable for recording in KEPT_RECORDINGS)} recorded outputs" in text


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(page: Path) -> list[str]:
    """Return where a page's links lead, without those inside code."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`(?!\])", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    """Every link inside the repository leads to a file that is there, and to a heading that is there."""
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), f"{page.name}: {link} leads out of the repository"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_pages_lead_through() -> None:
    """Each page ends with its neighbours; from the README every page is reached once, in order."""
    page, seen = README, [README]
    while match := re.search(r"^\*Next: \[[^]]+\]\(([^)]+)\)", page.read_text().splitlines()[-1]):
        following = (page.parent / match[1]).resolve()
        last = following.read_text().splitlines()[-1]
        previous = re.search(r"Previous: \[[^]]+\]\(([^)]+)\)", last)
        assert previous is not None
        assert (following.parent / previous[1]).resolve() == page
        page = following
        seen.append(page)
    assert sorted(seen) == sorted(PAGES)
    assert all("[Top](#" in page.read_text().splitlines()[-1] for page in PAGES)


def test_the_gotchas_tests_exist() -> None:
    """Every test that gotchas.md cites is defined in the file that the link leads to."""
    page = DOCS / "gotchas.md"
    cited = re.findall(r"\[`(test_\w+)`\]\(([^)#]+)\)", page.read_text())
    assert len(cited) > 50
    for name, path in cited:
        tests = (page.parent / path).read_text()
        assert re.search(rf"^(?:async )?def {name}\(", tests, flags=re.M), f"{name} is not in {path}"


def test_each_gotcha_has_a_test_or_is_for_later() -> None:
    """Each number from G1 on is there once: with a test, with the word that there is none, or listed for later."""
    now, later = (DOCS / "gotchas.md").read_text().split("\n## Not yet\n")
    sections = re.split(r"^### ", now, flags=re.M)[1:]
    numbers = [int(section[1:].split()[0]) for section in sections]
    postponed = [int(number) for number in re.findall(r"^- \*\*G(\d+)\*\*", later, flags=re.M)]
    assert numbers == sorted(numbers)
    assert sorted(numbers + postponed)[:52] == list(range(1, 53))
    assert len({*numbers, *postponed}) == len(numbers) + len(postponed)
    for section in sections:
        assert "[`test_" in section or "No test" in section, section.splitlines()[0]


def test_gotchas_cited_in_the_code_are_described() -> None:
    """A comment that gives a gotcha as its reason leads to a description."""
    known = re.findall(r"^(?:### |- \*\*)(G\d+)\b", (DOCS / "gotchas.md").read_text(), flags=re.M)
    cited = {
        number for path in (ROOT / "nova_async").rglob("*.py") for number in re.findall(r"\bG\d+\b", path.read_text())
    }
    assert cited <= set(known)


def test_the_page_about_python_names_everything_public() -> None:
    """Every exported name, and every public name of a worker, stands there."""
    text = (DOCS / "python.md").read_text()
    faces = (nova_async.Worker, nova_async.Orchestrator, nova_async.RunReport)
    names = {*nova_async.__all__, *(name for face in faces for name in dir(face) if not name.startswith("_"))}
    assert {name for name in names if not re.search(rf"`[^`\n]*\b{name}\b", text)} == set()
    assert {end.value for end in nova_async.WorkerEnd if f"`{end.value}`" not in text} == set()


def test_the_guide_names_every_option_of_exec(folder: Path) -> None:
    """What nova exec --help lists stands in the guide."""
    shown = run(["nova", "exec", "--help"], folder)
    assert shown.returncode == 0
    section = (DOCS / "guide.md").read_text().split("## nova exec in scripts")[1]
    options = set(re.findall(r"--[a-z][a-z-]+", shown.stdout)) - {"--help"}
    assert {option for option in options if option not in section} == set()


@pytest.mark.parametrize("command", ["demo", "run", "doctor", "plan", "status", "logs", "runs", "retry", "init"])
def test_the_guide_names_every_option_about_plans(command: str, folder: Path) -> None:
    """What the help of a command about plans lists stands in the guide's sections about plans."""
    shown = run(["nova", command, "--help"], folder)
    assert shown.returncode == 0
    text = (DOCS / "guide.md").read_text()
    section = text[text.index("## Run a plan") : text.index("## Embed the orchestrator")]
    assert f"nova {command}" in section
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.stdout)) - {"--help", "-h"}
    assert {option for option in options if f"{option}`" not in section and f"{option} " not in section} == set()


def test_the_page_about_agents_names_the_tested_versions() -> None:
    """What `nova doctor` compares a version with stands on the page."""
    told = set(re.findall(r"\*\*[A-Za-z ]+ ([0-9.]+)\*\*", (DOCS / "agents.md").read_text().split("\n## ")[0]))
    assert told == {version for agent in AGENTS.values() for version in agent.tested_versions}


def test_the_guide_names_every_event() -> None:
    """The kinds of events in the guide are those there are, and so are the states of tasks."""
    text = (DOCS / "guide.md").read_text()
    section = text[text.index("| event | its fields |") : text.index("## Stop, resume, retry")]
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.M)) == set(EventKind)
    assert all(f"`{state}`" in text for state in TaskState)


EVENTFUL = """+++
backoff = "1ms..1ms"
max_workers = 1

[[milestone]]
id = "half"
message = "Half of it."
percent = 50
+++
- [ ] A1 kill -9 $$
  - verify: true
- [ ] B1 exit 3
"""


def test_events_bring_what_the_guide_says(folder: Path) -> None:
    """The keys of each kind of event in its table are those of real events, in order."""
    (folder / "CASCADE.md").write_text(EVENTFUL)
    script = "case $NOVA_TASK_ID$NOVA_ATTEMPT in A11) kill -9 $$;; B*) exit 3;; esac"
    ended = run(["nova", "run", "--json", "--command", shlex.join(["sh", "-c", script])], folder)
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    real = {event.pop("event"): [key for key in event if key not in ("at", "schema", "task")] for event in events}
    assert set(EventKind) - set(real) == {
        EventKind.WARNING,
        EventKind.STOPPING,
        EventKind.TASK_HELD,
        EventKind.LIMIT_NEAR,
        EventKind.LIMIT_REACHED,
        EventKind.LIMIT_RESET,
        EventKind.TASK_STOPPING,
        EventKind.TASK_STOPPED,
        EventKind.TASK_REOPENED,
        EventKind.APPROVAL_NEEDED,
        EventKind.APPROVED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.WORKERS_CHANGED,
        EventKind.BUDGET_CHANGED,
    }
    text = (DOCS / "guide.md").read_text()
    section = text[text.index("| event | its fields |") : text.index("## Stop, resume, retry")]
    rows = {cells[0].strip("`"): re.split("[:,]", cells[1])[0] for cells in rows_of(section)}
    told = {kind: re.findall(r"`(\w+)`", keys) for kind, keys in rows.items()}
    assert {kind: keys for kind, keys in told.items() if kind in real} == {
        kind: keys for kind, keys in real.items() if kind in told
    }


@pytest.mark.parametrize("block", CASCADES, ids=str)
def test_plans_parse(block: Block) -> None:
    """Every plan is read without a word, or with exactly the messages that stand below it."""
    messages = [str(problem) for problem in read_plan(block.text + "\n").diagnostics]
    expected = block.prints.splitlines() if block.prints and block.prints.startswith("CASCADE.md:") else []
    assert messages == expected


def section_of(heading: str) -> str:
    """Return one section of cascade.md, without its blocks."""
    text = re.sub(r"^```.*?^```", "", (DOCS / "cascade.md").read_text(), flags=re.M | re.S)
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows_of(section: str) -> list[list[str]]:
    """Return the cells of the tables in a section, without their headers."""
    lines = [line for line in section.splitlines() if line.startswith(("| ", "|--"))]
    cut = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    headers = {index - 1 for index, line in enumerate(lines) if line.startswith("|--")}
    return [cells for index, cells in enumerate(cut) if index not in headers and not cells[0].startswith("--")]


def test_every_diagnostic_is_described(tmp_path: Path) -> None:
    """The codes that the parser can give, those in the table, and those that examples show are the same."""
    source = "".join(path.read_text() for path in (ROOT / "nova_async" / "cascade").glob("*.py"))
    given = set(re.findall(r'"([EW]\d{3})"', source))
    section = section_of("Diagnostics")
    described = [code for code, _ in rows_of(section)]
    messages = "\n".join(block.prints or "" for block in CASCADES)
    shown = set(re.findall(r"^CASCADE\.md:\d+: ([EW]\d{3}) ", messages, flags=re.M))
    assert described == sorted(given)
    assert shown == given - {"E005", "W130"}  # these are about a file that no block can be: see below, and its page
    (tmp_path / "CASCADE.md").write_bytes("- [ ] T1 x".encode("utf-16"))
    with pytest.raises(nova_async.CascadeError) as caught:
        load_cascade(tmp_path / "CASCADE.md")
    assert caught.value.diagnostics[0].code == "E005"
    assert caught.value.diagnostics[0].text in section


def test_the_columns_and_options_are_those_of_the_parser() -> None:
    """Fields and options with their headers, and the defaults of plain values, stand in cascade.md as in the code."""
    fields = {cells[0]: named(cells[1]) for cells in rows_of(section_of("Tasks in a table"))[-len(FIELDS) :]}
    assert fields == {field: list(headers) for field, headers in FIELDS.items()}
    rows = {cells[0].strip("`"): cells for cells in rows_of(section_of("Options"))}
    assert list(rows) == [option.key for option in OPTIONS]
    for option in OPTIONS:
        assert named(rows[option.key][1]) == list(option.headers)
        default = getattr(TaskOptions(), option.attribute)
        if isinstance(default, str | int) and not isinstance(default, bool):
            assert rows[option.key][3].strip("`") == str(default)


def named(cell: str) -> list[str]:
    """Return the headers that a cell names, in the form in which they are compared."""
    return [as_header(name) for name in re.findall(r"`([^`]+)`", cell)]


def test_the_settings_are_those_of_the_parser() -> None:
    """Every key of the front matter that is no option stands in its table."""
    assert [cells[0].strip("`") for cells in rows_of(section_of("Front matter"))] == list(SETTINGS)


def test_the_outcomes_are_those_of_the_code() -> None:
    """Every outcome stands in its table, with whether it is tried again and whether that uses up a retry."""
    rows = {Outcome(cells[0].strip("`")): cells[2:] for cells in rows_of(section_of("Attempts, outcomes, retries"))}
    assert list(rows) == list(Outcome)
    assert {outcome for outcome, (again, _) in rows.items() if again == "by default"} == set(RunSettings().retry_on)
    assert {outcome for outcome, (_, costs) in rows.items() if costs == "no"} == {*FREE, Outcome.LIMIT}
    assert {outcome for outcome, (_, costs) in rows.items() if costs == "of this run"} == UNSERVED - {Outcome.LIMIT}
    assert {
        outcome for outcome, (_, costs) in rows.items() if costs == f"no, but up to {MOST_OVERLOADS} times in a row"
    } == BUSY
    assert {outcome for outcome, (_, costs) in rows.items() if costs == "\u2013"} == {Outcome.OK}
    assert rows[Outcome.LOST][0] == f"up to {MOST_LOST} times in a run"
    assert rows[Outcome.NO_RESOURCES][0] == f"up to {MOST_SHORTAGES} times in a row"


def test_what_is_not_enforced_is_told() -> None:
    """The table of what is read and not acted on is what the command says, in the same words."""
    rows = {cells[0].strip("`"): cells[1] for cells in rows_of(section_of("Read, but not enforced yet"))}
    assert not_enforced.SETTINGS.items() <= rows.items()
    assert rows.keys() - not_enforced.SETTINGS.keys() == {"worktree", "max_turns"}


def test_the_state_files_keys_are_described() -> None:
    """The tables of keys in cascade.md are those of a real document, in order."""
    hold = Hold(agent="claude", program="claude", outcome=Outcome.AUTH, error="", cure="")
    gauge = GaugeView(agent="claude", kind="five_hour", used=0.5)
    run = run_document(run_view(holds=(hold,), budgets=(BudgetView(),), gauges=(gauge,)))
    task = task_document(TaskView(id="F1", attempts=(attempt(),)))
    about = [run["project"], task, task["token_usage"], task["nova"], task["nova"]["attempts"][0], run["nova"]]
    real = [*about, run["nova"]["holds"][0], run["nova"]["budgets"][0], run["nova"]["gauges"][0]]
    told = [re.findall(r"`(\w+)`", cells[1]) for cells in rows_of(section_of("The state file"))]
    assert told == [list(keys) for keys in real]


def test_the_journals_tables_are_named() -> None:
    """Whoever opens the journal with sqlite3 finds what the page says."""
    made = [
        found[1]
        for found in (re.match(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", statement) for statement in TABLES)
        if found
    ]
    section = section_of("The journal and the lock")
    named = re.search(r"tables (.*?)\.", section)
    assert named is not None
    assert sorted(re.findall(r"`(\w+)`", named[1])) == sorted(made)


def test_the_design_names_every_file() -> None:
    """The table of rooms in design.md has every module of the package, each in the row of its room, and no other."""
    text = (DOCS / "design.md").read_text()
    section = text.split("\n## Rooms and floors\n")[1].split("\n## ")[0]
    named = {cells[0].strip("`"): set(re.findall(r"`([\w/]+)`", cells[1])) for cells in rows_of(section)}
    package, real = ROOT / "nova_async", {}
    for source in package.rglob("*.py"):
        inside = source.relative_to(package).with_suffix("")
        if len(inside.parts) == 1 or source.name == "__init__.py":
            room = "demo_agent" if inside.name == "demo_agent" else "values"
            name = inside.name
        else:
            room, name = inside.parts[0], "/".join(inside.parts[1:])
        if not name.startswith("__"):
            real.setdefault(room, set()).add(name)
    real["agents"] = {name.partition("/")[0] for name in real["agents"]}  # a large agent is a folder of files
    assert named == real


def test_the_picture_of_a_run() -> None:
    """It is small, well-formed, asks nobody for a font, and the README says in words what it shows.

    ``python -m tests.picture_of_a_run`` makes it.
    """
    picture = DOCS / "nova-run.svg"
    assert picture.stat().st_size < 100_000
    shown = "\n".join(ET.fromstring(picture.read_text()).itertext())
    assert "12" in shown
    assert "nova demo" in shown
    assert {look.word for look in LOOKS.values() if look.word in shown} >= {"running", "completed", "waiting"}
    assert all(link == "http://www.w3.org/2000/svg" for link in re.findall(r"https?://[^\"]+", picture.read_text()))
    described = re.search(r"!\[([^\]]{80,})\]\(docs/nova-run\.svg\)", README.read_text())
    assert described is not None


def test_the_picture_of_the_page() -> None:
    """It is a small PNG, and the page about the page says in words what it shows.

    ``python -m tests.picture_of_the_page`` makes it.
    """
    picture = (DOCS / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) < 150_000
    assert re.search(r"!\[([^\]]{80,})\]\(page\.png\)", (DOCS / "page.md").read_text()) is not None


def test_the_plans_of_the_examples_are_read_without_a_word() -> None:
    """The example plans, with what the README says of the demo."""
    plans = {path.parent.name: load_cascade(path) for path in EXAMPLES.glob("*/CASCADE.md")}
    assert set(plans) == {"demo", "claude"}
    assert not any(plan.warnings for plan in plans.values())
    assert (len(plans["demo"].tasks), plans["demo"].settings.max_workers) == (12, 3)


def test_the_agents_page_has_the_real_calls() -> None:
    """Each agent's command line and environment stand in agents.md as they are in the code."""
    text = (DOCS / "agents.md").read_text()
    for agent in AGENTS.values():
        if agent.program:
            assert " ".join(agent.command("PROMPT")) in text
        for name, value in agent.environment.items():
            assert f"`{name}={value}`" in text


def test_docstrings_speak_one_dialect() -> None:
    """They are sentences, with names in double backticks: no sections such as "Raises:", and no roles of Sphinx."""
    dialects = re.compile(r"^ *(?:Args|Attributes|Raises|Returns|Yields):$|:(?:class|func|meth):`", flags=re.M)
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for path in sorted((ROOT / "nova_async").rglob("*.py"))
        for match in dialects.finditer(path.read_text())
    ]
    assert not found, found


def test_the_changelog_has_this_version() -> None:
    """The newest section of the changelog is the version of the package."""
    newest = re.search(r"^## \[?(\d[\w.]*)", (DOCS / "changelog.md").read_text(), flags=re.M)
    assert newest is not None
    assert newest[1] == importlib.metadata.version("nova-async")
