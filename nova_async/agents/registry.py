"""The agents we know: how each is called, stopped and read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nova_async.agents import command_lines
from nova_async.agents.claude import ClaudeReader
from nova_async.agents.codex import CodexReader
from nova_async.agents.command_lines import CommandBuilder, ModeOption
from nova_async.agents.event_reader import MODES
from nova_async.agents.gemini import GeminiReader
from nova_async.agents.invocation import agent_and_arguments
from nova_async.agents.opencode import OpencodeReader
from nova_async.agents.plain import PlainReader
from nova_async.agents.qwen import QwenReader
from nova_async.agents.reader import AgentReader
from nova_async.usage import TokenUsage

__all__ = ["AGENTS", "Agent", "recognise"]

ReaderMaker = Callable[[str | None, TokenUsage | None], AgentReader]

EVENTS = {"json": "json", "stream-json": "stream-json"}

# From `claude --help`: what takes the next word even if it looks like an option; the other programs refuse that
CLAUDE_VALUES = frozenset(
    {
        *("--model", "--fallback-model", "--effort", "--agent", "--agents", "--session-id", "--input-format"),
        *("--system-prompt", "--append-system-prompt", "--system-prompt-file", "--append-system-prompt-file"),
        *("--max-turns", "--max-budget-usd", "--json-schema", "--permission-mode", "--permission-prompt-tool"),
        *("--settings", "--setting-sources", "--debug-file"),
    }
)


@dataclass(frozen=True, slots=True)
class Agent:
    """One kind of program and all that is particular about it; take it from ``AGENTS`` or from ``recognise``."""

    name: str
    """Its key in ``AGENTS``."""
    program: str
    """The name of its executable; empty for ``plain``, which is any program."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are good for it, to be set where the user has not set them."""
    interrupt_seconds: float = 0.0
    """How long SIGINT to its group is given before SIGTERM; 0 where SIGINT gains nothing."""
    streaming_modes: frozenset[str] = frozenset()
    """Output modes in which it prints while it works."""
    result_modes: frozenset[str] = frozenset()
    """Output modes in which a successful run ends with an event that says so."""
    mode_option: ModeOption | None = None
    make_reader: ReaderMaker = field(default=lambda mode, resumed_from: PlainReader(), repr=False)
    make_command: CommandBuilder | None = field(default=None, repr=False)

    def reader(self, mode: str | None = None, resumed_from: TokenUsage | None = None) -> AgentReader:
        """Return a new reader for one process of this agent.

        ``mode`` is ``"text"``, ``"json"`` or ``"stream-json"``; with None, the first event tells. ``resumed_from`` is
        what the resumed thread had used before (Codex, whose totals are the thread's). Raises ``ValueError`` for any
        other mode.
        """
        if mode is not None and mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)} or None, not {mode!r}")
        return self.make_reader(mode, resumed_from)

    def command(
        self, prompt: str, model: str | None = None, resume: str | None = None, extra: Sequence[str] = ()
    ) -> list[str]:
        """Return the command line that runs a prompt without a terminal, with the best live numbers there are.

        ``resume`` is a session id from an earlier report, ``extra`` are further options of the program. Raises
        ``ValueError`` for ``plain``.
        """
        if self.make_command is None:
            raise ValueError(f"{self.name!r} is any program: give its whole command line instead of a prompt")
        return self.make_command(prompt, model, resume, extra)

    def mode_of(self, command: Sequence[str]) -> str | None:
        """Return the output mode that a command line asks for; None for ``plain``, which has no modes."""
        if self.mode_option is None:
            return None
        name, arguments = agent_and_arguments(command)
        return self.mode_option.read(arguments if name == self.name else [str(word) for word in command[1:]])

    def streams(self, mode: str | None) -> bool:
        """Whether it prints while it works in this mode; elsewhere silence means nothing."""
        return self.mode_option is None or mode in self.streaming_modes

    def has_result(self, mode: str | None) -> bool:
        """Whether a successful run in this mode ends with an event that says so; its absence is then a failure."""
        return mode in self.result_modes


def _text_or(make: ReaderMaker) -> ReaderMaker:
    # In the text modes of these four nothing is to be counted: the model could have said it (G44).
    return lambda mode, before: PlainReader(counts_usage=False) if mode == "text" else make(mode, before)


JSON_MODES = frozenset({"json", "stream-json"})

AGENTS: Mapping[str, Agent] = MappingProxyType(
    {
        agent.name: agent
        for agent in (
            Agent(
                name="claude",
                program="claude",
                environment=MappingProxyType(
                    {
                        "DISABLE_AUTOUPDATER": "1",
                        "DISABLE_TELEMETRY": "1",
                        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                    }
                ),
                # Ends its command and mostly prints exact totals within 0.25 s; after TERM it does neither (G37).
                interrupt_seconds=3.0,
                streaming_modes=frozenset({"stream-json"}),
                result_modes=JSON_MODES,
                mode_option=ModeOption(names=("--output-format",), modes=EVENTS, with_value=CLAUDE_VALUES),
                make_reader=lambda mode, _: ClaudeReader(mode),
                make_command=command_lines.claude,
            ),
            Agent(
                name="codex",
                program="codex",
                # Ends its command within 0.1 s; after TERM that would live on.
                interrupt_seconds=3.0,
                streaming_modes=JSON_MODES | {"text"},  # in text mode it tells each step on standard error
                result_modes=JSON_MODES,
                mode_option=ModeOption(flags=("--json", "--experimental-json")),
                make_reader=_text_or(CodexReader),
                make_command=command_lines.codex,
            ),
            Agent(
                name="gemini",
                program="gemini",
                # Its wrapper ignores signals to itself alone (G36).
                environment=MappingProxyType({"GEMINI_CLI_NO_RELAUNCH": "true"}),
                # INT gains nothing here: no result either way, and it takes 2 s where TERM takes less than one.
                interrupt_seconds=0.0,
                streaming_modes=frozenset({"stream-json"}),
                result_modes=JSON_MODES,
                mode_option=ModeOption(names=("-o", "--output-format", "--outputFormat"), modes=EVENTS),
                make_reader=_text_or(lambda mode, _: GeminiReader(mode)),
                make_command=command_lines.gemini,
            ),
            Agent(
                name="opencode",
                program="opencode",
                # INT and TERM end it alike, at once and without a word; its command survives both.
                interrupt_seconds=0.0,
                streaming_modes=JSON_MODES | {"text"},
                result_modes=JSON_MODES,
                mode_option=ModeOption(names=("--format",), modes=EVENTS),
                make_reader=_text_or(lambda mode, _: OpencodeReader(mode)),
                make_command=command_lines.opencode,
            ),
            Agent(
                name="qwen",
                program="qwen",
                # INT ends its wrapper and lets the agent go on; after TERM to the group it cleans up.
                interrupt_seconds=0.0,
                streaming_modes=frozenset({"stream-json"}),
                result_modes=JSON_MODES,
                mode_option=ModeOption(names=("-o", "--output-format", "--outputFormat"), modes=EVENTS),
                make_reader=_text_or(lambda mode, _: QwenReader(mode)),
                make_command=command_lines.qwen,
            ),
            # Background shells ignore INT, and nothing is known to be gained by it.
            Agent(name="plain", program="", interrupt_seconds=0.0),
        )
    }
)
"""The agents by name."""


def recognise(command: Sequence[Any]) -> Agent:
    """Return the agent that a command line starts, also behind ``npx``, ``env`` and the like; else ``plain``.

    Only the command is looked at, never what it prints. Never raises.
    """
    name, _ = agent_and_arguments(command)
    return AGENTS[name or "plain"]
