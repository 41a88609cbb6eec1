"""The drawings of a report, as SVG: what ran when, what depends on what, how much is done. Pure."""

from collections.abc import Iterable, Sequence

from nova_async._core.text import one_line
from nova_async.cli.markup import Child, Markup, element, joined
from nova_async.control.board import Board
from nova_async.control.graph import HEIGHT, WIDTH, Edge, Node, lay_out
from nova_async.control.timeline import AT_WORK, Segment, Spell, Timeline, TimelineRow, timeline_of

__all__ = ["graph", "share_bar", "timeline"]

MOST_ROWS = 80  # tasks that have a row each; more share as many rows as have worked at once
MOST_LANES = 64  # rows of those that share them
MOST_SEGMENTS = 4_000  # drawn at all: each is some 150 bytes
NARROW = 0.25  # of the width of a telephone, which a time needs with the space around it; others are not shown there
MOST_NODES = 150  # tasks in a graph that anybody can take in
STILL_READABLE = 1400  # pixels of a graph that may be shrunk to the width of the page
ROW, BAR = 16, 10  # pixels
LEAST = 0.25  # per cent of the width: what is shorter could not be seen
LONGEST_WORD, LONGEST_NAME = 14, 25  # characters in a node
LEGEND = (
    ("s-good", "completed"),
    ("s-bad", "failed"),
    ("s-busy", "running"),
    ("s-good s-checks", "its check (paler)"),
    ("s-waits", "waiting or pausing"),
)


def timeline(board: Board, links: dict[str, str]) -> Markup | None:
    """Draw what each task did when, of many tasks in as few rows as it takes; None where nothing ran."""
    laid = timeline_of(board)
    rows = [row for row in laid.rows if any(each.spell in AT_WORK for each in row.segments)]
    if not rows:
        return None
    if len(rows) <= MOST_ROWS:
        drawn = [timeline_row(row, board, laid, links) for row in rows]
        note = None
    else:
        lanes = lanes_of(rows)
        drawn = [lane_row(number, lane, laid) for number, lane in enumerate(lanes[:MOST_LANES], 1)]
        note = f"{len(rows)} tasks in {len(lanes)} rows: each row holds those that ran one after the other."
    foot = element("tr", element("th", "", scope="row"), element("td", ticks(laid)))
    legend = element("div", [sample(look, word) for look, word in LEGEND], class_="legend")
    body = [element("tbody", drawn), element("tfoot", foot)]
    return joined(
        element("div", element("table", body, class_="timeline"), class_="wide"), legend,
        element("p", note, class_="quiet small") if note else None,
    )  # fmt: skip


def timeline_row(row: TimelineRow, board: Board, laid: Timeline, links: dict[str, str]) -> Markup:
    """Draw one task."""
    name = one_line(board.tasks[row.task_id].name, 60)
    head = [task_link(row.task_id, links), element("span", f" {name}", class_="name") if name else None]
    said = "; ".join(each.text for each in row.segments if each.spell in AT_WORK)
    drawn = [gaps(laid), [segment(each) for each in row.segments]]
    plot = element("svg", drawn, role="img", aria_label=one_line(said, 400))
    return element("tr", element("th", head, scope="row"), element("td", plot))


def lane_row(number: int, lane: Sequence[tuple[str, Segment]], laid: Timeline) -> Markup:
    """Draw tasks that ran one after the other."""
    said = "1 attempt" if len(lane) == 1 else f"{len(lane)} attempts"
    drawn = [gaps(laid), [segment(each, of=task_id) for task_id, each in lane]]
    head = [f"row {number}", element("span", f" {said}", class_="name")]
    plot = element("svg", drawn, role="img", aria_label=said)
    return element("tr", element("th", head, scope="row"), element("td", plot))


def lanes_of(rows: Iterable[TimelineRow]) -> list[list[tuple[str, Segment]]]:
    """Put what ran into as few rows as it takes so that nothing overlaps."""
    ran = [(each.begin, row.task_id, each) for row in rows for each in row.segments if each.spell in AT_WORK]
    lanes, ends = list[list[tuple[str, Segment]]](), list[float]()
    for begin, task_id, each in sorted(ran, key=lambda found: found[0])[:MOST_SEGMENTS]:
        place = next((at for at, end in enumerate(ends[:MOST_LANES]) if end <= begin), len(lanes))
        if place == len(lanes):
            lanes.append([])
            ends.append(0.0)
        lanes[place].append((task_id, each))
        ends[place] = each.end
    return lanes


def segment(each: Segment, of: str = "") -> Markup:
    """Draw what a task did for a while."""
    waits = each.spell not in AT_WORK
    height = 2 if waits else BAR
    look = "s-waits" if waits else f"s-{each.tone}" + (" s-checks" if each.spell is Spell.CHECKS else "")
    title = element("title", f"{of}, {each.text}" if of else each.text)
    width = f"{max((each.end - each.begin) * 100, LEAST):.2f}%"
    return element(
        "rect", title, x=f"{each.begin * 100:.2f}%", y=(ROW - height) // 2, width=width, height=height,
        rx=None if waits else 2, class_=look,
    )  # fmt: skip


def gaps(laid: Timeline) -> list[Markup]:
    """Shade the times in which nobody worked and that are drawn shorter than they were."""
    return [
        element(
            "rect", element("title", f"nothing ran for {gap.text}"), x=f"{gap.begin * 100:.2f}%", y=0,
            width=f"{(gap.end - gap.begin) * 100:.2f}%", height=ROW, class_="s-gap",
        )
        for gap in laid.gaps
    ]  # fmt: skip


def ticks(laid: Timeline) -> Markup:
    """Write the times below."""
    texts, latest = [], -1.0
    for tick in laid.ticks:
        anchor = "start" if tick.at < 0.04 else "end" if tick.at > 0.96 else "middle"
        middle = tick.at + {"start": NARROW / 2, "end": -NARROW / 2}.get(anchor, 0)
        fits = middle - latest >= NARROW
        latest = middle if fits else latest
        about = {"class_": None if fits else "odd", "text_anchor": anchor}
        texts.append(element("text", tick.text, x=f"{tick.at * 100:.2f}%", y=13, **about))
    return element("svg", texts, aria_hidden="true")


def sample(look: str, word: str) -> Markup:
    """Say what a colour means."""
    box = element("rect", width=12, height=10, rx=2, class_=look)
    return element("span", element("svg", box, aria_hidden="true"), word)


def graph(board: Board, links: dict[str, str]) -> Markup | None:
    """Draw what depends on what; None where nothing does, or where it would be too much to take in."""
    if not 2 <= len(links) <= MOST_NODES:
        return None
    laid = lay_out({task_id: board.tasks[task_id].depends_on for task_id in links})
    if not laid.edges:
        return None
    inside = [[edge(each) for each in laid.edges], [node(each, board, links) for each in laid.nodes]]
    width, height = round(laid.width) + 2, round(laid.height) + 2
    drawing = element(
        "svg", inside, viewBox=f"-1 -1 {width} {height}", width=width, height=height, role="group",
        aria_label="what depends on what", class_="fits" if width <= STILL_READABLE else None,
    )  # fmt: skip
    return element("div", drawing, class_="wide graph", tabindex=0)


def edge(each: Edge) -> Markup:
    """Draw a line from a task to one that waits for it."""
    x1, y1, x2, y2 = map(round, (each.x1, each.y1, each.x2, each.y2))
    middle = (x1 + x2) // 2
    return element("path", d=f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")


def node(each: Node, board: Board, links: dict[str, str]) -> Markup:
    """Draw a task: its sign, id and name, with a link to all about it."""
    task = board.tasks[each.task_id]
    look = board.look(task)
    id_, name = one_line(task.id, LONGEST_WORD), one_line(task.name, LONGEST_NAME)
    x, y = round(each.x), round(each.y)
    box = element("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=6, class_=f"n-{look.tone}")
    sign = element("tspan", look.sign, class_=f"sign s-{look.tone}")
    word = element("text", sign, f" {id_}", x=x + 10, y=y + (15 if name else 22))
    below = element("text", name, x=x + 10, y=y + 29, class_="name") if name else None
    title = element("title", f"{one_line(task.id)} {one_line(task.name)}: {look.word}")
    return element("a", title, box, word, below, href=links[each.task_id])


def share_bar(parts: Sequence[tuple[str, float]], label: str) -> Markup:
    """Draw shares of a whole, one after the other; together at most 1.0."""
    drawn, begin = list[Child](), 0.0
    for look, share in parts:
        share = min(max(share, 0.0), 1.0 - begin)
        if share > 0:
            drawn.append(
                element("rect", x=f"{begin * 100:.2f}%", y=0, width=f"{share * 100:.2f}%", height=8, class_=look)
            )
        begin += share
    return element("svg", drawn, class_="bar", role="img", aria_label=label)


def task_link(task_id: str, links: dict[str, str]) -> Markup:
    """Return a task's id, with a link to all about it where it has one."""
    shown = one_line(task_id, 60)
    return element("a", shown, href=links[task_id]) if task_id in links else element("span", shown)
