"""The report as a page: one file that runs nothing and loads nothing, whatever agents have printed, and stays small."""

import base64
import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async._core.text import clean
from nova_async.cli.markup import Markup, element, joined
from nova_async.cli.report_page import report_page
from nova_async.cli.report_tasks import cut_to
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, MilestoneView, TaskView
from nova_async.words import Condition, TaskState
from tests.cli.reported import HOSTILE, done, failed, hostile_report, report_of
from tests.views import NOON, attempt

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "section", "footer", "div", "span", "p", "h1", "h2",
    "h3", "ul", "li", "a", "b", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary", "dl", "dt",
    "dd", "pre", "svg", "rect", "text", "tspan", "path",
}  # fmt: skip
ATTRIBUTES = {
    "class", "id", "href", "lang", "charset", "http-equiv", "content", "name", "scope", "colspan", "role", "aria-label",
    "aria-hidden", "tabindex", "open", "x", "y", "width", "height", "rx", "d", "viewbox", "text-anchor",
}  # fmt: skip
EMPTY = {"meta"}


class Reader(HTMLParser):
    """Reads a page as a browser does: which elements, which attributes, which text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes = set[str](), set[str]()
        self.links, self.ids, self.texts, self.open = list[str](), set[str](), list[str](), list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of it."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of it."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Take note of it."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take note of it."""
        if not {"style", "title"} & set(self.open):
            self.texts.append(data)


def visible(page: str) -> str:
    """Return the text of a page, with single blanks."""
    return " ".join(" ".join(Reader(page).texts).split())


def test_hostile_text_is_text() -> None:
    """What stands in names, errors, answers, paths and logs makes no element, attribute or link, and no control."""
    page = report_page(hostile_report())
    read = Reader(page)
    assert read.open == []
    assert read.tags - ALLOWED - {"title"} == set()
    assert read.attributes - ATTRIBUTES == set()
    assert all(re.fullmatch(r"#task-\d+", link) for link in read.links)
    assert {link[1:] for link in read.links} <= read.ids
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    shown = "".join(read.texts)
    assert "<script>alert(1)</script>" in shown, "it is there to be read"
    assert "<script" not in page


@given(st.lists(st.text() | st.sampled_from(HOSTILE), min_size=1, max_size=3))
@settings(max_examples=50)
def test_any_text_comes_back_as_text(texts: list[str]) -> None:
    """What a browser reads of any texts is those texts, cleaned, and nothing else."""
    read = Reader(str(element("p", *texts, title=texts[0])))
    assert read.tags == {"p"}
    assert read.attributes == {"title"}
    assert "".join(read.texts) == "".join(map(clean, texts))


def test_markup_is_only_what_is_made_here() -> None:
    """Lists, nothing and markup are joined; what looks like markup and is a text is not taken for it."""
    assert joined("<b>", [element("b", "x"), None], Markup("<i>")) == "&lt;b&gt;<b>x</b><i>"
    assert element("details", open=True, class_="a", hidden=False, title=None) == '<details open class="a"></details>'


def test_its_policy_allows_its_own_style_alone() -> None:
    """The digest in the policy is that of the style sheet; there is no script, no address, no style of an element."""
    page = report_page(report_of(done("T1"), failed("T2")))
    style = page.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;; "
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}base-uri' in page
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img|src=| style=", page)
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_what_it_says() -> None:
    """How it ended, who needs what, money against its budget, milestones, attempts, answers, files, errors and logs."""
    work = done("T1", name="Build", result="All done.", files_changed=("src/a.py",), group="App")
    bad = failed("T2", "exit code 7", name="Check", depends_on=("T1",))
    budget = BudgetView(max_cost_usd=3.0, cost_usd=1.5)
    report = report_of(
        work, bad, TaskView(id="T3", state=TaskState.BLOCKED, blocked_by=("T2",), depends_on=("T2",)),
        TaskView(id="T4", needs_approval=True), log_ends={("T2", 1): ["first try"], ("T2", 2): ["assert 1 == 2"]},
        budgets=(budget,), milestones=(MilestoneView(id="m", message="Half way", reached_at=NOON),),
        warnings=("disk full",),
    )  # fmt: skip
    said = visible(report_page(report))
    for words in (
        "Shop failed CASCADE.md", "Half way", "1 of 4", "$1.00 of $3.00", "disk full",
        "exit code 7 ; it blocks T3", "waits for approval", "nova approve T4", "All done.", "src/a.py",
        "End of the log of attempt 1 first try", "End of the log of attempt 2 assert 1 == 2", "claude-sonnet-4-6",
        "1 min 0 s",
    ):  # fmt: skip
        assert words in said, words
    assert said.index("Task by task") < said.index("Error exit code 7") < said.index("All done."), "failed first"


def test_during_a_run() -> None:
    """It says as of when, and that what runs is running."""
    busy = TaskView(
        id="T1", state=TaskState.IN_PROGRESS, attempt=1, activity="Bash: make", started_at=NOON,
        attempts=(attempt("T1", outcome=None),),
    )  # fmt: skip
    said = visible(report_page(report_of(busy, condition=Condition.RUNNING)))
    assert "Shop running" in said
    assert "as of" in said
    assert "Bash: make" in said


def test_links_lead_to_what_is_folded() -> None:
    """A task's anchor is inside of its details, so that a browser opens them for whoever follows a link."""
    page = report_page(report_of(done("T1"), done("T2")))
    assert re.search(r'<details class="task"><summary>.*?</summary><div class="body" id="task-1">', page)


def test_two_thousand_tasks_are_small() -> None:
    """2,000 tasks with long answers, errors and logs are less than 5 MB, even if every sign of them is an escape."""
    words = "<>&\"'" * 40
    tasks, ends = list[TaskView](), {}
    for number in range(2_000):
        about = {"name": words * 3, "group": f"G{number // 100}", "result": words * 50}
        make = failed if number % 10 == 0 else done
        tasks.append(make(f"T{number}", **about, **({"error": words * 50} if number % 10 == 0 else {})))
        ends[f"T{number}", 1] = ends[f"T{number}", 2] = [words[:300]] * 40
    page = report_page(report_of(*tasks, log_ends=ends))
    assert len(page.encode()) < 5_000_000
    assert page.count('<details class="task"') == 2_000
    assert "1800 tasks that did not fail" in page


def test_a_name_of_a_megabyte_costs_nothing() -> None:
    """Names, errors and answers without an end are cut."""
    long = "<x>" * 350_000
    page = report_page(report_of(failed("T1", long, name=long, result=long, group=long), project=long))
    assert len(page) < 100_000


def test_many_tasks_share_rows_of_the_timeline() -> None:
    """Where there are more than a screen of tasks, those that ran one after the other share a row."""
    tasks = []
    for number in range(100):
        begin = NOON + timedelta(minutes=number // 4)
        start = attempt(f"T{number}").start
        end = attempt(f"T{number}", ended_at=begin + timedelta(seconds=50)).end
        moved = type(attempt("x"))(start=type(start)(**{**fields_of(start), "started_at": begin}), end=end)
        tasks.append(done(f"T{number}", attempts=(moved,)))
    said = visible(report_page(report_of(*tasks)))
    assert "100 tasks in 4 rows" in said
    assert "row 4 25 attempts" in said


def fields_of(record: object) -> dict[str, object]:
    """Return a record's fields."""
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), max_size=30), st.integers(0, 400), st.booleans())
def test_lines_that_fit(lines: list[str], room: int, keeps_end: bool) -> None:
    """What is kept is the beginning or the end, in order; what is cut has a mark."""
    kept = cut_to(room, lines, keeps_end=keeps_end)
    whole = kept[1:] if keeps_end else kept[:-1]
    assert whole == (lines[len(lines) - len(whole) :] if keeps_end else lines[: len(whole)])
    if kept and kept != lines:
        assert (kept[0] if keeps_end else kept[-1]).endswith("…") or (kept[0] if keeps_end else kept[-1]) in lines


def test_unknown_is_not_zero() -> None:
    """Where no agent has reported a cost, none is shown, and a sum with a part missing is marked."""
    unknown = done("T1", cost_usd=None, cost_is_complete=False, usage_is_final=False, usage=TokenUsage(5))
    said = visible(report_page(report_of(unknown, condition=Condition.COMPLETED)))
    assert "no agent has reported any" in said
    assert "≥ 5" in said
