"""``nova watch``: the table of a run from any terminal, live, with its keys; or a finished run."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from nova_async._core.advice import Place
from nova_async._core.threads import in_thread
from nova_async.cascade.graph import remaining_lengths
from nova_async.cli.advised import place_of
from nova_async.cli.browsing import Browsing, in_keys
from nova_async.cli.display import Display
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.heartbeat import Heartbeat, heartbeat_line
from nova_async.cli.log_pane import LogPane
from nova_async.cli.options import argument, command_of, option
from nova_async.cli.painter import Painter
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE, place_in
from nova_async.cli.run_display import describe_request
from nova_async.cli.run_lines import RunLines
from nova_async.cli.run_table import RunTable
from nova_async.cli.say import say, stop_writing_to, tell
from nova_async.cli.signals import Interruption, Suspension, exit_code_of, listen, quit_after
from nova_async.cli.status import board_of, write_status
from nova_async.cli.terminal import can_draw
from nova_async.control.board import Board
from nova_async.control.client import Control, connected
from nova_async.control.event_words import read_event
from nova_async.control.figures import clock_time
from nova_async.control.protocol import Kind, Message, Request
from nova_async.errors import ControlError, JournalError, NoRunError, StateFileError
from nova_async.journal.condition import ENDS
from nova_async.journal.foreign_json import as_list, as_table, as_word
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.views import TaskView
from nova_async.words import Condition, RunEnd

__all__ = ["command"]

FAILED = 1
MOST_LOOKS, LOOK_AGAIN = 20, 0.1  # seconds; a killed process closes its socket before it is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run journal, if it is elsewhere.")
    log_dir: str | None = option(metavar="DIR", help="The folder of the logs, if it is elsewhere.")

    @property
    def places(self) -> tuple[Path, Path, Path]:
        """The state file, the journal, and the folder of the logs."""
        here = Path(self.directory)
        return (
            place_in(here, STATE_FILE, self.state),
            place_in(here, JOURNAL, self.journal),
            place_in(here, LOG_DIR, self.log_dir),
        )

    @property
    def place(self) -> Place:
        """Where the run is."""
        return place_of(self.directory, state=self.state, journal=self.journal, log_dir=self.log_dir)


def watch_run(options: Options) -> int:
    """Watch a run live from any terminal, and steer it: ? shows the keys.

    DIR is the folder of the run; by default, this folder. If none is running, it shows how the last one ended. Into a
    pipe it writes a line for each event until the run is over. The exit code is 1 if a task has failed or the run
    died, 2 if there is no run.
    """
    return asyncio.run(watch(options))


async def watch(options: Options) -> int:
    """Watch the run that is running, or else show what is known of the last one."""
    state, journal, log_dir = options.places
    why = ""
    try:
        async with connected(journal) as control:
            return await Watching(state, log_dir, options.place, since=await in_thread(began, journal)).live(control)
    except NoRunError:
        pass
    except (ControlError, JournalError) as error:
        why = str(error)
    return await Watching(state, log_dir, options.place, since=await in_thread(began, journal)).over(why)


def began(journal: Path) -> datetime | None:
    """Return when the latest run of a journal began; None where that cannot be told."""
    try:
        return next((run.start.started_at for run in JournalReader(journal).runs(limit=1)), None)
    except JournalError:
        return None


@final
class Watching:
    """One look at a run that began at ``since``, by somebody at a terminal or into a pipe."""

    def __init__(self, state: Path, log_dir: Path, place: Place, *, since: datetime | None) -> None:
        self._state = state
        self._log_dir = log_dir
        self._place = place
        self._since = since
        self._board: Board | None = None
        self._lengths: Mapping[str, int] = {}
        self._control: Control | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()
        self._interruption = Interruption(once=self._left.set, twice=self._left.set)
        draws = can_draw(sys.stdout)
        self._table = self._make_table() if draws else None
        self._display: Display = self._table or Heartbeat(RunLines(place=place))
        self._painter = Painter(self._display, lambda: self._board.tasks if self._board else {}, self._lost)

    async def over(self, why: str) -> int:
        """Show a run of which nothing more will come until somebody leaves; say ``why`` that is so where it is odd."""
        try:
            self._board = await in_thread(look_at, self._state)
        except StateFileError as error:
            tell(str(error))
            return BAD_INPUT
        if self._table is None:
            write_status(self._board, self._state, self._place)
            return self._code()
        self._measure()
        self._table.browsing.message = why
        with self._shown():
            await self._left.wait()
            await self._end()
        return self._code()

    async def live(self, control: Control) -> int:
        """Show a run while it runs; on a terminal until somebody leaves."""
        self._control = control
        with self._shown():
            following = asyncio.create_task(self._follow(control))
            leaving = asyncio.create_task(self._left.wait())
            await asyncio.wait((leaving, *([] if self._table else [following])), return_when=asyncio.FIRST_COMPLETED)
            following.cancel()
            leaving.cancel()
            await asyncio.wait((following, leaving, *self._asking))
            await self._end()
        return self._code()

    async def _follow(self, control: Control) -> None:
        """Take what the run tells, to its end or its death."""
        why = ""
        try:
            async for message in control.watch():
                self._take(message)
                self._painter.changed()
        except ControlError as error:
            why = str(error)
            await self._look_back()
        if self._table is not None:
            self._table.browsing.message = why
        self._painter.changed()

    async def _look_back(self) -> None:
        """See what has become of a run that says nothing more: its process may be on its way out."""
        for _ in range(MOST_LOOKS):
            with suppress(StateFileError):
                self._board = await in_thread(look_at, self._state)
            if self._board is None or self._board.is_over:
                return
            await asyncio.sleep(LOOK_AGAIN)

    def _take(self, message: Message) -> None:
        now = datetime.now(UTC)
        if message["kind"] == Kind.SNAPSHOT:
            is_first, self._board = self._board is None, Board.of(message, now)
            if is_first and self._table is None:
                say(f"{clock_time(now)} {heartbeat_line(list(self._board.tasks.values()))}")
            self._measure()
        elif self._board is not None and message["kind"] == Kind.CHANGE:
            self._board = self._board.applied(message, now)
        elif self._board is not None and message["kind"] == Kind.OVER:
            end = as_word(RunEnd, message.get("end")) or RunEnd.STOPPED
            run = replace(self._board.run, end=end, completed_at=self._board.run.completed_at or now)
            self._board = replace(self._board, run=run, condition=ENDS[end])
        for said in as_list(message.get("events")):
            if (event := read_event(as_table(said))) is not None:
                self._display.say(event)

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Draw within this context; whatever happens in it, the terminal is left as it was."""
        with ExitStack() as stack:
            stack.enter_context(listen(self._interruption, self._signals()))
            stack.enter_context(self._display)
            if self._table is not None:
                stack.enter_context(self._table.keys(self._press))
            self._painting = asyncio.create_task(self._painter.paint())
            self._painter.changed()
            yield

    async def _end(self) -> None:
        self._painter.close()
        await asyncio.wait((self._painting,))

    def _make_table(self) -> RunTable:
        return RunTable(
            self._look,
            since=self._since,
            remaining_path=lambda task_id: self._lengths.get(task_id, 1),
            browsing=Browsing(),
            log=LogPane(self._state.parent, self._log_dir),
            place=self._place,
        )

    def _look(self, tasks: Mapping[str, TaskView]) -> Board | None:
        return self._board.at(datetime.now(UTC)).selection if self._board is not None else None

    def _measure(self) -> None:
        """Find the longest chain behind each task, by which the time that is left is estimated."""
        tasks = self._board.tasks if self._board is not None else {}
        known = {task.id: [other for other in task.depends_on if other in tasks] for task in tasks.values()}
        self._lengths = remaining_lengths(known)

    def _press(self, browsing: Browsing, key: str, board: Board) -> None:
        """Do what a key is for."""
        request = browsing.press(key, board)
        if browsing.has_left:
            self._left.set()
        elif request is not None:
            asking = asyncio.create_task(self._ask(request, browsing))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
        self._painter.changed()

    async def _ask(self, request: Request, browsing: Browsing) -> None:
        assert self._control is not None, "of a run that is over nothing is asked"
        try:
            await self._control.ask(request)
            browsing.message = describe_request(request)
        except ControlError as error:
            browsing.message = in_keys(str(error))
        self._painter.changed()

    def _signals(self) -> dict[int, Callable[[int], object]]:
        """Return what is done for the signals of a terminal; the run does not hear of them."""
        table = self._table
        if table is None:
            return {}

        async def leave() -> None:
            table.suspend()

        def come_back() -> None:
            table.resume()
            self._painter.changed()

        redraw: dict[int, Callable[[int], object]] = {
            signal.SIGWINCH: lambda _: self._painter.changed(),
            signal.SIGQUIT: quit_after(table.leave_at_once),
        }
        return {**Suspension(leave, come_back).handlers, **redraw}

    def _lost(self, error: OSError) -> None:
        """Leave: nobody reads any more."""
        stop_writing_to(sys.stdout)
        self._left.set()

    def _code(self) -> int:
        """Return the exit code: that of the signal that ended us, or what became of the run."""
        if self._interruption.signal is not None:
            return exit_code_of(self._interruption.signal)
        board = self._board
        return FAILED if board is not None and (board.total.failed or board.condition is Condition.DEAD) else 0


def look_at(state: Path) -> Board:
    """Read a state file; raises ``StateFileError`` if there is none."""
    return board_of(*read_state(state))


command = command_of(Options, watch_run)
