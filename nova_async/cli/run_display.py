"""What shows a run: a table for a person at a terminal, with its keys and signals, else lines."""

import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nova_async._core.advice import HERE, Place
from nova_async.attempt.executor import Executor, resume, suspend
from nova_async.cascade import Cascade
from nova_async.cli.browsing import Browsing, in_keys
from nova_async.cli.display import Display
from nova_async.cli.github import Annotated, Fence
from nova_async.cli.heartbeat import Heartbeat
from nova_async.cli.log_pane import LogPane
from nova_async.cli.painter import Painter
from nova_async.cli.run_lines import RunLines
from nova_async.cli.run_table import RunTable
from nova_async.cli.signals import Interruption, Suspension, quit_after
from nova_async.cli.terminal import can_draw
from nova_async.control.board import Board
from nova_async.control.protocol import Approve, Pause, Request, Resume, Retry, Stop, StopTask, Workers
from nova_async.errors import NovaError
from nova_async.views import TaskView

if TYPE_CHECKING:
    from nova_async.orchestrator.orchestrator import Orchestrator

__all__ = ["choose_view", "describe_request", "keys_of", "terminal_signals", "views_for"]

STAYS = "Ctrl-C stops the run; `nova watch` shows it in another terminal as well"


def choose_view(
    cascade: Cascade,
    orchestrator: "Orchestrator",
    fence: Fence | None,
    interruption: Interruption,
    *,
    state: str,
    log_dir: str,
    as_json: bool = False,
    as_lines: bool = False,
    place: Place = HERE,
) -> Display:
    """Take a table for a person at a terminal, else lines. ``fence`` is there where a runner of GitHub reads us."""

    def can_insist() -> bool:
        return interruption.signal == signal.SIGINT

    def look(views: Mapping[str, TaskView]) -> Board:
        return Board(orchestrator.run_view, views, datetime.now(UTC)).selection

    if as_json:
        return RunLines(as_json=True)
    if as_lines or not can_draw(sys.stdout):
        lines = Heartbeat(RunLines(can_insist=can_insist, place=place))
        return lines if fence is None else Annotated(lines, fence)
    return RunTable(
        look,
        remaining_path=cascade.remaining_path,
        can_insist=can_insist,
        browsing=Browsing(STAYS),
        log=LogPane(Path(state).parent, Path(log_dir)),
        place=place,
    )


def views_for(view: Display, orchestrator: "Orchestrator") -> Callable[[], Mapping[str, TaskView]]:
    """Return what gives the tasks to show: those that the run is about; a table chooses them by itself."""
    if isinstance(view, RunTable):
        return lambda: orchestrator.views
    return lambda: {task.id: task for task in orchestrator.views.values() if task.is_selected}


def terminal_signals(executor: Executor, view: Display, painter: Painter) -> dict[int, Callable[[int], object]]:
    """Return what is done for the signals of a terminal: Ctrl-Z stops agents too, a new size has the table redrawn."""
    table = view if isinstance(view, RunTable) else None

    async def leave() -> None:
        await suspend(executor)
        if table is not None:
            table.suspend()

    def come_back() -> None:
        resume(executor)
        if table is not None:
            table.resume()
        painter.changed()

    handlers = Suspension(leave, come_back).handlers
    if table is not None:
        handlers |= {signal.SIGWINCH: lambda _: painter.changed(), signal.SIGQUIT: quit_after(table.leave_at_once)}
    return handlers


def keys_of(view: Display, orchestrator: "Orchestrator", painter: Painter) -> AbstractContextManager[None]:
    """Let the keys of a table look around in the run and steer it, within this context."""
    if not isinstance(view, RunTable):
        return nullcontext()
    from nova_async.control.obeying import obey

    def press(browsing: Browsing, key: str, board: Board) -> None:
        request = browsing.press(key, board)
        if request is not None:
            try:
                obey(orchestrator, request)
                browsing.message = describe_request(request)
            except NovaError as error:
                browsing.message = in_keys(str(error))
        painter.changed()

    return view.keys(press)


def describe_request(request: Request) -> str:
    """Say what the run now does."""
    match request:
        case StopTask(tasks=tasks):
            return f"{', '.join(tasks)}: asked to stop"
        case Retry(tasks=tasks):
            return f"{', '.join(tasks)}: runs again"
        case Approve(tasks=tasks):
            return f"{', '.join(tasks)}: approved"
        case Pause():
            return "paused: nothing new begins; p goes on"
        case Resume():
            return "the run goes on"
        case Workers(count=count):
            return f"{count} {'task' if count == 1 else 'tasks'} at once from now on"
        case Stop():
            return "the run is being stopped"
        case _:
            return "done"
