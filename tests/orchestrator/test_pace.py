"""When the next task of an account may start whose usage limit is near, and what is told of it."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.orchestrator.actions import Action, Near, Share, WakeAt
from nova_async.orchestrator.decide import LONGEST_SLEEP, decide
from nova_async.orchestrator.happenings import (
    Begun,
    Ended,
    Gauged,
    Heard,
    Kept,
    Offset,
    Refused,
    Starting,
    Stop,
    Woken,
    Written,
)
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.noticing import noticed
from nova_async.orchestrator.pace import (
    MOST_WINDOWS,
    SAME_WINDOW,
    SHARE,
    SOON,
    STEP,
    Setting,
    Window,
    merged,
    next_start,
    threshold,
)
from nova_async.orchestrator.pacing import gauges_now, is_paced
from nova_async.orchestrator.reporting import about_gauge
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.serving import choose
from nova_async.records import AttemptFacts
from nova_async.usage import Gauge
from nova_async.views import GaugeView
from nova_async.words import Outcome, TaskState
from tests.orchestrator.test_decide import ONE, begun, limited, plan, state_of

LOGIN = ONE.parts()[1]
CLAUDE = Account("claude", "claude", (), "opus", "k")
RESET = 10_000.0
MANY = 1000  # more tasks than fit into any rest

shares = st.floats(0.0, 1.0)
moments = st.floats(0.0, 2 * RESET)
windows = st.builds(
    lambda used, first, ended, resets_at: Window(max(used, first), resets_at, min(used, first), ended),
    shares, shares, st.integers(0, 50), st.none() | moments,
)  # fmt: skip
any_setting: st.SearchStrategy[Setting] = st.sampled_from(["on", "off", 0.1, 0.5, 0.95])


@settings(deadline=None)
@given(windows, st.none() | moments, moments, any_setting, st.integers(0, MANY))
def test_no_start_waits_beyond_the_reset(
    window: Window, started_at: float | None, now: float, setting: Setting, left: int
) -> None:
    """Whatever was told: the moment is no later than the reset, and once that has passed nothing is held back."""
    moment = next_start(window, started_at, now, setting, left)
    if moment is None:
        return
    assert setting != "off"
    assert window.resets_at is not None
    assert moment <= window.resets_at
    assert next_start(window, started_at, window.resets_at, setting, left) is None


@settings(deadline=None)
@given(windows, shares, moments, moments, any_setting, st.integers(0, MANY))
def test_the_more_is_used_the_later_is_the_next_start(
    window: Window, more: float, started_at: float, now: float, setting: Setting, left: int
) -> None:
    """A fuller account never lets a task start sooner."""
    fuller = replace(window, used=min(window.used + more, 1 - 1e-9))
    before, after = (next_start(each, started_at, now, setting, left) for each in (window, fuller))
    if window.used < 1 and before is not None:
        assert after is not None
        assert after >= before - 1e-6


@settings(deadline=None)
@given(windows, st.none() | moments, moments, any_setting, st.integers(0, MANY))
def test_who_waits_until_the_moment_may_start(
    window: Window, started_at: float | None, now: float, setting: Setting, left: int
) -> None:
    """As long as nothing else is told, the moment comes and is not put off."""
    moment = next_start(window, started_at, now, setting, left)
    if moment is not None and moment > now and (started_at is None or started_at <= now):
        then = next_start(window, started_at, moment, setting, left)
        assert then is None or then <= moment + 1e-6


@settings(deadline=None)
@given(st.floats(SHARE, 0.97), st.floats(0.001, 0.05), st.floats(600.0, SOON))
def test_the_rest_lasts_until_the_reset(used: float, cost: float, seconds: float) -> None:
    """Starts that each use the same never pass the limit, and never leave the account idle for all of the time."""
    window, now, started_at, starts = Window(used, seconds, used), 0.0, None, 0
    while (moment := next_start(window, started_at, now, "on", MANY)) is not None:
        now = max(now, moment)
        if now >= seconds or window.used + cost > 1:
            break
        started_at, starts = now, starts + 1
        window = replace(window, used=window.used + cost, ended=window.ended + 1)
    assert window.used <= 1
    assert starts >= 1 or window.used + cost > 1


@pytest.mark.parametrize(
    ("setting", "resets_at", "expected"),
    [
        ("on", 100.0, SHARE),
        ("on", SOON + 1, None),
        (0.5, SOON + 1, 0.5),
        (0.5, 100 * 86_400.0, None),
        (0.5, None, None),
        ("off", 100.0, None),
        ("on", 0.0, None),
    ],
)
def test_from_which_share_starts_slow_down(setting: Setting, resets_at: float | None, expected: float | None) -> None:
    """A plan that says nothing is paced only by limits that reset soon; one that names a share, by all."""
    assert threshold(setting, resets_at, 0.0) == expected


def test_how_far_apart_starts_are() -> None:
    """What is left of the time is divided by the starts that the rest is enough for, by what one has used up to now."""
    learned = Window(0.9, RESET, 0.7, ended=10)  # 2 % each: five more
    assert next_start(learned, 0.0, 0.0, "on", MANY) == pytest.approx(RESET / 5)
    assert next_start(replace(learned, ended=0), 0.0, 0.0, "on", MANY) == RESET  # 20 %: none more
    assert next_start(Window(0.9, RESET, 0.9), 0.0, 0.0, "on", MANY) == pytest.approx(RESET * STEP / 0.1)
    assert next_start(learned, None, 5.0, "on", MANY) == 5.0
    assert next_start(learned, 99.0, 5.0, "on", MANY) == pytest.approx(5.0 + (RESET - 5.0) / 5)  # a clock was set
    assert next_start(replace(learned, used=1.0), 0.0, 0.0, "on", MANY) is None
    assert next_start(replace(learned, used=0.89), 0.0, 0.0, "on", MANY) is None
    assert next_start(learned, 0.0, 0.0, "on", 4) is None, "all that is left fits"


def gauge(used: float, resets_at: float | None = RESET, kind: str = "five_hour") -> Gauge:
    """Return what an agent tells."""
    return Gauge(kind, used, None if resets_at is None else datetime.fromtimestamp(resets_at, UTC))


def test_older_news_that_comes_later_takes_nothing_back() -> None:
    """Of two agents at work the one that asked first may be heard last: no room is seen where there is none."""
    one = merged(merged({}, [gauge(0.96)], 0.0), [gauge(0.95, RESET + 1)], 0.0)
    assert one["five_hour"] == Window(0.96, RESET + 1, 0.95)
    after_two = replace(one["five_hour"], ended=2)
    assert next_start(after_two, 0.0, 1.0, "on", 9) is not None


def test_what_is_told_last_counts() -> None:
    """A later reset is a new window, an earlier one an old one, and one that has passed none."""
    one = merged({}, [gauge(0.5)], 0.0)
    assert merged(one, [gauge(0.6, RESET + SAME_WINDOW)], 0.0)["five_hour"].first_used == 0.5
    assert merged(one, [gauge(0.3)], 0.0)["five_hour"] == Window(0.3, RESET, 0.3)
    assert merged(one, [gauge(0.7, None)], 0.0)["five_hour"] == Window(0.7, RESET, 0.5)
    assert merged(one, [gauge(0.1, RESET + 9000)], 0.0)["five_hour"] == Window(0.1, RESET + 9000, 0.1)
    assert merged(one, [gauge(0.9, RESET - 9000)], 0.0) == one
    assert merged(one, [gauge(0.9, 5.0), gauge(float("nan")), gauge(1.5)], 10.0) == one
    assert merged(one, [], RESET) == {}
    assert merged(merged({}, [gauge(0.3, None)], 0.0), [gauge(0.4)], 0.0)["five_hour"] == Window(0.4, RESET, 0.3)
    many = merged({}, [gauge(0.5, kind=f"k{number}") for number in range(99)], 0.0)
    assert len(many) == MOST_WINDOWS


def run_of(tasks: str, workers: int = 9, **settings: Any) -> RunState:
    """Return a run of these tasks that has begun."""
    cascade = plan(*((task, "") for task in tasks))
    settings = {"pace": 0.5, **settings}
    state = state_of(replace(cascade, settings=replace(cascade.settings, **settings)), workers)
    decide(state, Begun(), 0.0)
    return state


def start(state: RunState, task_id: str, now: float, account: Account = ONE) -> list[Action]:
    """Start a task as the orchestrator does, or have it kept."""
    if (held := state.held_by(task_id, account)) is not None:
        return decide(state, Kept(task_id, held), now)
    actions = decide(state, Starting(task_id, account), now)
    return actions + decide(state, Written(task_id, account), now)


def paced_run(tasks: str = "ABC", used: float = 0.9, workers: int = 1, account: Account = ONE) -> RunState:
    """Return a run whose first task has told at 0 that its account is so full; the others wait for its pace."""
    state = run_of(tasks, workers)
    start(state, tasks[0], 0.0, account)
    decide(state, Gauged(tasks[0], (gauge(used, kind="five_hour"),)), 0.0)
    state.max_workers = state.schedule.places = 9
    waiting = begun(decide(state, Woken(), 0.0))
    while waiting:
        waiting += begun(start(state, waiting.pop(0), 0.0, account))
    return state


def news(actions: Iterable[Action]) -> list[tuple[str, float | None]]:
    """Return which limits were told of, each with the moment of the next start."""
    told = [each.gauge for each in actions if isinstance(each, Near)]
    return [(each.kind, each.next_start_at and each.next_start_at.timestamp()) for each in told]


# With 10 % left, 3 tasks would fit; so many do not.
TASKS = "ABCDEFGHIJKLMNOP"
GAP = RESET / 10  # at 1 % each


def test_tasks_start_one_by_one_and_the_rest_waits() -> None:
    """Nothing that runs is touched; at its moment one task starts, and the next moment follows from that."""
    state = paced_run(TASKS)
    assert set(state.paced) == set(TASKS[1:])
    hold = state.hold_of("B")
    assert hold is not None
    assert hold.until is not None
    assert (hold.until.timestamp(), hold.waits_for) == (pytest.approx(GAP), "waits for the pace of one")
    assert state.wake_at is not None
    assert begun(decide(state, Woken(), GAP - 1)) == []
    assert begun(decide(state, Woken(), GAP)) == ["B"]
    assert begun(decide(state, Woken(), GAP)) == [], "until it has started"
    start(state, "B", GAP)
    hold = state.hold_of("C")
    assert hold is not None
    assert hold.until is not None
    assert hold.until.timestamp() == pytest.approx(GAP + (RESET - GAP) / 10)


def test_a_reset_ends_the_pace() -> None:
    """What was told counts no longer then: all begin."""
    state = paced_run(TASKS, used=0.999)
    assert set(begun(decide(state, Woken(), RESET))) >= set("BCDEFGH")
    assert state.paced == {}


def test_what_fits_into_the_rest_is_not_held_back() -> None:
    """Three tasks of one percent each need not wait where ten are left; nor once others are done."""
    assert paced_run("ABC").paced == {}
    state = paced_run(TASKS)
    assert state.paced
    decide(state, Gauged("A", (gauge(0.6),)), 1.0)
    assert state.paced == {}


def test_the_setting_decides() -> None:
    """With off nothing is held back, and with a wait of nothing nothing waits."""
    for written in ({"pace": "off"}, {"max_wait": 0.0}):
        state = run_of(TASKS, 1, **written)
        start(state, "A", 0.0)
        decide(state, Gauged("A", (gauge(0.95),)), 0.0)
        assert state.held_by("B", ONE) is None
        assert is_paced(state, LOGIN, 0.0) is (written != {"pace": "off"})


def test_a_limit_of_one_model_slows_no_others() -> None:
    """Only what the agent is known to have for its whole account does; the other is told of."""
    state = run_of(TASKS, 1)
    start(state, "A", 0.0, CLAUDE)
    actions = decide(state, Gauged("A", (gauge(0.95, kind="seven_day_opus"),)), 0.0)
    assert news(actions) == [("seven_day_opus", None)]
    assert state.held_by("B", CLAUDE) is None
    decide(state, Gauged("A", (gauge(0.95),)), 0.0)
    assert state.held_by("B", CLAUDE) == CLAUDE.parts()[1]
    assert state.held_by("B", ONE) is None


def test_a_limit_is_told_once_and_once_that_it_slows_starts_down() -> None:
    """More of the same is no news; a new window is."""
    state = run_of(TASKS, 1)
    start(state, "A", 0.0)
    state.cascade = replace(state.cascade, settings=replace(state.cascade.settings, pace=0.9))
    assert news(decide(state, Gauged("A", (gauge(0.79),)), 1.0)) == []
    assert news(decide(state, Gauged("A", (gauge(0.8),)), 1.0)) == [("five_hour", None)]
    assert news(decide(state, Gauged("A", (gauge(0.85),)), 1.0)) == []
    [(kind, moment)] = news(decide(state, Gauged("A", (gauge(0.93),)), 1.0))
    assert (kind, moment) == ("five_hour", RESET)  # 14 % for one start is more than is left
    assert news(decide(state, Gauged("A", (gauge(0.95),)), 1.0)) == []
    assert news(decide(state, Gauged("A", (gauge(0.9, RESET + 9_000),)), RESET + 1)) == [("five_hour", None)]
    assert [view.used for view in gauges_now(state)] == [0.9]


def test_others_hear_of_whole_percents_and_of_starts() -> None:
    """A fraction after each answer is no news to other runs."""
    state = run_of(TASKS, 1)
    start(state, "A", 5.0)
    [shared] = [each for each in decide(state, Gauged("A", (gauge(0.501),)), 6.0) if isinstance(each, Share)]
    assert shared == Share(LOGIN, (gauge(0.501),), 5.0)
    assert [each for each in decide(state, Gauged("A", (gauge(0.502),)), 7.0) if isinstance(each, Share)] == []
    decide(state, Ended("A", Outcome.OK), 8.0)
    assert [each for each in start(state, "B", 9.0) if isinstance(each, Share)] == [Share(LOGIN, (gauge(0.502),), 9.0)]


def test_what_other_runs_tell_slows_this_one_down() -> None:
    """Also when they have last started something; a moment that is still to come is a wrong clock's."""
    state = run_of(TASKS, 1)
    decide(state, Heard(LOGIN, (gauge(0.9),), 99_999.0), 10.0)
    assert state.held_by("A", ONE) is None
    decide(state, Heard(LOGIN, (gauge(0.9),), 5.0), 10.0)
    assert state.held_by("A", ONE) == LOGIN
    decide(state, Heard(LOGIN, (gauge(0.2),)), 10.0)
    assert state.held_by("A", ONE) is None
    assert state.last_start(LOGIN) == 5.0
    assert state.last_start(ONE) == 0.0


def test_a_start_that_came_to_nothing_counts_for_nothing() -> None:
    """The journal has refused it, or no command could be made: the next one need not wait for it."""
    state = run_of("AB", 1)
    decide(state, Heard(LOGIN, (), 5.0), 10.0)
    decide(state, Starting("A", ONE), 50.0)
    decide(state, Refused("A"), 51.0)
    decide(state, Refused("B"), 51.0)
    assert state.last_start(LOGIN) == 5.0
    assert decide(state, Starting("A", None), 52.0) == []
    assert state.serving == {}


@pytest.mark.parametrize("refused", ["ABC", "BAC", "CBA", "AB", "A", "B"])
def test_starts_that_came_to_nothing_hide_no_others(refused: str) -> None:
    """Whichever of several did not start after all: the last start is that of the others."""
    state = run_of("ABC")
    decide(state, Heard(LOGIN, (), 5.0), 10.0)
    for moment, task_id in enumerate("ABC"):
        decide(state, Starting(task_id, ONE), 50.0 + moment)
    for task_id in refused:
        decide(state, Refused(task_id), 60.0)
    assert state.last_start(LOGIN) == {"C": 52.0, "": 5.0}["C" if "C" not in refused else ""]


def test_thousands_of_tasks_are_paced_in_linear_time() -> None:
    """Neither those that wait nor those that are not to run are looked at whenever something happens."""
    names = [f"T{number}" for number in range(10_000)]
    state = state_of(plan(*((name, "") for name in names)), len(names), only=frozenset(names))
    decide(state, Begun(), 0.0)
    began = time.process_time()
    start(state, "T0", 0.0)
    decide(state, Gauged("T0", (gauge(0.95, kind="five_hour"),)), 0.0)
    for name in names[1:]:
        start(state, name, 0.0)
    assert len(state.paced) == 9_999
    assert time.process_time() - began < 1.5, "a fifth of that is usual"


def test_attempts_that_asked_nobody_have_used_nothing() -> None:
    """What one start uses is learned from those that have worked."""
    for outcome, ended in ((Outcome.OK, 1), (Outcome.NO_RESOURCES, 0)):
        state = paced_run(TASKS)
        decide(state, Ended("A", outcome, account=ONE), 5.0)
        assert state.paces[LOGIN].windows["five_hour"].ended == ended


def test_a_chosen_task_that_starts_elsewhere_gives_way() -> None:
    """Another account of its order has served it, or it has no budget left: the next one starts in its place."""
    state = paced_run(TASKS)
    assert begun(decide(state, Woken(), GAP)) == ["B"]
    assert "C" in begun(start(state, "B", GAP, CLAUDE))
    state = paced_run(TASKS)
    assert begun(decide(state, Woken(), GAP)) == ["B"]
    assert begun(decide(state, Kept("B", LOGIN), GAP)) == ["B"], "it may start after all"
    state.schedule.put_back("B")
    assert begun(decide(state, Woken(), GAP)) == ["C"]


def test_a_chosen_task_waits_again_if_more_was_used_meanwhile() -> None:
    """Where there is no place for it, its moment may be put off."""
    state = paced_run(TASKS)
    assert begun(decide(state, Woken(), GAP)) == ["B"]
    decide(state, Gauged("A", (gauge(0.95),)), GAP)
    assert state.held_by("B", ONE) == LOGIN
    start(state, "B", GAP)
    assert "B" in state.paced


def test_a_stop_is_not_held_up_by_a_pace() -> None:
    """What waits stays for the next run, and says so no more."""
    state = paced_run(TASKS)
    decide(state, Stop(), 1.0)
    decide(state, Ended("A", Outcome.CANCELLED), 2.0)
    assert state.finished
    assert state.hold_of("B") is None
    decide(state, Woken(), RESET)
    assert state.schedule.state("B") is TaskState.WAITING


def test_a_run_is_not_over_while_a_task_waits_for_its_pace() -> None:
    """Nothing runs, and something will: it asks to be woken, and looks at the clock again before."""
    state = paced_run(TASKS)
    actions = decide(state, Ended("A", Outcome.OK, account=ONE), 5.0)
    assert not state.finished
    assert [each for each in actions if isinstance(each, WakeAt)] == []
    assert state.wake_at == LONGEST_SLEEP
    decide(state, Offset(RESET), 6.0)  # the machine has slept through the reset
    assert set(begun(decide(state, Woken(), 6.0))) >= set("BCDEFGH")


def test_who_tries_a_limit_waits_for_no_pace() -> None:
    """It is to show that the limit has reset; whatever was told before is no longer true."""
    state = paced_run(TASKS)
    decide(state, limited("A", 100.0), 10.0)
    decide(state, Woken(), 200.0)
    [tried] = set(state.trying.values())
    assert state.held_by(tried, ONE) is None


def test_the_next_of_an_order_serves_where_the_first_is_paced() -> None:
    """It need not wait; where all are paced or closed, it waits for the one whose moment comes first."""
    state = paced_run(TASKS)
    held_by = lambda account: state.held_by("B", account)  # noqa: E731
    assert choose([("one", ONE), ("claude", CLAUDE)], held_by, state.all_holds()) == ("claude", None)
    assert choose([("one", ONE)], held_by, state.all_holds()) == ("one", LOGIN)


def test_gauges_are_noticed_once() -> None:
    """Facts are told again and again; only a gauge that has changed is news."""
    state = run_of(TASKS, 1)
    facts = AttemptFacts(gauges=(gauge(0.4),))
    [told] = noticed(state, "A", facts)
    assert told == Gauged("A", (gauge(0.4),))
    decide(state, told, 1.0)  # of an attempt that an earlier run has begun: nobody knows its account
    assert list(noticed(state, "A", facts)) == []
    assert state.paces == {}


def test_tasks_that_are_not_to_run_need_no_room() -> None:
    """Of a selection, only its own tasks have to fit into the rest."""
    state = state_of(plan(*((task, "") for task in TASKS)), only={"A", "B"})
    assert state.schedule.left == 2
    decide(state, Begun(), 0.0)
    decide(state, Ended("A", Outcome.OK), 1.0)
    assert state.schedule.left == 1


def test_what_events_tell_of_a_gauge() -> None:
    """Moments are in UTC; what is not known is null."""
    moment = datetime.fromtimestamp(RESET, UTC)
    view = GaugeView(agent="x", kind="five_hour", used=0.91234567, resets_at=moment, next_start_at=moment)
    written = "1970-01-01T02:46:40+00:00"
    assert about_gauge(view) == {
        "agent": "x", "limit": "five_hour", "used": 0.9123, "resets_at": written, "next_start_at": written,
    }  # fmt: skip
    assert about_gauge(replace(view, resets_at=None, next_start_at=None))["resets_at"] is None
