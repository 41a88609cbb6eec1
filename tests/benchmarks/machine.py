"""What a figure depends on besides the program: facts of the machine, but nothing that says whose it is."""

import os
import platform
from pathlib import Path

from nova_async.cli.version import VERSION

__all__ = ["cores", "facts", "is_busy"]


def cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_busy(load: float) -> bool:
    """Whether others keep so many cores busy that no figure can be trusted."""
    return load > cores() / 2


def facts() -> dict[str, object]:
    """Return them: no path, no name of a host or a user."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "nova": VERSION,
        "system": platform.system(),
        "kernel": ".".join(platform.release().split("-")[0].split(".")[:2]),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(memory / 1e9),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
