"""How fast the output of one child gets into its log and is counted."""

import asyncio
import re
import resource
import subprocess
import tempfile
import threading
from pathlib import Path

from nova_async import AsyncWorker
from tests.benchmarks.measure import cpu_seconds, in_turn, show

SIZE = 200_000_000
USAGE = re.compile(rb"Token usage: input=(\d+), output=(\d+), cache_read=(\d+), cache_creation=(\d+)")


def write_input(path: Path) -> None:
    """Write lines of 100 bytes, one usage line in a thousand."""
    usage = b"Token usage: input=1234, output=567, cache_read=890, cache_creation=123".ljust(99) + b"\n"
    block = (usage + (b"y" * 99 + b"\n") * 999) * 10
    with path.open("wb") as file:
        for _ in range(SIZE // len(block)):
            file.write(block)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, log = folder / "source", folder / "log"
        write_input(source)
        cpu: list[float] = []

        async def by_worker() -> None:
            worker = AsyncWorker("F1", log_dir=folder)
            await worker.start(["cat", str(source)])
            await worker.wait()
            assert worker.get_token_usage()["input_tokens"] == 1234 * SIZE // 100_000
            worker.log_path.unlink()

        def worker() -> None:
            begin = cpu_seconds()
            asyncio.run(by_worker())
            cpu.append(cpu_seconds() - begin)

        def cat() -> None:
            subprocess.run(f"cat {source} | cat > {log}", shell=True, check=True)
            log.unlink()  # as the worker's is: each round writes a new file

        async def by_readline() -> None:
            child = await asyncio.create_subprocess_exec("cat", str(source), stdout=asyncio.subprocess.PIPE)
            assert child.stdout is not None
            with log.open("wb") as out:
                while line := await child.stdout.readline():
                    out.write(line)
                    USAGE.search(line)
            await child.wait()

        def by_thread() -> None:
            def read() -> None:
                assert child.stdout is not None
                with log.open("wb") as out:
                    for line in iter(child.stdout.readline, b""):
                        out.write(line)
                        USAGE.search(line)

            with subprocess.Popen(["cat", str(source)], stdout=subprocess.PIPE) as child:
                reader = threading.Thread(target=read)
                reader.start()
                reader.join()

        times = in_turn(5, worker=worker, cat=cat)
        slow = in_turn(1, readline=lambda: asyncio.run(by_readline()), thread=by_thread)
        with source.open("rb") as data, log.open("wb") as out:
            feeder = subprocess.Popen(["cat"], stdin=data, stdout=subprocess.PIPE)
            sink = subprocess.Popen(["cat"], stdin=feeder.stdout, stdout=out)
            feeder.wait()
            between = resource.getrusage(resource.RUSAGE_CHILDREN)
            sink.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cat_cpu = after.ru_utime + after.ru_stime - between.ru_utime - between.ru_stime
        show("speed against cat | cat", times["cat"] / times["worker"], "of its", "≥ 0.9")
        show("speed against asyncio readline", slow["readline"] / times["worker"], "times", "≥ 10")
        show("speed against Popen and a reading thread", slow["thread"] / times["worker"], "times", "≥ 8")
        show("CPU against cat in the same place", min(cpu) / cat_cpu, "times", "≤ 4")
        show("megabytes a second", SIZE / 1e6 / times["worker"], "MB/s", "-")
