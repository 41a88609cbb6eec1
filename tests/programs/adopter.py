"""Supervises as nova does, adopting orphans. The first word says what: ``storm N``, or ``two``."""

import asyncio
import json
import os
import sys
from pathlib import Path

from nova_async.cli.process_wide import adopting_orphans, prepare_process
from nova_async.process import procfs
from nova_async.process.child import Child
from nova_async.process.family import Family
from nova_async.process.spawn import spawn

PROGRAMS = Path(__file__).parent
# An orphan that leads a session, and one that does not; both gone at once, and nothing tells whose they were.
SHORT = "setsid env -i sh -c 'sleep 0 & exit' & setsid env -i sleep 0 & wait; exit {}"


async def storm(many: int) -> None:
    """Run so many commands, four at a time, that leave orphans; every exit code must be the command's own."""
    at_once = asyncio.Semaphore(4)

    async def one(number: int) -> int:
        async with at_once:
            child = await spawn(["sh", "-c", SHORT.format(number % 100)], env=os.environ)
            code = await child.wait()
            await child.family.kill()
            child.close_output()
            return code

    codes = await asyncio.gather(*map(one, range(many)))
    print(json.dumps({"codes": codes}), flush=True)


async def daemon_of(*words: str) -> tuple[Child, int, int]:
    """Start a command that leaves a daemon; return it, our end of its input, and the daemon's pid."""
    read_end, write_end = os.pipe()
    child = await spawn([sys.executable, str(PROGRAMS / "daemon.py"), *words], env=os.environ, stdin=read_end)
    os.close(read_end)
    os.set_blocking(child.output, True)
    line = await asyncio.to_thread(os.read, child.output, 100)
    return child, write_end, int(line.split()[1])


async def two() -> None:
    """Run two commands at once; the second one leaves a daemon, and ends before the first does."""
    other, other_input, known = await daemon_of("nothing", "linger")
    one, its_input, daemon = await daemon_of("clears", "linger")

    def at(family: Family) -> list[int]:
        return [member.pid for member in family.members()]

    said = {"while both run": [daemon in at(one.family), daemon in at(other.family)]}
    os.close(its_input)
    await one.wait()
    said["one has ended"] = [daemon in [member.pid for member in await one.family.look_for_others()]]
    said["it lives"] = [procfs.look(daemon) is not None]
    os.close(other_input)
    await other.wait()
    others = [member.pid for member in await other.family.look_for_others()]
    said["both have ended"] = [daemon in others, known in others]
    for child in (one, other):
        await child.family.kill()
        child.close_output()
    said["it still lives"] = [procfs.look(daemon) is not None]
    print(json.dumps(said), flush=True)


async def main() -> None:
    """Do it, and say whether anyone is left as our child who is not the guard."""
    with adopting_orphans():
        await (storm(int(sys.argv[2])) if sys.argv[1] == "storm" else two())
    children = [procfs.look(pid) for pid in procfs.children_of(os.getpid())]
    print(json.dumps({"children": [entry.name for entry in children if entry is not None]}), flush=True)


prepare_process(8)
asyncio.run(main())
