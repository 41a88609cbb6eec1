"""Commands that no shell reads: what only a shell would act upon is refused, and so is a prompt inside of a script."""

import json
import re

import pytest

from nova_async.cascade import CascadeError, parse_cascade, parse_option
from nova_async.cascade.settings import parse_agent_command

SHELL_ONLY = {
    "true && false": "&&",
    "pytest -q || true": "||",
    "pytest -q | tail -1": "|",
    "make; make test": ";",
    "make;": ";",
    "pytest > out.txt": ">",
    "cat < in.txt": "<",
    "server & curl localhost": "&",
    "pytest 2>&1": "2>",
    "test -n $(git diff)": "$(",
    "test -n `git diff`": "`",
    'test -n "$(git diff)"': "$(",
    "ls $HOME": "$HOME",
    'ls "${HOME}/x"': "${HOME}",
    "CI=1 pytest": "CI=",
}


@pytest.mark.parametrize(("command", "found"), SHELL_ONLY.items(), ids=SHELL_ONLY.keys())
def test_what_only_a_shell_would_read(command: str, found: str) -> None:
    """As mere arguments these words would mean something else, and a check might pass that checks nothing."""
    with pytest.raises(ValueError, match="is not run by a shell") as caught:
        parse_option("verify", command)
    assert f"so '{found}' would be a plain argument; write sh -c \"" in str(caught.value)
    with pytest.raises(ValueError, match="is not run by a shell"):
        parse_agent_command(command)


@pytest.mark.parametrize(
    "command",
    [
        "pytest -q",
        "pytest -k 'a and b'",
        "grep '|' a.txt",
        'grep "a;b" a.txt',
        "echo '$HOME'",
        "echo a\\;b",
        'sh -c "a && b | c"',
        "/bin/bash -c 'a; b'",
        "env X=1 sh -c 'echo $X'",
        "awk '{print $1}' a.txt",
        "curl http://localhost/?a=1&b=2",
        "pip install a>=1.0",
        "echo 5$",
    ],
)
def test_what_is_meant_as_it_stands(command: str) -> None:
    """Quoted, escaped, or for a shell that is called by name, the same characters are fine."""
    assert parse_option("verify", command)
    assert parse_agent_command(command)


@pytest.mark.parametrize("said", ["the page opens", "All tests pass", "Run it and look", "login works", "Manual check"])
def test_a_sentence_is_no_check(said: str) -> None:
    """A person wrote it for a person: it is not run as a command."""
    with pytest.raises(ValueError, match="is a sentence, not a command"):
        parse_option("verify", said)


@pytest.mark.parametrize(
    "command", ["make", "make test", "npm run lint", "go test ./...", "Rscript check.R", "./check"]
)
def test_a_command_is_no_sentence(command: str) -> None:
    """Short commands without options are commands."""
    assert parse_option("verify", command) == ("verify", tuple(command.split()))


def test_shell_words_in_any_place_of_a_plan() -> None:
    """In the front matter as a text or a list, in a column and in a bullet it is an error, whatever else is set."""
    for plan in (
        "+++\nverify = 'a && b'\n+++\n- [ ] T1 x\n",
        "+++\nverify = ['a', '&&', 'b']\n+++\n- [ ] T1 x\n",
        "+++\ncommand = 'agent {prompt} | tee log'\n+++\n- [ ] T1 x\n",
        "| ID | What | Verify |\n|---|---|---|\n| T1 | x | a && b |\n",
        "- [ ] T1 x\n  - Verify: `a && b`\n",
    ):
        with pytest.raises(CascadeError, match=r"E104 (verify|command): "):
            parse_cascade(plan)


@pytest.mark.parametrize(
    "command",
    [
        'sh -c "agent {prompt}"',
        "bash -lc 'agent \"{prompt}\"'",
        "env A=1 /bin/zsh -e -c 'agent {name}'",
        "docker run x sh -c 'cd {cwd} && agent'",
        "sh -c 'echo {error}'",
    ],
)
def test_no_shell_runs_what_a_prompt_says(command: str) -> None:
    """A placeholder inside of a script would be code; the message says how to hand it over instead."""
    with pytest.raises(ValueError, match=r"the shell would run what \{\w+\} says; write \"\$(NOVA_PROMPT|1)\""):
        parse_agent_command(command)


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'agent \"$NOVA_PROMPT\"'",
        "sh -c 'agent \"$1\"' sh {prompt}",
        "sh -c {prompt}",
        "sh -c 'echo {attempt} {task_id}'",
        "sh run.sh {prompt}",
        "agent -c 'x {prompt}'",
    ],
)
def test_safe_ways_to_hand_a_prompt_over(command: str) -> None:
    """As a variable, as an argument behind the script, or as the script itself, which somebody wants."""
    assert parse_agent_command(command)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("ssh host agent {prompt}", "the shell on the other machine would run what {prompt} says"),
        ("timeout 60 /usr/bin/ssh -t host cd {cwd} agent", "would run what {cwd} says"),
        ("python3.11 -c 'print(\"{prompt}\")'", "this code would contain what {prompt} says"),
        ("env A=1 node --eval=run('{prompt}')", "this code would contain"),
        ("perl -e 'print q({name})'", "this code would contain"),
        ("su agent -c 'work {prompt}'", "this code would contain"),
    ],
)
def test_nobody_else_runs_what_a_prompt_says(command: str, message: str) -> None:
    """A shell of another machine and the code of an interpreter are no better than a shell's script here."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_agent_command(command)
    with pytest.raises(CascadeError, match="E104 command: "):
        parse_cascade(f"+++\ncommand = {json.dumps(command)}\n+++\n- [ ] T1 x\n")


@pytest.mark.parametrize(
    "command",
    [
        "ssh host agent", "ssh host agent --attempt {attempt}", "python -c {prompt}",
        "python run.py --ask 'x {prompt}'", "my-ssh host {prompt}", "agent --ssh {prompt}",
    ],
)  # fmt: skip
def test_what_only_looks_like_it(command: str) -> None:
    """A prompt on standard input, and words that nobody reads as code, are fine."""
    assert parse_agent_command(command)
