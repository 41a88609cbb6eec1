"""``nova cost``: what the attempts of a plan have cost, from its journal."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar, final

import click

from nova_async._core.money import dollars
from nova_async._core.text import one_line
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.cost_rows import KEYS, CostTable, Part, cost_document, cost_rows, own_figures, parts_of
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.places import JOURNAL
from nova_async.cli.say import say, tell
from nova_async.control.figures import UNKNOWN, short_count
from nova_async.errors import JournalError
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.records import Attempt
from nova_async.usage import Totals

__all__ = ["command"]

T = TypeVar("T")

DEFAULT_KEYS = ("task", "model")
COUNTS: Sequence[Line] = ("input", "output", "cache read", "cache write", "reported", "estimated")
# What a spreadsheet would take for a formula where it stands first in a cell; an agent may have named a model so.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    plan: str | None = argument("[PLAN]", default=None)
    all: bool = flag(help="Count all plans of the journal.")
    by: str | None = option(
        metavar="KEYS", show_default="task,model", help=f"What to tell apart, separated by commas: {', '.join(KEYS)}."
    )
    since: str | None = option(metavar="DAY", help="Count only what ended on this day or later: 2026-11-25.")
    until: str | None = option(metavar="DAY", help="Count only what ended on this day or earlier.")
    utc: bool = flag(help="Let days begin at midnight UTC, not here.")
    json: bool = flag(help="Write one JSON document.")
    csv: bool = flag(help="Write a table for spreadsheets.")
    journal: str = option(metavar="FILE", default=JOURNAL, help="Path of the run journal.")


def show_cost(options: Options) -> int:
    """Show what the attempts of a plan have used and cost: as reported by agents, and as estimated by prices.

    PLAN is the plan that was run last unless you name another. Attempts that still run are not counted. The exit code
    is 2 if nothing has been run here.
    """
    if options.json and options.csv:
        raise click.UsageError("--json and --csv cannot be used together")
    if options.all and options.plan is not None:
        raise click.UsageError("PLAN and --all cannot be used together")
    by, since, until = keys_in(options.by), day_in("--since", options.since), day_in("--until", options.until)
    if since and until and since > until:
        raise click.UsageError(f"--since {since} is after --until {until}")
    day_of = utc_day if options.utc else local_day

    def described(attempts: Iterator[Attempt]) -> list[Line]:
        seen = Seen()
        parts = (
            part
            for part in parts_of(seen.counted(attempts), day_of)
            if (since is None or since <= part.day) and (until is None or part.day <= until)
        )
        if options.json:
            return [json.dumps(cost_document(parts, by or KEYS), indent=2)]
        return [csv_text(parts, by or KEYS)] if options.csv else list(described_table(parts, by or DEFAULT_KEYS, seen))

    try:
        lines = read_costs(Path(options.journal), options.plan, described, all_plans=options.all)
    except (JournalError, ValueError) as error:
        tell(str(error))
        return BAD_INPUT
    say(*lines, nl=not options.csv)
    return 0


@final
class Seen:
    """How many attempts there are; known when all of them have gone by."""

    def __init__(self) -> None:
        self.ended = 0
        self.running = 0

    def counted(self, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
        """Give the attempts on."""
        for attempt in attempts:
            if attempt.end is None:
                self.running += 1
            else:
                self.ended += 1
            yield attempt


def keys_in(text: str | None) -> tuple[str, ...]:
    """Read ``task,model``; nothing where nothing is given."""
    keys = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    for key in keys:
        if key not in KEYS:
            raise click.UsageError(f"--by: {key!r} is not one of {', '.join(KEYS)}")
    return tuple(dict.fromkeys(keys))


def day_in(name: str, text: str | None) -> date | None:
    """Read ``2026-11-25`` or ``20261125``."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{name}: {text!r} is not a day (write 2026-11-25)") from None


def local_day(moment: datetime) -> date:
    """Return the day of a moment in the person's own zone."""
    return moment.astimezone().date()


def utc_day(moment: datetime) -> date:
    """Return the day of a moment in UTC."""
    return moment.astimezone(UTC).date()


def read_costs(journal: Path, plan: str | None, use: Callable[[Iterator[Attempt]], T], *, all_plans: bool) -> T:
    """Return what ``use`` makes of the attempts of a plan, of the one that was run last, or of all.

    It gets them one by one, so that memory does not grow with the journal. Raises ``JournalError`` if the journal
    cannot be read, or has no such plan.
    """
    reader = JournalReader(journal)
    if not reader.is_ours():
        tell(f"{journal} was not written by you on this machine: what it says may not be true")
    plans = [plan_key(Path(plan), journal)] if plan is not None else reader.plans()[: None if all_plans else 1]
    if not any(map(reader.has_begun, plans)):
        raise JournalError(f"{plan} has not been run here yet" if plan else "nothing has been run here yet")
    return reader.used(plans, use)


def described_table(parts: Iterable[Part], by: Sequence[str], seen: Seen) -> Iterator[Line]:
    """Give for people: a row for each key, the sums, and what is not among them."""
    table, whole = CostTable(by), Totals()
    for part in parts:
        table.add(part)
        part.add_to(whole)
    if found := table.rows():
        rows: list[list[Line]] = [[[Span(str(title), Ink.GREY)] for title in (*by, *COUNTS)]]
        rows.extend([*(one_line(shown(value)) for value in row.key), *numbers(row.sums)] for row in found)
        total = ("total", *[""] * (len(by) - 1), *numbers(whole))
        rows.append([[Span(text, Ink.BOLD)] for text in total])
        right = frozenset(range(len(by), len(by) + len(COUNTS)))
        yield from table_lines(rows, width=columns_of_terminal(), right=right, folding=range(len(by)))
    elif seen.ended:
        yield "no attempt ended in these days"
    if seen.running:
        yield f"not counted: {seen.running} {'attempt' if seen.running == 1 else 'attempts'} without an end"


def shown(value: Any) -> str:
    """Write a key for people; ``-`` where there is none."""
    return str(value) if value != "" else UNKNOWN


def numbers(sums: Totals) -> list[str]:
    """Write sums; ``-`` where a cost is not known, ``≥`` before one of which a part is not known."""
    used = sums.usage
    counts = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_creation_tokens)
    mark = "" if sums.cost_is_complete else "≥ "
    nothing = UNKNOWN if used.total or not sums.usage_is_final else ""
    reported = nothing if sums.cost_usd is None else f"{mark}{dollars(sums.cost_usd)}"
    estimated = "" if sums.estimated_usd is None else f"{mark}~{dollars(sums.estimated_usd)}"
    if sums.cost_usd is None and sums.estimated_usd is not None:
        reported = ""
    return [*map(short_count, counts), reported, estimated]


def csv_text(parts: Iterable[Part], by: Sequence[str]) -> str:
    """Write rows for spreadsheets: full numbers, an empty cell where something is not known, and no sum."""
    written = io.StringIO()
    table = csv.writer(written)
    titles = list(own_figures(Totals()))
    table.writerow([*by, *titles])
    for row in cost_rows(parts, by):
        table.writerow([*map(inert, row.key), *map(cell_of, own_figures(row.sums).values())])
    return written.getvalue()


def cell_of(value: Any) -> Any:
    """Write a number, or a word for a truth; nothing where it is not known."""
    return str(value).lower() if isinstance(value, bool) else value


def inert(value: Any) -> str:
    """Write a key so that no spreadsheet takes it for a formula."""
    text = one_line(str(value))
    return f"'{text}" if text.startswith(FORMULA) else text


command = command_of(Options, show_cost)
