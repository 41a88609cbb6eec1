"""What the kernel still knows of a child whose exit status was taken by somebody else, or thrown away (G23)."""

import fcntl
import os
import struct
import sys

__all__ = ["exit_code_of_reaped"]

# _IOWR(0xFF, 11, struct pidfd_info) of linux/pidfd.h, with the size of its first version; Linux 6.15 and later.
PIDFD_GET_INFO = 0xC040FF0B
PIDFD_INFO_EXIT = 1 << 3
# mask, cgroup; pid, thread group, parent; four user and four group ids; the wait status.
PIDFD_INFO = struct.Struct("=QQ11Ii")


def exit_code_of_reaped(pidfd: int) -> int | None:
    """Return the exit code of a process that has been reaped, negative for a signal; None where nobody knows.

    The pidfd has to be older than the exit. Raises nothing.
    """
    if pidfd < 0 or sys.platform != "linux":
        return None
    question = PIDFD_INFO.pack(PIDFD_INFO_EXIT, *[0] * 13)
    try:
        told = PIDFD_INFO.unpack(fcntl.ioctl(pidfd, PIDFD_GET_INFO, question))
    except OSError:  # an older kernel
        return None
    return os.waitstatus_to_exitcode(told[-1]) if told[0] & PIDFD_INFO_EXIT else None
