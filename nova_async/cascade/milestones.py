"""Milestones: points of a run that somebody wants to hear about, written as ``[[milestone]]`` in the front matter."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

from nova_async.cascade.diagnostics import Findings, shown

__all__ = ["Milestone", "check_milestones", "read_milestones"]

TEXTS = ("id", "message", "name", "hint")
TRIGGERS = ("tasks", "group", "percent", "on")


@final
@dataclass(frozen=True, slots=True)
class Milestone:
    """One milestone; exactly one of ``tasks`` (alone or through ``group``), ``percent`` and ``on`` says when."""

    id: str
    message: str
    name: str = ""
    hint: str = ""
    """A URL or a command."""
    tasks: tuple[str, ...] = ()
    """All of these are completed; for a ``group``, the ids of its tasks."""
    group: str | None = None
    percent: float | None = None
    """At least so much of the whole plan is completed, above 0 and at most 100."""
    on: Literal["first_failure"] | None = None
    line: int = 0

    def is_reached(self, *, completed: Collection[str], failed: Collection[str], total: int) -> bool:
        """Tell whether it is reached, given the ids that are completed and failed and the number of all tasks."""
        if self.on is not None:
            return bool(failed)
        if self.percent is not None:
            return total > 0 and 100 * len(completed) >= self.percent * total
        # The last ones end last: asked after each end, thousands of tasks must not all be gone through each time.
        return bool(self.tasks) and all(task in completed for task in reversed(self.tasks))


def read_milestones(value: object, line_of: Callable[..., int], findings: Findings) -> tuple[Milestone, ...]:
    """Read the front matter's ``milestone``; what is wrong with it goes to ``findings``.

    ``value`` is what TOML gave for the key, ``line_of`` the line of ``milestone``, of its n-th table, or of a key in
    that. ``findings`` takes E004 and E104.
    """
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        findings.add(line_of(), "E104", "milestone: write each one as a [[milestone]] table")
        return ()
    milestones: dict[str, Milestone] = {}
    for index, table in enumerate(value):
        line = line_of(index)
        try:
            milestone = _read_one(table, line)
        except ValueError as error:
            findings.add(line, "E104", f"milestone: {error}")
            continue
        for key in table.keys() - {*TEXTS, *TRIGGERS}:
            guess = findings.guess(key, (*TEXTS, *TRIGGERS))
            findings.add(line_of(index, key), "E004", f"unknown milestone key {shown(key)}{guess}")
        if milestone.id in milestones:
            findings.add(line, "E104", f"milestone: {shown(milestone.id)} is defined twice")
        milestones[milestone.id] = milestone
    return tuple(milestones.values())


def _read_one(table: Mapping[str, object], line: int) -> Milestone:
    """Read one table; ``ValueError`` says what is wrong with it."""
    texts: dict[str, str] = {}
    for key in TEXTS:
        value = table.get(key, "")
        if not isinstance(value, str) or (key in ("id", "message") and not value.strip()):
            raise ValueError(f"{key} is missing" if key not in table else f"{key} is not a string")
        texts[key] = value
    if len(table.keys() & set(TRIGGERS)) != 1:
        raise ValueError(f"{shown(texts['id'])} needs exactly one of {', '.join(TRIGGERS)}")
    milestone = Milestone(texts["id"], texts["message"], texts["name"], texts["hint"], line=line)
    if "tasks" in table:
        tasks = table["tasks"]
        # An empty list would be reached at once: "all of nothing" is true.
        if not isinstance(tasks, list) or not tasks or not all(isinstance(task, str) for task in tasks):
            raise ValueError(f"{shown(texts['id'])}: tasks is not a list of task ids")
        return replace(milestone, tasks=tuple(dict.fromkeys(tasks)))
    if "group" in table:
        group = table["group"]
        if not isinstance(group, str) or not group:
            raise ValueError(f"{shown(texts['id'])}: group is not the name of a group")
        return replace(milestone, group=group)
    if "percent" in table:
        percent = table["percent"]
        if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 < percent <= 100:
            raise ValueError(f"{shown(texts['id'])}: percent is not a number above 0 and up to 100")
        return replace(milestone, percent=float(percent))
    if table["on"] != "first_failure":
        raise ValueError(f"{shown(texts['id'])}: on can only be 'first_failure'")
    return replace(milestone, on="first_failure")


def check_milestones(
    milestones: Sequence[Milestone], groups: Mapping[str, Sequence[str]], known: Collection[str], findings: Findings
) -> tuple[Milestone, ...]:
    """Compare milestones with the tasks there are, and give those of a group the ids of its tasks.

    ``milestones`` are as read, ``groups`` holds the ids of the tasks under each group's name, ``known`` every id that
    stands in the file. ``findings`` takes E204.
    """
    checked = []
    for milestone in milestones:
        start = f"milestone {shown(milestone.id)} names unknown"
        for task in milestone.tasks:
            if task not in known:
                guess = findings.guess(task, known)
                findings.add(milestone.line, "E204", f"{start} task {shown(task)}{guess}")
        if milestone.group is not None and milestone.group not in groups:
            guess = findings.guess(milestone.group, groups)
            findings.add(milestone.line, "E204", f"{start} group {shown(milestone.group)}{guess}")
        elif milestone.group is not None:
            milestone = replace(milestone, tasks=tuple(groups[milestone.group]))
        checked.append(milestone)
    return tuple(checked)
