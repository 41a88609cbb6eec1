"""What the summary says of an agent on hold whose tasks others have run."""

import pytest

from nova_async.cli.run_summary import describe_hold
from nova_async.views import Hold
from nova_async.words import Outcome


@pytest.mark.parametrize(
    ("waiting", "told"),
    [((), ". No task waits for it"), (("T1",), ". 1 task waits: T1"), (("T1", "T2"), ". 2 tasks wait: T1, T2")],
)
def test_who_waits_for_an_agent(waiting: tuple[str, ...], told: str) -> None:
    """Nobody, where the next of the order took over."""
    hold = Hold(agent="a", program="a", model=None, outcome=Outcome.AUTH, error="e", cure="c", waiting=waiting)
    first = next(iter(describe_hold(hold)))
    assert first[-1] == told


@pytest.mark.parametrize(
    ("outcome", "waiting", "is_told"),
    [(Outcome.LIMIT, (), False), (Outcome.LIMIT, ("T1",), True), (Outcome.AUTH, (), True)],
)
def test_what_to_do_about_it(outcome: Outcome, waiting: tuple[str, ...], is_told: bool) -> None:
    """Nothing, where a limit has kept nobody from being done."""
    hold = Hold(agent="a", program="a", model=None, outcome=outcome, error="e", cure="the cure", waiting=waiting)
    assert ("  the cure" in describe_hold(hold)) is is_told
