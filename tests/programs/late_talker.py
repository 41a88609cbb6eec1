"""Exits at once; its child goes on to print ten lines, one each 80 ms (G1)."""

import os
import time

if os.fork() == 0:
    for number in range(10):
        print("line", number, flush=True)
        time.sleep(0.08)
