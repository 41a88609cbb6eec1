"""What the front matter says about the whole run, and the default options of its tasks."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

from nova_async.cascade import values
from nova_async.cascade.diagnostics import did_you_mean, shown
from nova_async.cascade.milestones import Milestone
from nova_async.cascade.notify import Notify, parse_notify
from nova_async.cascade.options import joined_options, text_of_toml
from nova_async.cascade.shell_words import needs_a_shell, refuse_open_placeholders
from nova_async.prices import ModelPrice
from nova_async.redaction import check_rules
from nova_async.words import Leftovers, Outcome, PlanOrder

__all__ = ["SETTINGS", "RunSettings", "parse_agent_command", "parse_env", "parse_order", "parse_pass_env"]

ON_USAGE_LIMIT = ("wait", "fail", "next")
TABLES = frozenset({"accounts", "classes", "env", "prices"})
OURS = frozenset({"NOVA_WORKER", "NOVA_TASK_ID", "NOVA_ATTEMPT", "NOVA_PROMPT"})
PRICES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
VARIABLE = re.compile(r"[^\W\d]\w*|[\w*]*\*[\w*]*")  # ``*`` alone means all of them
PROMPT_VIA = ("auto", "arg", "stdin", "file")


@final
@dataclass(frozen=True, slots=True)
class RunSettings:
    """The values of the front matter, each with its built-in default; ``written`` tells which ones the author set."""

    command: tuple[str, ...] | None = None
    """The agent's command line with placeholders, already split; None is the agent's own."""
    prompt_via: Literal["auto", "arg", "stdin", "file"] = "auto"
    prompt_prefix: str = ""
    prompt_suffix: str = ""
    max_workers: int = 3
    min_free_memory: int | None = None
    """Bytes that must be available on the machine for another attempt to begin; None is off."""
    classes: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many tasks of a class may run at once."""
    order: PlanOrder = PlanOrder.AUTO
    retry_on: tuple[Outcome, ...] = (
        Outcome.SIGNAL, Outcome.TIMEOUT, Outcome.STALLED, Outcome.LOST_TAIL, Outcome.OVERLOAD, Outcome.NETWORK,
    )  # fmt: skip
    """Outcomes after which an attempt is repeated."""
    backoff: tuple[float, float] = (30.0, 600.0)
    """The first and the longest wait before another attempt, in seconds."""
    on_usage_limit: Literal["wait", "fail", "next"] = "wait"
    max_wait: float | None = None
    """Seconds that a run waits for a usage limit to reset; for one that takes longer, it ends. None is any time."""
    pace: Literal["on", "off"] | float = "on"
    """From which used share of a usage limit the starts of its account slow down."""
    linger: float | None = 30.0
    """Seconds that an agent may stay after its final result; None is off."""
    leftovers: Leftovers = Leftovers.KILL
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    pass_env: tuple[str, ...] | None = None
    """Names of inherited variables that tasks see; None is all of them."""
    isolate_config: bool = False
    accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    """The variables that choose each account's login, by the account's name."""
    redact: tuple[str, ...] = ()
    """Names of variables whose values are not to be written down, and patterns between slashes."""
    base_branch: str = "HEAD"
    notify: tuple[Notify, ...] = ()
    """Who is notified of what happens to the run."""
    prices: Mapping[str, ModelPrice] = field(default_factory=dict, hash=False)
    """Prices by model, above the published ones."""
    budget_usd: float | None = None
    """US dollars for the whole run."""
    budget_tokens: int | None = None
    """Tokens for the whole run."""
    milestones: tuple[Milestone, ...] = ()
    task_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Default options of all tasks, by the attributes of ``TaskOptions``."""
    written: frozenset[str] = frozenset()
    """The keys that are set, as they are written in the plan or its settings file."""
    inherited: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Those of them that come from a settings file, with the name of that file."""

    def above(self, base: "RunSettings") -> "RunSettings":
        """Return these settings, with those of ``base`` where nothing is set here; tables are joined entry by entry.

        If an agent is set here, the command of ``base`` is dropped, and if a command is set here, its agent: either one
        replaces both.
        """
        dropped = "agent" if "command" in self.written else "command" if "agent" in self.written else ""
        keys = (*SETTINGS, "accounts")
        mine = {key: getattr(self, key) for key in keys if key in self.written}
        theirs = {key: getattr(base, key) for key in keys if key in base.written and key != dropped}
        # Nobody can make public what somebody else keeps secret.
        mine["redact"] = tuple(dict.fromkeys((*base.redact, *self.redact)))
        for table in TABLES & mine.keys() & theirs.keys():
            mine[table] = {**theirs[table], **mine[table]}
        options = {name: value for name, value in base.task_options.items() if name != dropped}
        return replace(
            self,
            **(theirs | mine),
            task_options=joined_options(self.task_options, options),
            written=self.written | (base.written - {dropped}),
            inherited={key: name for key, name in base.inherited.items() if key not in self.written | {dropped}},
        )

    def with_command(self, command: tuple[str, ...] | None) -> "RunSettings":
        """Return these settings with another command, or with none, chosen above all that is written."""
        inherited = {key: name for key, name in self.inherited.items() if key != "command"}
        return replace(self, command=command, inherited=inherited)


def parse_order(text: str) -> PlanOrder:
    """Read ``auto``, ``deps`` or ``phase``.

    Raises ``ValueError`` for anything else.
    """
    return PlanOrder(values.one_of(*PlanOrder)(text))


def _from_text(read: Callable[[str], object]) -> Callable[[object], object]:
    """Let a reader of cells read a TOML value."""
    return lambda value: read(text_of_toml(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(text_of_toml(value))} is not a string")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{shown(text_of_toml(value))} is not a list of strings")
    return tuple(value)


def _command(value: object) -> tuple[str, ...]:
    words = parse_agent_command(value) if isinstance(value, str) else _texts(value)
    if not words or not words[0]:
        raise ValueError("no program given")
    refuse_open_placeholders(words)
    return words


def parse_agent_command(text: str) -> tuple[str, ...]:
    """Split the command of an agent, as a shell would, without running one.

    Raises ``ValueError`` for what cannot be split, for what only a shell reads, and for a placeholder that a shell
    would run.
    """
    if complaint := needs_a_shell(text):
        raise ValueError(complaint)
    if not text.strip():
        raise ValueError("no program given")
    words = values.parse_command(text)
    refuse_open_placeholders(words)
    return words


def _classes(value: object) -> dict[str, int]:
    read = values.whole_number(1)
    return {name: read(text_of_toml(count)) for name, count in _table(value).items()}


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{shown(text_of_toml(value))} is not a table")
    return value


def parse_env(value: object) -> dict[str, str]:
    """Read a table of variables.

    Raises ``ValueError`` for one that is ours, and for what no variable can be.
    """
    for name, text in _table(value).items():
        if name in OURS:
            raise ValueError(f"{name} is set by nova itself")
        if "\0" in f"{name}{text}":
            raise ValueError(f"{shown(name)} contains a NUL character, which no variable can")
        if not name or "=" in name or isinstance(text, bool) or not isinstance(text, str | int | float):
            raise ValueError(f"{shown(name)} is not set to a string")
    return {name: text_of_toml(text) for name, text in _table(value).items()}


def parse_pass_env(value: object) -> tuple[str, ...] | None:
    """Read ``all``, ``none``, or a list of names of variables, with ``*`` for any characters.

    Raises ``ValueError`` for what cannot be the name of a variable.
    """
    if isinstance(value, str) and value.strip().casefold() in ("all", "none"):
        return None if value.strip().casefold() == "all" else ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(
            f'{shown(text_of_toml(value))} is not all, none or a list of names (write ["API_KEY", "AWS_*"])'
        )
    names = tuple(value)
    for name in names:
        if not VARIABLE.fullmatch(name):
            raise ValueError(f"{shown(name)} is not the name of a variable (write API_KEY, or AWS_* for several)")
    return names


def _retry_on(value: object) -> tuple[Outcome, ...]:
    for word in _texts(value):
        if word not in list(Outcome):
            raise ValueError(f"{shown(word)} is not an outcome{did_you_mean(word, list(Outcome))}")
    return tuple(Outcome(word) for word in _texts(value))


def _redact(value: object) -> tuple[str, ...]:
    return check_rules(_texts(value))


def _prices(value: object) -> dict[str, ModelPrice]:
    prices = {}
    for model, table in _table(value).items():
        if not isinstance(table, dict):
            raise ValueError(f"{shown(model)}: write {{input = 1.25, output = 10}}, in USD per million tokens")
        kinds = _table(table)
        for kind, price in kinds.items():
            if kind not in PRICES:
                raise ValueError(f"{shown(model)}: {shown(kind)} is not one of {', '.join(PRICES)}")
            if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < 1e9:
                raise ValueError(f"{shown(model)}: {kind} is not a price in USD per million tokens")
        if not {"input", "output"} <= kinds.keys():
            raise ValueError(f"{shown(model)}: needs input and output, in USD per million tokens")
        prices[model] = ModelPrice(**{kind: float(str(price)) for kind, price in kinds.items()})
    return prices


SETTINGS: dict[str, Callable[[object], object]] = {
    "command": _command,
    "prompt_via": _from_text(values.one_of(*PROMPT_VIA)),
    "prompt_prefix": _text,
    "prompt_suffix": _text,
    "max_workers": _from_text(values.whole_number(1)),
    "min_free_memory": _from_text(values.unless_off(values.parse_size)),
    "classes": _classes,
    "order": _from_text(parse_order),
    "retry_on": _retry_on,
    "backoff": _from_text(values.parse_duration_range),
    "on_usage_limit": _from_text(values.one_of(*ON_USAGE_LIMIT)),
    "max_wait": _from_text(values.unless_off(values.parse_duration)),
    "pace": _from_text(values.parse_pace),
    "linger": _from_text(values.unless_off(values.parse_duration)),
    "leftovers": _from_text(values.one_of(*Leftovers)),
    "env": parse_env,
    "pass_env": parse_pass_env,
    "isolate_config": _from_text(values.parse_yes_no),
    "redact": _redact,
    "base_branch": _text,
    "notify": parse_notify,
    "prices": _prices,
    "budget_usd": _from_text(values.unless_off(values.parse_money)),
    "budget_tokens": _from_text(values.unless_off(values.whole_number(1, "a budget must be above 0"))),
}
"""How each key about the run is read; ``ValueError`` says what is wrong.

``milestone`` and ``accounts`` have readers of their own.
"""
