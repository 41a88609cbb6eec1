"""Questions about "what depends on what": waves, longest paths, cycles. No recursion, so chains may be long."""

from collections import deque
from collections.abc import Container, Mapping, Sequence

__all__ = [
    "Ancestors",
    "Dependencies",
    "ancestors_of",
    "dependents_of",
    "find_cycles",
    "longest_path",
    "remaining_lengths",
    "waves_of",
]

Dependencies = Mapping[str, Sequence[str]]
"""Every task's id with the ids it depends on, in file order; all of them are keys."""


def dependents_of(dependencies: Dependencies) -> dict[str, list[str]]:
    """Turn the arrows round: for every task the ones that wait for it, in file order."""
    dependents: dict[str, list[str]] = {task: [] for task in dependencies}
    for task, needed in dependencies.items():
        for other in dict.fromkeys(needed):
            dependents[other].append(task)
    return dependents


class Ancestors(Container[str]):
    """All that one task depends on, directly or through others."""

    def __init__(self, places: Mapping[str, int], bits: int) -> None:
        self._places = places
        self._bits = bits

    def __contains__(self, task: object) -> bool:
        return isinstance(task, str) and task in self._places and bool(self._bits >> self._places[task] & 1)


def ancestors_of(dependencies: Dependencies) -> dict[str, Ancestors]:
    """Give for every task all that it depends on; those in a cycle, or behind one, are left out.

    A set for each of 10,000 tasks in a chain would fill the memory; as bits of a number they take 12 MB.
    """
    places = {task: index for index, task in enumerate(dependencies)}
    bits: dict[str, int] = {}
    for wave in waves_of(dependencies):
        for task in wave:
            bits[task] = 0
            for needed in dependencies[task]:
                bits[task] |= bits[needed] | 1 << places[needed]
    return {task: Ancestors(places, found) for task, found in bits.items()}


def waves_of(dependencies: Dependencies) -> list[list[str]]:
    """Group the tasks so that each depends only on earlier groups, as early as possible, in file order within one.

    Tasks in a cycle, and those that wait for one, are in no group.
    """
    dependents = dependents_of(dependencies)
    open_needs = {task: len(set(needed)) for task, needed in dependencies.items()}
    place = {task: index for index, task in enumerate(dependencies)}
    waves = []
    wave = [task for task, count in open_needs.items() if count == 0]
    while wave:
        waves.append(wave)
        following = []
        for task in wave:
            for other in dependents[task]:
                open_needs[other] -= 1
                if open_needs[other] == 0:
                    following.append(other)
        wave = sorted(following, key=place.__getitem__)
    return waves


def remaining_lengths(dependencies: Dependencies) -> dict[str, int]:
    """Count for every task the tasks on the longest chain that begins with it and goes on to its dependents."""
    dependents = dependents_of(dependencies)
    lengths: dict[str, int] = {}
    for wave in reversed(waves_of(dependencies)):
        for task in wave:
            lengths[task] = 1 + max((lengths[other] for other in dependents[task]), default=0)
    return {task: lengths[task] for task in dependencies if task in lengths}


def longest_path(dependencies: Dependencies) -> list[str]:
    """Give the longest chain of tasks, first to last; among equals the one whose tasks come first in the file."""
    lengths = remaining_lengths(dependencies)
    dependents = dependents_of(dependencies)
    path: list[str] = []
    choices = list(lengths)
    while choices:
        path.append(max(choices, key=lengths.__getitem__))
        choices = dependents[path[-1]]
    return path


def find_cycles(dependencies: Dependencies) -> list[list[str]]:
    """Find tasks that wait for themselves through others.

    Returns one cycle for each knot of tasks that all wait for each other, each beginning and ending with the knot's
    first task of the file and following "depends on". A task that names itself is not among them.
    """
    place = {task: index for index, task in enumerate(dependencies)}
    return [
        _shortest_way_round(min(knot, key=place.__getitem__), set(knot), dependencies) for knot in _knots(dependencies)
    ]


def _shortest_way_round(first: str, members: set[str], dependencies: Dependencies) -> list[str]:
    """Walk breadth first from a task back to itself, staying among ``members``, who all reach each other."""
    came_from: dict[str, str] = {}
    queue = deque([first])
    while True:
        task = queue.popleft()
        for needed in dependencies[task]:
            if needed == first and task != first:
                path = [first, task]
                while task != first:
                    task = came_from[task]
                    path.append(task)
                return path[::-1]
            if needed in members and needed != first and needed not in came_from:
                came_from[needed] = task
                queue.append(needed)


def _knots(dependencies: Dependencies) -> list[list[str]]:
    """Find the strongly connected groups of two and more tasks: Tarjan's search, its call stack kept in a list."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    knots = []
    for root in dependencies:
        if root in order:
            continue
        calls = [(root, iter(dependencies[root]))]
        order[root] = lowest[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while calls:
            task, rest = calls[-1]
            for needed in rest:
                if needed not in order:
                    order[needed] = lowest[needed] = len(order)
                    stack.append(needed)
                    on_stack.add(needed)
                    calls.append((needed, iter(dependencies[needed])))
                    break
                if needed in on_stack:
                    lowest[task] = min(lowest[task], order[needed])
            else:
                calls.pop()
                if calls:
                    parent = calls[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[task])
                if lowest[task] == order[task]:
                    knot = [stack.pop()]
                    while knot[-1] != task:
                        knot.append(stack.pop())
                    on_stack.difference_update(knot)
                    if len(knot) > 1:
                        knots.append(knot)
    return knots
