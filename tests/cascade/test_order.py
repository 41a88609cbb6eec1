"""Whether the order of the file counts: how it is found out, asked for, and what becomes of tasks that are skipped."""

import pytest

from nova_async.cascade import Cascade, CascadeError, parse_cascade

TABLE = "| ID | What | After |\n|---|---|---|\n| F1 | a | |\n| F2 | b | |\n"


def needs_of(cascade: Cascade) -> dict[str, str]:
    """Give what each task waits for, as a line."""
    return {task.id: " ".join(task.depends_on) for task in cascade.tasks.values()}


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("- [ ] T1 a\n- [ ] T2 b\n", "phase", "no task says what it depends on"),
        ("### T1: a\nx\n### T2: b\nx\n", "phase", "no task says what it depends on"),
        ("- [ ] T1 a\n- [ ] T2 [P] b\n- [ ] T3 c (after T1)\n", "phase", "tasks that may run together are marked [P]"),
        (
            "- [ ] T1 a\n- [ ] T2 b\n- [ ] T3 c\n- [ ] T4 d (after T1)\n",
            "phase",
            "only 1 of 4 tasks says what it depends on",
        ),
        ("- [ ] T1 a\n- [ ] T2 b (after T1)\n- [ ] T3 c (after T1)\n", "deps", "tasks say what they depend on"),
        ("- [ ] T1 a\n- [ ] T2 b\n- [ ] T3 c (after T1)\n", "deps", "tasks say what they depend on"),
        ("- [ ] 1.1 a\n- [ ] 1.2 b\n  - _Depends: 1.1_\n", "phase", "no task says what it depends on"),
        (TABLE, "deps", "tasks are in a table"),
        (f"{TABLE}\n- [ ] T1 a\n", "deps", "tasks are in a table"),
        ("+++\norder = 'deps'\n+++\n- [ ] T1 a\n", "deps", "set in CASCADE.md"),
    ],
)
def test_the_order_and_its_reason(text: str, kind: str, reason: str) -> None:
    """It is chosen by what the plan shows: marks, declared dependencies, a table."""
    order = parse_cascade(text).order
    assert (order.kind, order.reason) == (kind, reason)


def test_who_is_asked_first() -> None:
    """The caller stands above the plan, and the plan above nova.toml."""
    plan = "- [ ] T1 a\n- [ ] T2 b\n"
    assert needs_of(parse_cascade(plan, order="deps")) == {"T1": "", "T2": ""}
    assert needs_of(parse_cascade(TABLE, order="phase")) == {"F1": "", "F2": "F1"}
    from_file = parse_cascade(plan, settings="order = 'deps'\n")
    assert (from_file.order.kind, from_file.order.reason) == ("deps", "set in nova.toml")
    written = f"+++\norder = 'phase'\n+++\n{plan}"
    assert parse_cascade(written, settings="order = 'deps'\n").order.kind == "phase"
    assert parse_cascade(written, order="auto").order.reason == "no task says what it depends on"
    with pytest.raises(ValueError, match="'files' is not one of auto, deps, phase"):
        parse_cascade(plan, order="files")


def test_a_task_goes_after_the_one_that_it_needs_below_it() -> None:
    """Where the order was found out, a declared dependency on a later task moves the task; asked for, it is a cycle."""
    text = "- [ ] T1 a\n- [ ] T2 [P] b (depends on T3)\n- [ ] T3 c\n- [ ] T4 d\n"
    assert needs_of(parse_cascade(text)) == {"T1": "", "T2": "T3", "T3": "T1", "T4": "T2"}
    with pytest.raises(CascadeError, match="E203"):
        parse_cascade(text, order="phase")


def test_tasks_that_need_each_other_are_a_cycle_in_any_order() -> None:
    """Two tasks below each other are found, and the rest of the plan does not hide them."""
    with pytest.raises(CascadeError, match=r"E203 dependency cycle: T2 -> T3 -> T2"):
        parse_cascade("- [ ] T1 a\n- [ ] T2 b (after T3)\n- [ ] T3 c (after T2)\n- [ ] T4 d\n- [ ] T5 e\n- [ ] T6 f\n")


def test_headings_keep_marked_tasks_apart() -> None:
    """Neighbours marked ``[P]`` run together below one heading of any rank, and not across it; nor across parents."""
    text = "- [ ] 1. a\n- [ ] 1.1 b (P)\n- [ ] 1.2 c (P)\n- [ ] 2. d\n- [ ] 2.1 e (P)\n\n#### More\n\n- [ ] 3 f (P)\n"
    assert needs_of(parse_cascade(text)) == {"1.1": "", "1.2": "", "2.1": "1.1 1.2", "3": "2.1"}


def test_a_crowd_of_marked_tasks_goes_in_steps() -> None:
    """What each task waits for stays bounded, however many are marked."""
    cascade = parse_cascade("".join(f"- [ ] T{n} [P] x\n" for n in range(500)))
    assert [len(wave) for wave in cascade.waves()] == [200, 200, 100]


OPTIONAL = "- [ ] T1 a\n- [ ]* T2 b\n- [ ] T3 c (depends on T2)\n- [ ] T4 d\n- [ ] T5 e\n- [ ] T6 f\n"


def test_optional_tasks_are_left_out_and_nothing_waits_for_them() -> None:
    """What depends on one waits for what that one waits for; with them, they are tasks like any other."""
    cascade = parse_cascade(OPTIONAL)
    assert needs_of(cascade) == {"T1": "", "T3": "T1", "T4": "T3", "T5": "T4", "T6": "T5"}
    assert list(cascade.skipped) == ["T2"]
    assert [str(said) for said in cascade.warnings] == [
        "CASCADE.md:2: W120 1 optional task is skipped: T2 (run with --with-optional)"
    ]
    whole = parse_cascade(OPTIONAL, with_optional=True)
    assert needs_of(whole) == {"T1": "", "T2": "T1", "T3": "T2", "T4": "T3", "T5": "T4", "T6": "T5"}
    assert (dict(whole.skipped), whole.warnings) == ({}, ())


def test_optional_as_an_option() -> None:
    """A column or a bullet says it, too, and takes back what a mark says; chains of skipped tasks are bridged."""
    head = "| ID | What | After | Optional |\n|---|---|---|---|\n| F1 | a | | |\n"
    cascade = parse_cascade(f"{head}| F2 | b | F1 | yes |\n| F3 | c | F2 | yes |\n| F4 | d | F3 | no |\n")
    assert needs_of(cascade) == {"F1": "", "F4": "F1"}
    assert list(parse_cascade("- [ ]* T1 a\n  - optional: no\n").tasks) == ["T1"]


def test_milestones_of_parents_and_of_skipped_tasks() -> None:
    """The id of a parent stands for its parts; a task that is skipped is nothing to wait for."""
    head = "+++\n[[milestone]]\nid = 'm'\nmessage = 'x'\ntasks = ['1', '3']\n+++\n"
    cascade = parse_cascade(f"{head}- [ ] 1. a\n  - [ ] 1.1 b\n  - [ ]* 1.2 c\n- [ ] 3. d\n")
    assert cascade.milestones[0].tasks == ("1.1", "3")
