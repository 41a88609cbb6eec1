"""Results as JSON lines, as a table in Markdown, and beside those of an earlier run: pure."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.benchmarks.figures import Figure, Skipped, Target

__all__ = ["Change", "Results", "changes", "markdown", "number", "parse", "text", "to_lines"]

FORMAT = 1
OF_THE_MACHINE = ("system", "machine", "processor", "cores", "memory_gb", "python", "kernel")


@dataclass
class Results:
    """What one run of the benchmarks found, and on what machine."""

    machine: dict[str, object] = field(default_factory=dict)
    found: list[Figure | Skipped] = field(default_factory=list)

    @property
    def figures(self) -> dict[tuple[str, str], Figure]:
        """All figures, by row and words."""
        return {(each.row, each.what): each for each in self.found if isinstance(each, Figure)}


def to_lines(results: Results) -> Iterable[str]:
    """Return one JSON line for the machine and one for each figure and each that was skipped."""
    yield json.dumps({"kind": "machine", "format": FORMAT, **results.machine})
    for each in results.found:
        if isinstance(each, Skipped):
            line: dict[str, object] = {
                "kind": "skipped", "row": each.row, "what": each.what, "reason": each.reason, "failed": each.is_failure,
            }  # fmt: skip
        else:
            low, median, high = each.spread
            line = {
                "kind": "figure", "row": each.row, "what": each.what, "unit": each.unit, "median": median, "low": low,
                "high": high, "samples": each.samples, "target": None if each.target is None else each.target.bound,
                "more_is_better": each.wants_more, "judged": each.is_judged, "verdict": each.verdict,
            }  # fmt: skip
        yield json.dumps(line, ensure_ascii=False)


def parse(lines: Iterable[str]) -> Results:
    """Read what ``to_lines`` wrote. Raises ``ValueError`` for anything else."""
    results = Results()
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            match line.pop("kind"):
                case "machine" if line.pop("format") == FORMAT:
                    results.machine = line
                case "figure":
                    bound, more = line["target"], line["more_is_better"]
                    target = None if bound is None else Target(bound, more)
                    samples = tuple(map(float, line["samples"]))
                    each = (line["row"], line["what"], line["unit"], samples, target, line["judged"], more)
                    results.found.append(Figure(*each))
                case "skipped":
                    results.found.append(Skipped(line["row"], line["what"], line["reason"], line["failed"]))
                case kind:
                    raise ValueError(f"unknown kind {kind!r}")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number} is no result of these benchmarks: {error!r}") from error
    return results


@dataclass(frozen=True, slots=True)
class Change:
    """One figure beside what an earlier run found."""

    row: str
    what: str
    before: float
    now: float
    said: str


def changes(earlier: Results, now: Results) -> list[Change]:
    """Compare the figures that both have; only where the quartiles do not overlap is there a change.

    Of what was measured too seldom, and of little work, nothing is said but the two numbers.
    """
    found = []
    for key, figure in now.figures.items():
        if (other := earlier.figures.get(key)) is None or other.unit != figure.unit:
            continue
        before, after = other.spread, figure.spread
        if not (figure.can_be_judged and other.can_be_judged):
            said = "cannot tell"
        elif before.low <= after.high and after.low <= before.high:
            said = "no change that can be told"
        else:
            said = "better" if (after.median > before.median) == figure.wants_more else "worse"
        found.append(Change(*key, before.median, after.median, said))
    return found


def differences(earlier: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return what makes two machines differ, in words."""
    names = [name for name in OF_THE_MACHINE if earlier.get(name) != now.get(name)]
    return [f"{name}: {earlier.get(name, 'unknown')} then, {now.get(name, 'unknown')} now" for name in names]


def number(value: float) -> str:
    """Format a number with three digits that say something."""
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def markdown(results: Results, earlier: Results | None = None) -> str:
    """Return everything as tables: the figures, what was skipped, and what has changed since ``earlier``."""
    return _written(results, earlier, _markdown_table)


def text(results: Results, earlier: Results | None = None) -> str:
    """Return the same for a terminal."""
    return _written(results, earlier, _aligned)


def _written(results: Results, earlier: Results | None, table: Callable[[list[tuple[str, ...]]], str]) -> str:
    facts = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in results.machine.items())
    blocks = [facts]
    if figures := list(_figures(results)):
        blocks.append(table([("row", "figure", "median", "quartiles", "target", "verdict"), *figures]))
    if skipped := [(each.row, each.what, each.reason) for each in results.found if isinstance(each, Skipped)]:
        blocks.append(table([("row", "not measured", "because"), *skipped]))
    if earlier is not None:
        blocks += [f"Not the same machine: {each}." for each in differences(earlier.machine, results.machine)]
        compared = changes(earlier, results)
        rows = [(each.row, each.what, number(each.before), number(each.now), each.said) for each in compared]
        blocks.append(table([("row", "figure", "before", "now", "change"), *rows]))
    return "\n\n".join(blocks) + "\n"


def _figures(results: Results) -> Iterable[tuple[str, ...]]:
    for each in results.figures.values():
        low, median, high = each.spread
        unit = each.unit if each.unit in ("x", "%") else f" {each.unit}"
        target = "" if each.target is None else f"{each.target}{unit}"
        verdict = "" if each.target is None else str(each.verdict)
        yield each.row, each.what, f"{number(median)}{unit}", f"{number(low)} to {number(high)}", target, verdict


def _markdown_table(rows: list[tuple[str, ...]]) -> str:
    lines = [rows[0], ("---",) * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
