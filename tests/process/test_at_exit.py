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
from nova_async.process.child import spawn
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
