"""A family of processes: started in a session of its own, found wherever its members went, and ended as one.

Importing it on Windows, which has no sessions and no signals, raises ``UnsupportedPlatformError``.
"""

import sys

from nova_async.errors import UnsupportedPlatformError

if sys.platform == "win32":
    raise UnsupportedPlatformError(
        "nova_async supervises processes with POSIX sessions and signals, which Windows does not have; "
        "run it on Linux or macOS, or in WSL"
    )
