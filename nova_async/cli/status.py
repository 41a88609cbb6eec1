"""``nova status``: how a run stands, read from its state file; it may be running, over, or dead."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nova_async._core.advice import Place, run_command
from nova_async._core.text import listed, one_line
from nova_async.cli.advised import advise_tasks, place_of
from nova_async.cli.columns import columns_of_terminal
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.places import STATE_FILE, place_in
from nova_async.cli.say import say, tell
from nova_async.cli.task_rows import by_group, choose, groups_of, task_table
from nova_async.cli.tones import cell_of
from nova_async.control.board import Board, Need, Why
from nova_async.control.gauge_words import describe_gauge
from nova_async.errors import StateFileError
from nova_async.journal.condition import condition_of, supervisor_lives
from nova_async.journal.last_output import with_last_output
from nova_async.journal.rollup import roll_up
from nova_async.journal.state_document import read_state, run_document, task_document
from nova_async.views import RunView, TaskView
from nova_async.words import Condition

__all__ = ["command"]

FAILED = 1
STATUS_SCHEMA = 1
"""Grows when something that programs read in the document means something else, or is gone; not for what is new."""
A_SCREEN = 20  # tasks
MOST_TOLD = 10  # failed tasks above the table
NEAR = 0.8  # the used share from which a limit is told of
LONGEST = 1_000  # characters of an error or a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    json: bool = flag(help="Write one JSON document.")


def show_status(options: Options) -> int:
    """Show the status of a run, during it or after.

    DIR is the folder of the run; by default, this folder. The exit code is 1 if a task failed or the run died, 2 if
    there is no run.
    """
    path = place_in(Path(options.directory), STATE_FILE, options.state)
    place = place_of(options.directory, state=options.state)
    try:
        run, tasks = read_state(path)
        board = board_of(run, {task.id: with_last_output(task, path.parent) for task in tasks.values()})
    except StateFileError as error:
        tell(str(error))
        return BAD_INPUT
    if board.condition is Condition.RUNNING and (trouble := disk_trouble(path)) is not None:
        tell(trouble)
    if options.json:
        say(json.dumps(document(board), indent=2))
    else:
        write_status(board, path, place)
    return FAILED if board.total.failed or board.condition is Condition.DEAD else 0


def disk_trouble(path: Path) -> str | None:
    """Say so if the disk of a running run's state file takes nothing: then the file may be older than it looks."""
    try:
        disk, size = os.statvfs(path), path.stat().st_size
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        why = "is read-only"
    elif disk.f_blocks and disk.f_bavail * disk.f_frsize < size:  # some network disks tell nothing
        why = "is full"
    else:
        return None
    return f"the disk of {path} {why}: this may be out of date"


def board_of(run: RunView, tasks: Mapping[str, TaskView]) -> Board:
    """Complete what the file says: how the run is, and the clocks of what still runs."""
    now = datetime.now(UTC)
    return Board(run, tasks, now, condition_of(run, tasks.values())).at(now)


def document(board: Board) -> dict[str, Any]:
    """Return it all as one JSON object: what the state file says, with the clocks of now, and what is shown of it."""
    from nova_async.control.shown import head_of, looks_of, rollup_document  # with timelines: people get a table

    return {
        "schema": STATUS_SCHEMA,
        **head_of(board, run_document(board.run)),
        "is_alive": supervisor_lives(board.run),
        "groups": [
            {"branch": branch, "group": group, **rollup_document(roll_up(tasks))}
            for (branch, group), tasks in by_group(board.tasks.values()).items()
        ],
        "tasks": {task.id: task_document(task) for task in board.tasks.values()},
        "looks": looks_of(board, board.tasks),
    }


def write_status(board: Board, path: Path, place: Place) -> None:
    """Write for people: a head, what needs somebody, a table by group as in the run itself, and the sums."""
    board = replace(board, tasks=advise_tasks(board.tasks, place))
    run, width = board.run, columns_of_terminal()
    lines: list[Line] = [
        [Span(one_line(run.project) or one_line(run.cascade_file) or str(path), Ink.BOLD), f": {board.alive}"]
    ]
    if board.condition is Condition.DEAD:
        again = place.command(run_command(run.cascade_file))
        lines.append(f"The supervisor died before the run ended. Resume with `{again}`")
    lines += [[Span("warning", Ink.AMBER), f" {place.advice(one_line(warning, LONGEST))}"] for warning in warnings(run)]
    lines += gauges(board)
    lines += limits(board)
    lines += attention(board, place)
    is_long = len(board.tasks) > A_SCREEN
    choice = choose(groups_of(board.tasks.values()), None, folds=is_long and width is not None)
    lines += task_table(choice, board.now, width=width, is_over=board.is_over, folds_text=True)
    say(*lines, board.sentence)


def warnings(run: RunView) -> list[str]:
    """Return the warnings of a run, without those of agents on hold that are told below."""
    held = [hold for hold in run.holds if hold.until is None]
    if not held:
        return list(run.warnings)
    from nova_async.orchestrator.holding import warning_of  # with all agents: seldom needed

    told_below = {warning_of(hold) for hold in held}
    return [warning for warning in run.warnings if warning not in told_below]


def gauges(board: Board) -> Iterator[Line]:
    """Give the usage limits that are near, and have not reset, with the next start where they slow starts down."""
    for gauge in board.run.gauges:
        is_near = gauge.used >= NEAR or gauge.next_start_at is not None
        if is_near and (gauge.resets_at is None or gauge.resets_at > board.now):
            next_start_at = gauge.next_start_at if board.condition is Condition.RUNNING else None
            text = describe_gauge(gauge.agent, gauge.kind, gauge.used, gauge.resets_at, next_start_at, board.now)
            yield [Span("limit", Ink.AMBER), f" {one_line(text, LONGEST)}"]


def limits(board: Board) -> Iterator[Line]:
    """Give the usage limits that tasks wait for, with their ends."""
    for limit in board.limits:
        count = "1 task" if len(limit.task_ids) == 1 else f"{len(limit.task_ids)} tasks"
        yield [Span("limit", Ink.AMBER), f" {count}: {one_line(limit.text, LONGEST)}"]


def attention(board: Board, place: Place) -> Iterator[Line]:
    """Give what needs somebody, of each kind the first few.

    Denied tools stand in the table, and so do failed tasks where it is no longer than a screen.
    """
    passed_over = {Why.DENIED} | ({Why.FAILED} if len(board.tasks) <= A_SCREEN else set())
    needs = [need for need in board.needs if need.why not in passed_over]
    for why in dict.fromkeys(need.why for need in needs):
        of_a_kind = [need for need in needs if need.why is why]
        for need in of_a_kind[:MOST_TOLD]:
            yield [*cell_of(need.look), f" {describe_need(need, board, place)}"]
        if len(of_a_kind) > MOST_TOLD:
            yield f"and {len(of_a_kind) - MOST_TOLD} more {of_a_kind[0].look.word}"


def describe_need(need: Need, board: Board, place: Place) -> str:
    """Say what is wrong, with which tasks, and what to do."""
    text = one_line(need.text, LONGEST)
    task = board.tasks[need.task_ids[0]] if need.task_ids else None
    if task is not None and (need.why in (Why.FAILED, Why.GATE) or task.is_stopped):
        text = f"{' '.join(filter(None, (task.id, one_line(task.name))))}: {text}"
    elif need.task_ids:
        wait = "1 task waits" if len(need.task_ids) == 1 else f"{len(need.task_ids)} tasks wait"
        text = f"{text}; {wait}: {listed(need.task_ids, MOST_TOLD)}"
    return ". ".join(filter(None, (text, place.advice(one_line(need.cure, LONGEST)))))


command = command_of(Options, show_status)
