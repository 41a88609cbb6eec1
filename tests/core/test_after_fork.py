"""A forked child starts over in the written order."""

import subprocess
import sys


def test_the_steps_run_in_their_order_whoever_spoke_first() -> None:
    """What later steps use has started over before them."""
    script = """
import os
from nova_async._core.after_fork import Step, in_child
for step in sorted(Step, reverse=True):
    in_child(step, lambda step=step: print(step.value, flush=True))
if os.fork() == 0:
    os._exit(0)
os.wait()
print(len(Step))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *steps, count = map(int, done.stdout.split())
    assert steps == list(range(1, count + 1))
