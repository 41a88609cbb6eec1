"""How a task announces itself: boxes and marks, ids and words, parents and parts, criteria, titles that say done."""

import pytest

from nova_async.cascade.labels import read_label
from nova_async.cascade.reading import read_plan


def ids_of(text: str) -> list[str]:
    """Give the ids of the tasks of a plan."""
    return list(read_plan(text).tasks)


def codes_of(text: str) -> list[str]:
    """Give what is said of a plan, as lines and codes."""
    return [f"{said.line} {said.code}" for said in read_plan(text).diagnostics]


@pytest.mark.parametrize(
    ("mark", "done"),
    [("[ ]", False), ("[x]", True), ("[X]", True), ("[-]", False), ("[~]", False), ("[/]", False), ("[]", False),
     ("[>]", False), ("[!]", False), ("[✓]", True), ("[✅]", True)],
)  # fmt: skip
def test_marks_in_a_box(mark: str, done: bool) -> None:
    """Only a cross or a tick means done; any other sign is open."""
    assert {task.id: task.done for task in read_plan(f"- {mark} T1 a\n").tasks.values()} == {"T1": done}


@pytest.mark.parametrize(
    ("item", "task_id", "text"),
    [
        ("T001 Lint", "T001", "Lint"),
        ("T001: Lint", "T001", "Lint"),
        ("T001 : Lint", "T001", "Lint"),
        ("T001 - Lint", "T001", "Lint"),
        ("T001 — Lint", "T001", "Lint"),
        ("T001. Lint", "T001", "Lint"),
        ("T001\uff1aLint", "T001", "Lint"),
        ("**T001** Lint", "T001", "Lint"),
        ("**T001:** Lint", "T001", "Lint"),
        ("**T001. Lint** it", "T001", "Lint it"),
        ("`T001` Lint", "T001", "Lint"),
        ("#12 Lint", "12", "Lint"),
        ("[T001] Lint", "T001", "Lint"),
        ("[P] T001 Lint", "T001", "Lint"),
        ("T001 [P] [US1] Lint", "T001", "Lint"),
        ("1. Lint", "1", "Lint"),
        ("1) Lint", "1", "Lint"),
        ("1.2 Lint", "1.2", "Lint"),
        ("1.2. Lint", "1.2", "Lint"),
        ("1.2 (P) Lint", "1.2", "Lint"),
        ("1.2 Lint (P)", "1.2", "Lint"),
        ("T12a Lint", "T12a", "Lint"),
        ("API-3 Lint", "API-3", "Lint"),
        ("Task 2: Lint", "2", "Lint"),
        ("Task 2 Lint", "2", "Lint"),
        ("Task T2: Lint", "T2", "Lint"),
        ("Step 2: Lint", "2", "Lint"),
        ("Sub-task 1.2: Lint", "1.2", "Lint"),
    ],
)
def test_how_an_item_begins(item: str, task_id: str, text: str) -> None:
    """Ids may stand behind a word, in bold or code, with a sign or without."""
    task = read_plan(f"- [ ] {item}\n").tasks[task_id]
    assert (task.id, task.description) == (task_id, text)


@pytest.mark.parametrize(
    "word", ["OAuth2", "E2E", "404", "S3", "K8s", "IPv6", "2FA", "3D", "v2", "2024-01-15", "H264", "5", "4k", "1.5"]
)
def test_a_word_of_the_sentence_is_no_id(word: str) -> None:
    """Beside items with an id it is an item without one; alone, no id is that word."""
    beside = read_plan(f"- [ ] T1 Write\n- [ ] {word} things\n- [ ] Call Ann\n")
    assert list(beside.tasks) == ["T1"]
    assert [said.code for said in beside.diagnostics] == ["W115"]
    alone = read_plan(f"- [ ] Call Ann\n- [ ] {word} things\n")
    assert len(alone.tasks) == 2
    assert word not in alone.tasks


def test_numbers_that_count_up_are_ids() -> None:
    """Bare numbers are ids where every item of the list has one and they go up by one; otherwise they are words."""
    assert ids_of("- [ ] 1 Write\n- [ ] 2 Test\n") == ["1", "2"]
    assert ids_of("- [ ] 404 page\n- [ ] 500 page\n") == ["404-page", "500-page"]
    assert ids_of("1. [ ] Write\n2. [ ] Test\n") == ["1", "2"]
    assert ids_of("1. [ ] Write\n1. [ ] Test\n") == ["write", "test"]


def test_names_of_things_beside_their_like() -> None:
    """``S3`` is an id beside ``S1``, in a list and in headings; two names of things are none."""
    assert ids_of("- [ ] S1 a\n- [ ] S2 b\n- [ ] S3 c\n- [ ] d\n") == ["S1", "S2", "S3"]
    assert ids_of("### D2: a\n\nx\n\n### D3: b\n\nx\n") == ["D2", "D3"]
    assert ids_of("- [ ] T1 a\n- [ ] H264 b\n- [ ] H265 c\n") == ["T1"]
    assert codes_of("### T1: a\n\nx\n\n### S3: b\n\nx\n") == ["5 W119"]


def test_a_number_that_comes_twice() -> None:
    """Beside ``1.1`` it is a slip; where lists only count their items, it is no id; tasks with headings keep theirs."""
    assert codes_of("- [ ] 1. a\n- [ ] 1.1 b\n\nx\n\n- [ ] 1. c\n") == ["6 E102"]
    assert ids_of("- [ ] 1. a\n- [ ] 2. b\n\nx\n\n- [ ] 1. c\n") == ["a", "b", "c"]
    assert ids_of("## Task 1: a\n\n- [ ] 1. b\n\n## Task 2: c\n\n- [ ] 1. d\n\n## Notes\n\n- [ ] 1. e\n") == ["1", "2"]


def test_ids_that_are_made() -> None:
    """They are the same for the same words, unique, short, and tell apart what ASCII cannot spell."""
    made = ids_of(
        "- [ ] Write it\n- [ ] Write it\n- [ ] Write it 2\n- [ ] 写数据层\n- [ ] 写页面\n- [ ] " + "long " * 30 + "\n"
    )
    assert made[:3] == ["write-it", "write-it-2", "write-it-2-2"]
    assert made[3] != made[4]
    assert all(len(task_id) <= 64 for task_id in made)
    assert made[:2] == ids_of("# Title\n\n- [ ] Write it\n- [ ] Write it\n")


def test_parts_know_what_their_parent_says() -> None:
    """Its own text is told to each, its options and marks are theirs, and metadata alone is no text."""
    reading = read_plan(
        "- [ ]* 1. Page\n  Keep it small.\n  - Use the theme\n  - [ ] 1.1 List\n    - rows\n"
        "- [ ] 2. Data\n  - _Requirements: 1.1_\n  - [ ] 2.1 Store\n- [ ] 3. Help\n- [ ] 3.1 Text\n"
    )
    part = reading.skipped["1.1"]
    assert (part.group, part.description) == ("Page", "List\n- rows\n\nPart of Page:\nKeep it small.\n- Use the theme")
    assert (reading.tasks["2.1"].group, reading.tasks["2.1"].description) == ("Data", "Store")
    assert (reading.tasks["3.1"].group, list(reading.tasks)) == ("Help", ["2.1", "3.1"])


def test_a_parent_with_text_is_a_task_if_its_parts_stand_beside_it() -> None:
    """Flat, an item with a body of its own is done before its parts."""
    assert ids_of("- [ ] 1. Page\n  - Use the theme\n- [ ] 1.1 List\n") == ["1", "1.1"]


def test_a_mark_on_a_group_is_said_to_mean_nothing() -> None:
    """Tasks run together, groups do not."""
    assert codes_of("- [ ] 1. (P) Page\n  - [ ] 1.1 List\n") == ["1 W112"]


@pytest.mark.parametrize("name", ["AC1", "AC-2", "FR-001", "NFR-3", "SC-001", "REQ-7", "CHK001", "ADR-4"])
def test_criteria_are_no_tasks(name: str) -> None:
    """As headings or items they are named, and run only behind the word Task."""
    assert codes_of(f"- [ ] T1 a\n\nx\n\n- [ ] {name}: b\n- [ ] {name} c\n\n### {name} — d\n") == ["5 W119", "8 W119"]
    assert ids_of(f"### Task {name}: d\n\nx\n") == [name]


@pytest.mark.parametrize(
    "title", ["Acceptance criteria", "## Definition of Done", "3. Success Criteria (MVP)", "Requirements"]
)
def test_what_stands_below_criteria_is_to_be_fulfilled(title: str) -> None:
    """Numbered items and those without an id are no tasks there; what has an id of a task is."""
    text = f"- [ ] T1 a\n\n## {title}\n\n- [ ] 1. b\n- [ ] c\n- [ ] T2 d\n\n## More\n\n- [ ] T3 e\n"
    reading = read_plan(text.replace("## ##", "##"))
    assert list(reading.tasks) == ["T1", "T2", "T3"]
    assert [f"{said.line} {said.code}" for said in reading.diagnostics] == ["5 W119"]


@pytest.mark.parametrize(
    "title",
    ["### T1: a ✅", "### T1: a (done)", "### T1: a (Completed) ✅", "### ✅ T1: a", "### [x] T1: a",
     "### T1 [x] a",
     "### T1: a [DONE]",
     "### T1: a — DONE", "### T1: a\n\n**Status:** Done", "### T1: a\n\n- Status: ✅ Complete (May 1)",
     "### T1: a\n\n- [x] b\n  - [X] c", "### T1: a\n\nx\n\n- [x] b\n\ny\n\n1. [x] c"],
)  # fmt: skip
def test_a_heading_that_is_done(title: str) -> None:
    """The title says so, a line of status does, or all boxes are ticked."""
    task = read_plan(f"{title}\n").tasks["T1"]
    assert (task.name, task.done) == ("a", True)


@pytest.mark.parametrize(
    "title",
    ["### T1: a", "### 🔄 T1: a", "### T1: a\n\n- [x] b\n- [ ] c", "### T1: a\n\nStatus: done orders are shown",
     "### T1: a\n\n```\n- [x] b\n```", "### T1: a\n\n**Status:** In progress"],
)  # fmt: skip
def test_a_heading_that_is_open(title: str) -> None:
    """A box that is open, or none; what stands in a fence or a sentence says nothing."""
    task = read_plan(f"{title}\n").tasks["T1"]
    assert (task.name, task.done) == ("a", False)


@pytest.mark.parametrize("rank", [1, 2, 3, 4, 6])
def test_task_and_a_number_is_a_task_at_any_rank(rank: int) -> None:
    """Two such headings of one rank are two tasks, wherever they stand."""
    marks = "#" * rank
    assert ids_of(f"{marks} Task 1: a\n\nx\n\n{marks} Task 2\n\ny\n") == ["1", "2"]


def test_a_title_that_names_a_task() -> None:
    """``# Task 3: …`` at the top is the title of a plan that has tasks, and the task of one that has none."""
    assert read_plan("# Task 3: Pay\n\n- [ ] T1 a\n").project == "Task 3: Pay"
    assert ids_of("# Task 3: Pay\n\n- [ ] T1 a\n") == ["T1"]
    assert ids_of("# Task 3: Pay\n\n- [ ] a\n- [ ] b\n") == ["3"]


@pytest.mark.parametrize("word", ["Step", "Stage", "Story"])
def test_words_that_also_head_sections(word: str) -> None:
    """With text or steps they are tasks; with tasks below them they are sections."""
    assert ids_of(f"## {word} 1: a\n\nx\n\n## {word} 2: b\n\n- [ ] c\n") == ["1", "2"]
    assert ids_of(f"## {word} 1: a\n\n- [ ] T1 x\n\n## {word} 2: b\n\n- [ ] T2 y\n") == ["T1", "T2"]
    assert ids_of(f"## {word} 1: a\n\n### Task 1: x\n\ny\n\n## {word} 2: b\n\n### Task 2: z\n\ny\n") == ["1", "2"]
    assert ids_of(f"### Task 1: a\n\n#### {word} 1: x\n\ny\n\n#### {word} 2: z\n") == ["1"]


@pytest.mark.parametrize(
    "title", ["### Task List: a", "## Task Overview", "### Tasks", "### Task: a", "### Task ID: 1"]
)
def test_headings_about_tasks_are_no_tasks(title: str) -> None:
    """The word alone makes none: a number, a single letter or a number in words has to follow."""
    assert ids_of(f"{title}\n\nx\n") == []


def test_a_label_at_a_glance() -> None:
    """What a label holds of an item with everything."""
    label = read_label("[-]* 1.2 [US1] (P) Write it")
    assert (label.id, label.is_optional, label.is_parallel, label.tags, label.text) == (
        "1.2", True, True, ("US1",), "Write it",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("### E1: a\n\n| ID | What |\n|---|---|\n| A1 | b |\n", ["3 E111"]),
        ("### E1: a\n\ntext\n\n- [ ] T1 b\n- [ ] T2 c\n", ["5 E111"]),
        ("### E1: a\n\n- [ ] Task 1: b\n", ["3 E111"]),
        ("### E1: a\n\n- [ ] 1. b\n- [ ] 2. c\n", []),  # steps
        ("### Task 1: a\n\n- [ ] 1.1 b\n- [ ] 1.2 c\n", []),  # a group
        ("### Task 1: a\n\ntext\n\n- [ ] 1.1 b\n- [ ] 1.2 c\n", []),  # steps
        ("### Task 1: a\n\n- [ ] **Step 1: b**\n\n```\n- [ ] T9 c\n```\n", []),
        ("### Task 1: a\n\n| Case | Result |\n|---|---|\n| 1 | b |\n", []),
    ],
)
def test_task_lists_inside_of_tasks(text: str, said: list[str]) -> None:
    """What has ids of its own is an error there; steps and parts are what they seem to be."""
    assert codes_of(text) == said


def test_prompts_and_titles() -> None:
    """A prompt begins with the title, unless a line does, or it is long and said anyway; ``Prompt:`` is the whole."""
    reading = read_plan(
        "### T1: Store\n\nWrite it in src/store.py.\n### T2: Write the page\n\nWrite the page now.\n"
        "### T3: Write the help text\n\nNow write the help text, please.\n### T4: Release\n\n- Prompt: Ship.\n"
    )
    assert [task.description for task in reading.tasks.values()] == [
        "Store\n\nWrite it in src/store.py.", "Write the page now.", "Now write the help text, please.", "Ship.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fact",
    ["- **Files:** a.py, b.py", "- Files: a.py", "- _Requirements: 1.1, 2.3_", "- Acceptance: it works",
     "- Models: User, Post",
     "- Model: User and Session", "- Notes: small", "- Verify: the page opens", "- Status: open", "- Title: x"],
)  # fmt: skip
def test_facts_stay_in_the_prompt(fact: str) -> None:
    """Keys that are none of ours, and sentences behind one that is, are for the agent; options below still count."""
    for text in (f"### T1: a\n\n{fact}\n- Retries: 0\n\nx\n", f"- [ ] T1 a\n  {fact}\n  - Retries: 0\n"):
        task = read_plan(text).tasks["T1"]
        assert fact in task.description
        assert task.written == {"retries": 0}
