"""Front matter: settings of the run, default options of tasks, and lines in messages."""

import pytest

from nova_async.cascade import CascadeError, RunSettings, parse_cascade
from nova_async.cascade.notify import Notify
from nova_async.cascade.reading import read_plan
from nova_async.cascade.toml_lines import TomlLines
from nova_async.prices import ModelPrice

TABLE = (
    "| ID | What | Timeout | Budget |\n|---|---|---|---|\n| F1 | a | | |\n| F2 | a | 5m | 2 |\n| F3 | a | off | off |\n"
)


def with_front(toml: str) -> str:
    """Put front matter above a small plan."""
    return f"+++\n{toml}\n+++\n{TABLE}"


def problems_of(toml: str) -> list[str]:
    """Give the messages for a piece of front matter, whose first line is the file's second."""
    return [str(problem).removeprefix("CASCADE.md:") for problem in read_plan(with_front(toml)).diagnostics]


def test_without_front_matter_the_built_in_settings_hold() -> None:
    """No front matter is the same as an empty one."""
    assert parse_cascade(TABLE).settings == RunSettings()
    assert parse_cascade(with_front("")).settings == RunSettings()


def test_every_setting_of_the_run() -> None:
    """Each documented key is read into its attribute, as the right type."""
    settings = parse_cascade(
        with_front(
            """
command = ["agent", "--model", "{model}", "{prompt}"]
prompt_via = "stdin"
prompt_prefix = "Read the rules."
prompt_suffix = "-"
max_workers = 8
classes = {opus = 1, tests = 2}
order = "phase"
retry_on = ["exit", "timeout"]
backoff = "10s..1m"
on_usage_limit = "fail"
linger = "off"
leftovers = "leave"
env = {A = "x", B = 2}
pass_env = ["PATH", "HOME"]
isolate_config = true
redact = ["API_*", "/sk-[a-z]{9,}/"]
base_branch = "main"
notify = ["say done", "https://example.org/hook"]
prices."big" = {input = 3, output = 15.0, cache_read = 0.3}
budget_usd = 25
budget_tokens = 1_000_000
"""
        )
    ).settings
    assert settings.command == ("agent", "--model", "{model}", "{prompt}")
    assert (settings.prompt_via, settings.prompt_prefix, settings.prompt_suffix) == ("stdin", "Read the rules.", "-")
    assert (settings.max_workers, settings.classes) == (8, {"opus": 1, "tests": 2})
    assert (settings.order, settings.retry_on, settings.backoff) == ("phase", ("exit", "timeout"), (10.0, 60.0))
    assert (settings.on_usage_limit, settings.linger, settings.leftovers) == ("fail", None, "leave")
    assert (settings.env, settings.pass_env) == ({"A": "x", "B": "2"}, ("PATH", "HOME"))
    assert (settings.isolate_config, settings.redact, settings.base_branch) == (
        True,
        ("API_*", "/sk-[a-z]{9,}/"),
        "main",
    )
    assert settings.notify == (Notify(command=("say", "done")), Notify(url="https://example.org/hook"))
    assert settings.prices == {"big": ModelPrice(3.0, 15.0, 0.3, None)}
    assert (settings.budget_usd, settings.budget_tokens) == (25.0, 1_000_000)
    assert {"command", "prices", "linger"} <= settings.written


def test_a_task_wins_over_the_front_matter_and_that_over_the_built_in() -> None:
    """Precedence, with ``off`` to lift a limit that the front matter sets."""
    cascade = parse_cascade(with_front('timeout = "45m"\ntask_budget_usd = 1.5\nretries = 0'))
    assert [task.options.timeout for task in cascade.tasks.values()] == [2700.0, 300.0, None]
    assert [task.options.budget_usd for task in cascade.tasks.values()] == [1.5, 2.0, None]
    assert [task.options.retries for task in cascade.tasks.values()] == [0, 0, 0]
    assert cascade.tasks["F1"].options.grace == 5.0


def test_a_budget_caps_the_thing_it_is_written_on() -> None:
    """``budget_usd`` at the top caps the run and no single task."""
    cascade = parse_cascade(with_front("budget_usd = 25.0\nbudget_tokens = 9"))
    assert (cascade.settings.budget_usd, cascade.settings.budget_tokens) == (25.0, 9)
    assert cascade.tasks["F1"].options.budget_usd is None
    assert cascade.tasks["F1"].options.budget_tokens is None


def test_options_of_tasks_by_their_toml_types() -> None:
    """Numbers, booleans and lists need no quotes."""
    options = (
        parse_cascade(
            with_front(
                'timeout = 90\ngrace = 0.5\nworktree = true\ntags = ["a", "b"]\nverify = "pytest -q \'x y\'"\n'
                'class = "tests"\npriority = "P0"\nagent = "codex"\non_failure = "drain"\ncwd = "sub"\nslots = 2\n'
                'model = "m"\nidle_timeout = "5m"\nmax_turns = 7\ntask_budget_tokens = 5\ntask_budget_usd = 0.00001'
            )
        )
        .tasks["F1"]
        .options
    )
    assert (options.timeout, options.grace, options.worktree, options.tags) == (90.0, 0.5, True, ("a", "b"))
    assert (options.verify, options.task_class, options.priority) == (("pytest", "-q", "x y"), "tests", 0)
    assert (options.agent, options.on_failure, options.cwd, options.slots) == ("codex", "drain", "sub", 2)
    assert (options.model, options.idle_timeout, options.max_turns) == ("m", 300.0, 7)
    assert (options.budget_tokens, options.budget_usd) == (5, 0.00001)


WRONG = {
    'timeout = "soon"': "2: E104 timeout: 'soon' is not a duration (write 90s, 30m, 2h, 1h30m)",
    "timeout = true": "2: E104 timeout: 'true' is not a duration (write 90s, 30m, 2h, 1h30m)",
    "timeout = nan": "2: E104 timeout: 'nan' is not a duration (write 90s, 30m, 2h, 1h30m)",
    "timeout = 1979-05-27": "2: E104 timeout: '1979-05-27' is not a duration (write 90s, 30m, 2h, 1h30m)",
    "timeout = 0": "2: E104 timeout: '0': a limit must be above 0 (or off)",
    "model = 5": "2: E104 model: '5' is not a string",
    "tags = [1]": "2: E104 tags: '[1]' is not a list of strings",
    "verify = []": "2: E104 verify: '[]' is not a list of strings",
    "max_workers = 0": "2: E104 max_workers: '0': must be at least 1",
    'max_workers = "many"': "2: E104 max_workers: 'many' is not a whole number (write 3 or 150_000)",
    "max_workers = -1": "2: E104 max_workers: '-1' is not a whole number (write 3 or 150_000)",
    "budget_usd = 0": "2: E104 budget_usd: '0': a budget must be above 0",
    "task_budget_usd = 0.0": "2: E104 task_budget_usd: '0.0': a budget must be above 0",
    'order = "phases"': "2: E104 order: 'phases' is not one of auto, deps, phase; did you mean 'phase'?",
    'backoff = "10m..30s"': "2: E104 backoff: '10m..30s' is not a range of durations (write 30s..10m)",
    'backoff = "10m"': "2: E104 backoff: '10m' is not a range of durations (write 30s..10m)",
    'retry_on = ["time_out"]': "2: E104 retry_on: 'time_out' is not an outcome; did you mean 'timeout'?",
    'retry_on = "exit"': "2: E104 retry_on: 'exit' is not a list of strings",
    "command = []": "2: E104 command: no program given",
    "prompt_prefix = 1": "2: E104 prompt_prefix: '1' is not a string",
    "env = 3": "2: E104 env: '3' is not a table",
    "env = {A = []}": "2: E104 env: 'A' is not set to a string",
    'pass_env = "some"': '2: E104 pass_env: \'some\' is not all, none or a list of names (write ["API_KEY", "AWS_*"])',
    'env = {NOVA_WORKER = "/a.1"}': "2: E104 env: NOVA_WORKER is set by nova itself",
    'env = {A = "b\\u0000"}': "2: E104 env: 'A' contains a NUL character, which no variable can",
    'redact = ["*"]': "2: E104 redact: '*' is neither the name of a variable, such as API_KEY or GH_*, nor a pattern "
    "between slashes, such as /sk-[A-Za-z0-9]{20,}/",
    "classes = {a = 0}": "2: E104 classes: '0': must be at least 1",
    "prices = {m = {input = 3}}": "2: E104 prices: 'm': needs input and output, in USD per million tokens",
    "prices = {m = {in = 1}}": "2: E104 prices: 'm': 'in' is not one of input, output, cache_read, "
    "cache_write, cache_write_1h",
    "prices = {m = {input = true}}": "2: E104 prices: 'm': input is not a price in USD per million tokens",
    "prices = {m = 3}": "2: E104 prices: 'm': write {input = 1.25, output = 10}, in USD per million tokens",
    'task_budget_tokens = "1M"': "2: E104 task_budget_tokens: '1M' is not a whole number (write 3 or 150_000)",
    "budget = 5": "2: E004 unknown front-matter key 'budget'; did you mean 'budget_usd'?",
    "max_cost = 5": "2: E004 unknown front-matter key 'max_cost'; did you mean 'budget_usd'?",
    "max_tokens = 5": "2: E004 unknown front-matter key 'max_tokens'; did you mean 'budget_tokens'?",
    "milestone = 3": "2: E104 milestone: write each one as a [[milestone]] table",
    "\nbudget_us = 1": "3: E004 unknown front-matter key 'budget_us'; did you mean 'budget_usd'?",
    "[env]\nA = 'x'\n[zebra]\nname = 'y'": "4: E004 unknown front-matter key 'zebra'",
    "isolate_config = 'maybe'": "2: E104 isolate_config: 'maybe' is neither yes nor no",
}


@pytest.mark.parametrize(("toml", "message"), WRONG.items(), ids=WRONG.keys())
def test_wrong_front_matter(toml: str, message: str) -> None:
    """A key or value that cannot be used is named, with its own line."""
    assert problems_of(toml) == [message]


def test_nothing_in_a_key_inherits() -> None:
    """An empty text is an empty cell; for inherited variables ``none`` is an answer."""
    settings = parse_cascade(with_front('timeout = "-"\nlinger = ""\npass_env = "none"')).settings
    assert (settings.linger, settings.pass_env, dict(settings.task_options)) == (30.0, (), {})


def test_a_rule_on_the_first_line_is_no_front_matter() -> None:
    """``---`` opens YAML only if something like a key follows before it closes."""
    assert list(parse_cascade(f"---\n\n{TABLE}\n---\n").tasks) == ["F1", "F2", "F3"]
    assert list(parse_cascade(f"---\n{TABLE}").tasks) == ["F1", "F2", "F3"]


@pytest.mark.parametrize(
    "yaml",
    [
        "description: 'Tasks of one feature'",
        "\ndescription: x\n",
        "id: task-7\nstatus: To Do\npriority: high\nlabels: [a]",
        "title: x\norder: 3",
        "nested:\n  max_workers: 3",
        "# a comment\nname: x",
        "title: My list\ntags: [a, b]",
        "tags:\n  - work",
    ],
)
def test_yaml_of_others_is_ignored(yaml: str) -> None:
    """What other tools write at the top says nothing to us, also where a key has a name of ours and another value."""
    reading = read_plan(f"---\n{yaml}\n---\n{TABLE}")
    assert (len(reading.tasks), reading.diagnostics) == (3, ())


@pytest.mark.parametrize(
    "line", ["max_workers: 3", "priority: 1", "order: phase", "verify: pytest -q", "milestone: []"]
)
def test_yaml_that_sets_something_of_ours_is_an_error(line: str) -> None:
    """Settings that look set and are not would cost money."""
    problems = read_plan(f"---\ntitle: x\n{line}\n---\n{TABLE}").diagnostics
    key = line.partition(":")[0]
    assert [(problem.line, problem.code) for problem in problems] == [(1, "E003")]
    assert f"sets {key};" in problems[0].text


def test_keys_are_found_behind_texts_that_look_like_them() -> None:
    """A key inside a long text or another table does not lead messages astray."""
    lines = TomlLines('a = """\nb = 1\n"""\n[t]\nb = 2\n[[m]]\n[[m]]\nx.y = 1\n"q r" = 2', first_line=2)
    assert (lines.line_of("b"), lines.line_of("t", "b"), lines.line_of("t")) == (2, 6, 5)
    assert (lines.line_of("m", 0), lines.line_of("m", 1), lines.line_of("m", 1, "x"), lines.line_of("m", 7)) == (
        7,
        8,
        9,
        7,
    )
    assert lines.line_of("m", 1, "q r") == 10


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"all"', None), ('"none"', ()), ("[]", ()), ('["API_KEY", "AWS_*"]', ("API_KEY", "AWS_*")),
        ('["*"]', ("*",)),
    ],
)  # fmt: skip
def test_variables_that_are_passed(value: str, expected: tuple[str, ...] | None) -> None:
    """All, none, or names with and without an asterisk."""
    cascade = parse_cascade(f"+++\npass_env = {value}\n+++\n- [ ] T1 Do it\n")
    assert cascade.settings.pass_env == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('["A=B"]', "'A=B' is not the name of a variable (write API_KEY, or AWS_* for several)"),
        ('["a b"]', "'a b' is not the name of a variable"),
        ('["$HOME"]', "'$HOME' is not the name of a variable"), ('[""]', "'' is not the name of a variable"),
        ("[1]", "is not all, none or a list of names"), ("true", "is not all, none or a list"),
    ],
)  # fmt: skip
def test_what_cannot_be_passed(value: str, text: str) -> None:
    """It is told on its line."""
    with pytest.raises(CascadeError) as caught:
        parse_cascade(f"+++\npass_env = {value}\n+++\n- [ ] T1 Do it\n")
    assert str(caught.value).startswith("CASCADE.md:2: E104 pass_env: ")
    assert text in str(caught.value)
