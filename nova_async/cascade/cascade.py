"""The plan itself: tasks, what they wait for, where they stand, and in which order they should go."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from nova_async._core.advice import NO_FILE, PLAN
from nova_async.cascade import graph
from nova_async.cascade.diagnostics import CascadeError, Diagnostic, shown
from nova_async.cascade.milestones import Milestone
from nova_async.cascade.options import TaskOptions
from nova_async.cascade.order import Order
from nova_async.cascade.prompts import result_problems
from nova_async.cascade.selection import check_ids, matching, with_all_they_need
from nova_async.cascade.settings import RunSettings

__all__ = ["Cascade", "Task", "graph_problems"]


@final
@dataclass(frozen=True, slots=True)
class Task:
    """One task of a plan."""

    id: str
    name: str = ""
    """For people; where the plan gives none, the beginning of the prompt."""
    description: str = ""
    """The whole prompt."""
    depends_on: tuple[str, ...] = ()
    branch: str = ""
    """The L1 heading above it, or nothing."""
    group: str = ""
    """The L2 heading above it, or nothing."""
    options: TaskOptions = field(default_factory=TaskOptions)
    """What holds in the end."""
    written: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What is written on the task itself, by the attributes of ``TaskOptions``."""
    done: bool = False
    """Ticked off in the plan: it need not run."""
    line: int = 0
    """Where it stands in the file, counted from 1."""


@final
@dataclass(frozen=True)
class Cascade:
    """A plan that can be run: every dependency exists and none leads back to its own task.

    Raises ``CascadeError`` where a dependency names no task (E201), the task itself (E202), or leads round in a circle
    (E203), and where a prompt asks for the result of a task that its own does not depend on (E205).
    """

    project: str = ""
    tasks: Mapping[str, Task] = field(default_factory=dict, hash=False)
    """By id, in file order."""
    settings: RunSettings = field(default_factory=RunSettings)
    warnings: tuple[Diagnostic, ...] = ()
    name: str = PLAN
    """The file it came from."""
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Options given by ``with_options``."""
    defaults: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Options given by ``with_defaults``."""
    order: Order = field(default_factory=Order)
    """Whether the order of the file counts, and why."""
    skipped: Mapping[str, Task] = field(default_factory=dict, hash=False)
    """Optional tasks, which are not among ``tasks``."""

    def __post_init__(self) -> None:
        problems = graph_problems(self.tasks, self.name)
        if problems:
            raise CascadeError(problems)

    @classmethod
    def of(cls, tasks: Iterable[Task], project: str = "") -> "Cascade":
        """Make a plan from tasks that no file holds.

        Raises ``CascadeError`` as the class does, and for an id that comes twice (E102).
        """
        by_id: dict[str, Task] = {}
        for task in tasks:
            if task.id in by_id:
                raise CascadeError([Diagnostic(task.line, "E102", f"duplicate task id '{task.id}'", "tasks")])
            by_id[task.id] = task
        return cls(project, by_id, name=NO_FILE)

    @property
    def milestones(self) -> tuple[Milestone, ...]:
        """The milestones of the front matter, in file order."""
        return self.settings.milestones

    @cached_property
    def hierarchy(self) -> dict[str, dict[str, list[str]]]:
        """The ids under each L1 and L2 heading, in file order; ``""`` where a task stands under no heading."""
        hierarchy: dict[str, dict[str, list[str]]] = {}
        for task in self.tasks.values():
            hierarchy.setdefault(task.branch, {}).setdefault(task.group, []).append(task.id)
        return hierarchy

    def command_of(self, task: Task) -> tuple[str, ...] | None:
        """Return the command template of a task; None is its agent's own.

        A settings file's command is not for tasks whose plan names an agent.
        """
        if "agent" in task.written and "command" in self.settings.inherited:
            return None
        return self.settings.command

    def in_order(self, task: Task) -> tuple[Task, ...]:
        """Return the task as each agent of its order would run it; one if a usage limit is waited for or fails it.

        A command of the plan's own is one program: then only other accounts of the first agent follow.
        """
        if self.settings.on_usage_limit != "next" and "on_usage_limit" in self.settings.written:
            return (task,)
        is_one_program = self.command_of(task) is not None
        return (
            task,
            *(
                replace(task, options=replace(options, then=()))
                for options in task.options.then
                if options.agent == task.options.agent or not is_one_program
            ),
        )

    def is_written(self, task: Task, option: str) -> bool:
        """Tell whether somebody chose an option's value: on the command line, at the task, or in the front matter."""
        return any(option in layer for layer in (self.overrides, task.written, self.settings.task_options))

    def select(
        self, tasks: Collection[str] = (), *, only: str | None = None, until: Collection[str] = ()
    ) -> frozenset[str]:
        """Return the ids of the tasks that are meant, for ``Orchestrator(only=…)``.

        They are ``tasks``, and those of ``until`` with all that they need; all, where neither names one. Of these the
        expression ``only`` takes some, such as ``"tag:api,!T7"``. Raises ``ValueError`` for what names no task.
        """
        named = check_ids(self.tasks, tasks) | with_all_they_need(self.tasks, check_ids(self.tasks, until))
        selected = named or set(self.tasks)
        if only is not None:
            selected &= matching(self.tasks, only)
            if not selected:
                raise ValueError(f"{shown(only)} matches none of the given tasks")
        return frozenset(selected)

    def waves(self) -> list[list[str]]:
        """Group all tasks so that each depends only on earlier groups, as early as possible."""
        return graph.waves_of(self._dependencies)

    def critical_path(self) -> list[str]:
        """Give the longest chain of tasks that wait for each other: with any number of workers it is the minimum."""
        return graph.longest_path(self._dependencies)

    def dependents(self, task_id: str) -> tuple[str, ...]:
        """Give the tasks that wait for this one directly, in file order.

        Raises ``KeyError`` for an unknown task.
        """
        return tuple(self._dependents[task_id])

    def remaining_path(self, task_id: str) -> int:
        """Count the tasks on the longest chain from this one, itself included, to an end of the plan.

        Raises ``KeyError`` for an unknown task.
        """
        return self._remaining[task_id]

    def order_key(self, task_id: str) -> tuple[int, int, int]:
        """Sort ready tasks by this: priority, then the longer remaining path, then file order.

        Raises ``KeyError`` for an unknown task.
        """
        return self.tasks[task_id].options.priority, -self._remaining[task_id], self._place[task_id]

    def with_options(self, **options: Any) -> "Cascade":
        """Give every task these options, above all that is written; for what a command line says.

        Raises ``TypeError`` for a name that is no attribute of ``TaskOptions``.
        """
        return self._with_layers({**self.overrides, **options}, self.defaults)

    def with_defaults(self, **options: Any) -> "Cascade":
        """Replace built-in defaults, below all that is written.

        Raises ``TypeError`` for a name that is no attribute of ``TaskOptions``.
        """
        return self._with_layers(self.overrides, {**self.defaults, **options})

    def _with_layers(self, top: Mapping[str, Any], bottom: Mapping[str, Any]) -> "Cascade":
        front = self.settings.task_options
        tasks = {
            task.id: replace(task, options=TaskOptions.layered(top, task.written, front, bottom))
            for task in self.tasks.values()
        }
        return replace(self, tasks=tasks, overrides=top, defaults=bottom)

    @cached_property
    def _dependencies(self) -> dict[str, tuple[str, ...]]:
        return {task.id: task.depends_on for task in self.tasks.values()}

    @cached_property
    def _dependents(self) -> dict[str, list[str]]:
        return graph.dependents_of(self._dependencies)

    @cached_property
    def _remaining(self) -> dict[str, int]:
        return graph.remaining_lengths(self._dependencies)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {task_id: index for index, task_id in enumerate(self.tasks)}


def graph_problems(tasks: Mapping[str, Task], file: str) -> list[Diagnostic]:
    """Find what could never be met: unknown dependencies (E201), on itself (E202), cycles (E203), results (E205)."""
    problems = []
    for task in tasks.values():
        for needed in task.depends_on:
            if needed == task.id:
                problems.append(Diagnostic(task.line, "E202", f"task {task.id} depends on itself", file))
            elif needed not in tasks:
                text = f"task {task.id} depends on unknown task '{needed}'"
                problems.append(Diagnostic(task.line, "E201", text, file))
    dependencies = {task.id: [needed for needed in task.depends_on if needed in tasks] for task in tasks.values()}
    for cycle in graph.find_cycles(dependencies):
        text = f"dependency cycle: {' -> '.join(cycle)}"
        problems.append(Diagnostic(tasks[cycle[0]].line, "E203", text, file))
    return problems + result_problems(tasks, file)
