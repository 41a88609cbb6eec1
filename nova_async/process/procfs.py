"""The process table of Linux, read from ``/proc`` with nothing but the standard library.

``ESRCH``, ``ENOENT`` and ``EACCES`` are normal answers here: processes end while we look, and some are not ours.
Shared with the orphan guard, so it imports nothing that the guard would have to load.
"""

import os
import time

from nova_async.process.kinship import ProcessEntry

__all__ = [
    "adopted_by",
    "children_of",
    "everyone",
    "has_opted_out",
    "is_process",
    "last_pid",
    "look",
    "now",
    "path_of",
    "pid_limit",
    "resident",
    "usable",
]

KERNEL_THREAD = 0x00200000  # PF_KTHREAD of include/linux/sched.h
ENVIRON_CHUNK = 256 * 1024  # bytes; most environments in one read
LONGEST_EXEC = 0.1  # seconds that we wait for a process to have its new environment
COOKIE_MARK = b"NOVA_WORKER="
TASK_MARK = b"NOVA_TASK_ID="

_pid_limit = 0


def usable() -> bool:
    """Tell whether ``/proc`` is mounted and shows our own pid namespace."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 (see `everyone`)
    except OSError:
        return False


def look(pid: int) -> ProcessEntry | None:
    """Return one process, zombies included, or None if there is none or it is a kernel thread."""
    stat = _read_small(f"/proc/{pid}/stat")
    return _parse(pid, stat, 0) if stat else None


def everyone(since: float = 0) -> list[ProcessEntry]:
    """Return all processes that started at or after ``since`` (clock ticks since boot)."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 (pathlib would triple the cost of the most frequent call here)
        if name.isdigit():
            stat = _read_small(f"/proc/{name}/stat")
            entry = _parse(int(name), stat, since) if stat else None
            if entry is not None:
                found.append(entry)
    return found


def children_of(pid: int) -> list[int]:
    """Return the children of a process, zombies included; none where the kernel does not tell.

    A look at a few small files, whatever number of processes there is. The answer may be out of date, and the pids
    somebody else's by now: check each one's parent.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (see `everyone`)
    except OSError:
        return []
    return [child for thread in threads for child in _children_of_thread(pid, thread)]


def adopted_by(pid: int) -> list[int]:
    """Return those children of a process among which all are that it has adopted, zombies included.

    The kernel gives orphans to the first living thread of their new parent, which is its main thread
    (``find_alive_thread`` in kernel/exit.c). So that takes one small file, whatever number of threads there is.
    """
    return _children_of_thread(pid, str(pid))


def _children_of_thread(pid: int, thread: str) -> list[int]:
    return [int(child) for child in (_read_all(f"/proc/{pid}/task/{thread}/children") or b"").split()]


def path_of(pid: int) -> str | None:
    """Return the family path in the environment that the process was started with; None if it has none or hides it.

    A process in the middle of an exec briefly has no environment. It is checked again, for 0.1 s at most: one that has
    left its session and parent would otherwise not be recognised at that moment.
    """
    deadline = 0.0
    pause = 0.0002  # seconds
    before: list[bytes] = []
    while not (environment := _read_all(f"/proc/{pid}/environ")):
        fields = _read_small(f"/proc/{pid}/stat").rpartition(b") ")[2].split()
        if len(fields) < 20 or not _is_alive(fields):
            return None
        if fields[0] == b"Z":
            environment = _environment_of_a_thread(pid)
            break
        # Where code, stack and environment lie: each exec changes it, and its code is what it sets last.
        memory = [*fields[23:26], *fields[-3:-1]]
        in_exec = memory[:1] == [b"0"]
        deadline = deadline or time.monotonic() + LONGEST_EXEC
        if environment is None or (memory == before and not in_exec) or time.monotonic() > deadline:
            return None  # not readable for us, or started with an empty one
        before = memory
        if in_exec:
            time.sleep(pause)
            pause *= 2
    return _cookie_in(environment)


def has_opted_out(pid: int) -> bool:
    """Tell whether a process was started as no member of the family that it descends from: ``env -u NOVA_WORKER …``.

    Then the task's id is still in its environment. One that has cleared its environment, or written a title over its
    beginning, has not said so.
    """
    variables = (_read_all(f"/proc/{pid}/environ") or b"").split(b"\0")
    return (
        b"=" in variables[0]
        and any(variable.startswith(TASK_MARK) for variable in variables)
        and not any(variable.startswith(COOKIE_MARK) for variable in variables)
    )


def _cookie_in(environment: bytes) -> str | None:
    start = (b"\0" + environment).find(b"\0" + COOKIE_MARK)
    if start < 0:
        return None
    return os.fsdecode(environment[start + len(COOKIE_MARK) :].partition(b"\0")[0])


def is_process(pid: int) -> bool:
    """Tell a process from one of its threads, whose ids can be looked up under ``/proc`` as well."""
    return f"\nTgid:\t{pid}\n".encode() in _read_small(f"/proc/{pid}/status")


def last_pid() -> int | None:
    """Return the most recently allocated pid in our pid namespace (threads have pids, too)."""
    try:
        return int(_read_small("/proc/loadavg").split()[-1])
    except (IndexError, ValueError):
        return None


def pid_limit() -> int:
    """Return the number at which the counter of pids starts over."""
    global _pid_limit
    if not _pid_limit:
        _pid_limit = int(_read_small("/proc/sys/kernel/pid_max") or 32768)
    return _pid_limit


def now() -> float:
    """Return a time (clock ticks since boot) that is not after the start of any process started from now on."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")) - 1


def resident(pid: int, start_time: float) -> int | None:
    """Return the bytes of memory that this very process has in use (its RSS); None if it has ended."""
    memory = _read_small(f"/proc/{pid}/statm").split()  # `stat` has it too, but some kernels are less exact there
    entry = look(pid)  # only now: then it was its memory
    if entry is None or entry.start_time != start_time or len(memory) < 2:
        return None
    return int(memory[1]) * os.sysconf("SC_PAGE_SIZE")


def _parse(pid: int, stat: bytes, since: float) -> ProcessEntry | None:
    """Read a stat line; the name in it may hold spaces and parentheses, so fields count from the last one."""
    name_end = stat.rfind(b")")
    fields = stat[name_end + 2 :].split(None, 20)
    if len(fields) < 20:
        return None
    start_time = int(fields[19])
    if start_time < since or int(fields[6]) & KERNEL_THREAD:
        return None
    name = stat[stat.find(b"(") + 1 : name_end].decode("utf-8", "replace")
    return ProcessEntry(pid, int(fields[1]), int(fields[2]), int(fields[3]), start_time, name, _is_alive(fields))


def _is_alive(fields: list[bytes]) -> bool:
    """Return False for the dead; a zombie with threads is alive, because only its first thread has ended."""
    return fields[0] not in b"ZXx" or int(fields[17]) > 1


def _environment_of_a_thread(pid: int) -> bytes:
    """Return the environment of a process whose first thread has ended before the others."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (see above)
    except OSError:
        return b""
    return next((found for thread in threads if (found := _read_all(f"/proc/{pid}/task/{thread}/environ"))), b"")


def _read_small(path: str) -> bytes:
    """Return the content of a file that fits in a page, or nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _read_all(path: str) -> bytes | None:
    """Return the content of a file as far as it can be read; None if we may not open it."""
    chunks = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        while chunk := os.read(descriptor, ENVIRON_CHUNK):
            chunks.append(chunk)
    except OSError:
        pass  # the process ended meanwhile: what was read is what there is
    finally:
        os.close(descriptor)
    return b"".join(chunks)
