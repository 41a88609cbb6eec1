"""``nova plan`` and ``nova init``: whether a plan is right, and in which order it would go."""

import json
import re
from pathlib import Path

import pytest

from nova_async.agents import AGENTS
from nova_async.cascade import load_cascade, parse_cascade
from nova_async.cli.as_whom import describe_callings
from nova_async.cli.init import FIRST_PLAN
from nova_async.cli.ink import Ink, Span
from nova_async.cli.mermaid import flowchart
from nova_async.cli.not_enforced import not_enforced
from tests.cli.command import nova

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"

PLAN = """\
+++
timeout = "45m"
max_workers = 2

[[milestone]]
id = "half"
message = "Half."
percent = 50
+++
# Shop
## App
### Base
| ID | Name | What | Depends On | Model | Timeout |
|---|---|---|---|---|---|
| F1 | Types | Define the types | - | | |
| F2 | "Err" & [co] | Write the errors | F1 | opus | 1h30m |
## Rest
| ID | Name | What | Depends On |
|---|---|---|---|
| end | Docs | Write them | F1 |
"""

CLAUDE = " ".join(AGENTS["claude"].command("…"))

WRONG = """\
| ID | What | Deps | Retries | Owner |
|---|---|---|---|---|
| F1 | a | F9 | | |
| F2 | b | F2 | many | |
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a plan."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    return tmp_path


def test_the_waves(folder: Path) -> None:
    """It shows each task in its wave, what it waits for, and the options that are its own."""
    done = nova("plan", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub("; until then estimated by .*", "", done.stdout)  # where the published prices are installed
    lines = [re.sub(" +", " ", line).strip() for line in text.splitlines()]
    assert lines == [
        "Shop",
        "for the whole run: max_workers 2, timeout 45m",
        f"as claude, permissions edit: {CLAUDE}",
        "cost: reported by claude when it ends",
        "order: by dependencies (tasks are in a table)",
        "wave 1 F1 Types",
        'wave 2 F2 "Err" & [co] after F1 · model opus, timeout 1h30m',
        "end Docs after F1",
        "milestone half: at 50 %",
        "longest chain: F1 → F2",
        "3 tasks · 2 waves · up to 2 at once · longest chain 2",
    ]


def test_the_order_of_a_check_list(tmp_path: Path) -> None:
    """The plan says in which order its tasks go and why; the command line stands above it, and optional tasks join."""
    (tmp_path / "CASCADE.md").write_text("- [ ] T1 a\n- [ ]* T2 b\n- [ ] T3 c\n")
    done = nova("plan", cwd=tmp_path)
    assert "order: as in the file (no task says what it depends on)" in done.stdout
    assert done.stderr == "CASCADE.md:2: W120 1 optional task is skipped: T2 (run with --with-optional)\n"
    document = json.loads(nova("plan", "--json", "--order", "deps", cwd=tmp_path).stdout)
    assert document["order"] == {"kind": "deps", "reason": "asked for", "is_asked": True}
    assert (document["waves"], document["left_out"]) == ([["T1", "T3"]], ["T2"])
    done = nova("run", "--with-optional", "--plain", "--command", "true", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"(T\d) completed in", done.stdout) == ["T1", "T2", "T3"]


def test_as_whom_tasks_run(folder: Path) -> None:
    """Each way in which an agent is called is one line, with its flags; those of single tasks name these."""
    cells = ["claude | | ", "claude | | ", "claude | read | ", "opencode | | ", "claude | | -x 'a b'"]
    rows = [f"| F{number} | a | {more} |" for number, more in enumerate(cells)]
    table = "| ID | What | Agent | Permissions | Agent Args |\n|---|---|---|---|---|\n"
    (folder / "p.md").write_text(table + "\n".join(rows))
    told = [line for line in nova("plan", "p.md", cwd=folder).stdout.splitlines() if line.startswith("as ")]
    reads = " ".join(AGENTS["claude"].command("…", permissions="read"))
    allowed = AGENTS["opencode"].environment_for("edit")["OPENCODE_PERMISSION"]
    opencode = "opencode run --format json --print-logs --log-level ERROR -- …"
    assert told == [
        f"as claude, permissions edit (F0, F1): {CLAUDE}",
        f"as claude, permissions read (F2): {reads}",
        f"as opencode, permissions edit (F3): OPENCODE_PERMISSION='{allowed}' {opencode}",
        f"as claude, permissions edit (F4): {CLAUDE} -x 'a b'",
    ]
    agents = json.loads(nova("plan", "--json", "p.md", cwd=folder).stdout)["agents"]
    assert [(found["agent"], found["tasks"]) for found in agents][:2] == [("claude", ["F0", "F1"]), ("claude", ["F2"])]
    (folder / "p.md").write_text(f"+++\ncommand = 'mine'\n+++\n{table}{rows[0]}\n")
    assert "as claude" not in nova("plan", "p.md", cwd=folder).stdout


def test_settings_of_the_folder(folder: Path) -> None:
    """What comes from nova.toml is shown apart; its problems come with the plan's, and start nothing either."""
    settings = 'timeout = "1h"\nretries = 3\nclass = "big"\ntask_budget_usd = 2\nlinger = "5s"\n'
    (folder / "nova.toml").write_text(settings)
    done = nova("plan", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:3] == [
        "for the whole run: max_workers 2, timeout 45m",
        "from nova.toml: linger 5s, retries 3, task_budget_usd $2.00, class big",
    ]
    document = json.loads(nova("plan", "--json", cwd=folder).stdout)
    assert document["settings_from"]["retries"] == "nova.toml"
    (folder / "nova.toml").write_text("retrys = 3\n")
    (folder / "bad.md").write_text(WRONG)
    done = nova("run", "bad.md", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "nova.toml:1: E004 unknown key 'retrys'; did you mean 'retries'?"
    assert done.stderr.splitlines()[-1] == "nova: 4 errors; the plan cannot run"


def test_settings_beside_the_plan_count_where_this_folder_has_none(tmp_path: Path) -> None:
    """The current folder's nova.toml first, then the plan's folder; the two are not joined."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/plan.md").write_text(PLAN)
    (tmp_path / "specs/nova.toml").write_text("retries = 3\n")
    assert "from specs/nova.toml: retries 3" in nova("plan", "specs/plan.md", cwd=tmp_path).stdout
    (tmp_path / "pyproject.toml").write_text("[tool.nova]\ngrace = 9\n")
    told = nova("plan", "specs/plan.md", cwd=tmp_path).stdout
    assert "from pyproject.toml: grace 9s" in told
    assert "retries" not in told


def test_all_problems_at_once(folder: Path) -> None:
    """Every problem is one line on stderr, with file and line; the exit code is 2 and stdout is empty."""
    (folder / "bad.md").write_text(WRONG)
    done = nova("plan", "bad.md", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert [line.split(" ")[:2] for line in lines[:-1]] == [
        ["bad.md:1:", "W111"],
        ["bad.md:3:", "E201"],
        ["bad.md:4:", "E104"],
        ["bad.md:4:", "E202"],
    ]
    assert lines[-1] == "nova: 3 errors; the plan cannot run"


def test_problems_as_json(folder: Path) -> None:
    """With --json the problems are a document, too."""
    (folder / "bad.md").write_text(WRONG)
    done = nova("plan", "--json", "bad.md", cwd=folder)
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert [(found["line"], found["code"]) for found in answer["diagnostics"]] == [
        (1, "W111"), (3, "E201"), (4, "E104"), (4, "E202"),
    ]  # fmt: skip


def test_warnings_do_not_stop_it(folder: Path) -> None:
    """A plan with a warning is planned."""
    (folder / "w.md").write_text("| ID | What | Owner |\n|---|---|---|\n| F1 | a | Ann |\n")
    done = nova("plan", "w.md", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == "w.md:1: W111 unknown column 'Owner' ignored\n"
    assert "1 task · 1 wave" in done.stdout


def test_no_plan(tmp_path: Path) -> None:
    """A file that is not there is named, and how to make one is said."""
    done = nova("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "nova: cannot read CASCADE.md: No such file or directory; create one with `nova init`\n"
    assert nova("plan", ".", cwd=tmp_path).returncode == 2


def test_the_json_document(folder: Path) -> None:
    """--json holds all that is known of the plan."""
    answer = json.loads(nova("plan", "--json", cwd=folder).stdout)
    assert answer["project"] == "Shop"
    assert answer["waves"] == [["F1"], ["F2", "end"]]
    assert answer["critical_path"] == ["F1", "F2"]
    assert answer["hierarchy"] == {"App": {"Base": ["F1", "F2"]}, "Rest": {"": ["end"]}}
    assert answer["settings"] == {"max_workers": 2}
    assert answer["task_defaults"] == {"timeout": 2700.0}
    assert answer["tasks"][1]["options"] == {"model": "opus", "timeout": 5400.0}
    assert answer["tasks"][1]["prompt"] == "Write the errors"
    assert answer["milestones"][0]["percent"] == 50


def test_mermaid(folder: Path) -> None:
    """The flowchart has a box for each branch and group, and nothing in a name can break out of its quotes."""
    done = nova("plan", "--mermaid", cwd=folder)
    assert done.stdout.splitlines() == [
        "flowchart LR",
        '  subgraph b1["App"]',
        '    subgraph b2["Base"]',
        '      t1["<b>F1</b><br>Types"]',
        '      t2["<b>F2</b><br>#quot;Err#quot; #amp; [co]"]',
        "    end",
        "  end",
        '  subgraph b3["Rest"]',
        '    t3["<b>end</b><br>Docs"]',
        "  end",
        "  t1 --> t2",
        "  t1 --> t3",
        "  classDef critical stroke-width:3px",
        "  class t1,t2 critical",
    ]


@pytest.mark.parametrize("name", ['a"]', "#quot;", "`x`", "<img src=x>", "a\\nb", "\u202eb"])
def test_mermaid_names_are_harmless(name: str) -> None:
    """Quotes, entities, tags and Markdown in a name stay text."""
    line = flowchart(parse_cascade(f"# x\n- [ ] T1 {name}")).splitlines()[1]
    inner = re.fullmatch(r'  t1\["<b>T1</b><br>(.*)"\]', line)
    assert inner is not None
    assert not set('"<>`\\&\u202e') & set(inner[1])
    assert "#quot;quot" not in inner[1]


def test_agents_that_may_do_everything_stand_out() -> None:
    """Who may do anything is said in words, and in the colour of a warning."""
    cascade = parse_cascade("| ID | What | Permissions |\n|---|---|---|\n| A1 | x | full |\n| A2 | x | |\n")
    lines = [line[-1] for line in describe_callings(cascade, cascade.tasks)]
    assert [line.ink for line in lines if isinstance(line, Span)] == [Ink.AMBER, Ink.PLAIN]
    assert "permissions full" in str(lines[0])


def test_what_is_not_enforced_is_said(folder: Path) -> None:
    """A setting that has no effect yet is warned about, in the plan's own words."""
    text = '+++\nbudget_usd = 5\nbase_branch = "x"\non_usage_limit = "fail"\n+++\n' + PLAN.partition("+++\n# ")[2]
    cascade = parse_cascade(text.replace("| Timeout |", "| Max Turns |").replace("1h30m", "7"))
    assert [sentence.split(" ")[0] for sentence in not_enforced(cascade)] == ["base_branch"]
    codex = cascade.with_options(agent="codex", worktree=True)
    assert [sentence.split(" ")[0] for sentence in not_enforced(codex)][1:] == ["worktree", "max_turns"]
    (folder / "b.md").write_text(text)
    done = nova("plan", "b.md", cwd=folder)
    assert done.returncode == 0
    assert "b.md: base_branch is not enforced yet" in done.stderr


def test_init_writes_a_plan_that_is_right(tmp_path: Path) -> None:
    """The first plan is read without a warning, and has a table, a task heading, a checklist and a milestone."""
    done = nova("init", cwd=tmp_path)
    assert done.returncode == 0
    assert "wrote CASCADE.md" in done.stdout
    planned = nova("plan", cwd=tmp_path)
    assert (planned.returncode, planned.stderr) == (0, "")
    cascade = load_cascade(tmp_path / "CASCADE.md")
    assert set(cascade.tasks) == {"F1", "F2", "F3", "A1", "A2", "D1", "D2"}
    assert cascade.warnings == ()


def test_init_never_writes_over_a_plan(tmp_path: Path) -> None:
    """What is there stays, unless --force is given."""
    plan = tmp_path / "sub" / "CASCADE.md"
    assert nova("init", "sub/CASCADE.md", cwd=tmp_path).returncode == 0
    plan.write_text("mine")
    refused = nova("init", "sub", cwd=tmp_path)
    assert refused.returncode == 2
    assert "already exists" in refused.stderr
    assert plan.read_text() == "mine"
    assert nova("init", "sub", "--force", cwd=tmp_path).returncode == 0
    assert plan.read_text() == FIRST_PLAN


@pytest.mark.parametrize("example", ["demo", "claude"])
def test_the_examples_are_right(example: str) -> None:
    """The examples of the documentation are read without a warning, and all they say is acted on."""
    cascade = load_cascade(EXAMPLES / example / "CASCADE.md")
    assert cascade.warnings == ()
    assert not_enforced(cascade) == []


def test_what_earlier_runs_mean(tmp_path: Path) -> None:
    """Before anything is skipped because of an earlier run, the plan says what has changed since."""
    row = "| ID | What |\n|---|---|\n| F1 | {} |\n| F2 | same |\n"
    (tmp_path / "a.md").write_text(row.format("first"))
    assert nova("run", "a.md", "--command", "true", "--plain", cwd=tmp_path).returncode == 0
    assert nova("plan", "a.md", cwd=tmp_path).stderr == ""
    (tmp_path / "a.md").write_text(row.format("second"))
    said = nova("plan", "a.md", cwd=tmp_path).stderr
    assert said == "nova: F1's prompt changed since it completed; skipped. `nova retry F1` runs it again\n"
    (tmp_path / "a.md").write_text(row.format("first") + "| F3 | new |\n| F4 | new |\n")
    assert nova("plan", "a.md", cwd=tmp_path).stderr == "nova: new in the plan since the last run: F3, F4\n"
    (tmp_path / "b.md").write_text(row.format("second"))
    said = nova("run", "b.md", "--command", "true", "--plain", cwd=tmp_path).stderr
    assert said == "", "another plan, although its tasks have the same names"


def test_a_budget_that_nothing_can_hold_is_said() -> None:
    """Before the money is spent: an agent that tells its numbers only at its end cannot be stopped."""
    rows = "| ID | What | Agent | Budget USD | Budget Tokens |\n|---|---|---|---|---|\n"
    rows += "".join(
        f"| {name} | x | {name} | 1 | 1000 |\n" for name in ("claude", "codex", "gemini", "opencode", "qwen")
    )
    assert not_enforced(parse_cascade(rows)) == []
    rows = rows.replace("| Budget Tokens |", "| Budget Tokens | Agent Args |").replace("|---|\n", "|---|---|\n")
    in_one_document = parse_cascade(rows.replace("| 1 | 1000 |", "| - | 1000 | -o json |"))
    assert not_enforced(in_one_document) == [
        "budget_tokens takes effect late (gemini): gemini reports its tokens only when it ends",
    ]


def test_a_budget_that_cannot_be_counted_is_an_error(folder: Path) -> None:
    """The plan is refused as it stands, and it is said what to write."""
    front = "+++\nbudget_tokens = 5\ncommand = 'claude -p {prompt}'\n+++\n"  # dollars may have a price, if installed
    (folder / "b.md").write_text(f"{front}| ID | What |\n|---|---|\n| T1 | x |\n")
    said = (
        "T1: budget_tokens cannot be enforced: `claude` reports no tokens in text mode. "
        "Let it print JSON events, or remove the budget"
    )
    done = nova("plan", "b.md", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"b.md: {said}\n")
    as_json = nova("plan", "b.md", "--json", cwd=folder)
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout) == {"ok": False, "file": "b.md", "problems": [said]}
