"""``nova demo``: a whole run to look at, on a machine with no agent, no key and not even ``nova`` on PATH."""

import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from nova_async import demo_agent
from nova_async.cli import run
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.options import command_of, flag, option
from nova_async.cli.places import PLAN
from nova_async.cli.say import tell

__all__ = ["command"]

SHIPPED = Path(__file__).with_name("demo_plan.md")
"""The same as docs/examples/demo/CASCADE.md (held by a test), so that it is in the wheel."""
AS_SHIPPED = '"nova", "demo-agent"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    dir: str | None = option(
        metavar="DIR", show_default="a new one under the system's temporary folder", help="Folder to run it in."
    )
    speed: float = option(type=click.FloatRange(min=0, min_open=True), default=1.0, help="Speed-up factor.")
    json: bool = flag(help="Write one JSON line per event, then a summary.")
    plain: bool = flag(help="Write lines instead of a table.")


def show_demo(options: Options) -> int:
    """Run a sample plan with a demo agent: no key, no agent CLI, none of your files touched.

    It takes about 15 seconds. Its files stay in their own folder, for you to look at afterwards.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="nova-demo-") if options.dir is None else options.dir).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(folder / PLAN, demo_plan(options.speed))
        os.chdir(folder)
    except FileExistsError as error:
        tell(f"{error.filename} already exists and is not the demo's; choose another --dir")
        return BAD_INPUT
    except OSError as error:
        tell(f"cannot use {error.filename or options.dir}: {error.strerror or error}")
        return BAD_INPUT
    tell(f"the demo runs in {folder}; its agent only pretends to work")
    code = run.run_plan(run.Options(words=(PLAN,), json=options.json, plain=options.plain))
    us = "nova" if shutil.which("nova") else f"{sys.executable} -m nova_async"
    tell(f"look around: `cd {folder}`, then `{us} status`, `{us} logs S2`, `{us} plan`")
    return code


def demo_plan(speed: float) -> str:
    """Return the plan, its agent being the one of this very installation, wherever PATH leads."""
    # Isolated and without site packages: it loads the standard library alone, and starts in half the time.
    words = [sys.executable, "-I", "-S", demo_agent.__file__, "--speed", f"{speed:g}"]
    return SHIPPED.read_text().replace(AS_SHIPPED, ", ".join(json.dumps(word, ensure_ascii=False) for word in words))


def write_plan(path: Path, text: str) -> None:
    """Write the plan where there is none. Raises ``FileExistsError`` where another one stands."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.read_bytes() != text.encode():
            raise


command = command_of(Options, show_demo)
