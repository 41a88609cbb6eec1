"""``nova serve``: a run as a page in the browser, and as JSON for programs."""

import asyncio
import contextlib
import importlib.util
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.numbers import Whole
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.say import say, tell
from nova_async.cli.signals import Interruption, listen
from nova_async.errors import NovaError

if TYPE_CHECKING:
    from nova_async.web.app import Page
    from nova_async.web.source import Places

__all__ = ["command"]

USUAL_PORT = 6682  # "nova" on the keys of a telephone
NEEDED = ("starlette", "uvicorn", "sse_starlette")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    port: int | None = option(
        type=Whole(0, 65535), metavar="N", show_default=f"{USUAL_PORT}, or any that is free",
        help="Port to listen on; 0 for any that is free.",
    )  # fmt: skip
    uds: str | None = option(metavar="PATH", help="Listen on a Unix socket that only you can open, on no port.")
    host: str | None = option(metavar="NAME", show_default="127.0.0.1 and ::1", help="Only loopback is served.")
    open: bool = flag(help="Open the page in the browser.")
    state: str | None = option(metavar="FILE", show_default="in DIR", help="Path of the state file.")
    journal: str | None = option(metavar="FILE", show_default="in DIR", help="Path of the run journal.")
    log_dir: str | None = option(metavar="DIR", show_default="in DIR", help="Folder of the logs.")
    with_run: bool = option(
        is_flag=True, default=False, hidden=True, help="End when standard input ends and nobody has the page open."
    )


def serve(options: Options) -> int:
    """Show a run as a page in the browser, and as JSON for programs.

    DIR is the folder of the run; by default, this folder. It may be running, over, or not begun. The address that is
    printed contains a token: whoever has it can see the run and stop it. Only programs on this machine reach it.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        tell(f"the page needs {', '.join(missing)}: pip install 'nova-async[web]'")
        return BAD_INPUT
    if options.host is not None and options.host not in LOOPBACK:
        tell(
            f"--host {options.host}: the page can stop agents and shows what they print, so it is served on this"
            " machine only. From another one, use `ssh -L 6682:localhost:6682 HERE`, or --uds and a proxy of your own"
        )
        return BAD_INPUT
    if options.uds is not None and options.port is not None:
        raise click.UsageError("--port and --uds cannot be used together")
    folder = Path(options.directory)
    if not folder.is_dir():
        tell(f"{folder} is not a folder")
        return BAD_INPUT
    from nova_async.web.server import listen as listen_to
    from nova_async.web.server import listen_at
    from nova_async.web.token import token_for

    try:
        token = token_for()
        sockets = [listen_at(Path(options.uds))] if options.uds is not None else listen_to(options.port, USUAL_PORT)
    except NovaError as error:
        tell(str(error))
        return BAD_INPUT
    try:
        asyncio.run(serve_on(sockets, places_of(options), token, options))
    finally:
        for listening in sockets:
            listening.close()
        if options.uds is not None:
            Path(options.uds).unlink(missing_ok=True)
    return 0


def places_of(options: Options) -> "Places":
    """Return where the files of the run are."""
    from nova_async.web.source import Places

    usual = Places.of(Path(options.directory))
    named = {"state": options.state, "journal": options.journal, "log_dir": options.log_dir}
    return replace(usual, **{name: Path(path) for name, path in named.items() if path is not None})


async def serve_on(sockets: list[socket.socket], places: "Places", token: str, options: Options) -> None:
    """Serve until somebody interrupts it."""
    from nova_async.cli.page_documents import FolderDocuments
    from nova_async.web.app import application
    from nova_async.web.server import Server
    from nova_async.web.source import Source

    source = Source(places)
    app, pages = application(source, FolderDocuments(places), token)
    server = Server(app)

    def stop() -> None:
        pages.ended.set()  # or the open pages would keep it from ending
        server.stop()

    async with source.following():
        with listen(Interruption(stop, stop)):
            serving = asyncio.create_task(server.serve(sockets))
            announce(sockets, token, options)
            leaving = asyncio.create_task(leave(pages, stop)) if options.with_run else None
            await serving
            if leaving is not None:
                leaving.cancel()


async def leave(pages: "Page", stop: Callable[[], None]) -> None:
    """End with the run, which holds our standard input open as long as it lives; but not before the last page."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(0, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(0)
    await pages.unwatched()
    stop()


def announce(sockets: list[socket.socket], token: str, options: Options) -> None:
    """Say where the page is."""
    if options.uds is not None:
        say(f"serving at {options.uds}; token {token}")
        return
    address = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/#token={token}"
    say(address)
    if options.open:
        import webbrowser

        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(address)


command = command_of(Options, serve)
