"""Uses so many MiB of memory itself, and as many in each of so many children in sessions of their own, then stays.

``finished`` as a third word: first it prints a successful final result, as Claude does.
"""

import os
import signal
import sys

mebibytes, children = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
if "finished" in sys.argv:
    used = '"modelUsage":{"claude-sonnet-4-6":{"inputTokens":1,"outputTokens":2}}'
    print('{"type":"result","subtype":"success","is_error":false,"session_id":"s1","result":"Done.",', used, "}")
    sys.stdout.flush()
for _ in range(children):
    if os.fork() == 0:
        os.setsid()
        break
eaten = b"\1" * (mebibytes << 20)
print("ready", flush=True)
signal.pause()
