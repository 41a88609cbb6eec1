"""Exits at once; its child talks for ever."""

import os
import time

if os.fork() == 0:
    while True:
        print("still here", flush=True)
        time.sleep(0.05)
