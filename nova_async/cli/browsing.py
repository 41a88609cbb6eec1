"""What the keys do while a run is shown: which task is selected, what is looked at, and what the run is asked. Pure."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, final

from nova_async._core.advice import in_commands
from nova_async.cli.keys import BACKSPACE, DOWN, END, ENTER, ESCAPE, HOME, PAGE_DOWN, PAGE_UP, UP
from nova_async.control.board import Board
from nova_async.control.protocol import Approve, Pause, Request, Resume, Retry, Stop, StopTask, Workers
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["HELP", "Browsing", "Pane", "in_keys"]

PAGE = 10  # tasks or lines
LONGEST_FILTER = 80  # characters, on one line of a terminal
MOVES = {
    "j": 1, DOWN: 1, "k": -1, UP: -1, PAGE_DOWN: PAGE, PAGE_UP: -PAGE, " ": PAGE,
    "g": -(10**9), HOME: -(10**9), "G": 10**9, END: 10**9,
}  # fmt: skip

HELP = (
    ("j k ↑ ↓", "select a task; in a log, scroll (also PgUp, PgDn, g, G)"),
    ("enter", "show the selected task; again: back to the table"),
    ("l", "show its log, and follow it"),
    ("f", "follow: select nothing and show what runs; in a log, its end"),
    ("/", "filter the tasks by their words; Esc ends it"),
    ("r", "run the selected task again"),
    ("s", "stop the selected task, or the run if none is selected (asks)"),
    ("p", "pause the run: nothing new begins; again: go on"),
    ("+ -", "one worker more or less"),
    ("a", "approve the selected task, if it waits for approval"),
    ("q", "leave; the run goes on"),
)


KEYS = {"stop": "s", "retry": "r", "approve": "a", "pause": "p", "resume": "p", "jobs": "+"}
"""Which key does what a command does."""


def in_keys(text: str) -> str:
    """Name keys where a run, which does not know how it is asked, names commands: ``the key s`` for ``nova stop``."""
    return in_commands(text, lambda name, more: f"the key {KEYS[name]}" if name in KEYS else f"`nova {name}{more}`")


class Pane(Enum):
    """What is looked at."""

    TABLE = "table"
    TASK = "task"
    LOG = "log"
    HELP = "help"


class Question(NamedTuple):
    """Something that is done only after a ``y``."""

    text: str
    request: Request


@final
class Browsing:
    """Where somebody is who looks at a run. ``stays`` is told for ``q`` where it does not leave; None lets it."""

    def __init__(self, stays: str | None = None) -> None:
        self.pane = Pane.TABLE
        self.selected: str | None = None
        self.filter = ""
        self.is_typing = False
        """Whether what is typed belongs to the filter."""
        self.question: Question | None = None
        self.message = ""
        """What is to be told about the last key, until the next one."""
        self.offset = 0
        """How many lines above its end the log is looked at (0 follows it), or below their top the keys."""
        self.has_left = False
        self._stays = stays

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """What each key does here."""
        return HELP if self._stays is None else [*HELP[:-1], ("q", f"does nothing: {self._stays}")]

    @property
    def can_leave(self) -> bool:
        """Whether ``q`` leaves: the run is another command's."""
        return self._stays is None

    def press(self, key: str, board: Board) -> Request | None:
        """Take a key, and return what the run is to be asked for, if anything."""
        self.message = ""
        if self.question is not None:
            question, self.question = self.question, None
            if key == "y":
                return question.request
            self.message = "not stopped"
            return None
        if self.is_typing:
            self._type(key)
            return None
        if self.pane is Pane.HELP:
            if key in MOVES:
                self.offset = max(self.offset + MOVES[key], 0)  # its end is found when it is drawn
            else:
                self.pane, self.offset = Pane.TABLE, 0
            return None
        if key in MOVES:
            self._move(MOVES[key], board)
            return None
        if (look := LOOKS.get(key)) is not None:
            look(self, board)
            return None
        return self._ask(key, board)

    def tasks(self, board: Board) -> Mapping[str, TaskView]:
        """Return the tasks that the filter lets through, in file order."""
        words = self.filter.casefold().split()
        if not words:
            return board.tasks
        return {task.id: task for task in board.tasks.values() if matches(task, words, board)}

    def task(self, board: Board) -> TaskView | None:
        """Return the selected task; None if there is none."""
        return board.tasks.get(self.selected) if self.selected is not None else None

    def _type(self, key: str) -> None:
        if key in (ENTER, ESCAPE):
            self.is_typing = False
            self.filter = self.filter if key == ENTER else ""
        elif key == BACKSPACE:
            self.filter = self.filter[:-1]
        elif len(key) == 1 and len(self.filter) < LONGEST_FILTER:
            self.filter += key

    def _move(self, by: int, board: Board) -> None:
        if self.pane is Pane.LOG:
            self.offset = max(self.offset - by, 0)  # its beginning is found when it is drawn
            return
        known = list(self.tasks(board))
        if not known:
            return
        if self.selected not in known:
            at_work = [task.id for task in board.running if task.id in known]
            self.selected = (at_work or known)[0]
            return
        place = min(max(known.index(self.selected) + by, 0), len(known) - 1)
        self.selected, self.offset = known[place], 0

    def _enter(self, board: Board) -> None:
        if self.pane is Pane.TABLE:
            self._open(Pane.TASK, board)
        else:
            self.pane = Pane.TABLE

    def _open(self, pane: Pane, board: Board) -> None:
        if self.task(board) is None:
            self._move(0, board)
        if self.task(board) is None:
            self.message = "there is no task to show"
            return
        self.pane, self.offset = pane, 0

    def _log(self, board: Board) -> None:
        if self.pane is Pane.LOG:
            self.pane = Pane.TABLE
        else:
            self._open(Pane.LOG, board)

    def _follow(self, board: Board) -> None:
        if self.pane is not Pane.LOG:
            self.pane, self.selected = Pane.TABLE, None
        self.offset = 0

    def _escape(self, board: Board) -> None:
        if self.pane is not Pane.TABLE:
            self.pane = Pane.TABLE
        elif self.filter:
            self.filter = ""
        else:
            self.selected = None

    def _quit(self, board: Board) -> None:
        if self.pane is not Pane.TABLE:
            self.pane = Pane.TABLE
        elif self._stays is not None:
            self.message = self._stays
        else:
            self.has_left = True

    def _begin_filter(self, board: Board) -> None:
        self.pane, self.is_typing, self.filter = Pane.TABLE, True, ""

    def _help(self, board: Board) -> None:
        self.pane, self.offset = Pane.HELP, 0

    def _ask(self, key: str, board: Board) -> Request | None:
        wish = WISHES.get(key)
        if wish is None:
            return None
        if board.is_over:
            self.message = "the run is over; `nova run` goes on with it"
            return None
        return wish(self, board)

    def _seen(self, board: Board) -> TaskView | None:
        """Return the selected task, unless the filter hides it: nobody would see what a key acts on."""
        task = self.task(board)
        is_hidden = task is not None and self.pane is Pane.TABLE and task.id not in self.tasks(board)
        return None if is_hidden else task

    def _stop(self, board: Board) -> None:
        task = self._seen(board)
        if task is None:
            self.question = Question("stop the run? Its agents are asked to end.", Stop())
        elif task.state in (TaskState.COMPLETED, TaskState.FAILED):
            self.message = f"{task.id} has ended already"
        else:
            self.question = Question(f"stop {task.id}?", StopTask(tasks=(task.id,)))

    def _retry(self, board: Board) -> Request | None:
        if (task := self._seen(board)) is None:
            self.message = "select a task first: j, k or the arrows"
            return None
        return Retry(tasks=(task.id,))

    def _approve(self, board: Board) -> Request | None:
        """Approve what somebody sees selected: a key that was pressed by mistake must not let anything through."""
        task = self._seen(board)
        if task is not None and task.needs_approval:
            return Approve(tasks=(task.id,))
        waiting = [each.id for each in board.tasks.values() if each.needs_approval]
        if not waiting:
            self.message = "no task waits for approval"
        else:
            self.selected, self.filter = waiting[0], ""
            self.message = f"{waiting[0]} waits for approval: press a again to approve it"
        return None

    def _pause(self, board: Board) -> Request:
        return Resume() if board.run.is_paused else Pause()

    def _more(self, board: Board) -> Request:
        return Workers(count=board.run.max_workers + 1)

    def _fewer(self, board: Board) -> Request | None:
        if board.run.max_workers == 1:
            self.message = "there is one worker left; p pauses the run"
            return None
        return Workers(count=board.run.max_workers - 1)


LOOKS: Mapping[str, Callable[[Browsing, Board], None]] = {
    ENTER: Browsing._enter, "l": Browsing._log, "f": Browsing._follow, ESCAPE: Browsing._escape, "q": Browsing._quit,
    "/": Browsing._begin_filter, "?": Browsing._help, "h": Browsing._help,
}  # fmt: skip
WISHES: Mapping[str, Callable[[Browsing, Board], Request | None]] = {
    "s": Browsing._stop, "r": Browsing._retry, "a": Browsing._approve, "p": Browsing._pause, "+": Browsing._more,
    "=": Browsing._more, "-": Browsing._fewer,
}  # fmt: skip


def matches(task: TaskView, words: Sequence[str], board: Board) -> bool:
    """Tell whether all words are somewhere in what is shown of a task."""
    shown = (task.id, task.name, task.branch, task.group, task.agent, board.look(task).word)
    text = " ".join(shown).casefold()
    return all(word in text for word in words)
