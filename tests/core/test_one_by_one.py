"""Calls that may hang are made one after the other, and hold nobody up."""

import asyncio
import threading
import time

import pytest

from nova_async._core import one_by_one
from nova_async._core.one_by_one import OneByOne


async def test_calls_are_made_in_their_order_and_never_two_at_once() -> None:
    """Each begins when the one before it has ended, also those for which nobody waits."""
    calls, done = OneByOne(30, on_late=lambda: None), list[int]()
    at_work = threading.Lock()

    def call(number: int) -> int:
        assert at_work.acquire(blocking=False)
        done.append(number)
        at_work.release()
        return number

    for number in range(50):
        calls.soon(lambda number=number: call(number))  # type: ignore[misc]
    assert await asyncio.gather(*[calls.call(lambda n=n: call(n)) for n in range(50, 60)]) == list(range(50, 60))  # type: ignore[misc]
    await calls.settle()
    assert done == list(range(60))


async def test_what_a_call_raises_is_told() -> None:
    """The caller gets it, and the next call is made."""
    calls = OneByOne(30, on_late=lambda: None)
    with pytest.raises(ZeroDivisionError):
        await calls.call(lambda: 1 // 0)
    assert await calls.call(lambda: 1) == 1


async def test_a_call_that_hangs_is_waited_for_once() -> None:
    """After the patience the next ones get no answer at once; when it moves again, everything goes on."""
    hung, late = threading.Event(), list[int]()
    calls = OneByOne(0.2, on_late=lambda: late.append(1))
    began = time.monotonic()
    assert await calls.call(hung.wait) is None
    for _ in range(100):
        assert await calls.call(lambda: 1) is None
    await calls.settle()
    assert 0.2 <= time.monotonic() - began < 5
    assert late == [1]
    done = list[int]()
    calls.soon(lambda: done.append(1))
    hung.set()
    while await calls.call(lambda: 1) is None:
        await asyncio.sleep(0.01)
    assert (done, late) == ([1], [1])


async def test_only_so_many_calls_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for beyond them is dropped: a disk that hangs for hours must not fill the memory."""
    monkeypatch.setattr(one_by_one, "MOST_WAITING", 3)
    hung, begun, done = threading.Event(), threading.Event(), list[int]()
    calls = OneByOne(30, on_late=lambda: None)
    calls.soon(lambda: (begun.set(), hung.wait()))
    assert begun.wait(30)
    for number in range(9):
        calls.soon(lambda number=number: done.append(number))  # type: ignore[misc]
    hung.set()
    while len(done) < 3:
        await asyncio.sleep(0.01)
    await calls.settle()
    assert done == [0, 1, 2]
