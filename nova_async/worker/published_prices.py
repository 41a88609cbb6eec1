"""The prices that the package genai-prices publishes, read when the first estimate needs them, by a small program."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import final

from nova_async._core.after_fork import Step, in_child
from nova_async._core.threads import DISK_THREADS
from nova_async.prices import ModelPrice
from nova_async.process import at_exit
from nova_async.process.cookie import COOKIE_VARIABLE, new_cookie
from nova_async.process.orphan_guard import find_interpreter

__all__ = ["PUBLISHED", "PublishedPrices"]

PACKAGE = "genai_prices"
PROGRAM = Path(__file__).with_name("published_prices_program.py")
READING_SECONDS = 30.0  # a second where nothing else runs

_log = logging.getLogger("nova_async")


@final
class PublishedPrices:
    """The published prices, once for the whole process. Nothing here waits but ``read``."""

    def __init__(self) -> None:
        self.after_fork()
        self._prices: dict[str, ModelPrice] = {}
        self.version = ""
        """Of the package, and so of its prices; empty until they were read."""
        self.is_settled = False
        """Whether there is nothing more to learn: they were read, or cannot be."""

    def after_fork(self) -> None:
        """Reset in a forked child, where no thread reads them."""
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._waiting: list[Callable[[], object]] | None = None

    @property
    def is_installed(self) -> bool:
        """Whether the package is there."""
        try:
            return find_spec(PACKAGE) is not None
        except (ImportError, ValueError):  # a module that somebody put in its place
            return False

    def of(self, model: str) -> ModelPrice | None:
        """Return the price of a model by its exact name; None where there is none, and until they were read."""
        return self._prices.get(model)

    def read_soon(self, then: Callable[[], object]) -> bool:
        """Have them read in a thread, and ``then`` called there; False if there is nothing to wait for."""
        if self.is_settled:
            return False
        with self._lock:
            if self._waiting is not None:
                self._waiting.append(then)
                return True
            self._waiting = [then]
        try:
            DISK_THREADS.submit(self.read)
        except OSError:  # no thread is to be had: the next one who asks may have more luck
            with self._lock:
                self._waiting = None
            return False
        return True

    def read(self) -> None:
        """Read them now, which takes a second; harmless to repeat."""
        with self._reading:
            try:
                if not self.is_settled and self.is_installed:
                    self.version, self._prices = prices_in(ask_the_package())
            except InterruptedError:
                pass
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                _log.warning("cannot read the prices of genai-prices, so nothing is estimated by them: %s", error)
            self.is_settled = True
        with self._lock:
            waiting, self._waiting = self._waiting or [], None
        for then in waiting:
            then()


def ask_the_package() -> bytes:
    """Return what the program says.

    Raises ``InterruptedError`` if a signal ended it, and ``OSError`` or ``SubprocessError`` if it failed.
    """
    interpreter = find_interpreter()
    if interpreter is None:
        raise OSError(f"{sys.executable!r} is not a Python interpreter that could run the package")
    folders = json.dumps([os.path.abspath(folder) for folder in sys.path]).encode()  # noqa: PTH100
    cookie = new_cookie()  # if we are killed, the orphan guard ends it
    at_exit.expect(cookie)
    try:
        done = subprocess.run(
            [interpreter, "-P", str(PROGRAM)], input=folders, capture_output=True, check=True,
            timeout=READING_SECONDS, env={**os.environ, COOKIE_VARIABLE: cookie},
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        if error.returncode < 0:
            raise InterruptedError from error  # we are ending, and it with us
        last = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise OSError(last or str(error)) from error
    finally:
        at_exit.forget(cookie)
    return done.stdout


def prices_in(document: bytes) -> tuple[str, dict[str, ModelPrice]]:
    """Return the version and the prices by name. Raises ``ValueError`` for what is no such document."""
    found = json.loads(document)
    try:
        return str(found["version"]), {name: ModelPrice(*prices) for name, prices in found["prices"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a list of prices: {error!r}") from error


PUBLISHED = PublishedPrices()
in_child(Step.PRICES, PUBLISHED.after_fork)
