"""What concerns the whole process, and so is for the command to decide, never for the library."""

import asyncio
import contextlib
import gc
import os
import re
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from types import FrameType

from nova_async.cli.say import tell
from nova_async.process import adoption, blind
from nova_async.process.birth import keep_descriptor_limit
from nova_async.process.orphans import Orphanage
from nova_async.process.signalling import open_pidfd
from nova_async.process.table import TABLE

__all__ = ["adopting_orphans", "deaf", "prepare_process"]

# Open descriptors. A worker needs its output, its log, its pidfds, pipes while it starts and one for each process of
# its family while it ends; nova itself its journal, folders, threads.
FOR_EACH_WORKER, FOR_NOVA = 16, 128

# A run keeps nearly all that it makes until its end. So Python's usual search after each 700 objects finds next to
# nothing, and one among all that a run of thousands of tasks keeps holds the event loop for a tenth of a second.
SEARCHES_FOR_GARBAGE = 5000, 20, 20


def prepare_process(workers: int) -> None:
    """Make room for so many workers at once, and have them start as if nova were not there.

    The limit of open descriptors is raised only where it would not do, and children keep the one that we were started
    with: some programs close every descriptor up to it. Python 3.11 waits for children without a thread for each.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS calls its limit infinite and refuses the number; 10,240 is what it takes there.
    wanted = min(hard if sys.platform != "darwin" else 10_240, FOR_NOVA + FOR_EACH_WORKER * workers)
    if soft < wanted:
        # Refused, what is there must do; a spawn that fails for want of descriptors says so.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            keep_descriptor_limit(soft, hard)
    # A script's `nova run &` ignores these two. So do we, but by a handler: that is not inherited by agents, which are
    # asked to end by SIGINT first (G37).
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, deaf)
    # Python 3.11 waits for each child in a thread of its own; from 3.12 on pidfds are the default (G19).
    # Tried, not only looked up: a sandbox may refuse the call, and this watcher notices only when the child runs.
    if sys.version_info < (3, 12) and (pidfd := open_pidfd(os.getpid())) is not None:
        os.close(pidfd)
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    gc.set_threshold(*SEARCHES_FOR_GARBAGE)
    if blind.needed():
        tell(f"warning: {blind.SAID}")
        warnings.filterwarnings("ignore", re.escape(blind.SAID), RuntimeWarning)


def deaf(number: int, frame: FrameType | None) -> None:
    """Ignore a signal that our parent had us ignore."""


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """Adopt what agents leave without a parent, in the running event loop; at the end, leave nobody (G54)."""
    orphanage = Orphanage(TABLE.now())
    if not adoption.begin():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, orphanage.look_after)
    try:
        with adoption.looking_after(
            lambda seconds: loop.call_soon_threadsafe(loop.call_later, seconds, orphanage.look_after)
        ):
            yield
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)
        orphanage.end()
