"""Says ready and then nothing, until it is ended."""

import signal

print("ready", flush=True)
signal.pause()
