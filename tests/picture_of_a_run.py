"""Draws docs/nova-run.svg: ``python -m tests.picture_of_a_run`` runs the demo and takes a picture of its table.

Taken when six of its tasks are completed and three run, one of them for the second time.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from nova_async.cascade import parse_cascade
from nova_async.cli.columns import cut, fold, width_of
from nova_async.cli.demo import demo_plan
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.run_lines import text_line
from nova_async.cli.run_table import PERMANENT, RunTable
from nova_async.control.board import Board
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.records import Event
from nova_async.words import TaskState

PICTURE = Path(__file__).parents[1] / "docs/nova-run.svg"
COLUMNS, LINES = 100, 30
CHAR, LINE, MARGIN, BAR = 8.4, 18, 16, 36  # pixels
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
TITLE = "nova run at work: a table of twelve tasks with what each is doing, its tokens, cost and time"
STYLE = """
svg { color-scheme: light dark }
.paper { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 }
@media (prefers-color-scheme: dark) { .paper { fill: #000000; stroke: #30363d } .text { fill: #e6edf3 } }
"""


async def take_picture() -> list[Line]:
    """Run the demo and return the lines of a terminal at a moment that shows much."""
    cascade = parse_cascade(demo_plan(1.0))
    folder = tempfile.mkdtemp(prefix="nova-picture-")
    runner = Orchestrator(
        cascade, log_dir=f"{folder}/logs", state_file=f"{folder}/state.json", journal=f"{folder}/journal.db",
        root=folder,
    )  # fmt: skip
    table = RunTable(lambda views: Board(runner.run_view, views, datetime.now(UTC)))
    said, taken = list[Event](), list[Line]()
    events, running = runner.events(), asyncio.create_task(runner.run())
    remembering = asyncio.create_task(remember(events, said))
    while not running.done():
        await asyncio.sleep(0.02)
        views = runner.views.values()
        at_work = [view for view in views if view.state is TaskState.IN_PROGRESS]
        done = sum(view.state is TaskState.COMPLETED for view in views)
        all_busy = len(at_work) == 3 and all(view.activity and view.usage.total for view in at_work)
        if done == 6 and all_busy and any(view.attempt == 2 for view in at_work):
            table.show(runner.views)
            above = [[Span(text_line(event), PERMANENT[event.kind])] for event in said if event.kind in PERMANENT]
            taken = [*(part for line in above for part in fold(line, COLUMNS)), *table.picture(COLUMNS, LINES)]
    await asyncio.wait([running, remembering])
    return [["$ ", Span("nova demo", Ink.BOLD)], *taken] if taken else []


async def remember(events: AsyncIterator[Event], said: list[Event]) -> None:
    """Keep the events of a run."""
    async for event in events:
        said.append(event)  # noqa: PERF401 - it is looked at meanwhile


def drawn(lines: Sequence[Line]) -> Iterator[str]:
    """Give the picture, line by line."""
    width, height = round(COLUMNS * CHAR + 2 * MARGIN), BAR + LINE * len(lines) + MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{TITLE}</title><style>{STYLE}</style>"
    yield f'<rect class="paper" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>'
    for place, colour in enumerate(("#f85149", "#d29922", "#3fb950")):
        yield f'<circle cx="{20 + 20 * place}" cy="20" r="6" fill="{colour}"/>'
    yield f'<g class="text" font-family="{FONT}" font-size="14">'
    for number, line in enumerate(lines):
        column = 0
        for text, ink in cut(line, COLUMNS):
            if text.strip():
                begin = column + len(text) - len(text.lstrip())
                yield drawn_text(text.strip(), ink, MARGIN + begin * CHAR, BAR + LINE * number + 14)
            column += width_of(text)
    yield "</g></svg>"


def drawn_text(text: str, ink: Ink, x: float, y: float) -> str:
    """Return a piece of text at its place, exactly as wide as it is on a terminal."""
    look = ink.value
    fill = ' fill="#{:02x}{:02x}{:02x}"'.format(*look.rgb) if look.rgb else ""
    weight = ' font-weight="bold"' if look.is_bold else ""
    length = f'{width_of(text) * CHAR:.1f}" lengthAdjust="spacingAndGlyphs'
    return f'<text x="{x:.1f}" y="{y}" textLength="{length}"{fill}{weight} xml:space="preserve">{escape(text)}</text>'


def main() -> None:
    """Take the picture and write it."""
    lines: list[Line] = []
    while not lines:  # the demo is a little different each time
        lines = asyncio.run(take_picture())
    PICTURE.write_text("\n".join(drawn(lines)) + "\n")


if __name__ == "__main__":
    main()
