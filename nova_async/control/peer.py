"""Who is at the other end of a Unix socket, as the kernel says."""

import os
import socket
import struct
import sys

__all__ = ["is_trusted", "peer_uid"]

LINUX_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid
# struct xucred of macOS and FreeBSD: version, uid, number of groups, 16 groups.
BSD_CREDENTIALS = struct.Struct("IIh2x16I")
SOL_LOCAL, LOCAL_PEERCRED = 0, 1


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user of the process that made the other end; None where the system does not say."""
    try:
        if sys.platform == "linux":
            told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, LINUX_CREDENTIALS.size)
            return int(LINUX_CREDENTIALS.unpack(told)[1])
        if sys.platform == "darwin" or sys.platform.startswith("freebsd"):
            told = connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, BSD_CREDENTIALS.size)
            return int(BSD_CREDENTIALS.unpack(told)[1])
    except (OSError, struct.error):
        pass
    return None


def is_trusted(connection: socket.socket) -> bool:
    """Tell whether the other end is this user's, or root's, who could do anything to us anyway."""
    return peer_uid(connection) in (os.geteuid(), 0)
