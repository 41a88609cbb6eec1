"""``nova report``: a run as one file, for people who were not there and for programs."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.ink import is_terminal
from nova_async.cli.options import argument, command_of, flag, option, run_option
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE, place_in
from nova_async.cli.report_reading import ReportPlaces, read_report
from nova_async.cli.reported import Reported, duration_of
from nova_async.cli.say import OutputError, stop_writing_to, tell, write_all
from nova_async.errors import NovaError

__all__ = ["command", "html_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    run: str | None = run_option()
    markdown: bool = flag(help="Write Markdown for a pull request.")
    junit: bool = flag(help="Write JUnit XML.")
    ctrf: bool = flag(help="Write JSON in the Common Test Report Format.")
    output: str | None = option("--output", "-o", metavar="FILE", show_default="stdout", help="The file to write.")
    log_dir: str | None = option(metavar="DIR", show_default="DIR/logs", help="Folder of the logs (TASK.log).")
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run journal, if it is elsewhere.")


def write_report(options: Options) -> int:
    """Write a report of a run as one HTML page, or as Markdown, JUnit XML or CTRF.

    DIR is the folder of the run; by default, this folder. The page needs no network and no script. During a run it
    shows how things stand now. The exit code is 2 if there is no run.
    """
    forms: dict[str, Callable[[Reported], bytes]] = {"markdown": markdown, "junit": junit, "ctrf": ctrf}
    wanted = [name for name in forms if getattr(options, name)]
    if len(wanted) > 1:
        raise click.UsageError(f"--{wanted[0]} and --{wanted[1]} cannot be used together")
    if not wanted and options.output is None and is_terminal(sys.stdout):
        raise click.UsageError("a report is a web page: name its file (-o report.html), or use --markdown")
    folder = Path(options.directory)
    places = ReportPlaces(
        place_in(folder, STATE_FILE, options.state),
        place_in(folder, JOURNAL, options.journal),
        place_in(folder, LOG_DIR, options.log_dir),
    )
    try:
        made = forms[wanted[0]](read_report(places, options.run)) if wanted else html_report(places, options.run)
    except NovaError as error:
        tell(str(error))
        return BAD_INPUT
    return write(made, options.output)


def html_report(places: ReportPlaces, run_id: str | None = None) -> bytes:
    """Return the page. Raises ``NovaError`` if there is no run."""
    from nova_async.cli.report_page import report_page

    return report_page(read_report(places, run_id)).encode(errors="replace")


def markdown(report: Reported) -> bytes:
    """Return the Markdown."""
    from nova_async.cli.report_markdown import report_markdown

    return report_markdown(report).encode(errors="replace")


def junit(report: Reported) -> bytes:
    """Return the JUnit XML."""
    from nova_async.cli.junit import junit_document
    from nova_async.orchestrator.reporting import run_report

    board = report.board
    begin = board.run.started_at or report.made_at
    return junit_document(run_report(board.run, board.tasks, begin, duration_of(board) or 0.0))


def ctrf(report: Reported) -> bytes:
    """Return the CTRF document."""
    from nova_async.cli.ctrf import ctrf_document

    return json.dumps(ctrf_document(report), indent=2).encode() + b"\n"


def write(made: bytes, output: str | None) -> int:
    """Write a report to its file, or to our output."""
    try:
        if output is not None:
            path = Path(output)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made)
        elif sys.stdout is not None:
            sys.stdout.flush()
            write_all(sys.stdout.fileno(), made)
    except BrokenPipeError:
        stop_writing_to(sys.stdout)  # our reader has seen enough
    except OSError as error:
        if output is None:
            raise OutputError(error.strerror or str(error)) from error
        tell(f"cannot write {output}: {error.strerror or error}")
        return BAD_INPUT
    return 0


command = command_of(Options, write_report)
