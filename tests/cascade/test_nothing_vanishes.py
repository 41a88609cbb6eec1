"""Whatever looks like a task is one, or is said to be none: lists, headings and tables in any mixture of dialects."""

import re
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.cascade.reading import Reading, read_plan

BOXES = st.sampled_from(["[ ]", "[x]", "[X]", "[-]", "[~]", "[/]", "[]", "[ ]*", "[>]"])
BULLETS = st.sampled_from(["-", "*", "+", "1."])
IDS = st.sampled_from(
    ["T{n:03}", "T{n}", "**T{n}**", "`F{n}`", "#{n}", "{n}.", "{m}.{n}", "Task {n}:", "Step {n}:", "[P] T{n}",
     "T{n}\uff1a",     "API-{n}", "AC{n}:", "FR-{n:03}", "OAuth2", "E2E", "404", "S3", "", "TXXX", "(P) {m}.{n}"]
)  # fmt: skip
TAILS = st.sampled_from(
    [
        "",
        " (P)",
        " [P]",
        " (after T1)",
        " (depends on T2)",
        " requires 1.1",
        " ✅",
        " [US1]",
        " (depends on the schema)",
    ]
)
HEADINGS = st.sampled_from(
    ["## Task {n}: ", "### T{n}: ", "### Task {n} — ", "# Task {n}: ", "## Step {n}: ", "## Stage {n}: ",
     "### [x] T{n}: ", "#### {m}.{n}: ", "### AC{n} — ", "### OAuth2: ", "### E{n}: ", "### ✅ Task {n}: ",
     "### Story {m}.{n}: "]
)  # fmt: skip
TITLES = st.sampled_from(
    ["# Plan", "## Phase {n}: Setup", "### Tests", "## Acceptance criteria", "## 1. Data", "## L1: App", "### L2: Base"]
)
TABLES = st.sampled_from(
    [
        "| ID | What |",
        "| Task ID | Name | Depends On |",
        "| Risk | Owner |",
        "| # | Prompt | Priority |",
        "| ID | Task | Status |",
    ]
)


LETTERS = str.maketrans("0123456789", "abcdefghij")


@dataclass
class Writer:
    """Writes a plan line by line; each line that looks like a task has a word that no other line has."""

    lines: list[str]
    looks: dict[str, tuple[int, int]]
    """Each such word with its line, and with the first line of the list or table that it stands in."""
    numbers: int = 0

    def number(self) -> int:
        """Give the next number."""
        self.numbers += 1
        return self.numbers

    def write(self, text: str, first: int | None = None) -> None:
        """Write a line that looks like a task."""
        word = f"word{str(self.number()).translate(LETTERS)}"  # a digit could make it an id
        self.lines.append(text.replace("WORD", word))
        self.looks[word] = (len(self.lines), first or len(self.lines))


@st.composite
def plans(draw: st.DrawFn) -> Writer:
    """Draw a plan of lists, headings, tables and prose."""
    writer = Writer([], {})
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["list", "list", "heading", "title", "table", "prose", "quote"]))
        if kind == "list":
            write_list(draw, writer)
            writer.lines += ["", "Some prose."]  # or the next list would be a part of this one
        elif kind == "heading":
            writer.write(draw(HEADINGS).format(n=writer.number(), m=draw(st.integers(1, 3))) + "WORD")
            writer.lines += draw(
                st.sampled_from(
                    [[], ["", "Do it."], ["", "- Files: a.py", "", "Do it."], ["", "- [x] step", "", "Do it."]]
                )
            )
        elif kind == "table":
            write_table(draw, writer)
        elif kind == "quote":
            writer.write("> - [ ] T9 WORD")
        else:
            writer.lines.append(draw(TITLES).format(n=writer.number()) if kind == "title" else "Some prose.")
        writer.lines.append("")
    return writer


def write_list(draw: st.DrawFn, writer: Writer) -> None:
    """Write a list with items in items; sub-items without a box are notes."""
    first = len(writer.lines) + 1
    bullet, ids = draw(BULLETS), draw(IDS)
    for _ in range(draw(st.integers(1, 4))):
        ids = draw(IDS) if draw(st.booleans()) else ids
        depth = draw(st.integers(0, 2)) if len(writer.lines) >= first else 0
        start = ids.format(n=writer.number(), m=draw(st.integers(1, 3)))
        writer.write(f"{'   ' * depth}{bullet} {draw(BOXES)} {start} WORD{draw(TAILS)}", first)
        if draw(st.booleans()):
            writer.lines.append(
                "   " * (depth + 1) + draw(st.sampled_from(["- a note", "- Retries: 1", "- _Depends: 1.1_"]))
            )


def write_table(draw: st.DrawFn, writer: Writer) -> None:
    """Write a table; only one whose header makes it a task table has rows that look like tasks."""
    header = draw(TABLES)
    count = header.count("|") - 1
    writer.lines += [header, "|---" * count + "|"]
    first = len(writer.lines) + 1
    for _ in range(draw(st.integers(1, 3))):
        cells = [f"R{writer.number()}", "WORD", *["-"] * (count - 2)]
        row = f"| {' | '.join(cells)} |"
        if "Risk" in header:
            writer.lines.append(row)
        else:
            writer.write(row, first)


def is_accounted_for(word: str, places: tuple[int, int], reading: Reading) -> bool:
    """Tell whether a word is a task's, a group's, or on a line of which something is said."""
    tasks = {**reading.tasks, **reading.skipped}.values()
    pattern = re.compile(rf"{word}\b")
    if pattern.search(reading.project) or any(
        pattern.search(text) for task in tasks for text in (task.name, task.description, task.group, task.branch)
    ):
        return True
    line, first = places
    # A list says once how many of its items it leaves out; all else is said on its own line.
    counted = [
        said for said in reading.diagnostics if first <= said.line <= line and said.code in ("W115", "W119", "E111")
    ]
    return bool(counted) or any(said.line == line for said in reading.diagnostics)


@settings(max_examples=200, deadline=None)
@given(plans())
def test_nothing_that_looks_like_a_task_vanishes(writer: Writer) -> None:
    """Each such line is a task, a part of a prompt, the name of a group, or named by a message."""
    reading = read_plan("\n".join(writer.lines))
    lost = [writer.lines[at[0] - 1] for word, at in writer.looks.items() if not is_accounted_for(word, at, reading)]
    assert not lost, "\n".join(writer.lines)


@settings(max_examples=100, deadline=None)
@given(plans())
def test_no_word_of_a_sentence_becomes_an_id(writer: Writer) -> None:
    """``OAuth2``, ``E2E``, ``404`` and ``S3`` at the start of a sentence are words, whatever stands beside them."""
    assert not {"OAuth2", "E2E", "S3"} & set(read_plan("\n".join(writer.lines)).tasks)
