"""Run a program, wait for it, and print what it took as JSON: ``launcher.py null|sink PROGRAM ARGUMENT…``.

It is small on purpose: the kernel counts the memory of whoever starts a program into that program's peak, and the
benchmarks themselves are larger than some of what they measure. What the program prints goes to /dev/null, or through
a pipe into a ``cat``.
"""

import os
import sys
import time


def main() -> None:
    """Do it."""
    where, *command = sys.argv[1:]
    null = os.open(os.devnull, os.O_RDWR)
    out = sink_for(null) if where == "sink" else null
    os.set_inheritable(out, False)
    begin = time.monotonic()
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out, 1)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    seconds, cpu = time.monotonic() - begin, usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    code = os.waitstatus_to_exitcode(status)
    print(f'{{"code": {code}, "seconds": {seconds}, "cpu": {cpu}, "peak_bytes": {peak}}}')


def sink_for(null: int) -> int:
    """Start a ``cat``, and return the end of its pipe to write to."""
    read, write = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
    os.posix_spawnp("cat", ["cat"], os.environ, file_actions=actions)
    os.close(read)
    return write


if __name__ == "__main__":
    main()
