"""Supervises N `deaf_tree`s (its first word); "ready GUARD PID…" names its guard and all of their processes.

Further words say what else: ``mild``, they are simple sleepers; ``helper``, it forks one that keeps copies of all its
descriptors (its pid goes last); ``leave``, the first family may live on; ``exit``, it ends normally within its loop;
``abandon``, it ends without closing its loop; ``fork``, a fork of it does the supervising; ``thread``, an ordinary
thread does it; ``executor``, a thread of an executor waits for the first worker while it ends; ``foreign``, as if
there were neither /proc nor pidfds. Otherwise it stays.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from nova_async.process import procfs

if "foreign" in sys.argv:
    procfs.usable = lambda: False  # before anyone asks
from nova_async.process import orphan_guard
from nova_async.process.child import Child, spawn

TREE = Path(__file__).with_name("deaf_tree.sh")
MILD = ["sh", "-c", "echo ready $$; exec sleep 300"]
count = int(sys.argv[1])
options = set(sys.argv[2:])
command = MILD if "mild" in options else ["sh", str(TREE)]
children: list[Child] = []


async def first_words(child: Child) -> list[str]:
    """Return the pids in the line that the child begins with."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(child.output, readable.set)
    await readable.wait()
    loop.remove_reader(child.output)
    return os.read(child.output, 4096).decode().split()[1:]


async def supervise() -> None:
    """Start them all, and say so."""
    pidfd_open = getattr(os, "pidfd_open", None)
    if "foreign" in options:
        del os.pidfd_open  # only for the guard: asyncio may need it
    orphan_guard.ensure()
    os.pidfd_open = pidfd_open
    children.extend(await asyncio.gather(*(spawn(command, env=os.environ) for _ in range(count))))
    pids = [pid for child in children for pid in await first_words(child)]
    if "leave" in options:
        orphan_guard.release(children[0].cookie)
    if "helper" in options:
        for entry in Path("/proc/self/fd").iterdir():  # copies, because what is ours is closed in a fork
            with suppress(OSError):
                os.dup(int(entry.name))
        helper = os.fork()
        if helper == 0:
            signal.pause()
        pids.append(str(helper))
    print("ready", orphan_guard.guard_pid(), *pids, flush=True)
    if not options & {"exit", "abandon", "executor"}:
        await asyncio.Event().wait()


def run() -> None:
    """Do it in a loop of this thread."""
    if "abandon" not in options:
        asyncio.run(supervise())
        return
    loop = asyncio.new_event_loop()
    loop.run_until_complete(supervise())
    globals()["kept"] = loop


if "fork" in options and os.fork() != 0:
    os.wait()
elif "thread" in options:
    threading.Thread(target=run).start()
elif "executor" in options:
    pool = ThreadPoolExecutor()
    run()

    def wait_for_first() -> None:
        """Keep the executor busy: Python's exit waits for it."""
        while (first := procfs.look(children[0].pid)) is not None and first.alive:
            time.sleep(0.01)

    pool.submit(wait_for_first)
else:
    run()
