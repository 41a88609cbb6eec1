"""Which boot of this machine, and which of its pid namespaces, a pid belongs to."""

import os
import sys
from pathlib import Path

__all__ = ["boot", "is_over"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """Return what all processes that can see each other have in common until the next reboot; empty if unknown.

    Two words: the boot and, on Linux, the pid namespace, because a container has numbers of its own.
    """
    try:
        if sys.platform == "linux":
            return f"{BOOT_ID.read_text('ascii').strip()} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 (a name)
        import psutil

        return f"{psutil.boot_time():.0f}"
    except (OSError, ValueError):
        return ""


def is_over(earlier: str) -> bool:
    """Tell whether the machine has been started again since: no process of that boot can be alive."""
    now = boot()
    return bool(earlier) and bool(now) and earlier.split()[0] != now.split()[0]
