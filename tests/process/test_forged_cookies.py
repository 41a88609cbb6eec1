"""Any process may claim to belong to a worker; it gains nothing by that, and costs nobody else anything."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from nova_async.process.cookie import COOKIE_VARIABLE

from .watching import all_dead_within, is_alive, running

BYSTANDER = """
sleep 60 & echo $!
sh -c 'export NOVA_WORKER="$0"; exec sh -c "echo \\$\\$; sleep 61 & wait"' "$0" &
wait
"""


@contextmanager
def started(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that is nobody's family, in a session of its own; end that session at the end."""
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


async def test_a_forged_cookie_ends_only_who_forged_it() -> None:
    """Neither its parent nor its neighbours, nor processes whose cookie only resembles the worker's."""
    async with running("sleep", "60") as child:
        with ExitStack() as stack:
            alike = [child.cookie + "1", child.cookie[:-1], child.cookie.upper(), "/other.1/x", child.cookie + ".1", ""]
            strangers = [stack.enter_context(started("sleep", "60", **{COOKIE_VARIABLE: path})) for path in alike]
            bystander = stack.enter_context(started("sh", "-c", BYSTANDER, child.cookie))
            assert bystander.stdout is not None
            neighbour, forger = int(bystander.stdout.readline()), int(bystander.stdout.readline())
            assert await child.family.kill() == []
            assert all_dead_within([forger], 5)
            assert is_alive(neighbour)
            assert [process.poll() for process in (bystander, *strangers)] == [None] * 7
