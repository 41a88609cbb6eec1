"""Where the tasks of a plan stand when what depends on what is drawn: layers from left to right. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

from nova_async.cascade.graph import dependents_of, waves_of

__all__ = ["HEIGHT", "WIDTH", "Edge", "Layout", "Node", "lay_out"]

WIDTH, HEIGHT = 168.0, 36.0  # of a node, in pixels at a zoom of 1
BETWEEN_LAYERS = 64.0  # pixels, in which the edges are drawn
BETWEEN_COLUMNS = 16.0  # pixels between two columns of one layer
BETWEEN_ROWS = 12.0
MOST_ROWS = 40  # nodes in a column; more than that is looked at by scrolling sideways instead
SWEEPS = 3  # there, back and there again: further ones hardly change the order


@final
class Node(NamedTuple):
    """A task and its upper left corner."""

    task_id: str
    layer: int
    x: float
    y: float


@final
class Edge(NamedTuple):
    """From a task to one that waits for it: from the middle of its right side to the middle of the other's left."""

    source: str
    target: str
    x1: float
    y1: float
    x2: float
    y2: float


@final
class Layout(NamedTuple):
    """The whole drawing."""

    nodes: Sequence[Node]
    """In the order of the plan."""
    edges: Sequence[Edge]
    """Those that say something: what follows from others is left out."""
    width: float
    height: float


def lay_out(depends_on: Mapping[str, Sequence[str]]) -> Layout:
    """Place tasks: each in a later layer than all that it depends on, close to them, and none upon another.

    ``depends_on`` has each task's id with those it depends on, in file order. Ids that it does not have are left out,
    and tasks in a cycle, or behind one, stand together in the last layer.
    """
    known = {task: [other for other in dict.fromkeys(needed) if other in depends_on and other != task]
             for task, needed in depends_on.items()}  # fmt: skip
    layers = waves_of(known)
    placed = {task for layer in layers for task in layer}
    if rest := [task for task in known if task not in placed]:
        layers.append(rest)
        known = {task: [] if task not in placed else needed for task, needed in known.items()}
    parents = without_implied(known, layers)
    children = dependents_of(parents)
    ordered = in_order(layers, parents, children)
    nodes = placed_nodes(ordered, parents)
    edges = [edge(nodes[parent], nodes[task]) for task, needed in parents.items() for parent in needed]
    width = max((node.x for node in nodes.values()), default=-WIDTH) + WIDTH
    height = max((node.y for node in nodes.values()), default=-HEIGHT) + HEIGHT
    return Layout([nodes[task] for task in depends_on], edges, width, height)


def edge(source: Node, target: Node) -> Edge:
    """Return the edge between two nodes."""
    return Edge(
        source.task_id, target.task_id, source.x + WIDTH, source.y + HEIGHT / 2, target.x, target.y + HEIGHT / 2
    )  # fmt: skip


def without_implied(depends_on: Mapping[str, Sequence[str]], layers: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Return the dependencies without those that follow from others: where C waits for B, and B for A, not C for A.

    What each task depends on is a number with a bit for each other task: sets of 10,000 tasks would fill the memory.
    """
    bits = {task: 1 << place for place, task in enumerate(depends_on)}
    before: dict[str, int] = {}
    left: dict[str, list[str]] = {task: [] for task in depends_on}
    for layer in layers:
        for task in layer:
            implied = 0
            for needed in depends_on[task]:
                implied |= before[needed]
            left[task] = [needed for needed in depends_on[task] if not implied & bits[needed]]
            before[task] = implied
            for needed in left[task]:
                before[task] |= bits[needed]
    return left


def in_order(
    layers: Sequence[Sequence[str]], parents: Mapping[str, Sequence[str]], children: Mapping[str, Sequence[str]]
) -> list[list[str]]:
    """Return each layer in an order in which few edges cross: every task near the middle of its neighbours."""
    ordered = [list(layer) for layer in layers]
    place = {task: float(number) for layer in ordered for number, task in enumerate(layer)}
    for sweep in range(SWEEPS):
        neighbours = children if sweep % 2 else parents
        for layer in reversed(ordered) if sweep % 2 else ordered:
            wanted = {task: middle([place[other] for other in neighbours[task]], place[task]) for task in layer}
            layer.sort(key=wanted.__getitem__)
            place.update((task, float(number)) for number, task in enumerate(layer))
    return ordered


def middle(places: Sequence[float], otherwise: float) -> float:
    """Return the mean of some places; ``otherwise`` where there are none."""
    return sum(places) / len(places) if places else otherwise


def placed_nodes(layers: Sequence[Sequence[str]], parents: Mapping[str, Sequence[str]]) -> dict[str, Node]:
    """Give each task its place; a layer of many tasks has several columns."""
    nodes: dict[str, Node] = {}
    x = 0.0
    for number, layer in enumerate(layers):
        for begin in range(0, len(layer), MOST_ROWS):
            column = layer[begin : begin + MOST_ROWS]
            step = HEIGHT + BETWEEN_ROWS
            wanted = [middle([nodes[each].y for each in parents[task]], row * step) for row, task in enumerate(column)]
            for task, y in zip(column, spread(wanted, step), strict=True):
                nodes[task] = Node(task, number, x, y)
            x += WIDTH + BETWEEN_COLUMNS
        x += BETWEEN_LAYERS - BETWEEN_COLUMNS
    top = min((node.y for node in nodes.values()), default=0.0)
    return {task: node._replace(y=node.y - top) for task, node in nodes.items()}


def spread(wanted: Sequence[float], step: float) -> list[float]:
    """Return places in this order, at least a ``step`` apart, and as near as can be to those that are wanted.

    What would be too close becomes a block around its middle (the pooling of an isotonic regression, in linear time).
    """
    blocks: list[tuple[float, int]] = []  # the sum of what its members want of its first one, and how many they are
    for number, place in enumerate(wanted):
        total, count = place - number * step, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            more, others = blocks.pop()
            total, count = total + more, count + others
        blocks.append((total, count))
    firsts = [total / count for total, count in blocks for _ in range(count)]
    return [first + number * step for number, first in enumerate(firsts)]
