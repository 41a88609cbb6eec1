"""Many who talk are read in few turns of the loop; few at once; who prints much is never kept waiting."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from nova_async import AsyncWorker, WorkerEnd
from nova_async.process.pipes import F_GETPIPE_SZ, OURS, RATION
from nova_async.worker import crowd as crowds
from nova_async.worker.crowd import FEW, TALK, Crowd, crowd_in
from nova_async.worker.verdict import Stop
from tests.children import ready

MANY = FEW + 4


class Talkers:
    """Pipes that a crowd reads, and which of them were read in which turn of the loop."""

    def __init__(self, count: int) -> None:
        self.crowd = Crowd(asyncio.get_running_loop())
        self.ends = [os.pipe() for _ in range(count)]
        self.turn = 0
        self.read: list[tuple[int, int]] = []
        for number, (read_end, _) in enumerate(self.ends):
            os.set_blocking(read_end, False)
            self.crowd.add(read_end, self.reader(number))

    def reader(self, number: int) -> Callable[[], int]:
        """Return what reads one of them."""

        def read() -> int:
            self.read.append((self.turn, number))
            return len(os.read(self.ends[number][0], 1 << 20))

        return read

    def say(self, number: int, size: int = 1) -> None:
        """Have one of them print something."""
        os.write(self.ends[number][1], bytes(size))

    async def pass_turn(self) -> None:
        """Let the loop look at what is ready, once."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.turn += 1

    async def heard(self, count: int) -> None:
        """Wait until so much was read in all."""
        async with asyncio.timeout(10):
            while len(self.read) < count:
                await asyncio.sleep(0)

    def leave(self, number: int) -> None:
        """Let one of them be read no more."""
        self.crowd.remove(self.ends[number][0])


@pytest.fixture
async def talkers() -> AsyncIterator[Callable[[int], Talkers]]:
    """Make talkers who are gone in the end."""
    made: list[Talkers] = []

    def make(count: int) -> Talkers:
        made.append(Talkers(count))
        return made[-1]

    yield make
    for each in made:
        for number, ends in enumerate(each.ends):
            each.leave(number)
            for end in ends:
                os.close(end)


async def test_few_are_read_at_once(talkers: Callable[[int], Talkers]) -> None:
    """Nobody waits for others where there are few."""
    few = talkers(FEW)
    for number in range(FEW):
        few.say(number)
        await few.pass_turn()
    assert few.read == [(number, number) for number in range(FEW)]


async def test_many_are_read_together(talkers: Callable[[int], Talkers]) -> None:
    """After a line of one, what the others say gathers for a moment and is read in one turn."""
    many = talkers(MANY)
    many.say(0)
    await many.pass_turn()
    assert many.read == [(0, 0)]
    for number in range(1, MANY):
        many.say(number)
    await many.pass_turn()
    assert many.read == [(0, 0)]
    many.turn = 99
    await many.heard(MANY)
    assert sorted(many.read[1:]) == [(99, number) for number in range(1, MANY)]


async def test_who_prints_much_is_read_in_every_turn(talkers: Callable[[int], Talkers]) -> None:
    """Its pipe would be full before the moment is over."""
    many = talkers(MANY)
    for turn in range(3):
        many.say(0, TALK)
        await many.pass_turn()
        assert many.read[-1] == (turn, 0)


async def test_who_cannot_wait_is_read_at_once(talkers: Callable[[int], Talkers]) -> None:
    """However many others there are."""
    many = talkers(MANY + 1)
    end = many.ends[MANY][0]
    many.leave(MANY)
    many.crowd.add(end, many.reader(MANY), at_once=True)
    many.say(0)
    await many.pass_turn()
    for turn in range(1, 4):
        many.say(MANY)
        await many.pass_turn()
        assert many.read[-1] == (turn, MANY)


@pytest.mark.skipif(F_GETPIPE_SZ is None, reason="pipes of this system have one size")
async def test_an_agent_with_a_small_pipe_cannot_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may exit with the rest of its answer (G33); one with the largest pipe can, and so can a plain command."""
    for agent, budget, expected in (("claude", 0, 1), ("claude", OURS, 0), ("plain", 0, 0)):
        monkeypatch.setattr(RATION, "budget", RATION.taken + budget)
        worker = AsyncWorker(f"{agent}-{budget}", log_dir=tmp_path, agent=agent)
        await worker.start(["sleep", "60"])
        life = worker._life
        assert life is not None
        assert len(life._streams.pump._urgent) == expected
        await worker.terminate(grace=0)


async def test_where_no_descriptor_is_left_the_loop_reads_on(talkers: Callable[[int], Talkers]) -> None:
    """A worker that has started must be heard, whatever the system refuses us; with the next one turns begin."""
    many = talkers(MANY)
    for number in range(FEW, MANY):
        many.leave(number)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        many.crowd.add(many.ends[FEW][0], many.reader(FEW))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for turn in range(3):
        many.say(FEW)
        await many.pass_turn()
        assert many.read[-1] == (turn, FEW)
    many.crowd.add(many.ends[FEW + 1][0], many.reader(FEW + 1))
    for number in (0, FEW, FEW + 1):
        many.say(number)
    await many.heard(6)
    assert sorted(number for _, number in many.read[3:]) == [0, FEW, FEW + 1]


async def test_who_has_been_removed_is_read_no_more(talkers: Callable[[int], Talkers]) -> None:
    """Also in the turn in which that happens, and when few are left by it; these are read at once again."""
    many = talkers(MANY)
    await many.pass_turn()
    many.crowd._readers[many.ends[0][0]] = lambda: [many.leave(number) for number in range(5)] and 1  # type: ignore[func-returns-value]
    for number in range(MANY):
        many.say(number)
    await many.heard(MANY - 5)
    assert {number for _, number in many.read} == set(range(5, MANY))
    many.leave(0)  # it is not there
    many.say(5)
    await many.pass_turn()
    assert many.read[-1][1] == 5


async def test_one_that_fails_is_told_and_holds_up_nobody(talkers: Callable[[int], Talkers]) -> None:
    """As the loop does for a reader of its own."""
    many = talkers(MANY)
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    many.crowd._readers[many.ends[0][0]] = lambda: len(os.read(many.ends[0][0], 1)) // 0
    for number in range(MANY):
        many.say(number)
    await many.heard(MANY - 1)
    assert told == ["reading a pipe failed"]


async def test_what_is_known_is_told_once_for_many_lines(talkers: Callable[[int], Talkers]) -> None:
    """Of few at once; of many in a moment, however much they said until then, also if one cannot be told."""
    told: list[str] = []
    few, many = talkers(FEW), talkers(MANY)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    calls = [lambda: told.append("a"), lambda: told.append("b"), lambda: [][0], lambda: told.append("no")]
    few.crowd.tell(calls[0])
    assert told == ["a"]
    for call in 3 * calls:
        many.crowd.tell(call)
    assert many.crowd.owes(calls[3])
    assert not many.crowd.owes(calls[3])
    assert told == ["a"]
    async with asyncio.timeout(10):
        while len(told) < 4:
            await asyncio.sleep(0)
    assert sorted(told[1:]) == ["a", "b", "telling of an output failed"]
    many.crowd.tell(calls[1])
    for number in range(MANY - FEW):
        many.leave(number)
    assert told[4:] == ["b"]  # where few are left, at once


SUCCESS = """\
{"type":"system","subtype":"init","session_id":"s","model":"m"}
{"type":"assistant","message":{"id":"a","model":"m","usage":{"output_tokens":1},"content":[]},"session_id":"s"}
{"type":"result","subtype":"success","is_error":false,"session_id":"s","result":"done","modelUsage":{}}
ready
"""


async def test_a_stop_knows_all_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A success that was not told yet counts, although the agent begins another turn as it is stopped."""
    monkeypatch.setattr(crowds, "FEW", 1)  # its standard error is the second pipe
    monkeypatch.setattr(crowds, "TELL_SECONDS", 60.0)
    (tmp_path / "said").write_text(SUCCESS)
    again = "trap 'head -n 1 said; exit' TERM INT; cat said; while :; do sleep 0.05; done"
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start(["sh", "-c", again], cwd=tmp_path)
    await ready(worker)
    assert worker.report.is_error is None
    life = worker._life
    assert life is not None
    life.stop(Stop(WorkerEnd.STALLED, "it is stopped"))
    await worker.wait()
    assert (worker.report.goes_on, worker.end) == (True, WorkerEnd.LINGERED)


async def test_one_crowd_for_a_loop() -> None:
    """All pumps of a loop share one, as long as there are any."""
    loop = asyncio.get_running_loop()
    crowd = crowd_in(loop)
    assert crowd_in(loop) is crowd
