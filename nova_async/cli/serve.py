"""``nova serve``: a run as a page in the browser, and as JSON for programs."""

import asyncio
import contextlib
import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.say import say, tell
from nova_async.cli.signals import Interruption, listen
from nova_async.errors import NovaError

if TYPE_CHECKING:
    pass

__all__ = ["command"]

USUAL_PORT = 6682  # "nova" on the keys of a telephone
NEEDED = ("starlette", "uvicorn", "sse_starlette")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    port: int | None = option(
        type=click.IntRange(0, 65535), metavar="N", show_default=f"{USUAL_PORT}, or any that is free",
        help="Port to listen on; 0 for any that is free.",
    )  # fmt: skip
    uds: str | None = option(metavar="PATH", help="Listen on a Unix socket that only you can open, on no port.")
    host: str | None = option(metavar="NAME", show_default="127.0.0.1 and ::1", help="Only loopback is served.")
    open: bool = flag(help="Open the page in the browser.")


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
        asyncio.run(serve_on(sockets, folder, token, options))
    finally:
        for listening in sockets:
            listening.close()
        if options.uds is not None:
            Path(options.uds).unlink(missing_ok=True)
    return 0


async def serve_on(sockets: list[socket.socket], folder: Path, token: str, options: Options) -> None:
    """Serve until somebody interrupts it."""
    from nova_async.cli.page_documents import FolderDocuments
    from nova_async.web.app import application
    from nova_async.web.server import Server
    from nova_async.web.source import Places, Source

    places = Places.of(folder)
    source = Source(places)
    app, ended = application(source, FolderDocuments(places), token)
    server = Server(app)

    def stop() -> None:
        ended.set()  # or the open pages would keep it from ending
        server.stop()

    async with source.following():
        with listen(Interruption(stop, stop)):
            serving = asyncio.create_task(server.serve(sockets))
            announce(sockets, token, options)
            await serving


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
