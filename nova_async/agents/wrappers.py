"""Programs that start another one, and how many of their words stand before it: one table for all of them.

A wrapper is only looked through where its words leave no doubt; anything else is a program of its own.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import final

__all__ = ["SHELLS", "WRAPPERS", "Wrapped", "Wrapper", "unwrap", "without_assignments"]


@final
@dataclass(frozen=True, slots=True)
class Wrapper:
    """How the command stands among the words of a program that starts it."""

    values: frozenset[str] = frozenset()
    """Options that take the next word."""
    pairs: frozenset[str] = frozenset()
    """Options that take the next two words."""
    subcommands: tuple[tuple[str, ...], ...] = ((),)
    """Words that must come first; the others do something else."""
    own: int = 0
    """Words of its own between its options and the command, such as a time or an image."""
    text: frozenset[str] = frozenset()
    """Options whose value is the command, as text for a shell."""
    command: frozenset[str] = frozenset()
    """Options behind which the command begins."""
    needs_dashes: bool = False
    """Whether the command begins only behind ``--``."""
    not_with: frozenset[str] = frozenset()
    """Options with which it starts nothing."""
    program: str | None = None
    """The option that names the program, whose arguments then follow."""
    joins: bool = False
    """Whether the words are joined to a text for a shell."""
    is_literal: bool = True
    """Whether the program gets these words and no others: an image or a profile may add some."""

    @property
    def starts(self) -> frozenset[str]:
        """The words behind which the command begins, wherever they stand."""
        return self.text | self.command | {"--"}


@final
@dataclass(frozen=True, slots=True)
class Wrapped:
    """The command inside: its words, or the text that a shell is given with the words after it."""

    words: tuple[str, ...] = ()
    text: str | None = None
    is_literal: bool = True


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELLS = _words("sh bash zsh dash ksh mksh ash fish")
_RUN = (("run",),)
_CONTAINER = Wrapper(
    values=_words(
        "-a -c -e -h -l -m -p -u -v -w --add-host --annotation --arch --attach --blkio-weight --cap-add --cap-drop"
        " --cgroup-parent --cgroupns --cidfile --cpu-shares --cpus --cpuset-cpus --cpuset-mems --device --dns"
        " --dns-search --env --env-file --expose --gpus --group-add --health-cmd --hostname --ip --ipc --label"
        " --label-file --link --log-driver --log-opt --mac-address --memory --memory-swap --mount --name --network"
        " --network-alias --net --oom-score-adj --os --pid --pids-limit --platform --pod --pull --publish --restart"
        " --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt --sysctl --tmpfs --ulimit"
        " --user --userns --uts --variant --volume --volume-driver --volumes-from --workdir"
    ),
    subcommands=(("run",), ("container", "run"), ("exec",), ("container", "exec")),
    own=1,
    not_with=_words("-d --detach"),
    program="--entrypoint",
    is_literal=False,
)
_COMPOSE = Wrapper(
    values=_CONTAINER.values | _words("-f -p --file --profile --project-name --index"),
    subcommands=(("run",), ("exec",)),
    own=1,
    not_with=_words("-d --detach"),
    program="--entrypoint",
    is_literal=False,
)
_PYTHON_RUN = Wrapper(values=_words("-C -P --directory --project -e --env -p --manifest-path"), subcommands=_RUN)
_USER = Wrapper(own=1)

WRAPPERS = MappingProxyType(
    {
        # More or less of the machine.
        "nice": Wrapper(values=_words("-n --adjustment")),
        "ionice": Wrapper(
            values=_words("-c -n --class --classdata"), not_with=_words("-p -P -u --pid --pgid --uid")
        ),
        "chrt": Wrapper(values=_words("-T -P -D"), own=1, not_with=_words("-p --pid")),
        "taskset": Wrapper(own=1, not_with=_words("-p --pid -ap -cp")),
        "cpulimit": Wrapper(values=_words("-l -c --limit --cpu"), not_with=_words("-p -e --pid --exe")),
        "prlimit": Wrapper(not_with=_words("-p --pid")),
        "numactl": Wrapper(values=_words("-m -N -C -i -p -l")),
        "systemd-run": Wrapper(
            values=_words("-p -E -u -M -H --property --setenv --unit --uid --gid --slice --working-directory --nice")
        ),
        "systemd-inhibit": Wrapper(),
        "caffeinate": Wrapper(values=_words("-t"), not_with=_words("-w")),
        # Time.
        "timeout": Wrapper(values=_words("-s -k --signal --kill-after"), own=1),
        "gtimeout": Wrapper(values=_words("-s -k --signal --kill-after"), own=1),
        "time": Wrapper(values=_words("-f -o --format --output")),
        "faketime": Wrapper(own=1),
        # Terminals, sessions, signals, output.
        "nohup": Wrapper(),
        "setsid": Wrapper(),
        "stdbuf": Wrapper(values=_words("-i -o -e --input --output --error")),
        "gstdbuf": Wrapper(values=_words("-i -o -e --input --output --error")),
        "unbuffer": Wrapper(),
        "chronic": Wrapper(),
        "xvfb-run": Wrapper(values=_words("-e -f -n -p -s --error-file --auth-file --server-num --server-args")),
        "dbus-run-session": Wrapper(values=_words("--config-file --dbus-daemon")),
        "ssh-agent": Wrapper(values=_words("-a -E -O -P -t"), not_with=_words("-k")),
        "script": Wrapper(
            values=_words("-E -I -O -B -T -m -o --echo --log-in --log-out --log-io --log-timing --output-limit"),
            own=1,  # the file, on a Mac
            text=_words("-c --command"),
        ),
        "tini": Wrapper(values=_words("-p -e")),
        "dumb-init": Wrapper(values=_words("-r --rewrite")),
        "catatonit": Wrapper(),
        "flock": Wrapper(
            values=_words("-w -E --wait --timeout --conflict-exit-code"), own=1, text=_words("-c --command")
        ),
        # Users.
        "sudo": Wrapper(
            values=_words(
                "-C -D -g -h -p -R -r -T -t -U -u --chdir --chroot --close-from --command-timeout --group --host"
                " --other-user --prompt --role --type --user"
            ),
            not_with=_words("-e -l -v --edit --list --validate"),
        ),
        "doas": Wrapper(values=_words("-C -u")),
        "runuser": Wrapper(values=_words("-u -g -G -s -w --user --group"), text=_words("-c --command")),
        "su": Wrapper(values=_words("-g -G -s -w --group --shell"), own=1, text=_words("-c --command")),
        "gosu": _USER,
        "su-exec": _USER,
        "setpriv": Wrapper(
            values=_words("--reuid --regid --groups --pdeathsig --inh-caps --ambient-caps --bounding-set")
        ),
        # Environments.
        "direnv": Wrapper(subcommands=(("exec",),), own=1),
        "dotenv": Wrapper(values=_words("-f -e -p -v --file"), subcommands=(("run",), ())),
        "dotenvx": Wrapper(values=_words("-f -e --env-file --env"), subcommands=_RUN),
        "mise": Wrapper(
            values=_words("-C -E -j --cd --env --jobs"), subcommands=(("exec",), ("x",)), needs_dashes=True,
            command=_words("-c --command"),
        ),
        "asdf": Wrapper(subcommands=(("exec",),)),
        "op": Wrapper(values=_words("--env-file --account"), subcommands=_RUN),
        "doppler": Wrapper(
            values=_words("-p -c -t --project --config --token"), subcommands=_RUN, text=_words("--command")
        ),
        "infisical": Wrapper(needs_dashes=True, subcommands=_RUN),
        "aws-vault": Wrapper(values=_words("-d -t --duration --mfa-token"), subcommands=(("exec",),), own=1),
        "chamber": Wrapper(needs_dashes=True, subcommands=(("exec",),)),
        "envdir": Wrapper(own=1),
        "nix": Wrapper(subcommands=(("develop",), ("shell",)), command=_words("-c --command"), needs_dashes=True),
        "nix-shell": Wrapper(text=_words("--run --command"), needs_dashes=True),
        "devbox": Wrapper(subcommands=_RUN, values=_words("-c -e --config --env")),
        "conda": Wrapper(values=_words("-n -p --name --prefix --cwd"), subcommands=_RUN),
        "mamba": Wrapper(values=_words("-n -p --name --prefix --cwd"), subcommands=_RUN),
        "micromamba": Wrapper(values=_words("-n -p -r --name --prefix --root-prefix --cwd"), subcommands=_RUN),
        "poetry": _PYTHON_RUN,
        "pipenv": _PYTHON_RUN,
        "pdm": _PYTHON_RUN,
        "rye": _PYTHON_RUN,
        "hatch": _PYTHON_RUN,
        "pixi": _PYTHON_RUN,
        "volta": Wrapper(values=_words("--node --npm --yarn"), subcommands=_RUN),
        "fnm": Wrapper(values=_words("--using"), subcommands=(("exec",),)),
        # Sandboxes and containers.
        "bwrap": Wrapper(
            values=_words(
                "--args --argv0 --block-fd --chdir --cap-add --cap-drop --dev --dir --exec-label --gid --hostname"
                " --info-fd --lock-file --mqueue --perms --proc --remount-ro --seccomp --size --sync-fd --tmpfs --uid"
                " --unsetenv --userns --userns-block-fd"
            ),
            pairs=_words(
                "--bind --bind-data --bind-try --chmod --dev-bind --dev-bind-try --file --ro-bind --ro-bind-data"
                " --ro-bind-try --setenv --symlink"
            ),
        ),
        "firejail": Wrapper(),
        "unshare": Wrapper(values=_words("-S -G -R -w --setuid --setgid --root --wd --propagation --map-user")),
        "chroot": Wrapper(own=1),
        "docker": _CONTAINER,
        "podman": _CONTAINER,
        "nerdctl": _CONTAINER,
        "docker-compose": _COMPOSE,
        "podman-compose": _COMPOSE,
        "kubectl": Wrapper(
            values=_words("-n -c --namespace --context --kubeconfig --container"), subcommands=(("exec",),),
            needs_dashes=True, is_literal=False,
        ),
        "devcontainer": Wrapper(
            values=_words("--workspace-folder --container-id --config --remote-env --id-label"),
            subcommands=(("exec",),), is_literal=False,
        ),
        # Other machines.
        "ssh": Wrapper(
            values=_words("-b -B -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w"), own=1, joins=True,
            is_literal=False,
        ),
    }
)  # fmt: skip


def unwrap(program: str, words: list[str]) -> Wrapped | None:
    """Return the command inside a wrapper's words; None for any other program, and where it starts nothing."""
    wrapper = WRAPPERS.get(program)
    if program in ("docker", "podman") and words[:1] == ["compose"]:
        wrapper, words = _COMPOSE, words[1:]
    if wrapper is None:
        return None
    for subcommand in wrapper.subcommands:
        # Options of its own may stand before the subcommand, too.
        rest = _Options(wrapper, words).rest if subcommand else words
        if rest is not None and tuple(rest[: len(subcommand)]) == subcommand:
            return _inside(wrapper, rest[len(subcommand) :])
    return None


def _inside(wrapper: Wrapper, words: list[str]) -> Wrapped | None:
    options = _Options(wrapper, words)
    rest = options.rest
    if options.text is not None:
        return Wrapped(text=options.text, is_literal=False)
    if wrapper.needs_dashes and not options.dashes and not options.command:
        # Anything of its own may stand before it: a version, a package, a pod.
        at = next((n for n, word in enumerate(words) if word in wrapper.starts), None)
        if at is None:
            return None
        if words[at] in wrapper.text:
            return Wrapped(text=words[at + 1], is_literal=False) if at + 1 < len(words) else None
        rest = words[at + 1 :]
    elif rest is None:
        return None
    elif wrapper.own and not (options.dashes and wrapper.needs_dashes):
        rest = rest[wrapper.own :]
        if rest[:1] and rest[0] in wrapper.text:  # flock FILE -c TEXT, su USER -c TEXT
            return Wrapped(text=rest[1], is_literal=False) if len(rest) > 1 else None
        if rest[:1] == ["--"]:
            rest = rest[1:]
    if options.program is not None:
        rest = [options.program, *rest]
    if wrapper.joins:
        return Wrapped(words=tuple(rest), text=" ".join(rest), is_literal=False)
    return Wrapped(words=tuple(without_assignments(rest)), is_literal=wrapper.is_literal)


class _Options:
    """What stands before the first word that is no option."""

    def __init__(self, wrapper: Wrapper, words: list[str]) -> None:
        self.rest: list[str] | None = None  # None: with these options it starts nothing
        self.text: str | None = None
        self.program: str | None = None
        self.dashes = self.command = False
        at = 0
        while at < len(words) and words[at].startswith("-") and words[at] != "-":
            word = words[at]
            name, given, value = word.partition("=")
            following = words[at + 1] if at + 1 < len(words) else ""
            if word == "--":
                self.dashes = True
                at += 1
                break
            if name in wrapper.not_with:
                return
            if name in wrapper.command:
                self.command = True
                at += 1
                break
            if name in wrapper.text:
                self.text = value if given else following
                return
            if _letter(word) in wrapper.text:  # script -qec TEXT
                self.text = following
                return
            if name == wrapper.program:
                self.program = value if given else following
            takes = 2 if name in wrapper.pairs else 1 if name in wrapper.values else 0
            at += 1 + (0 if given and takes == 1 else takes) + (name == wrapper.program and not given)
        self.rest = words[at:]


def _letter(word: str) -> str:
    """Return the last of several letters behind one dash, as an option of its own."""
    return f"-{word[-1]}" if len(word) > 2 and word[1] != "-" and word[1:].isalpha() else ""


def without_assignments(words: list[str]) -> list[str]:
    """Leave out the variables that a command begins with."""
    at = 0
    while at < len(words) and (name := words[at].partition("=")[0]) != words[at] and name.isidentifier():
        at += 1
    return words[at:]
