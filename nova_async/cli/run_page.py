"""The page of a run that was asked for with it: ``nova run --serve`` starts ``nova serve``, a process of its own."""

import contextlib
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from nova_async.cli.say import tell

__all__ = ["page_served"]

START_SECONDS = 15.0  # for the server to say its address; by itself half a second
END_SECONDS = 1.0  # for it to end when nobody looks at the page


@contextlib.contextmanager
def page_served(state: str, journal: str, log_dir: str) -> Iterator[None]:
    """Serve the page meanwhile, and as long afterwards as somebody has it open. Says the address on standard error.

    Raises ``click.UsageError`` with the reason if it cannot be served; then the run has not begun.
    """
    places = [("--state", state), ("--journal", journal), ("--log-dir", log_dir)]
    words = [word for name, path in places for word in (name, str(Path(path).absolute()))]
    process = subprocess.Popen(
        [sys.executable, "-m", "nova_async", "serve", "--with-run", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C is for the run: the page shows how it ends
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.ExitStack() as stack:
        stack.callback(process.stdin.close)  # by which it knows that the run is over, also where that is killed
        with process.stdout:
            is_there, _, _ = select.select([process.stdout], [], [], START_SECONDS)
            line = process.stdout.readline().decode(errors="replace").strip() if is_there else ""
        if not line.startswith("http"):
            process.kill()
            process.wait()
            raise click.UsageError(f"--serve: {line.removeprefix('nova: ') or 'nova serve does not start'}")
        tell(f"page: {line}")
        yield
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        tell("the page stays as long as it is open in a browser")
        process.returncode = 0  # it is nobody's child from here on, and no leak of ours
