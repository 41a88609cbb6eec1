"""Settings: the TOML between two ``+++`` lines at the top of a plan, or in a file for all plans of a folder."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nova_async.cascade import values
from nova_async.cascade.accounts import read_accounts
from nova_async.cascade.agent_order import check_accounts
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.milestones import Milestone, read_milestones
from nova_async.cascade.options import OPTIONS
from nova_async.cascade.settings import SETTINGS, RunSettings
from nova_async.cascade.toml_lines import TomlLines

__all__ = ["KEY_OF", "cut_front_matter", "read_front_matter", "read_settings_file", "report_unknown_account"]

FENCE = "+++"
PYPROJECT = "pyproject.toml"
YAML_KEY = re.compile(r"\s*(?:#.*)?[\w.-]+\s*:(?:\s|$)")
MOST_NAMES = 100  # in one dotted key; ours have three
DEEP_KEY = re.compile(
    rf"""(?:(?:[A-Za-z0-9_-]{{1,99}}|"[^"\n]{{0,99}}"|'[^'\n]{{0,99}}')[ \t]{{0,9}}\.[ \t]{{0,9}}){{{MOST_NAMES}}}"""
)
TOML_PLACE = re.compile(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)

# A budget caps the thing it is written on: at the top of the file that is the run, so tasks have names of their own.
TASK_KEYS = {("task_" if option.key.startswith("budget_") else "") + option.key: option for option in OPTIONS}
KEY_OF = {option.attribute: key for key, option in TASK_KEYS.items()}
"""What an option is called at the top of a plan, by its attribute in ``TaskOptions``."""
# What `nova exec` calls them, and the short names of columns: nearer to other keys by their letters.
ALSO_CALLED = {
    "budget": "budget_usd", "max_budget": "budget_usd", "max_cost": "budget_usd", "max_cost_usd": "budget_usd",
    "max_budget_usd": "budget_usd", "max_tokens": "budget_tokens", "tokens": "budget_tokens", "idle": "idle_timeout",
    "task_budget": "task_budget_usd", "memory": "max_memory",
}  # fmt: skip
OTHERS_KEYS = frozenset({"tags"})  # which Obsidian and most makers of pages write about the file as a whole
KNOWN_KEYS = (*SETTINGS, *TASK_KEYS, "milestone", "accounts")
OWN_NOTHING = ("prompt_prefix", "prompt_suffix", "pass_env")  # keys for which "none" or "-" is a value like any other


def cut_front_matter(lines: list[str], findings: Findings) -> str | None:
    """Take the TOML out of ``lines``, leaving empty lines so that all line numbers stay right.

    Returns the TOML, or None where there is none. Front matter that never ends swallows the file (E001); YAML is taken
    out too, but not read (E003): settings that look set and are not would cost money.
    """
    first = lines[0].rstrip() if lines else ""
    if first not in (FENCE, "---"):
        return None
    ends = (FENCE,) if first == FENCE else ("---", "...")
    end = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() in ends), None)
    if first == "---":
        block = [line for line in lines[1:end] if line.strip() and not line.lstrip().startswith("#")]
        if end is None or not block or not YAML_KEY.match(block[0]):
            return None  # a rule across the page
        ours = next((key for line in block if (key := _key_of_ours(line))), None)
        if ours is None:
            lines[: end + 1] = [""] * (end + 1)
            return None  # what other tools write at the top of their files
        text = f"YAML front matter is not read, but this one sets {ours}; write TOML between two +++ lines"
        findings.add(1, "E003", text)
    elif end is None:
        findings.add(1, "E001", "front matter opened by +++ is never closed")
        end = len(lines) - 1
    toml = "\n".join(lines[1:end])
    lines[: end + 1] = [""] * (end + 1)
    return None if findings.has("E001", "E003") else toml


def _key_of_ours(line: str) -> str | None:
    """Return the key of a line of YAML, if it is one of ours with a value that it could have."""
    key, colon, value = line.partition(":")
    option = TASK_KEYS.get(key)
    if not colon or (option is None and key not in KNOWN_KEYS) or key in OTHERS_KEYS:
        return None
    value = value.partition(" #")[0].strip().strip("'\"")
    try:
        if option is not None and value:
            option.from_text(value)
        elif key == "order":
            SETTINGS[key](value)
    except ValueError:
        return None  # `priority: high` is somebody else's
    return key


def read_front_matter(toml: str, findings: Findings) -> RunSettings:
    """Read the settings; every problem (E002, E004, E104) goes to ``findings`` with its line in the whole file."""
    table = _parsed(toml, findings, "front matter: ", first_line=2)
    return _read(table, TomlLines(toml, first_line=2).line_of, findings, "front-matter key")


def read_settings_file(toml: str, findings: Findings) -> RunSettings:
    """Read a ``nova.toml``, or the table ``[tool.nova]`` of a ``pyproject.toml``: settings for any plan.

    ``findings`` names the file, and gets every problem as of a front matter; milestones belong to a plan (E104).
    """
    toml = toml.removeprefix("\ufeff").replace("\r\n", "\n")
    table = _parsed(toml, findings, "", first_line=1)
    place = ("tool", "nova") if findings.file.endswith(PYPROJECT) else ()
    for name in place:
        found = table.get(name, {})
        table = found if isinstance(found, dict) else {}
    lines = TomlLines(toml, first_line=1)
    if "milestone" in table:
        findings.add(
            lines.line_of(*place, "milestone"), "E104", "milestone: milestones belong in a plan; write it there"
        )
    table = {key: value for key, value in table.items() if key != "milestone"}
    settings = _read(table, lambda *path: lines.line_of(*place, *path), findings, "key")
    return replace(settings, inherited=dict.fromkeys(settings.written, findings.file))


def report_unknown_account(
    settings: RunSettings, plan: tuple[str | None, Findings], settings_file: tuple[str, Findings]
) -> None:
    """Say if the agent of all tasks has an account that neither file knows (E104), where that agent is written.

    ``plan`` and ``settings_file`` are the TOML of each with its findings.
    """
    try:
        check_accounts(settings.task_options.get("agent", ()), settings.accounts)
    except ValueError as error:
        toml, findings = settings_file if "agent" in settings.inherited else plan
        lines = TomlLines(toml or "", first_line=1 if "agent" in settings.inherited else 2)
        place = ("tool", "nova") if findings.file.endswith(PYPROJECT) else ()
        findings.add(lines.line_of(*place, "agent"), "E104", str(error))


def _parsed(toml: str, findings: Findings, about: str, first_line: int) -> Mapping[str, Any]:
    if deep := DEEP_KEY.search(toml):  # the standard library's parser takes quadratic time for it
        line = toml.count("\n", 0, deep.start()) + first_line
        findings.add(line, "E002", f"{about}a key of more than {MOST_NAMES} names")
        return {}
    try:
        return tomllib.loads(toml)
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: a number of 5,000 digits or 1,000 nested lists break the parser itself.
        place = TOML_PLACE.match(str(error))
        last = toml.rstrip("\n").count("\n") + 1
        line = int(place[2]) if place and place[2] else last
        findings.add(line + first_line - 1, "E002", f"{about}{place[1] if place else error}")
        return {}


def _read(table: Mapping[str, Any], line_of: Callable[..., int], findings: Findings, what: str) -> RunSettings:
    """Read a table of settings; ``what`` is what a key of it is called."""
    found: dict[str, Any] = {}
    task_options: dict[str, Any] = {}
    milestones: tuple[Milestone, ...] = ()
    written = set()
    for key, value in table.items():
        option = TASK_KEYS.get(key)
        try:
            if key == "milestone":
                milestones = read_milestones(value, lambda *path: line_of("milestone", *path), findings)
            elif key == "accounts":
                found[key] = read_accounts(value, lambda *path: line_of("accounts", *path), findings)
            elif isinstance(value, str) and values.is_nothing(value) and key not in OWN_NOTHING:
                continue  # as an empty cell: what would hold without it
            elif key in SETTINGS:
                found[key] = SETTINGS[key](value)
            elif option is not None:
                task_options[option.attribute] = option.from_toml(value)
            else:
                guess = findings.guess(ALSO_CALLED.get(key, key), KNOWN_KEYS)
                findings.add(line_of(key), "E004", f"unknown {what} {shown(key)}{guess}")
            written.add(key)
        except ValueError as error:
            # An option's errors begin with its name, and a task's budget has another one here.
            name = "" if key in SETTINGS or option is None else f"{option.key}: "
            findings.add(line_of(key), "E104", f"{key}: {str(error).removeprefix(name)}")
    return RunSettings(**found, milestones=milestones, task_options=task_options, written=frozenset(written))
