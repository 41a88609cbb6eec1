"""Every branch of the pure rooms is taken by their own tests: ``python -m tests.pure_coverage``.

What only decides can be tested whole: there is nothing in it that a test could not arrange. What starts processes and
meets disks is tested by what it promises, not by its lines.
"""

import sys
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = [
    "tests/agents", "tests/cascade", "tests/core/test_text.py", "tests/redaction", "tests/test_prices.py",
    "tests/test_values.py", "tests/control/test_board.py", "tests/control/test_looks.py",
    "tests/control/test_figures.py", "tests/control/test_event_words.py", "tests/control/test_graph.py",
    "tests/control/test_timeline.py", "tests/notice/test_due.py", "tests/web/test_metrics.py",
    "tests/control/test_protocol.py",
    "tests/tracing/test_spans.py",
    *(f"tests/cli/test_report_{name}.py" for name in ("ctrf", "markdown", "page", "sparse")),
    *(f"tests/orchestrator/test_{name}.py"
      for name in ("accounts", "admission", "cost_sources", "countable", "decide", "decisions", "gates", "holding",
                   "long_past", "obeying", "outlook", "pace", "reporting", "resume", "schedule", "serving", "sessions",
                   "within_budget")),
]  # fmt: skip
# Ten times as slow as all the others together, because they try much of the same or look at a clock.
NOT_RUN = " or ".join((
    "linear_time", "no_time", "quick", "hostile_plan", "chained", "AnyOrder", "may_end_anywhere", "no_event_breaks",
    "any_words", "odd_values", "odd_output", "garbage", "long_prompts", "every_chunk_size",
))  # fmt: skip
EXAMPLES = 10  # of each property, where its test does not ask for more
# What is loaded stays loaded, so each of its tests is a process of its own.
ELSEWHERE = {"agents/load.py"}


def pure_files() -> list[str]:
    """Return the files that tests/test_architecture.py keeps pure."""
    from tests.test_architecture import HOUSE, PURE, SOURCES, is_in, name_of

    pure = [source for source in SOURCES if is_in(source, PURE) and name_of(source) not in ELSEWHERE]
    return [str(source) for source in [*pure, HOUSE / "_core/text.py"]]


class FewExamples:
    """A plugin of pytest that tries few examples of each property."""

    def pytest_configure(self) -> None:
        """Set the profile; not earlier, because pytest rewrites what hypothesis brings."""
        from hypothesis import settings

        settings.register_profile("few", max_examples=EXAMPLES, derandomize=True)  # so that none is found by chance
        settings.load_profile("few")


def main() -> int:
    """Run the tests of the pure rooms, print the branches that none took, and return 1 if there are any."""
    measured = coverage.Coverage(branch=True, source=[str(ROOT / "nova_async")], data_file=None)
    measured.start()  # before anything of ours is imported
    failed = pytest.main(
        ["-q", "-n", "0", "-p", "no:randomly", "-k", f"not ({NOT_RUN})", *sys.argv[1:], *TESTS], plugins=[FewExamples()]
    )
    measured.stop()
    total = measured.report(include=pure_files(), show_missing=True, skip_covered=True, precision=2)
    return int(bool(failed) or total < 100)


if __name__ == "__main__":
    sys.exit(main())
