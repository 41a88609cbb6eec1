"""One family of processes: started in a session of its own, found wherever it went, and ended as one.

Raises:
    UnsupportedPlatformError: at import, on Windows, which has no sessions and no signals.
"""

import sys


class UnsupportedPlatformError(ImportError, NotImplementedError):
    """What this package promises cannot be kept on this system."""


if sys.platform == "win32":
    raise UnsupportedPlatformError(
        "nova_async supervises processes by POSIX sessions and signals, which Windows does not have; "
        "run it on Linux or macOS, or in WSL"
    )
