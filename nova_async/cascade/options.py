"""What can be set on a task: how it is read from a cell, a bullet or the front matter, and what holds by default."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, final

from nova_async.agents import DEFAULT_AGENT
from nova_async.cascade import values
from nova_async.cascade.agent_order import (
    BY_AGENT,
    AgentChoice,
    choices_of,
    joined_by_agent,
    options_for,
    parse_agent,
    parse_agents,
)
from nova_async.cascade.diagnostics import shown
from nova_async.words import OnBudget, OnFailure, Permissions

__all__ = [
    "OPTIONS",
    "Option",
    "TaskOptions",
    "as_header",
    "find_option",
    "joined_options",
    "parse_option",
    "text_of_toml",
]


@final
@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The options of one task as they hold in the end: task over front matter over built-in."""

    agent: str = DEFAULT_AGENT
    """Whose command line, output and way of stopping it is."""
    account: str = ""
    """The name of the account that it runs under; empty for the agent's usual one."""
    model: str | None = None
    """None: the agent's own choice."""
    priority: int = 2
    """Among ready tasks the lower number goes first."""
    retries: int = 1
    """Further attempts after the first."""
    timeout: float | None = None
    """Seconds for one attempt; None is off."""
    idle_timeout: float | None = None
    """Seconds of silence; None is off."""
    max_memory: int | None = None
    """Bytes of memory for the agent with all that it starts; None is off."""
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    budget_usd: float | None = None
    """US dollars for all attempts of this task together."""
    budget_tokens: int | None = None
    """Tokens for all attempts of this task together."""
    resume_session: bool = True
    """Whether a further attempt resumes the agent's session of the last one, where it can."""
    max_turns: int | None = None
    """None: the agent's own limit."""
    permissions: Permissions = Permissions.EDIT
    """What the agent may do; the same words for every agent."""
    agent_args: tuple[str, ...] = ()
    """Further options for the agent's command line, already split."""
    task_class: str | None = None
    """The option ``class``: tasks of one class share a limit."""
    slots: int = 1
    """How many places among the workers the task takes."""
    cwd: str = "."
    """Where it works, from the folder of the run."""
    worktree: bool = False
    """A git worktree and a branch of its own."""
    verify: tuple[str, ...] | None = None
    """A command, already split, that must exit 0 after the agent's success."""
    on_failure: OnFailure = OnFailure.CONTINUE
    on_budget: OnBudget = OnBudget.STOP
    tags: tuple[str, ...] = ()
    optional: bool = False
    """Not run unless somebody asks for it."""
    gate: bool = False
    """Not begun before somebody has approved it."""
    then: tuple["TaskOptions", ...] = ()
    """The options under the agents that follow in the order, should this one's account be at its usage limit."""

    @property
    def choice(self) -> AgentChoice:
        """The agent and its account."""
        return AgentChoice(self.agent, self.account)

    @property
    def in_order(self) -> tuple["TaskOptions", ...]:
        """These options and those under the agents that follow."""
        return (self, *self.then)

    @classmethod
    def layered(cls, *layers: Mapping[str, Any]) -> "TaskOptions":
        """Put layers of values on top of the built-in ones; the first layer wins.

        Raises ``TypeError`` for a layer with a name that is no option.
        """
        values = {name: value for layer in reversed(layers) for name, value in layer.items()}
        if not {"agent", *BY_AGENT} & values.keys():
            return cls(**values)
        choices = choices_of(values.get("agent", DEFAULT_AGENT))
        first, *others = (cls(**values | options_for(each, choices[0].agent, layers)) for each in choices)
        return replace(first, then=tuple(others))


@final
@dataclass(frozen=True, slots=True)
class Option:
    """One option: its attribute in ``TaskOptions``, the headers it stands under, and its reader."""

    attribute: str
    headers: tuple[str, ...]
    read: Callable[[str], object]

    @property
    def key(self) -> str:
        """The name in the front matter and in messages."""
        return self.headers[0].replace(" ", "_")

    def from_text(self, text: str) -> object:
        """Read a cell or a bullet; backticks around the whole are dropped.

        Raises ``ValueError`` for a text that is not a value of this option; the message begins with the option's key.
        """
        text = text.strip()
        bare = text.strip("`").strip()
        if text[:1] == text[-1:] == "`" and "`" not in bare:
            text = bare
        try:
            return self.read(text)
        except ValueError as error:
            kind = values.NotAnOption if isinstance(error, values.NotAnOption) else ValueError
            raise kind(f"{self.key}: {error}") from None

    def from_toml(self, value: object) -> object:
        """Read a value of the front matter or of a settings file.

        Raises ``ValueError`` as ``from_text`` does.
        """
        if self.attribute in BY_AGENT and isinstance(value, dict):
            return {self._agent(name): self.from_toml(words) for name, words in value.items()}
        if self.attribute == "agent" and isinstance(value, list):
            if not value or not all(isinstance(word, str) for word in value):
                raise ValueError(f"{self.key}: {shown(str(value))} is not a list of agents")
            value = ",".join(value)
        if self.read in (values.parse_list, values.parse_command, values.parse_check) and isinstance(value, list):
            if not all(isinstance(word, str) for word in value) or (self.attribute == "verify" and not value):
                raise ValueError(f"{self.key}: {shown(str(value))} is not a list of strings")
            if self.read is values.parse_check and (found := {"&&", "||", ";"}.intersection(value)):
                raise ValueError(f"{self.key}: not run by a shell, so {min(found)} would be a plain argument")
            return tuple(value)
        if self.read is values.parse_text and not isinstance(value, str):
            raise ValueError(f"{self.key}: {shown(text_of_toml(value))} is not a string")
        try:
            return self.read(text_of_toml(value))
        except ValueError as error:
            raise ValueError(f"{self.key}: {error}") from None

    def _agent(self, name: str) -> str:
        try:
            return parse_agent(name)
        except ValueError as error:
            raise ValueError(f"{self.key}: {error}") from None


def joined_options(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """Put one layer of options on top of another and make them one; what is set by agent is joined by agent."""
    return {**lower, **upper, **joined_by_agent(upper, lower)}


ABOVE_NOTHING = values.whole_number(1, "a budget must be above 0")
OPTIONS = (
    Option("agent", ("agent",), parse_agents),
    Option("model", ("model",), values.parse_text),
    Option("priority", ("priority",), values.parse_priority),
    Option("retries", ("retries",), values.whole_number()),
    Option("timeout", ("timeout",), values.unless_off(values.parse_limit_duration)),
    Option("idle_timeout", ("idle timeout", "idle"), values.unless_off(values.parse_limit_duration)),
    Option("max_memory", ("max memory",), values.unless_off(values.parse_size)),
    Option("grace", ("grace",), values.parse_duration),
    Option("budget_usd", ("budget usd", "budget"), values.unless_off(values.parse_money)),
    Option("budget_tokens", ("budget tokens", "tokens"), values.unless_off(ABOVE_NOTHING)),
    Option("max_turns", ("max turns",), values.whole_number(1)),
    Option("resume_session", ("resume session",), values.parse_yes_no),
    Option("permissions", ("permissions",), values.one_of(*Permissions)),
    Option("agent_args", ("agent args",), values.parse_command),
    Option("task_class", ("class",), values.parse_text),
    Option("slots", ("slots",), values.whole_number(1)),
    Option("cwd", ("cwd",), values.parse_text),
    Option("worktree", ("worktree",), values.parse_yes_no),
    Option("verify", ("verify",), values.parse_check),
    Option("on_failure", ("on failure",), values.one_of(*OnFailure)),
    Option("on_budget", ("on budget",), values.one_of(*OnBudget)),
    Option("tags", ("tags",), values.parse_list),
    Option("optional", ("optional",), values.parse_yes_no),
    Option("gate", ("gate",), values.parse_yes_no),
)
BY_HEADER = {header: option for option in OPTIONS for header in option.headers}


def as_header(text: str) -> str:
    """Bring a header or key into the form in which they are compared: no case, emphasis, backticks, underscores."""
    return " ".join(re.sub(r"[*`]", "", text).replace("_", " ").replace("\\", "").casefold().split())


def find_option(header: str) -> Option | None:
    """Find the option that a column header, a bullet's key or a front-matter key means."""
    return BY_HEADER.get(as_header(header))


def parse_option(name: str, text: str) -> tuple[str, object]:
    """Read one option from text, as a command line has it: the attribute of ``TaskOptions`` and its value.

    Raises ``ValueError`` for a name that is no option, and for a text that is not a value of it.
    """
    option = find_option(name)
    if option is None:
        raise ValueError(f"{shown(name)} is not an option")
    return option.attribute, option.from_text(text)


def text_of_toml(value: object) -> str:
    """Write a TOML value as the text that would stand in a cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and "e" in repr(value):
        return f"{value:.15f}".rstrip("0")  # 1e-05 is no number that an author would write into a cell
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
