"""Supervises N `deaf_tree`s (its first word); "ready GUARD PID…" names its guard and all of their processes.

Further words say what else: ``mild``, they are simple sleepers; ``bare``, they have no cookie, as has a child in a
session of its own, whose parent the first signal ends; ``stray``, that child's parent has exited once it was seen;
``agents``, they are agents with a tool each; ``full``, the guard stands still until its pipe is full; ``helper``, it
forks one that keeps copies of all its descriptors (its pid goes last); ``leave``, the first family may live on;
``exit``, it ends normally within its loop; ``abandon``, it ends without closing its loop; ``fork``, a fork of it does
the supervising; ``thread``, an ordinary thread does it; ``executor``, a thread of an executor waits for the first
worker while it ends; ``foreign``, as if there were neither /proc nor pidfds. Otherwise it stays.
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

from nova_async.process import blind, procfs

if "foreign" in sys.argv:
    procfs.usable = blind.needed = lambda: False  # before anyone asks
from nova_async.process import orphan_guard
from nova_async.process.child import Child
from nova_async.process.cookie import new_cookie
from nova_async.process.spawn import spawn

TREE = Path(__file__).with_name("deaf_tree.sh")
MILD = ["sh", "-c", "echo ready $$; exec sleep 300"]
count = int(sys.argv[1])
options = set(sys.argv[2:])
BARE = "{ setsid sh -c 'echo ready '$$' $$; exec sleep 300' & read -r word < $0; } & while :; do sleep 0.01; done"
command = MILD if "mild" in options else ["sh", str(TREE)]
if "agents" in options:
    command = [sys.executable, str(TREE.with_name("agent_with_a_tool.py")), "calls"]
if "bare" in options:
    os.mkfifo("gate")
    mark = f"NOVA_TEST={os.environ.get('NOVA_TEST', '')}"  # or the test may not end it
    command = ["env", "-i", mark, "sh", "-c", BARE, str(Path("gate").absolute())]
children: list[Child] = []


async def first_words(child: Child) -> list[str]:
    """Return the pids in the line that the child begins with."""
    loop, line = asyncio.get_running_loop(), b""
    readable = asyncio.Event()
    loop.add_reader(child.output, readable.set)
    while not line.endswith(b"\n"):
        await readable.wait()
        readable.clear()
        with suppress(BlockingIOError):  # it was read before the loop told of it once more
            line += os.read(child.output, 4096)
    loop.remove_reader(child.output)
    return line.decode().split()[1:]


class Long:
    """A family about which there is much to tell."""

    cookie = new_cookie()

    def known(self) -> list[tuple[int, float]]:
        """Return a leader that there is not, and a thousand others."""
        return [(number + 2**22, 1.0) for number in range(1000)]


def fill_the_pipe() -> None:
    """Stop the guard, tell it more than its pipe holds, and let it go on; what it missed comes with the next line."""
    guard = orphan_guard.guard_pid() or 0
    os.kill(guard, signal.SIGSTOP)
    for _ in range(20):
        orphan_guard.watch_over(Long())
    for child in children:
        orphan_guard.watch_over(child.family.guard_notes)
    os.kill(guard, signal.SIGCONT)
    while b"S" not in Path(f"/proc/{guard}/stat").read_bytes().rpartition(b")")[2].split()[:1]:
        time.sleep(0.001)
    orphan_guard.forget(Long.cookie)


async def supervise() -> None:
    """Start them all, and say so."""
    pidfd_open = getattr(os, "pidfd_open", None)
    if "foreign" in options:
        del os.pidfd_open  # only for the guard: asyncio may need it
    orphan_guard.ensure()
    os.pidfd_open = pidfd_open
    children.extend(await asyncio.gather(*(spawn(command, env=os.environ) for _ in range(count))))
    pids = [pid for child in children for pid in await first_words(child)]
    if "full" in options:
        fill_the_pipe()
    if "stray" in options:
        before = children[0].family.members()
        Path("gate").write_text("go\n")
        while len(children[0].family.members()) >= len(before):
            pass
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
