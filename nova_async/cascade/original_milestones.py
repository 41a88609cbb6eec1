"""``milestones.yaml`` of the original: read beside a plan, so that nobody has to write his milestones again."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from nova_async.cascade.diagnostics import Diagnostic, Findings, shown
from nova_async.cascade.milestones import Milestone
from nova_async.cascade.plain_yaml import UnreadError, read_plain_yaml

__all__ = ["LARGEST", "read_original_milestones"]

LARGEST = 1024 * 1024  # bytes of the file; the original's has one thousand


def read_original_milestones(
    text: str, file: str, known: Collection[str]
) -> tuple[tuple[Milestone, ...], tuple[Diagnostic, ...]]:
    """Return the milestones, and a W130 for all that cannot be one; ``known`` are the tasks of the plan."""
    findings = Findings(file)
    milestones: dict[str, Milestone] = {}
    try:
        document = read_plain_yaml(text) if len(text) <= LARGEST else {}
    except UnreadError as error:
        findings.add(error.line, "W130", f"not read, because of {error}: write [[milestone]] into the plan instead")
        return (), findings.sorted()
    listed = document.get("milestones") if isinstance(document, Mapping) else document
    if not isinstance(listed, list):
        findings.add(1, "W130", "not read: it has no list of milestones")
        return (), findings.sorted()
    for place, told in enumerate(listed, 1):
        try:
            milestone = milestone_of(told, known)
            if milestone.id in milestones:
                raise ValueError("its id is defined twice")
            milestones[milestone.id] = milestone
        except ValueError as error:
            named = told.get("id") if isinstance(told, Mapping) else None
            name = shown(str(named)) if named is not None else f"number {place}"
            findings.add(1, "W130", f"milestone {name} is left out: {error}")
    return tuple(milestones.values()), findings.sorted()


def milestone_of(told: Any, known: Collection[str]) -> Milestone:
    """Return one of the original's milestones as one of ours. Raises ``ValueError`` with the reason why it is none."""
    if not isinstance(told, Mapping) or not isinstance(told.get("trigger"), Mapping):
        raise ValueError("it has no trigger")
    identity, message, name = (str(told.get(key) or "") for key in ("id", "message", "name"))
    if not identity:
        raise ValueError("it has no id")
    trigger = told["trigger"]
    bare = Milestone(identity, message or name or identity, name)
    match trigger.get("type"):
        case "all_tasks_completed":
            return replace(bare, tasks=tasks_of(trigger.get("tasks"), known))
        case "percentage_complete":
            percent = trigger.get("threshold", 100)  # what the original takes where there is none
            if not isinstance(percent, int | float) or not 0 < percent <= 100:
                raise ValueError(f"threshold {shown(str(percent))} is not a number above 0 and up to 100")
            return replace(bare, percent=float(percent))
        case "any_task_failed":
            return replace(bare, on="first_failure")
    raise ValueError(f"unknown trigger {shown(str(trigger.get('type')))}")


def tasks_of(told: Any, known: Collection[str]) -> tuple[str, ...]:
    """Return the tasks that a trigger names. Raises ``ValueError`` where they are none of the plan's."""
    if not isinstance(told, list) or not told:
        raise ValueError("it names no tasks")
    tasks = tuple(dict.fromkeys(str(task) for task in told))
    if unknown := [task for task in tasks if task not in known]:
        raise ValueError(f"there is no task {shown(unknown[0])}")
    return tasks
