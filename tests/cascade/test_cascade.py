"""A plan as a value: order, paths, waves, layers of options."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nova_async.cascade import Cascade, CascadeError, Task, TaskOptions, load_cascade, parse_cascade

DIAMOND = [
    Task("A1", branch="App", group="Base"),
    Task("B1", depends_on=("A1",), branch="App", group="Base"),
    Task("C1", depends_on=("A1",), branch="App", group="Top"),
    Task("C2", depends_on=("C1",), branch="Web"),
    Task("D1", depends_on=("B1", "C2")),
    Task("X1"),
]


def test_order_of_a_plan() -> None:
    """Waves, the critical path, dependents and remaining paths of a small plan."""
    cascade = Cascade.of(DIAMOND, "Shop")
    assert cascade.waves() == [["A1", "X1"], ["B1", "C1"], ["C2"], ["D1"]]
    assert cascade.critical_path() == ["A1", "C1", "C2", "D1"]
    assert cascade.dependents("A1") == ("B1", "C1")
    assert [cascade.remaining_path(task) for task in cascade.tasks] == [4, 2, 3, 2, 1, 1]
    assert cascade.hierarchy == {
        "App": {"Base": ["A1", "B1"], "Top": ["C1"]},
        "Web": {"": ["C2"]},
        "": {"": ["D1", "X1"]},
    }


def test_ready_tasks_are_ordered_by_priority_then_path_then_place() -> None:
    """The order key puts the lower priority number first, then the longer remaining path, then file order."""
    cascade = Cascade.of(
        [
            Task("A1"),
            Task("A2"),
            Task("A3"),
            Task("A4", depends_on=("A2",)),
            Task("A5", options=TaskOptions(priority=0)),
        ]
    )
    assert sorted(cascade.tasks, key=cascade.order_key) == ["A5", "A2", "A1", "A3", "A4"]


def test_a_plan_that_cannot_be_run_cannot_be_made() -> None:
    """Made by hand, a plan is checked like a file."""
    with pytest.raises(CascadeError, match="E201 task A1 depends on unknown task 'B1'"):
        Cascade.of([Task("A1", depends_on=("B1",))])
    with pytest.raises(CascadeError, match="E203 dependency cycle: A1 -> B1 -> A1"):
        Cascade.of([Task("A1", depends_on=("B1",)), Task("B1", depends_on=("A1",))])
    with pytest.raises(CascadeError, match="E102 duplicate task id 'A1'"):
        Cascade.of([Task("A1"), Task("A1")])


def test_two_knots_are_two_cycles() -> None:
    """Every knot of tasks is reported once, by its shortest way round; tasks that wait for one are not in it."""
    with pytest.raises(CascadeError) as caught:
        Cascade.of(
            [
                Task("Z1", depends_on=("A1",)),
                Task("A1", depends_on=("A2", "A3")),
                Task("A2", depends_on=("A3",)),
                Task("A3", depends_on=("A1",)),
                Task("B1", depends_on=("B2",)),
                Task("B2", depends_on=("B1", "A1")),
            ]
        )
    assert [problem.text for problem in caught.value.diagnostics] == [
        "dependency cycle: A1 -> A3 -> A1",
        "dependency cycle: B1 -> B2 -> B1",
    ]


def test_options_from_outside() -> None:
    """A command line stands above all that is written, a caller's default below; both can be given in any order."""
    cascade = parse_cascade(
        "+++\nretries = 3\n+++\n| ID | What | Agent |\n|---|---|---|\n| F1 | a | codex |\n| F2 | b | |\n"
    )
    given = cascade.with_options(timeout=60.0).with_defaults(agent="gemini", retries=9, slots=2)
    other = cascade.with_defaults(agent="gemini", retries=9, slots=2).with_options(timeout=60.0)
    assert given == other
    assert [task.options for task in given.tasks.values()] == [
        TaskOptions(agent="codex", retries=3, slots=2, timeout=60.0),
        TaskOptions(agent="gemini", retries=3, slots=2, timeout=60.0),
    ]
    assert cascade.tasks["F2"].options == TaskOptions(retries=3)
    with pytest.raises(TypeError):
        cascade.with_options(colour="red")


def test_a_plan_survives_pickling() -> None:
    """Plans and tasks can be sent to other processes."""
    cascade = parse_cascade("+++\nenv = {A = 'b'}\n+++\n- [ ] T1 a\n  - retries: 0\n- [ ] T2 b (depends on T1)\n")
    assert cascade.waves() == [["T1"], ["T2"]]
    copy = pickle.loads(pickle.dumps(cascade))
    assert copy == cascade
    assert copy.critical_path() == ["T1", "T2"]


def test_a_thousand_chained_tasks() -> None:
    """A long chain meets no recursion limit, forwards, backwards or in a circle, and is read in no time."""
    rows = [f"| T{n} | do {n} | {f'T{n - 1}' if n else '-'} |\n" for n in range(1000)]
    head = "| ID | What | Deps |\n|---|---|---|\n"
    for text in (head + "".join(rows), head + "".join(reversed(rows))):
        started = time.perf_counter()
        cascade = parse_cascade(text)
        assert time.perf_counter() - started < 3  # seconds; 0.05 on a quiet machine
        assert len(cascade.waves()) == 1000
        assert cascade.remaining_path("T0") == 1000
        assert cascade.critical_path()[::999] == ["T0", "T999"]
    with pytest.raises(CascadeError) as caught:
        parse_cascade(head + "".join(rows).replace("| do 0 | - |", "| do 0 | T999 |"))
    assert caught.value.diagnostics[0].text.count("->") == 1000


def test_loading_a_plan(tmp_path: Path) -> None:
    """A file gives the same plan as its text, and is called in messages as the caller called it."""
    path = tmp_path / "plan.md"
    path.write_bytes(b"\xef\xbb\xbf# P\r\n\r\n- [ ] T1 Gr\xc3\xbc\xc3\x9fe\r\n")
    cascade = load_cascade(path)
    assert (cascade.project, cascade.tasks["T1"].description, cascade.name) == ("P", "Gr\u00fc\u00dfe", str(path))
    path.write_text("")
    with pytest.raises(CascadeError) as caught:
        load_cascade(str(path))
    assert str(caught.value) == f"{path}:1: E100 no tasks found: the file is empty; `nova init` writes a first plan"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# P\n\nbad \xff byte\n", "3: E005 not UTF-8 text: byte 0xff; save the file as UTF-8"),
        ("# P".encode("utf-16"), "1: E005 not UTF-8 text: UTF-16; save the file as UTF-8"),
    ],
)
def test_a_file_that_is_not_utf8(tmp_path: Path, content: bytes, message: str) -> None:
    """A file in another encoding is refused like any other mistake, with the line."""
    path = tmp_path / "plan.md"
    path.write_bytes(content)
    with pytest.raises(CascadeError) as caught:
        load_cascade(path)
    assert str(caught.value) == f"{path}:{message}"


def test_a_file_that_is_no_plan(tmp_path: Path) -> None:
    """A file of any size, or one that never ends, is refused before all of it is read."""
    (tmp_path / "big.md").touch()
    os.truncate(tmp_path / "big.md", 200 * 1024**3)
    for path in (tmp_path / "big.md", Path("/dev/zero")):
        with pytest.raises(CascadeError, match="E005 larger than 8 MiB"):
            load_cascade(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The system's own error passes untouched."""
    with pytest.raises(FileNotFoundError):
        load_cascade(tmp_path / "nothing.md")
    with pytest.raises(IsADirectoryError):
        load_cascade(tmp_path)


def test_the_markdown_library_is_loaded_only_to_read_a_plan() -> None:
    """Importing the package, or making a plan by hand, does not pay for Markdown."""
    code = "import sys; from nova_async.cascade import *; Cascade.of([Task('A1')]); print('markdown_it' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
