"""What concerns the whole process, and so is for the command to decide, never for the library."""

import asyncio
import contextlib
import os
import resource
import sys

__all__ = ["prepare_process"]

MOST_DESCRIPTORS = 65_536  # for some 10,000 workers; our children inherit the limit, and some close every one of it


def prepare_process() -> None:
    """Make room for a fleet: all descriptors that the system grants, and no thread per child."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS calls its limit infinite and refuses the number; 10,240 is what it takes there.
    wanted = min(hard, MOST_DESCRIPTORS) if sys.platform != "darwin" else 10_240
    if soft < wanted:
        # Refused, what is there must do; a spawn that fails for want of descriptors says so.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    # Python 3.11 waits for each child in a thread of its own; from 3.12 on pidfds are the default (G19).
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
