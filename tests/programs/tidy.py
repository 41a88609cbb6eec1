"""Says so and exits with 3 when it gets SIGTERM; at SIGINT, with 4."""

import signal
import sys


def tidy_up(number: int, frame: object) -> None:
    """Say goodbye."""
    print("tidied up", flush=True)
    sys.exit({signal.SIGTERM: 3, signal.SIGINT: 4}[signal.Signals(number)])


signal.signal(signal.SIGTERM, tidy_up)
signal.signal(signal.SIGINT, tidy_up)
print("ready", flush=True)
while True:
    signal.pause()
