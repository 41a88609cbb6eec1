"""What the keys do while a run is shown."""

import re
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from nova_async.cli.browsing import HELP, LONGEST_FILTER, LOOKS, MOVES, WISHES, Browsing, Pane, in_keys
from nova_async.cli.ink import plain
from nova_async.cli.keys import BACKSPACE, DOWN, END, ENTER, ESCAPE, HOME, PAGE_DOWN, UP
from nova_async.cli.run_table import RunTable
from nova_async.control.board import Board
from nova_async.control.protocol import Approve, Pause, Request, Resume, Retry, Stop, StopTask, Workers
from nova_async.views import TaskView
from nova_async.words import Condition, Phase, TaskState
from tests.views import NOON, by_id, run_view

S = TaskState
TASKS = (
    TaskView(id="F1", name="Begin", group="Base", state=S.COMPLETED),
    TaskView(id="F2", name="Build", group="Base", state=S.IN_PROGRESS, phase=Phase.RUN, activity="Bash: make"),
    TaskView(id="F3", name="Check", group="App", state=S.FAILED, error="exit code 3"),
    TaskView(id="F4", name="Ship", group="App", state=S.WAITING, needs_approval=True),
)


def board(*tasks: TaskView, condition: Condition = Condition.RUNNING, **run: Any) -> Board:
    """Return the board of a run with these tasks."""
    return Board(run_view(**{"max_workers": 3, **run}), by_id(*(tasks or TASKS)), NOON, condition)


def press(browsing: Browsing, *keys: str, at: Board | None = None) -> Request | None:
    """Press keys one after another, and return what the last one asks for."""
    asked = None
    for key in keys:
        asked = browsing.press(key, at or board())
    return asked


def shown(browsing: Browsing, at: Board, columns: int = 80, lines: int = 24) -> list[str]:
    """Return what a table shows to somebody there."""
    table = RunTable(lambda _: at)
    table.browsing = browsing
    table.show({})
    return [plain(line).rstrip() for line in table.picture(columns, lines)]


def test_the_selection_begins_where_work_is_done_and_moves_in_the_order_of_the_plan() -> None:
    """With j, k or the arrows; it stays within the tasks."""
    browsing, seen = Browsing(), []
    for key in ("j", "j", DOWN, DOWN, "k", UP, UP, UP, END, HOME, PAGE_DOWN):
        press(browsing, key)
        seen.append(browsing.selected)
    assert seen == ["F2", "F3", "F4", "F4", "F3", "F2", "F1", "F1", "F4", "F1", "F4"]
    press(browsing, "f")
    assert browsing.selected is None
    nobody = Browsing()
    press(nobody, "j", at=Board(run_view(), {}, NOON))
    assert nobody.selected is None


def test_enter_and_l_show_a_task_and_its_log() -> None:
    """Of the selected task, or of one that is at work; the same key, Esc or q lead back to the table."""
    browsing = Browsing()
    for opens, closes in ((ENTER, ENTER), ("l", "l"), (ENTER, ESCAPE), ("l", "q"), ("?", "x")):
        press(browsing, opens)
        assert browsing.pane is {ENTER: Pane.TASK, "l": Pane.LOG, "?": Pane.HELP}[opens]
        press(browsing, closes)
        assert browsing.pane is Pane.TABLE
    assert (browsing.selected, browsing.has_left) == ("F2", False)
    press(browsing, "/", "x", "y", ENTER, "f", "l")
    assert (browsing.pane, browsing.message) == (Pane.TABLE, "there is no task to show")


def test_a_log_is_scrolled_and_followed() -> None:
    """K goes up from its end, j down, f to its end again."""
    browsing = Browsing()
    press(browsing, "l", "k", "k", UP)
    assert browsing.offset == 3
    press(browsing, "j")
    assert browsing.offset == 2
    press(browsing, "f")
    assert (browsing.offset, browsing.pane) == (0, Pane.LOG)


def test_the_filter_looks_at_all_words_of_a_task() -> None:
    """Each of its words must be there: in the id, the name, the group or the word for the state."""
    browsing = Browsing()
    for words, found in (("base", ["F1", "F2"]), ("base running", ["F2"]), ("SHIP", ["F4"]), ("x", []), ("", None)):
        press(browsing, "/", *words, ENTER)
        assert list(browsing.tasks(board())) == (list(board().tasks) if found is None else found)
    press(browsing, "/", "x", "y", BACKSPACE)
    assert (browsing.filter, browsing.is_typing) == ("x", True)
    press(browsing, ESCAPE, "/", *"q" * 200)
    assert browsing.filter == "q" * LONGEST_FILTER
    press(browsing, ENTER, ESCAPE)
    assert (browsing.filter, browsing.has_left) == ("", False)
    press(browsing, "j", ESCAPE)
    assert browsing.selected is None


def test_to_stop_something_is_asked_first() -> None:
    """Only a y does it; without a selected task it is about the run, and of a task that has ended one is told."""
    browsing = Browsing()
    assert press(browsing, "s") is None
    assert browsing.question is not None
    assert press(browsing, "n") is None
    assert browsing.message == "not stopped"
    assert press(browsing, "s", "y") == Stop()
    assert press(browsing, "j", "s", "y") == StopTask(tasks=("F2",))
    assert press(browsing, "j", "s", "y") is None
    assert browsing.question is None


def test_what_a_run_is_asked_for() -> None:
    """One key each: a task again, a pause and its end, more workers and fewer."""
    browsing = Browsing()
    assert press(browsing, "r") is None
    assert "select a task first" in browsing.message
    assert press(browsing, "j", "j", "r") == Retry(tasks=("F3",))
    assert press(browsing, "p") == Pause()
    assert press(browsing, "p", at=board(is_paused=True)) == Resume()
    assert press(browsing, "+") == press(browsing, "=") == Workers(count=4)
    assert press(browsing, "-") == Workers(count=2)
    assert press(browsing, "-", at=board(max_workers=1)) is None
    assert browsing.message
    assert press(browsing, "x") is None


def test_nothing_is_approved_that_nobody_has_seen_selected() -> None:
    """The first a selects what waits for approval, and says so; the second approves it."""
    browsing = Browsing()
    assert press(browsing, "a") is None
    assert browsing.selected == "F4"
    assert "press a again" in browsing.message
    assert press(browsing, "a") == Approve(tasks=("F4",))
    assert press(browsing, "a", at=board(TASKS[0])) is None
    assert browsing.message == "no task waits for approval"


def test_of_a_run_that_is_over_nothing_is_asked() -> None:
    """One is told how it goes on; looking around works as before."""
    over = board(condition=Condition.FAILED)
    browsing = Browsing()
    for key in WISHES:
        assert press(browsing, "j", key, at=over) is None
        assert "nova run" in browsing.message
    press(browsing, "l", at=over)
    assert browsing.pane is Pane.LOG


def test_q_leaves_where_the_run_goes_on_without_us() -> None:
    """In the run's own terminal it says how the run is stopped."""
    watching, running = Browsing(), Browsing("Ctrl-C stops it")
    press(watching, "q")
    press(running, "q")
    assert (watching.has_left, running.has_left, running.message) == (True, False, "Ctrl-C stops it")
    assert watching.keys[-1] == ("q", "leave; the run goes on")
    assert running.keys[-1] == ("q", "does nothing: Ctrl-C stops it")
    assert running.keys[:-1] == list(watching.keys[:-1])


def test_the_help_names_every_key() -> None:
    """Whatever a key does stands there, and nothing else."""
    told = {key for keys, _ in HELP for key in keys.split()}
    ours = {key for key in (*LOOKS, *WISHES, *MOVES) if re.fullmatch(r"[a-z/+-]", key)} - {"g", "h"}
    assert {key for key in told if re.fullmatch(r"[a-z/+-]", key)} == ours
    lines = shown_after("?")
    assert lines[0] == "Keys"
    assert any(line.startswith("  enter") for line in lines)


def shown_after(*keys: str) -> list[str]:
    """Return what is shown after some keys."""
    browsing = Browsing()
    press(browsing, *keys)
    return shown(browsing, board())


def test_the_selected_task_has_a_mark() -> None:
    """One sees it without colours, and also where the plan is far longer than the terminal."""
    lines = [line for line in shown_after("j", "j") if line.startswith("→")]
    assert [line.split()[1] for line in lines] == ["F3"]
    large = board(*(TaskView(id=f"T{number}", group=f"G{number // 10}") for number in range(500)))
    browsing = Browsing()
    for keys, selected in ((("j",), "T0"), ((END,), "T499"), ((PAGE_DOWN, "k"), "T498"), ((HOME, *["j"] * 37), "T37")):
        press(browsing, *keys, at=large)
        lines = shown(browsing, large, lines=16)
        assert len(lines) <= 15
        assert [line.split()[1] for line in lines if line.startswith("→")] == [selected]
        assert lines[-1].startswith("… ")


def test_a_task_and_its_log_name_the_keys_that_go_on_from_there() -> None:
    """In the last line, until there is something to tell; of a run that is over nothing is asked."""
    assert shown_after(ENTER)[-1] == "l log · j k other tasks · enter table · s stop · r run again · ? all keys"
    assert shown_after("l")[-1] == "j k g scroll · f end · l table · s stop · r run again · ? all keys"
    assert shown_after("l", "s")[-1] == "stop F2? y/n"
    over, browsing = board(condition=Condition.FAILED), Browsing()
    press(browsing, "l", at=over)
    assert shown(browsing, over)[-1] == "j k g scroll · f end · l table · ? all keys"


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ("F1 is running: stop it first (`nova stop F1`)", "F1 is running: stop it first (the key s)"),
        (
            "F1 has failed already; `nova retry F1` lets it run again",
            "F1 has failed already; the key r lets it run again",
        ),
        (
            "the run is paused already; `nova resume` lets it go on",
            "the run is paused already; the key p lets it go on",
        ),
        ("remove its tick, then run `nova run`", "remove its tick, then run `nova run`"),
    ],
)
def test_a_refusal_names_keys_to_somebody_who_presses_keys(refusal: str, told: str) -> None:
    """The run names commands; where a key does the same, it is at hand."""
    assert in_keys(refusal) == told


def test_what_is_told_stands_in_the_last_line() -> None:
    """A question, the filter while it is typed, and what a key has done."""
    assert shown_after("j", "s")[-1] == "stop F2? y/n"
    assert shown_after("/", "b", "a")[-1] == "/ba▏"
    assert shown_after("/", "b", ENTER)[-1] == "/b  (Esc ends the filter)"
    assert shown_after("r")[-1].startswith("select a task first")


def test_a_question_says_how_it_is_answered_on_however_narrow_a_terminal() -> None:
    """What is asked may be cut; that y does it must not."""
    long, browsing = board(TaskView(id="T" * 100, state=S.IN_PROGRESS)), Browsing()
    for keys in (("s",), ("n", "j", "s")):
        press(browsing, *keys, at=long)
        for columns in (20, 40, 80):
            assert shown(browsing, long, columns, 12)[-1].endswith("y/n")
    press(browsing, "n", at=long)
    assert browsing.message == "not stopped"


def test_the_keys_can_be_read_on_a_small_terminal() -> None:
    """They scroll where they do not fit, to the last and no further; any other key closes them."""
    browsing, seen = Browsing(), list[str]()
    press(browsing, "j", "l", "k", "?")
    for _ in range(30):
        lines = shown(browsing, board(), 40, 12)
        seen += lines
        press(browsing, "j")
    assert {keys.split()[0] for keys, _ in HELP} <= {line.split()[0] for line in seen if line}
    assert "q " in lines[-1]
    assert shown(browsing, board(), 40, 12) == lines
    assert press(browsing, "s") is None
    assert (browsing.pane, browsing.question) == (Pane.TABLE, None)


@pytest.mark.parametrize("key", ["r", "s", "a"])
def test_a_task_that_the_filter_hides_is_not_acted_on(key: str) -> None:
    """Nobody sees that it is selected; where it is looked at, it is acted on although the filter would hide it."""
    browsing = Browsing()
    assert press(browsing, END, END, "/", *"build", ENTER, key) is None
    assert browsing.question in (None, ("stop the run? Its agents are asked to end.", Stop()))
    browsing = Browsing()
    press(browsing, "/", *"build", ENTER, "j", ENTER)
    later = board(*(replace(task, name="Other") for task in TASKS))
    press(browsing, "s", at=later)
    assert browsing.question is not None
    assert browsing.question.request == StopTask(tasks=("F2",))


def test_a_task_is_shown_with_what_is_known_of_it() -> None:
    """Its state and why, and where its log would be."""
    lines = shown_after("j", "j", ENTER)
    assert lines[0] == "F3 Check  ✗ failed  exit code 3"
    assert lines[-1].startswith("F3 has not run yet") or "F3 has not run yet" in lines
    assert shown_after("j", "l")[0] == "F2 Build  ▸ running  Bash: make"


@pytest.mark.parametrize("size", [(20, 6), (40, 8), (80, 24), (200, 60)])
@pytest.mark.parametrize("keys", [("j",), ("j", ENTER), ("l",), ("?",), ("/", "x"), ("j", "s")])
def test_every_pane_fits_the_terminal(size: tuple[int, int], keys: tuple[str, ...]) -> None:
    """No line is longer than the terminal, there are fewer than it has, and no text of a plan acts on it."""
    evil = "日本語\x1b[2J\r\n " * 30
    facts: dict[str, Any] = {"name": evil, "group": evil, "activity": evil, "error": evil}
    tasks = [TaskView(id=f"T{number}", state=S.IN_PROGRESS, **facts) for number in range(50)]
    large, browsing = board(*tasks, project=evil), Browsing()
    press(browsing, *keys, at=large)
    lines = shown(browsing, large, *size)
    assert len(lines) < max(size[1], 8)
    assert all(cell_len(line) <= size[0] for line in lines)
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_a_task_that_is_gone_is_not_shown() -> None:
    """Another snapshot may lack the task that somebody looks at."""
    browsing = Browsing()
    press(browsing, "l")
    assert shown(browsing, board(TASKS[0]))[0] == "Keys"
