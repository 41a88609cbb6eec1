"""Where tasks stand when what depends on what is drawn."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.control.graph import HEIGHT, MOST_ROWS, WIDTH, Layout, lay_out, spread

NAMES = [f"T{number}" for number in range(60)]


@st.composite
def plans(draw: st.DrawFn) -> dict[str, list[str]]:
    """Return tasks with what they depend on: mostly earlier ones, now and then anything."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=60))
    anything = draw(st.booleans())
    return {
        name: draw(st.lists(st.sampled_from(NAMES if anything or not place else names[:place]), max_size=5))
        for place, name in enumerate(names)
    }


def reachable(edges: dict[str, list[str]], begin: str) -> set[str]:
    """Return all that a task depends on."""
    found, todo = set[str](), [begin]
    while todo:
        for other in edges.get(todo.pop(), []):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found


def overlaps(layout: Layout) -> list[tuple[str, str]]:
    """Return the nodes that are drawn one upon another."""
    ordered = sorted(layout.nodes, key=lambda node: (node.x, node.y))
    return [
        (one.task_id, other.task_id)
        for place, one in enumerate(ordered)
        for other in ordered[place + 1 :]
        if other.x < one.x + WIDTH - 1e-6 and abs(other.y - one.y) < HEIGHT - 1e-6
    ]


@given(plans())
def test_no_two_tasks_overlap_and_every_edge_goes_to_a_later_layer(depends_on: dict[str, list[str]]) -> None:
    """Whatever depends on what, also in cycles: every task has a place of its own, within the drawing."""
    layout = lay_out(depends_on)
    assert [node.task_id for node in layout.nodes] == list(depends_on)
    assert overlaps(layout) == []
    assert all(
        0 <= node.x <= layout.width - WIDTH and -1e-6 <= node.y <= layout.height - HEIGHT + 1e-6
        for node in layout.nodes
    )
    nodes = {node.task_id: node for node in layout.nodes}
    for each in layout.edges:
        assert nodes[each.source].layer < nodes[each.target].layer
        assert each.x1 < each.x2
        assert each.source in depends_on[each.target]


@given(plans())
def test_the_edges_that_are_left_say_the_same(depends_on: dict[str, list[str]]) -> None:
    """What depends on what, directly or through others, can still be read from the drawing."""
    layout = lay_out(depends_on)
    last = max((node.layer for node in layout.nodes), default=0)
    drawn: dict[str, list[str]] = {}
    for each in layout.edges:
        drawn.setdefault(each.target, []).append(each.source)
    known = {task: [other for other in needed if other in depends_on] for task, needed in depends_on.items()}
    for node in layout.nodes:
        is_whole = node.task_id not in reachable(known, node.task_id) and node.layer < last
        if is_whole:
            assert reachable(drawn, node.task_id) == reachable(known, node.task_id)


def test_an_edge_that_follows_from_others_is_not_drawn() -> None:
    """C waits for B and B for A: that C waits for A as well says nothing new."""
    layout = lay_out({"A": [], "B": ["A", "A", "gone"], "C": ["A", "B"], "D": ["C", "A"]})
    assert [(each.source, each.target) for each in layout.edges] == [("A", "B"), ("B", "C"), ("C", "D")]


def test_a_chain_is_a_straight_line_and_children_are_around_their_parent() -> None:
    """What belongs together is drawn side by side."""
    chain = lay_out({"A": [], "B": ["A"], "C": ["B"], "X": []})
    assert len({node.y for node in chain.nodes[:3]}) == 1
    fan = {node.task_id: node.y for node in lay_out({"A": [], "B": ["A"], "C": ["A"], "D": ["A"]}).nodes}
    assert fan["A"] == fan["C"] == (fan["B"] + fan["D"]) / 2


def test_tasks_in_a_cycle_stand_in_the_last_layer() -> None:
    """There is no earlier and later among them, so no edge is drawn."""
    layout = lay_out({"A": [], "B": ["C"], "C": ["B", "A"]})
    assert [node.layer for node in layout.nodes] == [0, 1, 1]
    assert layout.edges == []


def test_a_wide_layer_has_several_columns() -> None:
    """It is not as high as it has tasks, and what comes after it is to the right of all its columns."""
    layout = lay_out({**{f"T{number}": [] for number in range(100)}, "Z": ["T0", "T99"]})
    assert layout.height <= MOST_ROWS * (HEIGHT + 12)
    assert layout.nodes[-1].x == max(node.x for node in layout.nodes) > layout.nodes[0].x + 2 * WIDTH
    assert overlaps(layout) == []


def test_nothing_is_drawn_of_nothing() -> None:
    """A run without tasks has an empty drawing."""
    assert lay_out({}) == Layout([], [], 0.0, 0.0)


@given(st.lists(st.floats(-1e6, 1e6), max_size=50))
def test_places_keep_their_order_and_distance(wanted: list[float]) -> None:
    """They are a step apart, and stay where they are wanted where there is room."""
    places = spread(wanted, 10.0)
    assert len(places) == len(wanted)
    assert all(later - earlier >= 10.0 - 1e-6 for earlier, later in pairwise(places))
    assert sum(places) == pytest.approx(sum(wanted), abs=1e-3), "the whole is not pushed aside"


@pytest.mark.parametrize("kind", ["chain", "wide", "dense"])
def test_two_thousand_tasks_are_laid_out(kind: str) -> None:
    """A page draws it while somebody waits for it."""
    depends_on: dict[str, list[str]] = {}
    for number in range(2_000):
        parents = {"chain": [number - 1], "wide": [number // 50 - 1], "dense": range(number - 20, number)}[kind]
        depends_on[f"T{number}"] = [f"T{parent}" for parent in parents if parent >= 0]
    layout = lay_out(depends_on)
    assert len(layout.nodes) == 2_000
