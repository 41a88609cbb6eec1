"""An agent is known behind whatever starts it, and nothing else is taken for one."""

import shlex
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents import recognise
from nova_async.agents.wrappers import SHELLS, WRAPPERS

CALL = "claude -p x --output-format json"
BEFORE_IT = [
    "nice", "nice -n 5", "nice -5", "nice --adjustment=5", "ionice -c2 -n 7", "ionice -c 3", "chrt -b 0",
    "chrt -f 10", "taskset 0x3", "taskset -c 0-3", "cpulimit -l 50 --", "prlimit --nofile=99", "numactl -m 0",
    "systemd-run --user --scope -p MemoryMax=1G", "systemd-inhibit --what=sleep", "caffeinate -i",
    "timeout 60", "timeout -k 5 -s INT 60s", "timeout --kill-after=5 1h", "timeout --preserve-status 60",
    "time", "time -p", "/usr/bin/time -f %e", "faketime 2026-01-01",
    "nohup", "setsid", "setsid -w", "stdbuf -oL -eL", "stdbuf -o L", "unbuffer", "chronic", "chronic -v",
    "xvfb-run -a", "xvfb-run -s '-screen 0 1x1x8'", "dbus-run-session --", "ssh-agent", "tini --", "tini -g --",
    "dumb-init --", "catatonit --", "flock /tmp/lock", "flock -w 5 /tmp/lock",
    "sudo", "sudo -E", "sudo -E -u bob", "sudo -u claude A=b", "doas -u bob", "runuser -u bob --", "gosu bob",
    "su-exec bob:bob", "setpriv --reuid 5 --clear-groups",
    "direnv exec .", "dotenv", "dotenv -f .env run", "dotenv -f .env --", "dotenvx run -f .env --", "mise exec --",
    "mise x node@22 --", "mise -C /x exec node@22 python --", "asdf exec", "op run --", "op run --env-file=.env --",
    "doppler run --", "infisical run --env=dev --", "aws-vault exec me --", "chamber exec app --", "envdir ./env",
    "nix develop -c", "nix develop .#x --command", "nix shell nixpkgs#nodejs -c", "devbox run --",
    "conda run -n env", "micromamba run -n env", "poetry run", "pipenv run", "pdm run", "rye run", "hatch run",
    "pixi run -e dev", "volta run --node 22", "fnm exec --using=22",
    "bwrap --ro-bind / / --dev /dev --unshare-all --", "bwrap --bind a b --setenv C d", "firejail --net=none",
    "unshare -n", "chroot /x", "uv run", "uv run --with x --", "pnpm exec", "yarn exec",
    "env A=b nice timeout 60 stdbuf -oL",
]  # fmt: skip
ELSEWHERE = [
    "docker run IMAGE", "docker run --rm -it -v /a:/b -e A=b -w /b IMAGE:tag", "docker run --name=n IMAGE",
    "docker exec -it box", "docker compose run --rm app", "docker compose -f x.yml exec app", "docker container run I",
    "podman run --rm IMAGE", "nerdctl run IMAGE", "docker-compose run app", "kubectl exec pod -c app --",
    "kubectl -n space exec -it pod --", "devcontainer exec --workspace-folder .", "ssh host", "ssh -p 22 -i key a@host",
    "ssh host env A=b", "nice docker run IMAGE timeout 60",
]  # fmt: skip


@pytest.mark.parametrize("before", BEFORE_IT)
def test_an_agent_is_known_behind_it(before: str) -> None:
    """Its words are its own, so the mode that they ask for is known, too."""
    command = shlex.split(f"{before} {CALL}")
    assert recognise(command).name == "claude"
    assert recognise(command).mode_of(command) == "json"
    text = shlex.split(f"{before} claude -p x")
    assert recognise(text).mode_of(text) == "text"
    assert recognise(shlex.split(f"{before} ls claude")).name == "plain"
    assert recognise(shlex.split(before)).name == "plain"


@pytest.mark.parametrize("before", ELSEWHERE)
def test_an_agent_is_known_elsewhere(before: str) -> None:
    """An image or another machine may add words of its own: a text mode is not certain there."""
    command = shlex.split(f"{before} {CALL}")
    assert recognise(command).name == "claude"
    assert recognise(command).mode_of(command) == "json"
    text = shlex.split(f"{before} claude -p x")
    assert recognise(text).mode_of(text) is None
    assert recognise(shlex.split(f"{before} ls claude")).name == "plain"


TEXTS = [
    CALL, f"exec {CALL}", f"  {CALL} ", f"cd x && {CALL}", f"cd x; A=b B=c exec {CALL}", f"set -e\ncd x\n{CALL}\n",
    f"{CALL} 2>&1", f"{CALL} < /dev/null 2>> err", f"{CALL} | tee log", f"source .env && nice -n 5 {CALL}",
    f"command {CALL}", f"git pull || true\n\n{CALL};", f"mkdir -p x &&\\\n {CALL}", f"time {CALL}",
    f"npx -y @anthropic-ai/claude-code {CALL[6:]}", f"echo one | wc; {CALL}", f"exec 3> log; {CALL}",
    f"exec 2>> log\n{CALL}", f"{CALL} --max-turns 2 2> err", f"{CALL} --append-system-prompt 'x 2>y' | tee a 2> b",
]  # fmt: skip
OTHER_TEXTS = [
    "claude -p x | jq .", "claude -p x > out", "claude -p x &> out", "claude -p x 1> out", "claude -p x; echo done",
    "echo claude", "grep claude file", "if true; then claude -p x; fi", "for i in 1 2; do claude -p x; done",
    "claude -p x --max-turns 5 > out", "claude -p x --max-turns 5 >out", "claude -p x | tee log > /dev/null",
    "exec > log; claude -p x", "exec >> log 2>&1\nclaude -p x", "exec &> log && cd y && claude -p x",
    "(claude -p x)", "{ claude -p x; }", '"$CLAUDE" -p x', "claude-wrapper -p x", "", ";;", "'", "a='claude'",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("shell", ["sh -c", "bash -lc", "/bin/zsh -e -o pipefail -c", "nice bash -c", "flock f -c"])
def test_an_agent_is_known_in_a_shells_text(text: str, shell: str) -> None:
    """Where it is the last simple command, whose output comes out as it is."""
    command = [*shell.split(), text]
    assert recognise(command).name == "claude"
    assert recognise(command).mode_of(command) == "json"
    short = [*shell.split(), text.replace(" --output-format json", "")]
    assert recognise(short).mode_of(short) is None


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_other_texts_are_no_agents(text: str) -> None:
    """Its output goes elsewhere, something else comes last, or it is no agent at all."""
    assert recognise(["bash", "-c", text]).name == "plain"


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", 'exec "$@"', "sh", *CALL.split()],
        ["bash", "-c", 'cd x && claude "$@"', "bash", *CALL.split()[1:]],
        ["script", "-qec", CALL, "/dev/null"],
        ["script", "-q", "-c", CALL],
        ["nix-shell", "-p", "nodejs", "--run", CALL],
        ["su", "bob", "-c", CALL],
        ["su", "-c", CALL, "bob"],
        ["runuser", "-u", "bob", "-c", CALL],
        ["ssh", "host", f"cd x && {CALL}"],
        ["ssh", "host", "bash", "-lc", shlex.quote(CALL)],
        ["docker", "run", "--entrypoint", "claude", "IMAGE", *CALL.split()[1:]],
        ["docker", "run", "--entrypoint=claude", "--rm", "IMAGE", *CALL.split()[1:]],
        ["docker", "run", "IMAGE", "sh", "-c", CALL],
    ],
)
def test_arguments_of_texts_and_images(command: list[str]) -> None:
    """A text may be given its words, and an image its program."""
    assert recognise(command).name == "claude"
    assert recognise(command).mode_of(command) == "json"


@pytest.mark.parametrize(
    "command",
    [
        "grep claude file", "echo claude", "nice ls claude", "timeout claude", "timeout 60 grep claude", "man claude",
        "sudo -u claude ls", "sudo -l claude", "sudo -e claude", "ionice -p claude", "taskset -p claude 3",
        "docker run claude", "docker run --name claude image", "docker build claude", "docker run -d image claude",
        "docker compose up claude", "docker logs claude", "ssh claude", "ssh claude ls", "ssh -l claude host ls",
        "kubectl get claude", "kubectl exec claude -- ls", "nix build claude", "mise install claude",
        "direnv allow claude", "op read claude", "poetry add claude", "conda install claude", "su claude",
        "bash claude", "bash -x claude", "sh", "bash -c", "chroot claude", "flock claude", "flock claude -c ls",
        "systemd-run --unit claude ls", "bwrap --bind claude claude ls", "xargs claude", "watch claude",
        "git -C claude status", "which claude", "npm install claude", "uv run grep claude", "uv pip install claude",
        "env A=claude ls", "strace", "script claude", "nohup",
    ],
)  # fmt: skip
def test_others_are_no_agents(command: str) -> None:
    """A name of an agent among the words of another program means nothing."""
    assert recognise(command.split()).name == "plain"


WORDS = st.sampled_from([*sorted(WRAPPERS), *sorted(SHELLS), "-c", "--", "-", "-n", "5", "run", "exec", "A=b", "claude",
                         "x && y", "|", ">", "'", '"$@"', "--entrypoint", "--", "uv", "npx", "env", "-S"])  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=9), max_size=14))
def test_no_command_line_raises(words: list[str]) -> None:
    """Whatever is written, somebody is meant by it."""
    agent = recognise(words)
    agent.mode_of(words)


@given(st.text(alphabet="ab \n;&|<>()'\"\\$@#=-", max_size=200))
def test_no_text_raises(text: str) -> None:
    """Half a quote or a heap of marks is no agent, and no error."""
    assert recognise(["sh", "-c", text]).name == "plain"


@pytest.mark.parametrize("part", ["nice ", "a;", "'", "\\\n", "sh -c '", "(", "|", "\n", "A=b "])
def test_long_texts_take_no_time(part: str) -> None:
    """A megabyte of marks is looked at once, or not at all."""
    began = time.perf_counter()
    recognise(["sh", "-c", part * (1_000_000 // len(part))])
    recognise((part * 200_000).split())
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "command",
    [
        ["env", "--split-string", CALL], ["env", f"--split-string={CALL}"], ["env", "-u", "A", "-S", CALL],
        ["env", "--unset", "A", "--chdir=x", *CALL.split()],
    ],
)  # fmt: skip
def test_env_splits_a_text(command: list[str]) -> None:
    """Its text may stand in the option or behind it."""
    assert recognise(command).name == "claude"


def test_env_splits_no_text_whose_quotes_are_open() -> None:
    """Nor does env itself: it fails, and no agent runs."""
    assert recognise(["env", "-S", "claude -p 'x"]).name == "plain"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["nix", "develop", ".#x", "--command", *CALL.split()], "claude"),
        (["nix-shell", "-p", "nodejs", "--run"], "plain"),
        (["mise", "exec", "node@22"], "plain"),
        (["kubectl", "exec", "pod"], "plain"),
        (["sh", "-c", "x" * 2_000_000 + f"; {CALL}"], "plain"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_stands_behind_a_wrapper_that_needs_a_mark(command: list[str], name: str) -> None:
    """Without the mark nothing runs behind it; a text of megabytes is not searched."""
    assert recognise(command).name == name
