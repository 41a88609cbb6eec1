"""``nova.toml``: settings for any plan of a folder, below all that a plan says."""

from pathlib import Path

import pytest

from nova_async.cascade import Cascade, CascadeError, TaskOptions, load_cascade, parse_cascade
from nova_async.cascade.front_matter import KNOWN_KEYS
from nova_async.cascade.load import find_settings
from nova_async.cascade.reading import read_plan

PLAN = "| ID | What | Timeout | Agent |\n|---|---|---|---|\n| F1 | a | | |\n| F2 | b | 5m | codex |\n"


def with_settings(settings: str, front: str = "", name: str = "nova.toml") -> Cascade:
    """Read a plan with two tasks below these settings; the second has options of its own."""
    return parse_cascade(f"+++\n{front}\n+++\n{PLAN}", settings=settings, settings_name=name)


def options(cascade: Cascade, name: str) -> list[object]:
    """Return an option of both tasks."""
    return [getattr(task.options, name) for task in cascade.tasks.values()]


def test_the_nearest_word_counts() -> None:
    """Command line over task over plan over settings file over built-in, for options and for settings of the run."""
    settings = 'timeout = "1h"\nretries = 5\nmax_workers = 7\ngrace = "9s"\nlinger = "off"'
    cascade = with_settings(settings, 'retries = 2\nmax_workers = 2\ngrace = "-"')
    assert options(cascade, "timeout") == [3600.0, 300.0]
    assert options(cascade, "retries") == [2, 2]
    assert options(cascade, "grace") == [9.0, 9.0]  # "nothing" in the plan inherits
    assert options(cascade.with_options(timeout=1.0), "timeout") == [1.0, 1.0]
    assert (cascade.settings.max_workers, cascade.settings.linger) == (2, None)
    assert cascade.settings.inherited == {"timeout": "nova.toml", "grace": "nova.toml", "linger": "nova.toml"}
    assert options(cascade, "priority") == [TaskOptions().priority] * 2


def test_tables_are_joined_entry_by_entry() -> None:
    """A plan that adds a variable keeps those of the folder; of the same name the plan's counts."""
    cascade = with_settings("env = {A = 'x', B = 'x'}\nclasses = {big = 1}", "env = {B = 'y'}")
    assert cascade.settings.env == {"A": "x", "B": "y"}
    assert cascade.settings.classes == {"big": 1}


@pytest.mark.parametrize(
    ("front", "first", "second"),
    [
        ("", ("--all",), ("--codex",)),
        ('agent_args = "--plan"', ("--plan",), ("--plan",)),
        ("agent_args = {claude = ['--plan', '-x']}", ("--plan", "-x"), ("--codex",)),
        ("agent_args = {codex = []}", ("--all",), ()),
        ('agent = "gemini"', (), ("--codex",)),
    ],
)
def test_arguments_by_agent(front: str, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """A table gives each agent its own; a list is for all. The plan's word about an agent counts for that agent."""
    cascade = with_settings("agent_args = {claude = '--all', codex = ['--codex']}", front)
    assert options(cascade, "agent_args") == [first, second]


def test_arguments_follow_an_agent_that_is_chosen_later() -> None:
    """An agent from the command line gets its own arguments, not those of the plan's agent."""
    cascade = with_settings("agent_args = ['--all']", "agent_args = {codex = ['--codex'], qwen = '-q'}")
    assert options(cascade, "agent_args") == [("--all",), ("--codex",)]
    assert options(cascade.with_options(agent="qwen"), "agent_args") == [("-q",), ("-q",)]
    assert options(cascade.with_options(agent="gemini", agent_args=("-g",)), "agent_args") == [("-g",), ("-g",)]


def test_an_agent_named_by_the_plan_outvotes_the_folders_command() -> None:
    """And a command in the plan outvotes the folder's agent."""
    cascade = with_settings("command = ['mine', '{prompt}']")
    assert [cascade.command_of(task) for task in cascade.tasks.values()] == [("mine", "{prompt}"), None]
    assert with_settings("command = ['mine']", 'agent = "qwen"').settings.command is None
    mixed = with_settings('agent = "qwen"', "command = ['theirs']")
    assert (mixed.settings.command, options(mixed, "agent")) == (("theirs",), ["claude", "codex"])
    assert "agent" not in mixed.settings.task_options


def test_a_command_of_the_command_line_is_for_every_task() -> None:
    """Also for those whose plan names an agent, above the folder's command."""
    cascade = with_settings("command = ['mine']")
    settings = cascade.settings.with_command(("typed",))
    chosen = Cascade(cascade.project, cascade.tasks, settings)
    assert [chosen.command_of(task) for task in chosen.tasks.values()] == [("typed",)] * 2


def test_all_that_is_wrong_comes_at_once() -> None:
    """Of the settings file first, then of the plan, each with its file and line."""
    settings = "timout = 3\n\nretries = 'many'\n[agent_args]\ncloud = []\n[[milestone]]\nid = 'x'"
    with pytest.raises(CascadeError) as caught:
        with_settings(settings, "max_worker = 3")
    assert str(caught.value).splitlines() == [
        "nova.toml:1: E004 unknown key 'timout'; did you mean 'timeout'?",
        "nova.toml:3: E104 retries: 'many' is not a whole number (write 3 or 150_000)",
        "nova.toml:4: E104 agent_args: 'cloud' is not one of claude, codex, gemini, opencode, qwen, custom; "
        "did you mean 'claude'?",
        "nova.toml:6: E104 milestone: milestones belong in a plan; write it there",
        "CASCADE.md:2: E004 unknown front-matter key 'max_worker'; did you mean 'max_workers'?",
    ]


def test_a_broken_settings_file() -> None:
    """It is named with the line, and the plan is looked at all the same."""
    reading = read_plan("# No task\n", "p.md", "a = 1\nb =\n")
    assert [str(found) for found in reading.diagnostics] == [
        "nova.toml:2: E002 Invalid value",
        "p.md:1: E100 no tasks found: write a checklist (`- [ ] T1 …`), headings (`### Task 1: …`) or a table "
        "with a column `Task ID`",
    ]


def test_the_table_of_a_pyproject() -> None:
    """Only [tool.nova] is ours there; its lines are those of the whole file."""
    text = "[project]\nname = 'x'\n\n[tool.nova]\nretries = 4\n{}\n[tool.other]\nretries = 'many'\n"
    cascade = with_settings(text.format(""), name="sub/pyproject.toml")
    assert options(cascade, "retries") == [4, 4]
    assert cascade.settings.inherited == {"retries": "sub/pyproject.toml"}
    with pytest.raises(CascadeError, match=r"^pyproject\.toml:6: E004 unknown key 'x'$"):
        with_settings(text.format("x = 1"), name="pyproject.toml")


@pytest.mark.parametrize("key", [key for key in KNOWN_KEYS if key != "milestone"])
def test_every_key_of_a_plan_is_one_of_the_file(key: str) -> None:
    """Nothing but milestones belongs to a plan alone."""
    reading = read_plan(PLAN, settings_file=f"{key} = '-'\n")
    assert all(problem.code == "E104" for problem in reading.diagnostics), reading.diagnostics


def test_which_file_counts(tmp_path: Path) -> None:
    """The first folder's before the second's, nova.toml before pyproject.toml, and of that only with our table."""
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find_settings(first, second) is None
    (second / "nova.toml").touch()
    assert find_settings(first, second) == second / "nova.toml"
    (first / "pyproject.toml").write_text("[tool.nova]\n")
    assert find_settings(first, second) == first / "pyproject.toml"
    (first / "nova.toml").touch()
    assert find_settings(first, second) == first / "nova.toml"
    (second / "nova.toml").unlink()
    (second / "pyproject.toml").write_text("[tool.nova\n")  # broken, and it seems to be about us: it will be said
    assert find_settings(second) == second / "pyproject.toml"
    (second / "pyproject.toml").write_text("[tool.other\n")
    assert find_settings(second) is None


def test_reading_both_from_disk(tmp_path: Path) -> None:
    """The file that is named is read, under its name; one that is not UTF-8 is E005."""
    (tmp_path / "p.md").write_text(PLAN)
    (tmp_path / "nova.toml").write_bytes(b"\xef\xbb\xbfretries = 4\r\ntimeout = '1h'\r\n")
    assert options(load_cascade(tmp_path / "p.md"), "retries") == [1, 1]
    assert options(load_cascade(tmp_path / "p.md", settings=tmp_path / "nova.toml"), "retries") == [4, 4]
    (tmp_path / "nova.toml").write_bytes(b"\n\xff")
    with pytest.raises(CascadeError, match=r"nova\.toml:2: E005"):
        load_cascade(tmp_path / "p.md", settings=tmp_path / "nova.toml")
