"""What the benchmarks say of what they have measured: ratios, spreads, verdicts, tables, and what is kept of them."""

import re
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.benchmarks.figures import Figure, Skipped, Spread, Verdict, at_least, at_most, ratios
from tests.benchmarks.instructions import COUNTED, calls_of
from tests.benchmarks.results import Results, changes, differences, markdown, number, parse, text, to_lines
from tests.benchmarks.rows import ROWS

NUMBERS = some.floats(1e-6, 1e9)
SAMPLES = some.lists(NUMBERS, min_size=1, max_size=9)
FIGURES = some.builds(
    Figure, some.sampled_from(sorted(ROWS)), some.text(min_size=1), some.sampled_from(["x", "ms"]), SAMPLES.map(tuple),
    some.none() | some.builds(at_least, NUMBERS) | some.builds(at_most, NUMBERS), some.booleans(),
)  # fmt: skip
SKIPPED = some.builds(Skipped, some.sampled_from(sorted(ROWS)), some.text(), some.text(), some.booleans())
RESULTS = some.builds(Results, some.just({"cores": 2, "python": "3.11"}), some.lists(FIGURES | SKIPPED, max_size=5))


def found(*samples: float, what: str = "speed", **options: object) -> Results:
    """Return the results of a run that measured one figure."""
    return Results({"cores": 2}, [Figure("life", what, "x", samples, **options)])  # type: ignore[arg-type]


@given(SAMPLES)
def test_a_spread_holds_half_of_the_samples(samples: list[float]) -> None:
    """The quartiles are those of the standard library, which wants two samples at least."""
    low, median, high = Spread.of(samples)
    assert min(samples) <= low <= median <= high <= max(samples)
    if len(samples) > 1:
        cuts = statistics.quantiles(samples, n=4, method="inclusive")
        assert [low, median, high] == pytest.approx(cuts)


def test_a_ratio_is_taken_round_by_round() -> None:
    """What slowed down one round slowed both, and is not seen in their ratio."""
    assert ratios([1.0, 100.0, 2.0], [2.0, 200.0, 4.0]) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ((1.0, 1.1, 1.2), Verdict.MET),
        ((2.0, 2.0, 2.0), Verdict.MET),
        ((1.0, 1.1, 1.2, 4.0, 4.0), Verdict.CANNOT_TELL),
        ((1.0, 1.1, 1.2, 1.3, 9.0), Verdict.MET),  # one that the machine interrupted
        ((3.0, 3.1, 3.2), Verdict.NOT_MET),
        ((1.0, 1.0), Verdict.CANNOT_TELL),
        ((9.0,), Verdict.CANNOT_TELL),
    ],
)
def test_a_verdict_is_what_both_quartiles_agree_on(samples: tuple[float, ...], verdict: Verdict) -> None:
    """Where the spread crosses the target, or there are too few rounds, nobody can tell."""
    assert at_most(2).verdict(samples) is verdict
    assert at_least(0.5).verdict([1 / sample for sample in samples]) is verdict


def test_little_work_is_not_judged() -> None:
    """Nor is what has no target."""
    assert Figure("life", "x", "x", (1.0,) * 5, at_most(2), is_judged=False).verdict is Verdict.NOT_JUDGED
    assert Figure("life", "x", "x", (1.0,) * 5).verdict is Verdict.NOT_JUDGED


@given(RESULTS)
def test_what_is_written_is_read_again(results: Results) -> None:
    """With every sample, so that a later run can compare; and every table can be made of it."""
    again = parse(to_lines(results))
    assert again.machine == results.machine
    assert list(to_lines(again)) == list(to_lines(results))
    assert markdown(again, results) == markdown(results, again)
    assert text(results)


@pytest.mark.parametrize(
    "line",
    ["", "[]", "1", '{"kind": "machine"}', '{"kind": "machine", "format": 99}', '{"kind": "figure"}', '{"kind": "x"}'],
)
def test_what_is_no_result_is_refused(line: str) -> None:
    """With the number of the line."""
    with pytest.raises(ValueError, match=r"^line 2 is no result"):
        parse([*list(to_lines(Results()))[:1], line])


@pytest.mark.parametrize(
    ("before", "now", "target", "said"),
    [
        ((1.0, 1.1, 1.2), (1.1, 1.2, 1.3), at_most(2), "no change that can be told"),
        ((1.0, 1.1, 1.2), (9.0, 9.1), at_most(2), "cannot tell"),
        ((1.0, 1.1, 1.2), (2.0, 2.1, 2.2), at_most(2), "worse"),
        ((1.0, 1.1, 1.2), (0.5, 0.6, 0.7), at_most(2), "better"),
        ((1.0, 1.1, 1.2), (2.0, 2.1, 2.2), at_least(2), "better"),
        ((1.0, 1.1, 1.2), (0.5, 0.6, 0.7), at_least(2), "worse"),
    ],
)
def test_a_change_is_one_only_where_the_spreads_do_not_overlap(
    before: tuple[float, ...], now: tuple[float, ...], target: object, said: str
) -> None:
    """And whether it is a good one depends on what the target wants."""
    (change,) = changes(found(*before, target=target), found(*now, target=target))
    assert change.said == said
    assert f"| life | speed | 1.10 | {number(statistics.median(now))} | {said} |" in markdown(
        found(*now, target=target), found(*before, target=target)
    )


def test_only_what_both_have_measured_is_compared() -> None:
    """And where the machines differ, that is said."""
    assert changes(found(1.0, what="another"), found(1.0)) == []
    assert differences({"cores": 2, "load_at_start": 1}, {"cores": 8, "load_at_start": 2}) == ["cores: 2 then, 8 now"]


def test_a_table_in_markdown() -> None:
    """A pipe in a cell does not end it, and what was skipped stands below."""
    results = found(0.5, 1.0, 2.0, what="of `cat | cat`", target=at_least(0.9))
    results.found.append(Skipped("tasks", "pueue", "pueue is not on PATH"))
    assert markdown(results).splitlines() == [
        "cores 2",
        "",
        "| row | figure | median | quartiles | target | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
        r"| life | of `cat \| cat` | 1.00x | 0.75 to 1.50 | ≥ 0.9x | cannot tell |",
        "",
        "| row | not measured | because |",
        "| --- | --- | --- |",
        "| tasks | pueue | pueue is not on PATH |",
    ]
    assert "  of `cat | cat`  1.00x" in text(results)


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (12345.6, "12,346"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012")]
)
def test_a_number_has_the_digits_that_say_something(value: float, said: str) -> None:
    """And no more."""
    assert number(value) == said


def test_calls_are_those_of_our_own_threads() -> None:
    """Those of children are left out, one that was interrupted by another thread counts once, and signals do not."""
    trace = """\
10 execve("/bin/nova", ["nova"], 0x7ffe /* 20 vars */) = 0
10 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7f}, 88 <unfinished ...>
11 write(1, "by a thread that is not known yet", 33) = 33
10 <... clone3 resumed> => {parent_tid=[11]}, 88) = 11
11 read(3, <unfinished ...>
10 vfork( <unfinished ...>
12 execve("/bin/true", ["/bin/true"], 0x7ffe) = 0
10 <... vfork resumed>) = 12
11 <... read resumed>"CLONE_THREAD", 12) = 12
10 --- SIGCHLD {si_signo=SIGCHLD} ---
12 exit_group(0) = ?
12 +++ exited with 0 +++
10 exit_group(0) = ?
"""
    assert calls_of(trace.splitlines()) == 6


def test_every_row_is_described() -> None:
    """The page of the benchmarks has each, and no other."""
    page = (Path(__file__).parents[1] / "docs/benchmarks.md").read_text()
    table = page.partition("## The rows")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(ROWS)
    assert set(COUNTED) <= set(ROWS)
