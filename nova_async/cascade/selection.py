"""Which tasks of a plan are meant: by their ids, by an expression, or with all that they need.

An expression is a list of words with commas between them. A word is an id, or ``tag:``, ``group:`` or ``branch:`` and a
name; ``*``, ``?`` and ``[…]`` match as in file names, and case does not matter. What any word names is meant, without
what a word behind ``!`` names; with such words alone, all other tasks.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nova_async.cascade.diagnostics import did_you_mean, shown

if TYPE_CHECKING:
    from nova_async.cascade.cascade import Task

__all__ = ["check_ids", "matching", "unmet_needs", "with_all_they_need"]

MOST_NAMED = 8  # names in a message about one that is not there
KINDS: dict[str, "Callable[[Task], Iterable[str]]"] = {
    "tag": lambda task: task.options.tags,
    "group": lambda task: (task.group,),
    "branch": lambda task: (task.branch,),
}


def matching(tasks: "Mapping[str, Task]", expression: str) -> set[str]:
    """Return the tasks that an expression means.

    Raises ``ValueError`` for an expression that cannot be read, for a word that names no task, and if none is left.
    """
    meant: set[str] = set()
    not_meant: set[str] = set()
    words = [word.strip() for word in expression.split(",")]
    for word in words:
        (not_meant if word.startswith("!") else meant).update(named_by(tasks, word.removeprefix("!").strip()))
    if all(word.startswith("!") for word in words):
        meant = set(tasks)
    if not meant - not_meant:
        raise ValueError(f"{shown(expression)} selects no task")
    return meant - not_meant


def named_by(tasks: "Mapping[str, Task]", word: str) -> set[str]:
    """Return the tasks that one word of an expression names."""
    if not word:
        raise ValueError("an empty word selects no task (write T1,T2 or tag:x or !T3)")
    names_of: Callable[[Task], Iterable[str]]
    kind, colon, pattern = word.partition(":")
    if not colon:
        kind, pattern, names_of = "", word, id_of
    elif kind.strip().casefold() in KINDS:
        kind = kind.strip().casefold()
        names_of = KINDS[kind]
    else:
        raise ValueError(f"{shown(kind)} is not one of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}")
    written, pattern = pattern.strip(), pattern.strip().casefold()
    known = {name: None for task in tasks.values() for name in names_of(task) if name}
    names = {name for name in known if name.casefold() == pattern or fnmatchcase(name.casefold(), pattern)}
    if not names:
        what = f"no task has the {kind} {shown(written)}" if kind else f"no task is called {shown(written)}"
        raise ValueError(f"{what}{guess(written, known)}")
    return {task.id for task in tasks.values() if not names.isdisjoint(names_of(task))}


def id_of(task: "Task") -> Iterable[str]:
    """Return what a word without a kind may name."""
    return (task.id,)


def check_ids(tasks: "Mapping[str, Task]", ids: Iterable[str]) -> set[str]:
    """Return these ids as a set. Raises ``ValueError`` for one that no task has."""
    ids = set(ids)
    for task_id in sorted(ids - tasks.keys()):
        raise ValueError(f"no task is called {shown(task_id)}{guess(task_id, tasks)}")
    return ids


def guess(word: str, known: Iterable[str]) -> str:
    """Say which name may be meant, or else which ones there are."""
    names = list(known)
    more = ", …" if len(names) > MOST_NAMED else ""
    there_are = f"; there are {', '.join(names[:MOST_NAMED])}{more}" if names else ""
    return did_you_mean(word, names) or there_are


def with_all_they_need(tasks: "Mapping[str, Task]", ids: Iterable[str]) -> set[str]:
    """Return these tasks and all that they depend on, directly or through others."""
    found, todo = set(ids), list(ids)
    while todo:
        new = [needed for needed in tasks[todo.pop()].depends_on if needed not in found]
        found.update(new)
        todo += new
    return found


def unmet_needs(
    tasks: "Mapping[str, Task]", selected: Collection[str], settled: Collection[str]
) -> dict[str, list[str]]:
    """Return the selected tasks that could never begin, each with those that are missing.

    A dependency is missing that is neither selected nor ``settled``; a task that is settled itself needs none.
    """
    missing = {
        task_id: [needed for needed in tasks[task_id].depends_on if needed not in selected and needed not in settled]
        for task_id in tasks
        if task_id in selected and task_id not in settled
    }
    return {task_id: needs for task_id, needs in missing.items() if needs}
