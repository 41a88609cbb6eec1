"""The report as Markdown: GitHub takes it, and no text of an agent breaks out, notifies anybody or closes anything."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from nova_async.cli.report_markdown import MOST, inert, inert_block, report_markdown, size_of
from nova_async.views import TaskView
from nova_async.words import Condition, TaskState
from tests.cli.reported import HOSTILE, done, failed, hostile_report, report_of

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = re.compile(r"</?(?:details|summary|pre)>")
texts = st.text() | st.sampled_from(HOSTILE) | st.text("@#|`<>\\[]()*_~$:&!-/.ahtpGw1 \n", max_size=40)


def html_in(text: str) -> list[str]:
    """Return the tags that a text has, as Markdown reads it: in blocks and between words."""
    tokens = [each for token in MARKDOWN.parse(text) for each in (token, *(token.children or ()))]
    found = " ".join(token.content for token in tokens if token.type in ("html_block", "html_inline"))
    return re.findall(r"<[^>]*>?", found)


def rows_of(text: str) -> list[list[str]]:
    """Return the tables' cells, as Markdown reads them."""
    rows, cells = list[list[str]](), list[str]()
    for token in MARKDOWN.parse(text):
        if token.type == "tr_open":
            cells = []
        elif token.type == "inline":
            cells.append("".join(each.content for each in token.children or ()))
        elif token.type == "tr_close":
            rows.append(cells)
            cells = []
    return rows


def test_a_report() -> None:
    """A title with how it ended, a table with what failed first, the end of its log folded, and the cost by model."""
    bad = failed("T2", "exit code 7", name="Check the sums", depends_on=("T1",))
    blocked = TaskView(id="T3", state=TaskState.BLOCKED, blocked_by=("T2",), reason="blocked by T2")
    report = report_of(done("T1", name="Build"), bad, blocked, log_ends={("T2", 2): ["assert 1 == 2"]})
    text = report_markdown(report)
    assert text.startswith("### Shop: failed, 1 of 3 completed\n\n1 min 0 s · 10 s of work")
    rows = rows_of(text)
    assert [row[1].split()[0] for row in rows[1:4]] == ["T2", "T3", "T1"]
    assert rows[1][:5] == ["✗", "T2 Check the sums", "failed", "2", "5.2 s"]
    assert rows[-1] == ["claude-sonnet-4-6", "3.0k", "600", "90.0k", "12.0k", "$1.50"]
    assert "<details><summary>✗ T2 Check the sums</summary>\n\n**T2 Check the sums** exit: exit code 7\n" in text
    assert "It blocks T3." in text
    assert "<pre>assert 1 == 2</pre>" in text


def test_hostile_text_breaks_out_of_nothing() -> None:
    """Every row has its eight cells, every fold is closed, and no tag, link, picture or code is anybody's but ours."""
    text = report_markdown(hostile_report())
    assert {len(row) for row in rows_of(text)} == {8, 6}
    assert all(OURS.fullmatch(tag) for tag in html_in(text))
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    tokens = [each for token in MARKDOWN.parse(text) for each in (token, *(token.children or ()))]
    kinds = {token.type for token in tokens}
    assert not kinds & {
        "link_open",
        "image",
        "fence",
        "code_block",
        "blockquote_open",
        "ordered_list_open",
        "hr",
        "s_open",
    }
    assert kinds >= {"table_open", "heading_open", "bullet_list_open"}


def test_nobody_is_notified_and_nothing_is_closed() -> None:
    """No @name, #1, GH-1 or address stands there for GitHub to find, in the table or in a log."""
    text = report_markdown(hostile_report())
    assert not re.search(r"@\w|#\d|gh-\d|://|www\.\w|[a-z]:/", text, re.IGNORECASE)
    assert "octocat" in text, "it is there to be read"


@settings(max_examples=60)
@given(texts)
def test_an_inert_text_reads_as_it_is(given_text: str) -> None:
    """Markdown shows the very text, but for blanks of no width, and makes nothing of it, in a line and in a cell."""
    shown = inert(given_text)
    table = f"| a | b |\n|---|---|\n| x {shown} | y |"
    assert html_in(table) == []
    rows = rows_of(table)
    assert len(rows) == 2
    assert rows[1][1] == "y"
    [tokens] = [token.children or [] for token in MARKDOWN.parse(f"x {shown}") if token.type == "inline"]
    assert {token.type for token in tokens} <= {"text"}
    assert inert("".join(token.content for token in tokens).removeprefix("x").strip().replace("\u200b", "")) == shown


@settings(max_examples=30)
@given(texts)
def test_lines_of_a_log_end_no_block(lines: str) -> None:
    """Within ``<pre>`` nothing closes it, and its content is one block of HTML."""
    shown = inert_block(lines)
    assert "<" not in shown
    assert ">" not in shown
    assert not re.search(r"@\w|#\d|://", shown)


def test_it_fits_into_a_comment() -> None:
    """However many tasks and failures there are, GitHub takes it; what is left out is counted."""
    tasks = [
        (failed if number % 3 == 0 else done)(f"T{number}", name="\U0001f980 <b>|*" * 40) for number in range(1_500)
    ]
    ends = {(task.id, 2): ["<" * 300] * 40 for task in tasks}
    text = report_markdown(report_of(*tasks, log_ends=ends, project="p" * 1_000_000, warnings=("w" * 5_000,) * 50))
    assert MOST * 0.8 < size_of(text) <= MOST
    assert re.search(r"\nand \d+ more tasks\n", text)
    assert re.search(r"\nand \d+ more that failed\n", text)
    assert text.count("<details>") == text.count("</details>") > 5


def test_during_a_run_and_without_costs() -> None:
    """A run that has only begun has a table, and says nothing of what is not known."""
    text = report_markdown(report_of(TaskView(id="T1"), condition=Condition.RUNNING))
    assert "### Shop: running, 0 of 1 completed" in text
    assert "$" not in text
    assert "model" not in text
