"""A program in an odd state runs a worker for each script of the shell and writes how they ended.

Usage: FOLDER STATE SCRIPT… where STATE is ``sigchld-ignored``, ``sigchld-handled``, ``reaps-everyone``, ``blocks``,
``blocks-and-is-asked`` (by a SIGUSR1 that waits) or ``closed-`` and the numbers of standard streams.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from nova_async import AsyncWorker

BLOCKED = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD}


def reap_everyone() -> None:
    """Take the exit status of every child, as soon as there is one."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.0005)  # there is none yet


async def main() -> None:
    """Get into the state once the loop runs, and run the workers."""
    folder, state, *scripts = sys.argv[1:]
    match state.split("-"):
        case ["sigchld", "ignored"]:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        case ["sigchld", "handled"]:
            signal.signal(signal.SIGCHLD, lambda *_: None)
        case ["reaps", "everyone"]:
            threading.Thread(target=reap_everyone, daemon=True).start()
        case ["blocks", *asked]:
            signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
            if asked:
                os.kill(os.getpid(), signal.SIGUSR1)  # its default is to end us
        case ["closed", numbers]:
            for number in numbers:
                os.close(int(number))
    workers = [AsyncWorker(f"W{number}", log_dir=folder) for number in range(len(scripts))]
    for worker, script in zip(workers, scripts, strict=True):
        await worker.start(["sh", "-c", script])
    for worker in workers:
        await worker.wait()
    blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    ended = [{**worker.get_status_dict(), "blocked": blocked} for worker in workers]
    Path(folder, "ended.json").write_text(json.dumps(ended))


asyncio.run(main())
