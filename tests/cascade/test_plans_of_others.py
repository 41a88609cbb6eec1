"""Plans in the forms of other tools, as people write them; what each means stands beside it in a ``.reading``."""

from pathlib import Path

import pytest

from nova_async.cascade.reading import Reading, read_plan

PLANS = sorted((Path(__file__).parent / "data" / "plans").glob("*.md"))


def describe(reading: Reading) -> str:
    """Write a reading down: the order, a line for each task in file order, and where something is said."""
    lines = [f"order: {reading.order.kind}", ""]
    for task in {**reading.tasks, **reading.skipped}.values():
        place = " / ".join(filter(None, (task.branch, task.group)))
        line = f"{task.line}: {task.id} {task.name}"
        line += f" [{place}]" if place else ""
        line += " (done)" if task.done else ""
        line += " (skipped)" if task.id in reading.skipped else ""
        lines.append(line + (f" <- {', '.join(task.depends_on)}" if task.depends_on else ""))
    said = [f"{found.line}: {found.code}" for found in reading.diagnostics]
    return "\n".join([*lines, *(["", *said] if said else [])]) + "\n"


@pytest.mark.parametrize("plan", PLANS, ids=[plan.stem for plan in PLANS])
def test_a_plan_is_read_as_its_author_meant_it(plan: Path) -> None:
    """Ids, names, groups, marks and dependencies are those that stand beside it, and nothing else is said."""
    assert describe(read_plan(plan.read_text())) == plan.with_suffix(".reading").read_text()
