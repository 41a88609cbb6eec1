"""Run an attempt when no descriptor is left, and print how it ended. Usage: FOLDER."""

import asyncio
import os
import resource
import sys

from nova_async.attempt.job import Job
from nova_async.attempt.local_attempt import run_attempt
from nova_async.process import orphan_guard
from nova_async.records import AttemptId


async def main(folder: str) -> str:
    """Use up the descriptors, run, and give them back."""
    orphan_guard.ensure()
    job = Job(id=AttemptId("run", "A1", 1), command=("true",), cwd=folder, log_name="A1.log")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    hoard = []
    try:
        while True:
            hoard.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        end = await run_attempt(job, log_dir=folder)
    for descriptor in hoard:
        os.close(descriptor)
    return str(end.outcome)


print(asyncio.run(main(sys.argv[1])))
