"""The right agent is seen behind any wrapper, called the right way, and its mode read off its words."""

import copy
import pickle
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents import AGENTS, recognise
from nova_async.words import Permissions
from tests.agents.recordings import FULL, KEPT_RECORDINGS, kept, recordings_in

NAMES = ["claude", "codex", "gemini", "opencode", "qwen"]
ALL = KEPT_RECORDINGS + (recordings_in(FULL) if FULL.is_dir() else [])


def test_recorded_commands_are_recognised_with_their_modes() -> None:
    """Every recorded command line is known for its agent, and its mode for what was recorded."""
    for recording in ALL:
        command = recording.sidecar["argv"]
        agent = recognise(command)
        assert agent.name == recording.agent
        if recording.mode != "raw":
            assert agent.mode_of(command) == recording.mode, recording.name


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("claude", "claude"),
        ("/usr/local/bin/claude -p x", "claude"),
        ("claude code --task x", "claude"),
        ("npx claude", "claude"),
        ("npx -y @anthropic-ai/claude-code -p x", "claude"),
        ("npx --yes @anthropic-ai/claude-code@2.1.197 -p x", "claude"),
        ("npx -p @openai/codex codex exec x", "codex"),
        ("npx --package=@openai/codex -- codex exec x", "codex"),
        ("npx -c claude", "claude"),
        ("bunx --bun @google/gemini-cli@latest -p x", "gemini"),
        ("uvx --from tools qwen", "qwen"),
        ("uv tool run qwen", "qwen"),
        ("pnpm dlx opencode-ai run x", "opencode"),
        ("pnpm --dir x exec opencode", "opencode"),
        ("yarn dlx @qwen-code/qwen-code", "qwen"),
        ("npm exec -- @openai/codex exec", "codex"),
        ("bun x claude", "claude"),
        ("node /opt/node_modules/@anthropic-ai/claude-code/cli.js -p x", "claude"),
        ("node --max-old-space-size=4096 -r hook.js /opt/node_modules/.bin/codex", "codex"),
        ("bun run ./gemini.js", "gemini"),
        ("/x/node_modules/@google/gemini-cli/dist/index.js", "gemini"),
        ("env claude", "claude"),
        ("/usr/bin/env -i A=b -u X claude -p x", "claude"),
        ("env -iuX --chdir /tmp --unset=Y B=c npx -y @openai/codex", "codex"),
        ("env -S claude -p x", "claude"),
        ("env -- A=b qwen", "qwen"),
        ("python claude", "plain"),
        ("node -e claude", "plain"),
        ("node --eval claude", "plain"),
        ("node", "plain"),
        ("npx", "plain"),
        ("npx -y prettier claude", "plain"),
        ("npx -y @someone/claude-code", "plain"),
        ("npm install claude", "plain"),
        ("env", "plain"),
        ("env A=claude", "plain"),
        ("env -u claude", "plain"),
        ("cat claude", "plain"),
        ("claude-squad", "plain"),
        ("Claude", "plain"),
        ("", "plain"),
    ],
)
def test_recognition(command: str, name: str) -> None:
    """An agent is known by its program, also behind what starts it; nothing else is."""
    assert recognise(command.split()).name == name


@pytest.mark.parametrize(
    "odd",
    [
        [None],
        [b"claude\xff"],
        [object()],
        [Path("/bin/claude"), 3],
        "claude -p",
        b"claude",
        [""],
        ["/"],
        ["env"] * 99,
        7,
    ],
)
def test_odd_commands_are_plain_or_right(odd: Any) -> None:
    """Nothing that is given as a command raises."""
    assert recognise(odd).name in ("plain", "claude")


@given(
    st.lists(st.text(max_size=8) | st.sampled_from(["env", "npx", "-p", "-S", "-u", "--", "node", "-c", "'", "A=b"]))
)
def test_recognition_never_raises(command: list[str]) -> None:
    """Any words at all are recognised as something."""
    agent = recognise(command)
    agent.mode_of(command)


@pytest.mark.parametrize(
    ("command", "mode"),
    [
        ("claude -p x", "text"),
        ("claude -p x --output-format=stream-json --verbose", "stream-json"),
        ("claude -p x --output-format json --output-format text", "text"),
        ("claude -p x --append-system-prompt --output-format=json", "text"),
        ("claude -p --output-format json -- --output-format=text", "json"),
        ("claude -p x --output-format", "text"),
        ("env A=b npx -y @anthropic-ai/claude-code -p x --output-format json", "json"),
        ("codex exec x", "text"),
        ("codex exec x --json", "json"),
        ("codex exec --experimental-json x", "json"),
        ("codex exec -- --json", "text"),
        ("gemini -p x -o=json", "json"),
        ("gemini -p x -ostream-json", "stream-json"),
        ("gemini -p x --output-format stream-json", "stream-json"),
        ("opencode run x --format=json", "json"),
        ("opencode run x --format default", "text"),
        ("qwen -p x -o stream-json --include-partial-messages", "stream-json"),
        ("make test", None),
    ],
)
def test_modes_are_read_off_the_command(command: str, mode: str | None) -> None:
    """The last output option decides; without one it is text; any other program has no modes."""
    assert recognise(command.split()).mode_of(command.split()) == mode


@pytest.mark.parametrize("prompt", ["Do the thing.", "--json", "-x", "-", "/cost", "two\nlines", ""])
@pytest.mark.parametrize("name", NAMES)
def test_commands_of_our_own_are_read_right(name: str, prompt: str) -> None:
    """What we call, we recognise; it streams, ends with a result, and carries the prompt as one word."""
    agent = AGENTS[name]
    command = agent.command(prompt, model="some/model", resume="ses_1", extra=["--extra", "a", "b"])
    assert command[0] == agent.program == name
    assert recognise(command) is agent
    mode = agent.mode_of(command)
    assert agent.streams(mode)
    assert agent.has_result(mode)
    assert {"some/model", "ses_1", "--extra", "a", "b"} <= set(command)
    assert prompt in command or f" {prompt}" in command


@given(st.text() | st.sampled_from(["-o", "--", "-p", "/cost", "help", "-", "/"]))
@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_never_an_option_or_a_command_of_the_agent(name: str, prompt: str) -> None:
    """Whatever a prompt begins with, it is one word, at most a blank before it, that no program takes for more."""
    word = AGENTS[name].command(prompt)[AGENTS[name].command("PROMPT").index("PROMPT")]
    assert word in (prompt, f" {prompt}")
    assert not word.startswith(("-", "/"))


@pytest.mark.parametrize("name", ["codex", "opencode"])
def test_a_prompt_of_one_word_is_no_subcommand(name: str) -> None:
    """Where a prompt stands on its own, it stands behind the end of the options: ``help`` is asked of the model."""
    assert AGENTS[name].command("help", extra=["--extra"])[-2:] == ["--", "help"]


@pytest.mark.parametrize("prompt", ["5", "-5", "0x1F", "1e5", ".5", "5\n"])
def test_opencode_is_given_no_number(prompt: str) -> None:
    """It crashes over a word that its option parser makes a number of."""
    assert AGENTS["opencode"].command(prompt)[-1] == f" {prompt}"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "claude",
            "claude -p P --output-format stream-json --verbose --include-partial-messages"
            " --permission-mode acceptEdits --model M --resume R",
        ),
        ("codex", "codex exec --json --skip-git-repo-check --sandbox workspace-write -m M resume R -- P"),
        ("gemini", "gemini -p P -o stream-json --approval-mode auto_edit --skip-trust -m M --resume R"),
        ("opencode", "opencode run --format json --print-logs --log-level ERROR -m M --session R -- P"),
        ("qwen", "qwen -p P -o stream-json --approval-mode auto-edit -m M --resume R"),
    ],
)
def test_the_headless_calls(name: str, command: str) -> None:
    """Each agent is called as it was recorded."""
    assert AGENTS[name].command("P", "M", "R") == command.split()


# What each set of permissions adds to a call; what was tried with the programs is in docs/agents.md.
GRANTED: dict[str, dict[str, str]] = {
    "claude": {
        "read": "--permission-mode default --tools=Read,Glob,Grep,WebFetch,WebSearch,Task",
        "edit": "--permission-mode acceptEdits",
        "full": "--permission-mode bypassPermissions",
    },
    "codex": {
        "read": "--sandbox read-only",
        "edit": "--sandbox workspace-write",
        "full": "--dangerously-bypass-approvals-and-sandbox",
    },
    "gemini": {
        "read": "--approval-mode plan --skip-trust",
        "edit": "--approval-mode auto_edit --skip-trust",
        "full": "--approval-mode yolo --skip-trust",
    },
    "opencode": {"read": "", "edit": "", "full": "--auto"},
    "qwen": {"read": "--approval-mode plan", "edit": "--approval-mode auto-edit", "full": "--approval-mode yolo"},
}


@pytest.mark.parametrize("name", NAMES)
def test_permissions_become_the_flags_of_each_agent(name: str) -> None:
    """Each set of permissions adds its flags in one piece, and ``own`` none at all."""
    agent = AGENTS[name]
    own = agent.command("P", permissions="own")
    for permissions, flags in GRANTED[name].items():
        added = agent.command("P", permissions=permissions)
        assert [word for word in added if word not in own] == flags.split()
        assert agent.command("P", permissions=Permissions(permissions)) == added
    assert agent.command("P") == agent.command("P", permissions="edit")


def test_opencode_is_given_its_permissions_by_the_environment() -> None:
    """It has no options for them; the others need no variables."""
    variables = {
        (name, permissions): dict(AGENTS[name].environment_for(permissions))
        for name in AGENTS
        for permissions in Permissions
    }
    assert {key: value for key, value in variables.items() if value} == {
        ("opencode", "read"): {"OPENCODE_PERMISSION": '{"edit":"deny","bash":"deny"}'},
        ("opencode", "edit"): {"OPENCODE_PERMISSION": '{"edit":"allow"}'},
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("word", ["", "EDIT", "yolo", "write"])
def test_unknown_permissions_are_refused(name: str, word: str) -> None:
    """The error names the choices."""
    for ask in (lambda: AGENTS[name].command("P", permissions=word), lambda: AGENTS[name].environment_for(word)):
        with pytest.raises(ValueError, match="permissions must be one of read, edit, full, own"):
            ask()


@pytest.mark.parametrize(
    ("name", "turns", "cost"),
    [
        ("claude", "--max-turns 7", "--max-budget-usd 0.25"),
        ("codex", "", ""),
        ("gemini", "", ""),
        ("opencode", "", ""),
        ("qwen", "--max-session-turns 7", ""),
    ],
)
def test_caps_are_passed_on_to_agents_that_keep_them(name: str, turns: str, cost: str) -> None:
    """An agent with a cap of its own is told; of the others the fields say that they cannot be."""
    agent = AGENTS[name]
    bare = agent.command("P")
    assert [word for word in agent.command("P", max_turns=7) if word not in bare] == turns.split()
    assert [word for word in agent.command("P", max_cost_usd=0.25) if word not in bare] == cost.split()
    assert (agent.caps_turns, agent.caps_cost) == (bool(turns), bool(cost))


@pytest.mark.parametrize(("cost", "text"), [(5, "5"), (5.0, "5"), (10.0, "10"), (1e-9, "0.000000001"), (0.1, "0.1")])
def test_money_is_written_in_plain_digits(cost: float, text: str) -> None:
    """No exponent, and no digits that say nothing."""
    assert AGENTS["claude"].command("P", max_cost_usd=cost)[-1] == text


@pytest.mark.parametrize("caps", [{"max_turns": 0}, {"max_cost_usd": 0.0}, {"max_cost_usd": float("nan")}])
@pytest.mark.parametrize("name", NAMES)
def test_caps_that_allow_nothing_are_refused(name: str, caps: dict[str, Any]) -> None:
    """A cap of nothing is a mistake, whether or not the agent could be told."""
    with pytest.raises(ValueError, match="must be"):
        AGENTS[name].command("P", **caps)


@pytest.mark.parametrize("name", NAMES)
def test_everything_about_an_agent_is_known(name: str) -> None:
    """Its packages, how to install it and to log in, and where its sessions lie."""
    agent = AGENTS[name]
    assert agent.install
    assert agent.packages[0] in agent.install
    assert agent.login
    assert agent.session_files
    for pattern in agent.session_files.patterns:
        assert "{" not in pattern.format(session_id="01a201fc-2901-7000-8000-000000000000")


def test_a_plain_command_has_no_prompt() -> None:
    """A prompt alone does not say which program to run."""
    with pytest.raises(ValueError, match="whole command line"):
        AGENTS["plain"].command("Do the thing.")


@pytest.mark.parametrize("name", list(AGENTS))
def test_unknown_modes_are_refused(name: str) -> None:
    """A mode that nobody knows is the caller's mistake."""
    with pytest.raises(ValueError, match="mode must be one of"):
        AGENTS[name].reader("yaml")


@pytest.mark.parametrize(
    ("name", "mode", "streams", "has_result"),
    [
        ("claude", "text", False, False),
        ("claude", "json", False, True),
        ("claude", "stream-json", True, True),
        ("codex", "text", True, False),
        ("codex", "json", True, True),
        ("gemini", "text", False, False),
        ("gemini", "json", False, True),
        ("gemini", "stream-json", True, True),
        ("opencode", "text", True, False),
        ("opencode", "json", True, True),
        ("qwen", "text", False, False),
        ("qwen", "json", False, True),
        ("qwen", "stream-json", True, True),
        ("plain", None, True, False),
    ],
)
def test_what_silence_and_a_missing_result_mean(name: str, mode: str | None, streams: bool, has_result: bool) -> None:
    """Silence means something only in a mode that streams, a missing result only in one that has them."""
    assert (AGENTS[name].streams(mode), AGENTS[name].has_result(mode)) == (streams, has_result)


def test_the_stop_ladder_begins_with_int_where_that_gains_something() -> None:
    """Claude and Codex end their commands on INT; the others and plain commands are not asked that way (G37)."""
    seconds = {name: agent.interrupt_seconds for name, agent in AGENTS.items()}
    assert seconds == {"claude": 3.0, "codex": 3.0, "gemini": 0.0, "opencode": 0.0, "qwen": 0.0, "plain": 0.0}


def frozen(change: Any, *error: type[Exception]) -> None:
    """Require that a change is refused."""
    with pytest.raises(error):
        change()


def test_reports_and_agents_do_not_change() -> None:
    """What is handed to other threads is immutable, and yet can be copied, pickled, compared and encoded."""
    report = kept("claude/tools.sj.stdout").read()
    by_model: Any = report.usage_by_model
    frozen(lambda: setattr(report, "turns", 4), FrozenInstanceError)
    frozen(lambda: by_model.update(x=1), TypeError)
    frozen(lambda: by_model.__setitem__("x", 1), TypeError)
    frozen(lambda: setattr(AGENTS["claude"], "name", "x"), FrozenInstanceError)
    frozen(lambda: AGENTS["claude"].environment.__setitem__("A", "b"), AttributeError, TypeError)  # type: ignore[attr-defined]
    assert copy.deepcopy(report) == report == pickle.loads(pickle.dumps(report))
    assert asdict(report)["usage_by_model"]["claude-sonnet-4-6"]["output_tokens"] == 3041
    assert msgspec.json.decode(msgspec.json.encode(report))["turns"] == 3


def test_environments_are_what_was_tried() -> None:
    """Only variables that were seen to work are set."""
    names: dict[str, Sequence[str]] = {name: sorted(agent.environment) for name, agent in AGENTS.items()}
    assert names["claude"] == [
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "DISABLE_AUTOUPDATER",
        "DISABLE_TELEMETRY",
    ]
    assert dict(AGENTS["gemini"].environment) == {"GEMINI_CLI_NO_RELAUNCH": "true"}
    assert all(not names[name] for name in ("codex", "opencode", "qwen", "plain"))


def test_the_registry_says_whom_it_knows() -> None:
    """In an error message or a debugger it is read as a list of names."""
    assert repr(AGENTS).startswith("<agents: ")
    assert all(name in repr(AGENTS) for name in NAMES)
    assert len(AGENTS) >= len(NAMES)
