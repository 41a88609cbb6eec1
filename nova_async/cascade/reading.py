"""From the text of a plan to its tasks: reads the file once and gathers all that is wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import final

from nova_async.cascade.blocks import split_blocks
from nova_async.cascade.cascade import Cascade, Task, graph_problems
from nova_async.cascade.diagnostics import CascadeError, Diagnostic, Findings, shown
from nova_async.cascade.drafts import PART_OF, Drafts, TaskDraft
from nova_async.cascade.front_matter import (
    cut_front_matter,
    read_front_matter,
    read_settings_file,
    report_unknown_account,
)
from nova_async.cascade.ids import resolve_word
from nova_async.cascade.milestones import Milestone, check_milestones
from nova_async.cascade.no_tasks import open_fence, why_no_tasks
from nova_async.cascade.options import TaskOptions
from nova_async.cascade.order import Order, bridged, choose_order, file_order_needs
from nova_async.cascade.scan import Scan
from nova_async.cascade.settings import RunSettings, parse_order
from nova_async.words import PlanOrder

__all__ = ["Reading", "parse_cascade", "read_plan"]


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """All that was understood of a file, right or wrong."""

    project: str
    tasks: dict[str, Task]
    settings: RunSettings
    diagnostics: tuple[Diagnostic, ...]
    order: Order = field(default_factory=Order)
    skipped: dict[str, Task] = field(default_factory=dict)


def parse_cascade(
    text: str,
    name: str = "CASCADE.md",
    *,
    settings: str = "",
    settings_name: str = "nova.toml",
    order: str | None = None,
    with_optional: bool = False,
) -> Cascade:
    """Read a plan.

    ``text`` is the whole file; a byte order mark and any kind of line end are fine. ``name`` is what messages call the
    file. ``settings`` is a ``nova.toml`` (a ``pyproject.toml`` where its name says so): what holds where the plan says
    nothing. ``order`` (``auto``, ``deps``, ``phase``) stands above what the plan says. Optional tasks are left out and
    listed in ``skipped``, unless ``with_optional`` is given.

    Raises ``CascadeError`` if one of the files has at least one error; it carries all of both, and the warnings; and
    ``ValueError`` for an ``order`` that is none.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a plan's text, not a {type(text).__name__}: load_cascade(path) reads a file")
    asked = None if order is None else parse_order(order)
    reading = read_plan(text, name, settings, settings_name, order=asked, with_optional=with_optional)
    if any(diagnostic.is_error for diagnostic in reading.diagnostics):
        raise CascadeError(reading.diagnostics)
    return Cascade(
        reading.project, reading.tasks, reading.settings, reading.diagnostics, name,
        order=reading.order, skipped=reading.skipped,
    )  # fmt: skip


def read_plan(
    text: str,
    name: str = "CASCADE.md",
    settings_file: str = "",
    settings_name: str = "nova.toml",
    *,
    order: PlanOrder | None = None,
    with_optional: bool = False,
) -> Reading:
    r"""Read a plan as far as it can be understood; never raises because of the text.

    Lines are cut at ``\n``, ``\r\n`` and ``\r`` only: ``str.splitlines`` also cuts at U+2028 and others, which
    Markdown does not, and every line number after one would be wrong. NUL becomes U+FFFD, as Markdown has it.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    lines = text.split("\n")
    findings, findings_above = Findings(name), Findings(settings_name)
    toml = cut_front_matter(lines, findings)
    own = read_front_matter(toml, findings) if toml is not None else RunSettings()
    settings = own.above(read_settings_file(settings_file, findings_above))
    blocks = open_fence(split_blocks("\n".join(lines)), lines, findings)
    report_unknown_account(settings, (toml, findings), (settings_file, findings_above))
    scan = Scan(blocks, lines, findings, settings.accounts)
    scan.run()
    scan.drafts.fold_parents()
    scan.options.settle(has_settings=bool(own.written))
    if not scan.drafts.claimed and not findings.has("E001", "E10", "E11"):
        findings.add(1, "E100", f"no tasks found: {why_no_tasks(blocks, lines, findings)}")
    plan = Plan(scan.drafts, settings, findings, with_optional=with_optional)
    chosen = plan.choose_order(order)
    tasks = plan.tasks(chosen)
    milestones = plan.milestones(tasks)
    return Reading(
        scan.project,
        {task_id: task for task_id, task in tasks.items() if task_id not in plan.skipped},
        replace(settings, milestones=milestones),
        (*findings_above.sorted(), *findings.sorted()),
        chosen,
        {task_id: task for task_id, task in tasks.items() if task_id in plan.skipped},
    )


@final
class Plan:
    """The drafts of a file on their way to tasks, now that all ids are known."""

    def __init__(self, drafts: Drafts, settings: RunSettings, findings: Findings, *, with_optional: bool) -> None:
        self._drafts = drafts.tasks
        self._groups = drafts.groups
        self._known = drafts.tasks.keys() | drafts.claimed
        self._settings = settings
        self._findings = findings
        self._options = {
            draft.id: TaskOptions.layered(draft.written, settings.task_options) for draft in drafts.tasks.values()
        }
        self.skipped = {
            task_id: None for task_id, options in self._options.items() if options.optional and not with_optional
        }

    def choose_order(self, asked: PlanOrder | None) -> Order:
        """Choose the order, and say where ``[P]`` then means nothing (W112)."""
        written = self._settings.order if asked is None else asked
        place = self._settings.inherited.get("order", self._findings.file)
        drafts = list(self._drafts.values())
        chosen = choose_order(written, f"set in {place}" if asked is None else "asked for", drafts)
        parallel = next((draft for draft in drafts if draft.parallel), None)
        if chosen.kind == PlanOrder.DEPS and parallel is not None:
            text = '[P] has no effect: only declared dependencies count here (order = "phase" keeps the file\'s order)'
            self._findings.add(parallel.line, "W112", text)
        return chosen

    def tasks(self, order: Order) -> dict[str, Task]:
        """Make every draft a task; dependencies lead round those that are skipped."""
        declared = {draft.id: tuple(self._needs(draft)) for draft in self._drafts.values()}
        needs = declared
        if order.kind == PlanOrder.PHASE:
            kept = [draft for draft in self._drafts.values() if draft.id not in self.skipped]
            is_strict = order.is_asked
            places = file_order_needs(kept, {} if is_strict else bridged(declared, self.skipped))
            needs = {task_id: (*declared[task_id], *places.get(task_id, ())) for task_id in declared}
        needs = {**needs, **bridged(needs, self.skipped)}
        self._report_unread(order, needs)
        self._report_skipped()
        tasks = {
            draft.id: Task(
                draft.id,
                draft.name,
                draft.prompt,
                tuple(dict.fromkeys(needs[draft.id])),
                draft.section.branch,
                draft.section.group,
                self._options[draft.id],
                draft.written,
                draft.done,
                draft.line,
            )
            for draft in self._drafts.values()
        }
        for problem in graph_problems(tasks, self._findings.file):
            self._findings.add(problem.line, problem.code, problem.text)
        return tasks

    def _needs(self, draft: TaskDraft) -> Iterable[str]:
        """Give the tasks that a draft says it depends on; a group means all of its tasks."""
        for needed in self._opened(draft.waits.words):
            if needed in self._groups:
                if draft.id not in self._groups[needed]:
                    yield from self._groups[needed]
            elif needed in self._drafts:
                yield needed
            elif needed not in self._known:
                guess = self._findings.guess(needed, self._drafts)
                text = f"task {draft.id} depends on unknown task {shown(needed)}{guess}"
                self._findings.add(draft.line, "E201", text)

    def _opened(self, words: Iterable[str]) -> Iterable[str]:
        return dict.fromkeys(task_id for word in words for task_id in resolve_word(word, self._known))

    def _report_unread(self, order: Order, needs: Mapping[str, Iterable[str]]) -> None:
        """Say which tasks are named like a dependency and are none, unless the order of the file sees to it (W117)."""
        place = {task_id: index for index, task_id in enumerate(self._drafts)}
        for draft in self._drafts.values():
            for line, phrase, ids in draft.waits.unread:
                others = [task_id for task_id in ids if task_id in place and task_id != draft.id]
                if order.kind == PlanOrder.PHASE:
                    others = [task_id for task_id in others if place[task_id] > place[draft.id]]
                if set(others) - set(needs[draft.id]):
                    text = f"{shown(phrase)} is not read as a dependency; write `Depends on: …` on a line of its own"
                    self._findings.add(line, "W117", text)

    def _report_skipped(self) -> None:
        if not self.skipped:
            return
        names = ", ".join(list(self.skipped)[:5]) + (", …" if len(self.skipped) > 5 else "")
        count = "1 optional task is" if len(self.skipped) == 1 else f"{len(self.skipped)} optional tasks are"
        first = self._drafts[next(iter(self.skipped))]
        self._findings.add(first.line, "W120", f"{count} skipped: {names} (run with --with-optional)")

    def milestones(self, tasks: Mapping[str, Task]) -> tuple[Milestone, ...]:
        """Check the milestones; those of a group of the plan, or of a task that is skipped, get the ids that run."""
        groups: dict[str, list[str]] = {}
        for task in tasks.values():
            names = task.group.split(PART_OF)
            for count in range(1, len(names) + 1):
                groups.setdefault(PART_OF.join(names[:count]), []).append(task.id)
        checked = check_milestones(self._settings.milestones, groups, self._known, self._findings)
        return tuple(
            replace(
                milestone,
                tasks=tuple(
                    task_id
                    for named in milestone.tasks
                    for task_id in self._groups.get(named, [named])
                    if task_id not in self.skipped
                ),
            )
            for milestone in checked
        )
