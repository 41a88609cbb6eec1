"""Has imported all of ``nova`` already, and forks one for whoever asks: its first word is the path of its socket.

Each ``nova`` is an ordinary one from there on: the streams, folder, environment and words of who asked, a session of
its own, the front door of ``nova`` or of ``python -m nova_async``, as the first of the words says, an ordinary exit.
What it has not is a start. "ready" says that one may ask. It ends when its standard input does.
"""

import contextlib
import gc
import importlib
import io
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys

import nova_async
from nova_async.cli.main import main as nova_main

HEADER = 8  # bytes: how long the request is


def import_everything() -> None:
    """Import what a command might, so that no fork does it again; what an extra needs may be missing."""
    for module in pkgutil.walk_packages(nova_async.__path__, "nova_async."):
        if not module.name.endswith(("__main__", "guard_program")):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


def request_of(connection: socket.socket) -> tuple[list[bytes], list[int]]:
    """Return what was asked for: folder, count of words, words, environment; and the three streams."""
    header, streams, _, _ = socket.recv_fds(connection, HEADER, 3)
    missing = int(header)
    body = b""
    while len(body) < missing:
        body += connection.recv(missing - len(body))
    return body.split(b"\0"), streams


def serve(connection: socket.socket) -> None:
    """Start one nova and tell its exit code; if whoever asked goes away, end it. Returns in nova itself."""
    fields, streams = request_of(connection)
    noticed, notice = os.pipe()
    os.set_blocking(notice, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(notice)
    pid = os.fork()
    if pid == 0:
        connection.detach()  # its descriptor is closed with all others
        become_nova(fields, streams)
        return
    asked, _, _ = select.select([connection, noticed], [], [])
    if connection in asked:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(str(code).encode())
    os._exit(0)


def become_nova(fields: list[bytes], streams: list[int]) -> None:
    """Take over the streams, folder, environment and words of who asked, and nothing of the server."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 256)
    count = int(fields[1])
    words, variables = fields[2 : 2 + count], fields[2 + count :]
    os.chdir(fields[0])
    os.environb.clear()
    os.environb.update(variable.split(b"=", 1) for variable in variables)
    sys.argv = [*map(os.fsdecode, words)]
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False))
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), line_buffering=os.isatty(1))
    sys.stderr = io.TextIOWrapper(open(2, "wb", closefd=False), errors="backslashreplace", line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def main() -> None:
    """Fork for everyone who asks."""
    import_everything()
    gc.collect()
    gc.freeze()  # shared with every fork
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a nova
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("ready", flush=True)
        while listener in select.select([listener, 0], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                serve(connection)
                break
            connection.close()
        else:
            return
    # In the new nova. Its exit is Python's own, with all that is to be done then.
    if sys.argv[0] == "nova":
        sys.exit(nova_main())
    runpy.run_module("nova_async", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
