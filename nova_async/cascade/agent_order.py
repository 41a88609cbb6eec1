"""Which agents may run a task, in which order, under which accounts, and what is set for one of them only."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from nova_async.agents import AGENTS, CUSTOM, DEFAULT_AGENT
from nova_async.cascade import values
from nova_async.cascade.diagnostics import did_you_mean, shown

__all__ = [
    "BY_AGENT",
    "AgentChoice",
    "check_accounts",
    "choices_of",
    "is_account_name",
    "joined_by_agent",
    "options_for",
    "parse_agent",
    "parse_agents",
]

BY_AGENT = ("agent_args", "model")
"""Options that may be a table by agent: what belongs to one agent must not be handed to another."""
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

AgentValue = str | Sequence[str]
"""What a layer of options has for ``agent``: one name, or several in their order, each with or without ``@account``."""


@final
@dataclass(frozen=True, slots=True)
class AgentChoice:
    """An agent, and the account under which it runs."""

    agent: str
    account: str = ""
    """As the plan calls it; empty for the agent's usual one."""

    def __str__(self) -> str:
        return f"{self.agent}@{self.account}" if self.account else self.agent


def is_account_name(name: str) -> bool:
    """Tell whether an account may be called so."""
    return ACCOUNT_NAME.fullmatch(name) is not None


def choices_of(value: AgentValue) -> tuple[AgentChoice, ...]:
    """Return the agents that a value of ``agent`` names, each once."""
    words = (value,) if isinstance(value, str) else value
    return tuple(dict.fromkeys(AgentChoice(*word.split("@", 1)) for word in words)) or (AgentChoice(DEFAULT_AGENT),)


def parse_agent(text: str) -> str:
    """Read the name of an agent, in any case.

    Raises ``ValueError`` for a name that no agent has.
    """
    word = text.strip().casefold()
    if word == CUSTOM or (word in AGENTS and AGENTS[word].program):
        return word
    return values.one_of(*(name for name, agent in AGENTS.items() if agent.program), CUSTOM)(text)


def parse_agents(text: str) -> AgentValue:
    """Read ``codex``, ``claude@work``, or several with commas between them.

    Raises ``ValueError`` for a name that no agent has and for what cannot be an account's name, and ``NotAnOption`` for
    one that is named twice: it could not take over from itself.
    """
    found: list[str] = []
    for word in text.split(","):
        name, at, account = (part.strip() for part in word.partition("@"))
        agent = parse_agent(name)
        if at and not is_account_name(account):
            raise ValueError(f"{shown(word)} names no account: write {agent}@NAME, and [accounts.NAME]")
        choice = str(AgentChoice(agent, account))
        if choice in found:
            raise values.NotAnOption(
                f"{shown(text)} names {choice} twice, but one usage limit stops both: name it once, or with another "
                f"account ({agent}@NAME)"
            )
        found.append(choice)
    return found[0] if len(found) == 1 else tuple(found)


def check_accounts(value: AgentValue, accounts: Collection[str]) -> None:
    """Check that every account that is named is there.

    Raises ``NotAnOption`` for one that is not, which says what to write.
    """
    for choice in choices_of(value):
        if choice.account and choice.account not in accounts:
            how = f'write [accounts.{choice.account}] with env = {{NAME = "value"}}'
            guess = did_you_mean(choice.account, accounts)
            text = f"agent: {shown(str(choice))}: there is no account '{choice.account}'{guess or f'; {how}'}"
            raise values.NotAnOption(text)


def options_for(choice: AgentChoice, first: str, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the options that one agent of an order has for itself; ``first`` is the first agent of that order."""
    return {
        "agent": choice.agent, "account": choice.account,
        "agent_args": arguments_of(choice.agent, layers), "model": model_of(choice.agent, first, layers),
    }  # fmt: skip


def arguments_of(agent: str, layers: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the ``agent_args`` of the first layer that gives this agent some: a list is for all, a table by agent."""
    for layer in layers:
        given = layer.get("agent_args")
        words = given.get(agent) if isinstance(given, Mapping) else given
        if words is not None:
            return tuple(words)
    return ()


def model_of(agent: str, first: str, layers: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the model of the first layer that has one for this agent.

    A name alone is for the agent that its own layer is about, else for the first of the order: a model of Claude's is
    of no use to Codex.
    """
    for place, layer in enumerate(layers):
        given = layer.get("model")
        if isinstance(given, Mapping):
            if agent in given:
                return str(given[agent])
        elif given is not None and agent == (agent_at(layers[place:]) or first):
            return str(given)
    return None


def agent_at(layers: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the first agent that the upper one of these layers names."""
    return next((choices_of(layer["agent"])[0].agent for layer in layers if "agent" in layer), None)


def joined_by_agent(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two layers of options that become one set by agent, entry by entry."""
    joined: dict[str, Any] = {}
    mine, theirs = upper.get("agent_args"), lower.get("agent_args")
    if isinstance(mine, Mapping) and theirs is not None:
        by_agent = theirs if isinstance(theirs, Mapping) else dict.fromkeys(AGENTS, theirs)
        joined["agent_args"] = {**by_agent, **mine}
    mine, theirs = upper.get("model"), lower.get("model")
    here, below = agent_at([upper, lower]), agent_at([lower])
    if theirs is not None and below is not None and not isinstance(theirs, Mapping) and here != below:
        theirs = {below: theirs}
    if isinstance(mine, Mapping) and theirs is not None:
        joined["model"] = {**(theirs if isinstance(theirs, Mapping) else {here or DEFAULT_AGENT: theirs}), **mine}
    elif isinstance(theirs, Mapping):
        joined["model"] = theirs if mine is None else {**theirs, here or DEFAULT_AGENT: mine}
    return joined
