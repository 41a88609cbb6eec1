"""Works by naps of 20 ms, so that time in which it is frozen is not time in which it gets on. Usage: NAPS WORDS.

Says "ready", then "busy" after each so many naps, so many times. At SIGTERM it says "asked", and after as many naps
"tidied up", and exits with 3.
"""

import os
import signal
import sys
import time

naps, words = map(int, sys.argv[1:])


def work() -> None:
    """Take the naps."""
    for _ in range(naps):
        time.sleep(0.02)


def tidy_up(number: int, frame: object) -> None:
    """Take as long as for a word."""
    os.write(1, b"asked\n")
    work()
    os.write(1, b"tidied up\n")
    os._exit(3)


signal.signal(signal.SIGTERM, tidy_up)
print("ready", flush=True)
for _ in range(words):
    work()
    os.write(1, b"busy\n")
