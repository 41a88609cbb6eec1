"""What happens at interpreter exit, in its order."""

import subprocess
import sys

import pytest


def output_of(script: str) -> list[str]:
    """Run a script in an interpreter of its own; return the lines it prints."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines() + [line for line in done.stderr.splitlines() if "Error" in line]


def test_callbacks_run_in_reverse_order_while_executors_still_work() -> None:
    """One that raises does not stop the others, and a thread may still be used."""
    script = """
from concurrent.futures import ThreadPoolExecutor
from nova_async.process import at_exit
pool = ThreadPoolExecutor(1)
pool.submit(print, end="").result()  # 3.12.0 and 3.12.1 start no thread by then, gh-113964
at_exit.before_executors_stop(lambda: print("last"))
at_exit.before_executors_stop(lambda: 1 / 0)
at_exit.before_executors_stop(lambda: print(pool.submit(lambda: "first").result()))
at_exit.before_exit(lambda: print("after all"))
"""
    lines = output_of(script)
    assert lines == ["first", "last", "after all", "ZeroDivisionError: division by zero"]


def test_a_forked_child_runs_none_of_it() -> None:
    """Its parent's families and callbacks are its parent's."""
    script = """
import asyncio, os, sys
from nova_async.process import at_exit
from nova_async.process.spawn import spawn
async def main():
    child = await spawn(["sleep", "60"], env=os.environ)
    at_exit.before_executors_stop(lambda: print("callback of", "parent" if os.getpid() == parent else "child"))
    return child
parent = os.getpid()
loop = asyncio.new_event_loop()
child = loop.run_until_complete(main())
fork = os.fork()
if fork == 0:
    sys.exit(0)
os.waitpid(fork, 0)
print([member.name for member in child.family.members()])
loop.run_until_complete(child.family.kill())
child.close_output()
loop.close()
"""
    assert output_of(script) == ["['sleep']", "callback of parent"]


def test_everyone_is_signalled_before_anyone_is_waited_for() -> None:
    """One that resists must not keep the others alive meanwhile."""
    script = """
from nova_async.process import at_exit
class Family:
    def __init__(self, cookie):
        self.cookie = cookie
    def signal(self, sig):
        print("signal", self.cookie)
    def kill_now(self, timeout):
        print("kill", self.cookie)
at_exit.register(Family("one"))
at_exit.register(Family("two"))
"""
    assert output_of(script) == ["signal one", "signal two", "kill one", "kill two"]


def test_a_process_is_settled_exactly_while_nobody_lives() -> None:
    """Unsettled from before the child is there, settled once its end was seen, or its start has failed."""
    script = """
import asyncio, os
from pathlib import Path
from nova_async.process import at_exit, orphan_guard
from nova_async.process.spawn import spawn
def children():
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()} - {orphan_guard.guard_pid()}
async def main():
    orphan_guard.ensure()
    print(at_exit.is_settled())
    starting = asyncio.create_task(spawn(["sleep", "60"], env=os.environ))
    early = 0
    while not starting.done():
        await asyncio.sleep(0)
        early += bool(children()) and at_exit.is_settled()
    child = await starting
    print(early, at_exit.is_settled())
    await child.family.kill()
    child.close_output()
    print(at_exit.is_settled())
    try:
        await spawn(["sleep", "60"], env={**os.environ, "TOO_LONG": "x" * 300_000})
    except OSError:
        print(at_exit.is_settled())
asyncio.run(main())
"""
    assert output_of(script) == ["True", "0 False", "True", "True"]


@pytest.mark.parametrize("module", ["nova_async.process"])
def test_windows_is_refused_in_plain_words(module: str) -> None:
    """The import says why, as an ImportError that is a NotImplementedError as well."""
    script = f"""
import importlib.machinery, importlib.util, sys
spec = importlib.machinery.PathFinder.find_spec("nova_async")
spec = importlib.machinery.PathFinder.find_spec("{module}", spec.submodule_search_locations)
sys.platform = "win32"
try:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
except ImportError as error:
    print(isinstance(error, NotImplementedError), "Windows" in str(error))
"""
    assert output_of(script) == ["True True"]
