"""The files that a run writes for other programs: a job log while it goes on, test results and a summary at its end."""

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import final

import click

from nova_async._core.threads import DISK_THREADS
from nova_async.cli.joblog import JobLog
from nova_async.cli.say import tell
from nova_async.cli.step_summary import write_step_summary
from nova_async.errors import NovaError
from nova_async.records import Event
from nova_async.views import RunReport, TaskView
from nova_async.words import EventKind

__all__ = ["Reports", "open_reports"]


@final
class Reports:
    """Writes them. A file that cannot be written is told once, and is no reason to stop a run or to call it failed."""

    def __init__(self, joblog: JobLog | None, junit: Path | None, page: Path | None, places: Sequence[str]) -> None:
        self._joblog = joblog
        self._junit = junit
        self._page = page
        self._places = places

    async def follow(
        self, events: Callable[[], AsyncGenerator[Event, None]], views: Callable[[], Mapping[str, TaskView]]
    ) -> None:
        """Write a line of the job log for each attempt as it ends, to the last."""
        if self._joblog is None:
            return
        add, loop = self._joblog.add, asyncio.get_running_loop()
        numbers: dict[str, int] = {}
        async for event in events():
            if event.kind is not EventKind.ATTEMPT_ENDED or event.task_id is None:
                continue
            tasks = views()
            numbers = numbers or {task_id: place for place, task_id in enumerate(tasks, 1)}
            for attempt in tasks[event.task_id].attempts:
                if attempt.end is not None and attempt.start.id.number == event.data.get("attempt"):
                    try:
                        await loop.run_in_executor(DISK_THREADS, add, numbers[event.task_id], attempt)
                    except OSError as error:
                        tell_unwritten("--joblog", error)
                        return

    def finish(self, report: RunReport) -> None:
        """Write what is written at the end."""
        try:
            if self._junit is not None:
                from nova_async.cli.junit import write_junit  # with XML

                write_junit(self._junit, report)
        except OSError as error:
            tell_unwritten("--junit", error)
        try:
            if self._page is not None:
                write_page(self._page, self._places)
        except (OSError, NovaError) as error:
            tell_unwritten("--report", error)
        try:
            write_step_summary(report)
        except OSError as error:
            tell_unwritten("the step summary", error)


@contextmanager
def open_reports(
    joblog: str | None, junit: str | None, page: str | None = None, places: Sequence[str] = ()
) -> Iterator[Reports]:
    """Open what is written during a run, and make the folders of what is written after it.

    ``places`` are those of the state file, the journal and the logs, which the ``page`` is made from. Raises
    ``click.UsageError`` where something cannot be written: after hours of work would be late to say so.
    """
    for later in filter(None, (junit, page)):
        try:
            check(Path(later))
        except OSError as error:
            raise click.UsageError(f"cannot write {later}: {error.strerror}") from error
    try:
        log = JobLog(Path(joblog)) if joblog is not None else None
    except OSError as error:
        raise click.UsageError(f"cannot write {joblog}: {error.strerror}") from error
    try:
        yield Reports(log, Path(junit) if junit is not None else None, Path(page) if page is not None else None, places)
    finally:
        if log is not None:
            log.close()


def check(path: Path) -> None:
    """Make the folder of a file that is to be written later. Raises ``OSError`` if that is not going to work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def write_page(path: Path, places: Sequence[str]) -> None:
    """Write the run as one page. Raises ``OSError``, and ``NovaError`` if nothing of it can be read."""
    from nova_async.cli.report import html_report
    from nova_async.cli.report_reading import ReportPlaces

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(html_report(ReportPlaces(*map(Path, places))))


def tell_unwritten(what: str, error: Exception) -> None:
    """Say what could not be written."""
    tell(f"{what} could not be written: {error}")
