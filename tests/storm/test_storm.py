"""A storm loses nothing: no byte, no token, no verdict, no task, and nobody is left behind.

For longer ones: ``python -m tests.storm --seconds 600``.
"""

import sys
from pathlib import Path

import pytest

from tests.storm.storm import long_plan, under_nova, under_workers

SEED = sys.version_info.minor  # each Python has a storm of its own
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ledgers name processes by what /proc tells")


def test_a_storm_under_workers(tmp_path: Path) -> None:
    """A hundred and twenty agents, ended in all ways: logs, counts and verdicts are what they wrote down."""
    storm = under_workers(tmp_path, SEED, 120)
    print(storm)
    assert not storm.complaints, str(storm)
    assert storm.figures["workers"] == 120


def test_a_storm_under_a_run(tmp_path: Path) -> None:
    """A run that is interrupted, ended and killed, also with its guard: each task completes once."""
    storm = under_nova(tmp_path, SEED, 20, 6, watchers=3)
    print(storm)
    assert not storm.complaints, str(storm)
    assert storm.figures["tasks"] == 20


def test_a_long_plan(tmp_path: Path) -> None:
    """What nova holds grows by a few kilobytes for each task at the most, and each is completed."""
    storm = long_plan(tmp_path, 400)
    print(storm)
    assert not storm.complaints, str(storm)
