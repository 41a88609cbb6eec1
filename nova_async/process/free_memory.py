"""How much memory the machine has for new processes, or the control group that we are in: a container, a slice."""

from pathlib import Path

__all__ = ["available_memory", "left_in_groups"]

GROUPS = Path("/sys/fs/cgroup")
OURS = Path("/proc/self/cgroup")
LIMITS = ("memory.max", "memory.high", "memory.limit_in_bytes")  # of version 2, version 2, version 1


def available_memory() -> int | None:
    """Return how many bytes new processes can use without swapping; None where nobody can tell."""
    import psutil

    try:
        machine = psutil.virtual_memory().available
    except (psutil.Error, OSError, NotImplementedError):  # /proc is hidden
        machine = None
    return min((each for each in (machine, left_in_groups()) if each is not None), default=None)


def left_in_groups(ours: Path = OURS, groups: Path = GROUPS) -> int | None:
    """Return how many bytes our control group and those above it have left; None without a limit.

    ``ours`` is the file that names our groups, ``groups`` where all of them are mounted.
    """
    left: int | None = None
    for line in _text(ours).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers not in ("", "memory"):
            continue
        top = groups / controllers
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            found = _left_in(folder)
            left = found if left is None else left if found is None else min(left, found)
            if folder == top:
                break
    return left


def _left_in(group: Path) -> int | None:
    limits = [int(text) for name in LIMITS if (text := _text(group / name).strip()).isdigit()]
    used = _text(group / "memory.current").strip() or _text(group / "memory.usage_in_bytes").strip()
    if not limits or not used.isdigit():
        return None
    # What the kernel would give up first: files that nobody has read for a while. So do Docker and Kubernetes count.
    stat = dict(line.split(" ", 1) for line in _text(group / "memory.stat").splitlines() if " " in line)
    cached = stat.get("total_inactive_file") or stat.get("inactive_file") or "0"
    return max(0, min(limits) - int(used) + int(cached))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
