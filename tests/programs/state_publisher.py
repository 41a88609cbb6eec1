"""Publishes a growing state as fast as it can, until it is killed."""

import asyncio
import sys
from pathlib import Path

from nova_async.journal import state_file


async def main() -> None:
    """Publish, write, and again."""
    state_file.PAUSE_SECONDS = 0.0
    file = state_file.StateFile(Path(sys.argv[1]))
    number = 0
    while True:
        number += 1
        content = {"number": number, "padding": ["x" * (number % 7 * 10_000)], "again": number}
        file.publish(lambda content=content: content)
        await file.flush()
        if number == 1:
            print("ready", flush=True)


asyncio.run(main())
