"""What one agent is: all that is particular about one kind of program, in one object."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from nova_async._core.money import plain_amount
from nova_async.agents.configuration import Configuration
from nova_async.agents.event_reader import MODES, EventReader
from nova_async.agents.invocation import Names, agent_and_arguments
from nova_async.agents.plain import PlainReader
from nova_async.agents.reader import AgentReader
from nova_async.agents.rendering import Piece, PlainRenderer, Renderer
from nova_async.agents.session import SessionFiles
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, Permissions

__all__ = [
    "CUSTOM",
    "JSON_MODES",
    "Agent",
    "Call",
    "LoginSigns",
    "ModeOption",
    "ReaderMaker",
    "RendererMaker",
    "SessionFiles",
    "option",
    "text_or",
]

MODEL_OPTIONS = frozenset({"-m", "--model"})  # of all five; to some, one of them means nothing
CUSTOM = "custom"  # what a plan calls a command of its own; no agent has this name
JSON_MODES = frozenset({"json", "stream-json"})

# Output mode or None, what the resumed thread had used before or None -> a reader for one process.
ReaderMaker = Callable[[str | None, TokenUsage | None], AgentReader]
# Output mode or None -> a renderer for one process.
RendererMaker = Callable[[str | None], Renderer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One run of an agent without a terminal, to be written as a command line."""

    prompt: str
    """It begins with nothing that a program would take for an option or for a command of its own."""
    model: str | None = None
    resume: str | None = None
    """The session to go on with."""
    permissions: Permissions = Permissions.EDIT
    max_turns: int | None = None
    max_cost_usd: float | None = None
    """US dollars."""
    extra: tuple[str, ...] = ()
    """Further options of the program, as the user wrote them."""


@dataclass(frozen=True, slots=True)
class ModeOption:
    """The option that chooses an agent's output mode."""

    names: tuple[str, ...] = ()
    """Options followed by the mode, as their next word or after ``=``."""
    flags: tuple[str, ...] = ()
    """Options that mean ``json`` by themselves."""
    modes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({mode: mode for mode in MODES}))
    """The option's values and the modes they mean; anything else is text."""
    with_value: frozenset[str] = frozenset()
    """Other options that take the next word whatever it looks like."""

    def read(self, arguments: Sequence[str]) -> str:
        """Return the mode that the arguments choose; the last one wins, and ``--`` ends the options."""
        mode = "text"
        words = iter(arguments)
        for word in words:
            name, given, value = word.partition("=")
            if word == "--":
                break
            if word in self.flags:
                mode = "json"
            elif name in self.names:
                mode = self.modes.get(value if given else next(words, ""), "text")
            elif word in self.with_value:
                next(words, None)
            elif word[:2] in self.names and word[2:] in self.modes:  # -ojson
                mode = self.modes[word[2:]]
        return mode


@dataclass(frozen=True, slots=True)
class LoginSigns:
    """Variables and files that show that the user is logged in to an agent; nothing here looks for them.

    Without any of them the user may still be logged in: the key may be in a keychain or a settings file.
    """

    variables: tuple[str, ...] = ()
    """Environment variables, any of them."""
    files: tuple[str, ...] = ()
    """Files below the folder of its ``session_files``."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One kind of program and all that is particular about it; take it from ``AGENTS`` or from ``recognise``."""

    name: str
    """Its key in ``AGENTS``: small letters, digits, ``-`` and ``_``."""
    program: str
    """The name of its executable; empty for ``plain``, which is any program."""
    packages: tuple[str, ...] = ()
    """The npm packages that hold it, as ``npx`` takes them."""
    install: str | None = None
    """The command that installs it."""
    login: str | None = None
    """How to log in, as a phrase that starts with a verb: ``run `claude` and type /login``."""
    login_signs: LoginSigns = field(default_factory=LoginSigns)
    tested_versions: tuple[str, ...] = ()
    """The versions that its reader was checked against, oldest first."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are good for it, to be set where the user has not set them."""
    permission_environment: Mapping[Permissions, Mapping[str, str]] = field(default_factory=dict)
    """What ``environment_for`` returns, where the program has no option for its permissions."""
    interrupt_seconds: float = 0.0
    """How long SIGINT to its group is given before SIGTERM; 0 where SIGINT gains nothing."""
    streaming_modes: frozenset[str] = frozenset()
    """Output modes in which it prints while it works."""
    result_modes: frozenset[str] = frozenset()
    """Output modes in which a successful run ends with an event that says so."""
    exit_meanings: Mapping[int, Outcome] = field(default_factory=dict)
    """What it says by an exit code of its own, where no event of its says more."""
    caps_turns: bool = False
    """Whether it can be told to stop after so many turns."""
    caps_cost: bool = False
    """Whether it can be told to stop at so many US dollars; the others must be watched, as far as they tell."""
    counts_live: bool = False
    """Whether it tells its tokens while it works; the others tell them at their end, too late for a limit to act."""
    tells_cost: bool = True
    """Whether it ever tells its cost, at its end at least; False where a budget in dollars could never be kept."""
    tells_denials: bool = True
    """Whether it prints which of its tool calls were denied."""
    not_for_root: Mapping[Permissions, str] = field(default_factory=dict)
    """Permissions that it refuses to root, each with the variable that lifts this where it is ``1``."""
    provider: str = ""
    """Whose models it uses, in OpenTelemetry's word for it; empty where that is the user's choice."""
    names_models: bool = False
    """Whether its output names the models with their tokens; of the others only a command line can name one."""
    whole_account_limits: frozenset[str] = frozenset()
    """The kinds of its usage limits that hold for all models of an account; any other may be that of one model."""
    costs_live: bool = False
    """Whether it tells its cost while it works."""
    session_files: SessionFiles | None = None
    """Where it writes down its sessions; None where nothing is known of that."""
    configuration: Configuration | None = None
    """What a worker with a configuration of its own needs; None if it cannot have one."""
    mode_option: ModeOption | None = None
    make_reader: ReaderMaker = field(default=lambda mode, resumed_from: PlainReader(), repr=False)
    make_renderer: RendererMaker = field(default=lambda mode: PlainRenderer(), repr=False)
    make_command: Callable[[Call], list[str]] | None = field(default=None, repr=False)

    def reader(
        self, mode: str | None = None, resumed_from: TokenUsage | None = None, resumes: str | None = None
    ) -> AgentReader:
        """Return a new reader for one process of this agent.

        ``mode`` is ``"text"``, ``"json"`` or ``"stream-json"``; with None, the first event tells. ``resumed_from`` is
        what the resumed thread had used before (Codex and Qwen, whose totals are the thread's). It is taken off
        unless the agent turns out to have begun another session than ``resumes``. Raises ``ValueError`` for any other
        mode.
        """
        reader = self.make_reader(_mode(mode), resumed_from)
        if isinstance(reader, EventReader):
            reader.resumes = resumes
        return reader

    def renderer(self, mode: str | None = None) -> Renderer:
        """Return a new renderer, which turns the output of one process into pieces of text for people.

        ``mode`` is as for ``reader``; with None, every line that looks like an event of this agent is shown as one.
        Raises ``ValueError`` for any other mode.
        """
        return self.make_renderer(_mode(mode))

    def render(self, output: bytes | Iterable[bytes], mode: str | None = None) -> Iterator[Piece]:
        """Give an output, whole or in chunks as they come, as pieces of text for people.

        Raises ``ValueError`` for a mode that is none.
        """
        renderer = self.renderer(mode)
        for chunk in (output,) if isinstance(output, bytes) else output:
            yield from renderer.feed(chunk)
        yield from renderer.close()

    def opens(self, line: bytes) -> bool:
        """Whether its output can begin with such a line, as far as its reader knows events."""
        reader = self.reader()
        return isinstance(reader, EventReader) and reader.opens(line)

    def command(
        self,
        prompt: str,
        model: str | None = None,
        resume: str | None = None,
        permissions: Permissions | str = Permissions.EDIT,
        extra: Sequence[str] = (),
        *,
        max_turns: int | None = None,
        max_cost_usd: float | None = None,
    ) -> list[str]:
        """Return the command line that runs a prompt without a terminal, with the best live numbers there are.

        ``resume`` is a session id from an earlier report, ``extra`` are further options of the program. An agent that
        cannot cap its turns or its cost by itself (``caps_turns``, ``caps_cost``) is not told of them. Raises
        ``ValueError`` for ``plain``, for unknown permissions, and for a cap that is not above 0.
        """
        if self.make_command is None:
            raise ValueError(f"{self.name!r} stands for any program: pass its whole command line instead of a prompt")
        if max_turns is not None and max_turns < 1:
            raise ValueError(f"max_turns must be at least 1, not {max_turns}")
        if max_cost_usd is not None and not (math.isfinite(max_cost_usd) and max_cost_usd > 0):
            raise ValueError(f"max_cost_usd must be above 0, not {max_cost_usd}")
        call = Call(
            prompt=_as_data(prompt),
            model=model,
            resume=resume,
            permissions=_permissions(permissions),
            max_turns=max_turns,
            max_cost_usd=max_cost_usd,
            extra=tuple(extra),
        )
        return self.make_command(call)

    @property
    def folder_variables(self) -> frozenset[str]:
        """The variables that name folders of its own."""
        files, own = self.session_files, self.configuration
        found = {files.variable, files.home_variable, files.sessions_variable} if files is not None else set()
        found |= {own.variable, own.login_variable} if own is not None else set()
        return frozenset(name for name in found if name is not None)

    @property
    def own_variables(self) -> frozenset[str]:
        """The variables that name its folders or lift what it refuses; none of them is a secret."""
        return self.folder_variables | {*self.not_for_root.values()}

    def environment_for(self, permissions: Permissions | str) -> Mapping[str, str]:
        """Return the variables that make these permissions hold, whatever else is set; mostly none.

        Raises ``ValueError`` for unknown permissions.
        """
        return self.permission_environment.get(_permissions(permissions), {})

    def mode_of(self, command: Sequence[str]) -> str | None:
        """Return the output mode that a command line asks for.

        None for ``plain``, which has no modes, and where a shell, an image or another machine may ask for another one
        than its words show: the first event will tell.
        """
        if self.mode_option is None:
            return None
        found = agent_and_arguments(command, Names.of([self]))
        mode = self.mode_option.read(found.arguments if found.agent else [str(word) for word in command[1:]])
        return mode if mode != "text" or found.is_literal else None

    def model_of(self, command: Sequence[str]) -> str | None:
        """Return the model that a command line names with ``-m`` or ``--model``; None where it names none."""
        if self.mode_option is None:
            return None
        found = agent_and_arguments(command, Names.of([self]))
        words = iter(found.arguments if found.agent else [str(word) for word in command[1:]])
        model = None
        for word in words:
            name, given, value = word.partition("=")
            if word == "--":
                break
            if name in MODEL_OPTIONS:
                model = value if given else next(words, None)
            elif word in self.mode_option.with_value:
                next(words, None)
        return model or None

    def streams(self, mode: str | None) -> bool:
        """Whether it prints while it works in this mode; elsewhere silence means nothing."""
        return self.mode_option is None or mode in self.streaming_modes

    def is_counted_live(self, mode: str | None) -> bool:
        """Whether its tokens are known while it works in this mode: by its output, or by the files of its session."""
        can_be_read = self.session_files is not None and self.session_files.can_be_read
        return self.counts_live or (can_be_read and self.mode_option is not None and mode in self.streaming_modes)

    def has_result(self, mode: str | None) -> bool:
        """Whether a successful run in this mode ends with an event that says so; its absence is then a failure."""
        return mode in self.result_modes


def option(name: str, value: object) -> list[str]:
    """Return an option with its value, or nothing where there is no value; an amount of money in plain digits."""
    if value is None:
        return []
    return [name, plain_amount(value) if isinstance(value, float) else str(value)]


def text_or(make: ReaderMaker) -> ReaderMaker:
    """Count nothing in text mode, where the model could have said it (G44); elsewhere read events."""
    return lambda mode, before: PlainReader(counts_usage=False) if mode == "text" else make(mode, before)


def _mode(mode: str | None) -> str | None:
    if mode is not None and mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)} or None, not {mode!r}")
    return mode


def _permissions(word: Permissions | str) -> Permissions:
    try:
        return Permissions(word)
    except ValueError:
        raise ValueError(f"permissions must be one of {', '.join(Permissions)}, not {word!r}") from None


def _as_data(prompt: str) -> str:
    # A dash would begin an option, and a slash a command of the agent's own (Claude, Gemini, Qwen: "/cost" asks no
    # model, and ends as a success). Behind a blank all five pass either on to the model, with the blank.
    return f" {prompt}" if prompt.startswith(("-", "/")) else prompt
