"""Starts a worker in an event loop that is closed under it. Usage: FOLDER WHAT, and WHAT is done then.

``drop`` drops the worker, ``drop-locked`` does so while the orphan guard is told of another family, and
``drop-in-ration`` while another pipe is opened: Python may collect it at any moment. ``use`` uses it in another loop,
``complain`` without any, with a callback that fails. All print what comes of it, and who is alive then. The worker's
leader has a child in a session of its own.
"""

import asyncio
import gc
import sys
import warnings

from nova_async import AsyncWorker, WorkerStateError
from nova_async.process import orphan_guard
from nova_async.process.pipes import RATION, USUAL
from tests.children import is_alive, program, ready

folder, what = sys.argv[1:]
worker = AsyncWorker("W", log_dir=folder)


async def start() -> list[int]:
    """Start it, and return the pids."""
    await worker.start(program("escapee", "session", "stay"))
    descendant = int((await ready(worker)).split()[1])
    assert worker.pid is not None
    return [worker.pid, descendant]


async def use() -> None:
    """Wait for the worker and end it, each of which is refused."""
    for do in (lambda: worker.wait(5), worker.wait, worker.terminate, worker.suspend):
        try:
            await do()
        except WorkerStateError as error:
            print(error)
        else:
            print("done")


loop = asyncio.new_event_loop()
pids = loop.run_until_complete(start())
loop.close()
if what == "use":
    asyncio.run(use())
    print(worker.status, worker.end, worker.is_alive(), worker.get_exit_code(), worker.error)
elif what == "complain":
    worker.on_change = lambda: 1 / 0
    try:
        worker.resume()
    except WorkerStateError as error:
        print(error)
    print(worker.status, worker.end, worker.is_alive(), worker.get_exit_code(), worker.error)
elif what == "drop-locked":

    class Other:
        """A family with which the worker goes."""

        cookie = "/other.1"

        def known(self) -> list[tuple[int, float]]:
            """Return nobody, but drop the worker first."""
            global worker
            if "worker" in globals():
                del worker
                gc.collect()
            return [(-1, -1.0)]

    warnings.simplefilter("ignore")
    orphan_guard.watch_over(Other())
    orphan_guard.forget(Other.cookie)
    print("told")
elif what == "drop-in-ration":

    class Dropping(int):
        """A size with which the worker goes when it is compared."""

        def __gt__(self, other: int) -> bool:
            global worker
            if "worker" in globals():
                del worker
                gc.collect()
            return int(self) > other

    warnings.simplefilter("ignore")
    RATION.give_back(RATION.take(Dropping(USUAL)))
    print(RATION.taken)
else:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        del worker
        gc.collect()
    print(*(str(each.message) for each in warned if "was dropped" in str(each.message)))
print("alive:", *(pid for pid in pids if is_alive(pid)))
