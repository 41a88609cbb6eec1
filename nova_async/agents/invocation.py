"""See through ``npx``, ``env``, ``timeout``, ``sh -c`` and the like to the agent that a command line starts.

Only the words of the command are looked at, never what it prints: a model could forge that (G44).
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, final

from nova_async.agents.shell_text import command_in_text, command_of_shell
from nova_async.agents.wrappers import SHELLS, unwrap

__all__ = ["Invocation", "Names", "agent_and_arguments"]


class Invocation(NamedTuple):
    """What a command starts."""

    agent: str | None
    """Its name; None for any other program."""
    arguments: list[str]
    """What its program gets."""
    is_literal: bool = True
    """Whether it gets just these: a shell, an image or another machine may add some."""


class Known(Protocol):
    """What has to be known of an agent to find it in a command line."""

    @property
    def name(self) -> str: ...
    @property
    def program(self) -> str: ...
    @property
    def packages(self) -> tuple[str, ...]: ...


@final
@dataclass(frozen=True, slots=True)
class Names:
    """The names under which agents are started."""

    programs: Mapping[str, str]
    """Executables, each with its agent's name."""
    packages: Mapping[str, str]
    """Packages, each with its agent's name."""

    @classmethod
    def of(cls, agents: Iterable[Known]) -> "Names":
        """Collect the names of these agents."""
        known = [agent for agent in agents if agent.program]
        return cls(
            {agent.program: agent.name for agent in known},
            {package: agent.name for agent in known for package in agent.packages},
        )


# What runs a package, with the words that must follow it; and those of their options that take the next word.
RUNNERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "npx": ((),),
    "pnpx": ((),),
    "bunx": ((),),
    "uvx": ((),),
    "npm": (("exec",), ("x",)),
    "pnpm": (("dlx",), ("exec",)),
    "yarn": (("dlx",), ("exec",)),
    "bun": (("x",),),
    "uv": (("tool", "run"), ("run",)),
}
RUNNER_VALUES = frozenset(
    {
        *("-p", "--package", "--from", "--with", "--python", "--registry", "--index", "--index-url"),
        *("--cache", "--prefix", "-w", "--workspace", "-C", "--dir"),
    }
)
RUNNERS_OF_PROGRAMS = {"uv": ["run"], "pnpm": ["exec"], "yarn": ["exec"]}  # with these words, any program
SCRIPT_RUNNERS = frozenset({"node", "nodejs", "bun"})
SCRIPT_VALUES = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"})
SCRIPT_IS_TEXT = frozenset({"-e", "--eval", "-p", "--print", "-pe"})
MAX_DEPTH = 12  # wrappers around wrappers


def agent_and_arguments(command: Sequence[Any], names: Names) -> Invocation:
    """Return which of these agents a command starts and the arguments it gets; ``(None, …)`` for any other program."""
    if isinstance(command, str | bytes):  # one string is one program's name here; nobody splits it
        command = [command]
    try:
        words = [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in command]
    except Exception:  # whatever a stranger's __str__ or __iter__ raises: it is no agent
        return Invocation(None, [])
    is_literal = True
    for _ in range(MAX_DEPTH):
        if not words:
            break
        program = _basename(words[0])
        agent = _agent_of_path(words[0], names)
        if agent is not None:
            return Invocation(agent, words[1:], is_literal)
        inner = _inside(program, words[1:])
        if inner is not None:
            words, literal = inner
            is_literal &= literal
            continue
        package = _after_runner(program, words[1:])
        if package is None and program in SCRIPT_RUNNERS:
            script = _after_node(words[1:])
            if not script:
                return Invocation(None, [])
            return Invocation(_agent_of_path(script[0], names), script[1:], is_literal)
        if package is None:
            break
        if package and package[0] in ("-c", "--call"):
            words, is_literal = _split(package[1]) if len(package) > 1 else [], False
            continue
        agent = _agent_of_package(package[0], names) if package else None
        if agent is None and RUNNERS_OF_PROGRAMS.get(program) == words[1:2]:
            words = package  # uv run nice claude
            continue
        return Invocation(agent, package[1:], is_literal)
    return Invocation(None, words[1:])


def _inside(program: str, words: list[str]) -> tuple[list[str], bool] | None:
    """Return the command that a wrapper or a shell starts, and whether it is just these words."""
    if program == "env":
        return _after_env(words), True
    if program in SHELLS:
        return command_of_shell(words) or [], False
    wrapped = unwrap(program, words)
    if wrapped is None:
        return None
    if wrapped.text is not None:
        # ssh joins its words; who wrote them one by one mostly meant them so.
        return command_in_text(wrapped.text, []) or list(wrapped.words), False
    return list(wrapped.words), wrapped.is_literal


def _basename(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _agent_of_path(path: str, names: Names) -> str | None:
    name = _basename(path)
    stem, _, suffix = name.rpartition(".")
    if suffix in ("js", "mjs", "cjs"):
        name = stem
    if name in names.programs:
        return names.programs[name]
    packages = names.packages.items()
    return next((agent for package, agent in packages if f"/node_modules/{package}/" in f"/{path}"), None)


def _agent_of_package(word: str, names: Names) -> str | None:
    version = word.find("@", 1)
    package = word[:version] if version > 0 else word
    return names.packages.get(package) or _agent_of_path(package, names)


def _after_runner(program: str, words: list[str]) -> list[str] | None:
    # None: the program runs no packages, or not with these words.
    for subcommand in RUNNERS.get(program, ()):
        rest = _after_options(words, RUNNER_VALUES) if subcommand else words
        for word in subcommand:
            if rest[:1] != [word]:
                break
            rest = rest[1:]
        else:
            return _after_options(rest, RUNNER_VALUES, stop=("-c", "--call"))
    return None


def _after_node(words: list[str]) -> list[str]:
    rest = _after_options(words, SCRIPT_VALUES, stop=tuple(SCRIPT_IS_TEXT))
    if rest and rest[0] == "run":  # bun run FILE
        rest = _after_options(rest[1:], SCRIPT_VALUES)
    return [] if rest and rest[0] in SCRIPT_IS_TEXT else rest


def _after_options(words: list[str], with_value: frozenset[str], stop: tuple[str, ...] = ()) -> list[str]:
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in stop:
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in with_value else 1
    return words[at:]


def _after_env(words: list[str]) -> list[str]:
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            break
        if word.startswith("--"):
            name, given, value = word.partition("=")
            if name == "--split-string":
                return _after_env(
                    [*_split(value if given else "".join(words[at : at + 1])), *words[at + (not given) :]]
                )
            at += name in ("--unset", "--chdir") and not given
        elif word.startswith("-"):
            letter = next((n for n, c in enumerate(word) if c in "uCSP"), None)
            if letter is None:
                continue
            value = word[letter + 1 :]
            if word[letter] == "S":
                return _after_env([*_split(value or "".join(words[at : at + 1])), *words[at + (not value) :]])
            at += not value
        elif "=" not in word:
            at -= 1
            break
    while at < len(words) and "=" in words[at] and not words[at].startswith("="):
        at += 1
    return words[at:]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []
