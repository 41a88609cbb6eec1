"""``agent`` as an order, accounts, and what is set for one agent only."""

from itertools import product

import pytest

from nova_async.cascade import CascadeError, Task, TaskOptions, parse_cascade

TABLE = """
| Task ID | Prompt | Agent | Model |
|---|---|---|---|
| F1 | x | {agent} | {model} |
"""
EMPTY = TABLE.format(agent="", model="")
WORK = '[accounts.work]\nenv = {CLAUDE_CONFIG_DIR = "~/.claude-work"}\n'


def task(front: str = "", agent: str = "", model: str = "", settings: str = "") -> Task:
    """Return the one task of a plan."""
    text = TABLE.format(agent=agent, model=model)
    cascade = parse_cascade(f"+++\n{front}\n+++\n{text}" if front else text, settings=settings)
    return cascade.tasks["F1"]


def order(of: Task) -> list[tuple[str, str | None]]:
    """Return the agents of a task with their models, in their order."""
    return [(str(options.choice), options.model) for options in of.options.in_order]


def problems(text: str, settings: str = "") -> list[str]:
    """Return what is wrong with a plan."""
    with pytest.raises(CascadeError) as caught:
        parse_cascade(text, settings=settings)
    return [str(each) for each in caught.value.errors]


@pytest.mark.parametrize(
    ("front", "cell"), [('agent = ["claude", "Codex"]', ""), ('agent = "claude, codex"', ""), ("", "Claude, codex")]
)
def test_an_order_is_read_wherever_an_agent_may_stand(front: str, cell: str) -> None:
    """A list in TOML, and words with commas in a text, a cell or a bullet."""
    assert order(task(front, cell)) == [("claude", None), ("codex", None)]


@pytest.mark.parametrize(
    ("front", "cell", "twice"),
    [
        ('agent = ["claude", "claude"]', "", "claude"), ('agent = "codex, claude, Codex"', "", "codex"),
        (f'agent = ["claude@work", "codex", "claude@work"]\n{WORK}', "", "claude@work"), ("", "codex, codex", "codex"),
    ],
)  # fmt: skip
def test_nobody_takes_over_from_itself(front: str, cell: str, twice: str) -> None:
    """The same agent on the same account twice is an error wherever it stands, which says what to write."""
    with pytest.raises(CascadeError, match=rf"names {twice} twice.*name it once"):
        order(task(front, cell))


def test_each_agent_is_in_the_order_once() -> None:
    """Under another account it is another one."""
    found = order(task(agent="claude, claude@work, codex", settings=WORK))
    assert found == [("claude", None), ("claude@work", None), ("codex", None)]


def test_a_task_names_its_order_above_that_of_the_plan() -> None:
    """Orders replace each other; they are not joined."""
    assert order(task('agent = ["claude", "codex"]', "gemini")) == [("gemini", None)]


def test_models_by_agent() -> None:
    """Each agent of an order gets its own, two accounts of one agent the same."""
    front = 'agent = ["claude", "codex", "claude@work"]\nmodel = {claude = "opus", codex = "gpt"}'
    found = order(task(front, settings=WORK))
    assert found == [("claude", "opus"), ("codex", "gpt"), ("claude@work", "opus")]


def test_a_model_is_handed_to_no_other_agent() -> None:
    """One without a table is that of the agent named beside it or below it, else of the first."""
    assert order(task('agent = ["claude", "codex"]\nmodel = "opus"')) == [("claude", "opus"), ("codex", None)]
    assert order(task('model = "opus"', "codex, claude")) == [("codex", "opus"), ("claude", None)]
    assert order(task('agent = "claude"\nmodel = "opus"', "codex")) == [("codex", None)]
    assert order(task('agent = "codex"', "", "gpt")) == [("codex", "gpt")]
    assert order(task('model = {claude = "opus"}', "codex", "gpt")) == [("codex", "gpt")]
    assert order(task('agent = ["claude", "codex"]\nmodel = {codex = "gpt"}', "", "opus")) == [
        ("claude", "opus"), ("codex", "gpt")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("front", "settings", "expected"),
    [
        ('agent = "codex"', 'agent = "claude"\nmodel = "opus"', [("codex", None)]),
        ('agent = "claude"', 'agent = "claude"\nmodel = "opus"', [("claude", "opus")]),
        ('agent = "codex"', 'model = "gpt"', [("codex", "gpt")]),
        (
            'agent = ["claude", "codex"]\nmodel = {codex = "gpt"}', 'model = {claude = "opus", codex = "old"}',
            [("claude", "opus"), ("codex", "gpt")],
        ),
        (
            'agent = ["claude", "codex"]\nmodel = {codex = "gpt"}', 'model = "opus"',
            [("claude", "opus"), ("codex", "gpt")],
        ),
        (
            'agent = ["claude", "codex"]\nmodel = "opus"', 'model = {codex = "gpt"}',
            [("claude", "opus"), ("codex", "gpt")],
        ),
    ],
)  # fmt: skip
def test_a_model_of_the_settings_file(front: str, settings: str, expected: list[tuple[str, str | None]]) -> None:
    """It is joined with that of the plan by agent, and belongs to the agent that the file names."""
    assert order(task(front, settings=settings)) == expected


def test_the_command_line_names_an_order_too() -> None:
    """As ``with_options`` has it: above all that is written, and with the models of the agents that it names."""
    cascade = parse_cascade(f'+++\nagent = "claude"\nmodel = {{claude = "opus", codex = "gpt"}}\n+++\n{EMPTY}')
    [changed] = cascade.with_options(agent=("codex", "claude@work")).tasks.values()
    assert order(changed) == [("codex", "gpt"), ("claude@work", "opus")]


def test_arguments_go_with_their_agent() -> None:
    """A table by agent gives each of an order its own, a list gives all of them the same."""
    by_agent = task('agent = ["claude", "codex"]\nagent_args = {codex = ["-x"]}')
    assert [options.agent_args for options in by_agent.options.in_order] == [(), ("-x",)]
    for_all = task('agent = ["claude", "codex"]\nagent_args = ["-x"]')
    assert [options.agent_args for options in for_all.options.in_order] == [("-x",), ("-x",)]


def test_layers_never_hand_out_a_table() -> None:
    """Whatever is written where, an agent gets one model and one list of arguments, or none."""
    agents: list[dict[str, object]] = [{}, {"agent": "codex"}, {"agent": ("gemini", "claude@a", "codex")}]
    models: list[dict[str, object]] = [{}, {"model": "m"}, {"model": {"codex": "n"}}]
    arguments: list[dict[str, object]] = [{}, {"agent_args": ("x",)}, {"agent_args": {"codex": ("y",)}}]
    layers = [{**agent, **model, **words} for agent, model, words in product(agents, models, arguments)]
    for upper, lower in product(layers, layers):
        for options in TaskOptions.layered(upper, lower).in_order:
            assert options.model in ("m", "n", None)
            assert options.agent_args in ((), ("x",), ("y",))
            assert options.model != "n" or options.agent == "codex"


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ('agent = ["claude", "codecs"]', "2: E104 agent: 'codecs' is not one of claude, codex, gemini, opencode, qwen, "
         "custom; did you mean 'codex'?"),
        ("agent = []", "2: E104 agent: '[]' is not a list of agents"),
        ("agent = [1]", "2: E104 agent: '[1]' is not a list of agents"),
        ('agent = "claude@"', "2: E104 agent: 'claude@' names no account: write claude@NAME, and [accounts.NAME]"),
        ('agent = "claude@a b"',
         "2: E104 agent: 'claude@a b' names no account: write claude@NAME, and [accounts.NAME]"),
        ('agent = "claude@wrk"', "2: E104 agent: 'claude@wrk': there is no account 'wrk'; "
         "write [accounts.wrk] with env = {NAME = \"value\"}"),
        ('agent = "claude@wrok"\n[accounts.work]\nenv = {A = "b"}',
         "2: E104 agent: 'claude@wrok': there is no account 'wrok'; did you mean 'work'?"),
        ("accounts = 1", "2: E104 accounts: write each one as a table [accounts.NAME]"),
        ("[accounts.work]", "2: E104 accounts.work: write the variables that choose its login, "
         'as env = {NAME = "value"}'),
        ("[accounts.work]\nenv = {}", "3: E104 accounts.work: write the variables that choose its login, "
         'as env = {NAME = "value"}'),
        ("[accounts]\nwork = 1", "3: E104 accounts.work: write the variables that choose its login, "
         'as env = {NAME = "value"}'),
        ('[accounts.work]\nenv = {NOVA_WORKER = "x"}', "3: E104 accounts.work: NOVA_WORKER is set by nova itself"),
        ('[accounts.work]\nenv = {"A=B" = "x"}', "3: E104 accounts.work: 'A=B' is not set to a string"),
        ('[accounts.work]\nenv = {A = "x"}\nenvs = 1',
         "4: E004 unknown key 'envs' of accounts.work; did you mean 'env'?"),
        ('[accounts."a b"]\nenv = {A = "x"}', "2: E104 accounts: 'a b' is not a name for an account "
             "(use letters, digits, `.`, `_` and `-`)"),
        ('model = {cloud = "opus"}', "2: E104 model: 'cloud' is not one of claude, codex, gemini, opencode, qwen, "
         "custom; did you mean 'claude'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_front_matter(front: str, expected: str) -> None:
    """Each has its line, and says what to write."""
    assert problems(f"+++\n{front}\n+++\n{TABLE.format(agent='', model='')}") == [f"CASCADE.md:{expected}"]


def test_an_unknown_account_of_a_task() -> None:
    """It is told with the line of the cell or bullet, also in a plan that sets nothing else."""
    unknown = "'claude@work': there is no account 'work'; write [accounts.work] with env = {NAME = \"value\"}"
    assert problems(TABLE.format(agent="codex, claude@work", model="")) == [f"CASCADE.md:4: E104 agent: {unknown}"]
    heading = "## Task T1: Do it\n- Agent: claude@work\n\nDo it.\n"
    assert problems(heading) == [f"CASCADE.md:2: E104 agent: {unknown}"]


def test_an_unknown_account_of_the_settings_file() -> None:
    """It is told with the line in that file, also in a pyproject.toml."""
    text = TABLE.format(agent="", model="")
    [found] = problems(text, 'max_workers = 2\nagent = "claude@work"\n')
    assert found.startswith("nova.toml:2: E104 agent: 'claude@work'")
    with pytest.raises(CascadeError) as caught:
        parse_cascade(text, settings='[tool.nova]\nagent = "claude@work"', settings_name="pyproject.toml")
    assert str(caught.value.errors[0]).startswith("pyproject.toml:2: E104 agent: 'claude@work'")


def test_accounts_of_both_files_are_joined() -> None:
    """A plan's account replaces one of the same name, and leaves the others."""
    settings = '[accounts.work]\nenv = {A = "1"}\n[accounts.home]\nenv = {A = "2"}\n'
    cascade = parse_cascade(f'+++\n[accounts.work]\nenv = {{A = "3"}}\n+++\n{EMPTY}', settings=settings)
    assert cascade.settings.accounts == {"work": {"A": "3"}, "home": {"A": "2"}}


def test_who_may_take_over() -> None:
    """Nobody where a usage limit is waited for by the plan's wish; of a plan's own command only another account."""
    front = 'agent = ["claude", "codex", "claude@work"]'
    for written, agents in (
        ("", ["claude", "codex", "claude@work"]), ('on_usage_limit = "next"', ["claude", "codex", "claude@work"]),
        ('on_usage_limit = "wait"', ["claude"]), ('on_usage_limit = "fail"', ["claude"]),
        ('command = "mine {prompt}"', ["claude", "claude@work"]),
    ):  # fmt: skip
        text = f"+++\n{front}\n{written}\n+++\n{TABLE.format(agent='', model='')}"
        cascade = parse_cascade(text, settings=WORK)
        found = cascade.in_order(cascade.tasks["F1"])
        assert [str(each.options.choice) for each in found] == agents, written
        assert not any(each.options.then for each in found[1:])
