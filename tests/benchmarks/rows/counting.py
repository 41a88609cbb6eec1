"""How fast Claude's stream-json is counted."""

import json
from pathlib import Path

from nova_async.agents import AGENTS
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import at_least

RECORDING = Path(__file__).parents[2] / "data/claude/tools.sjp.merged"


def measure(bench: Bench) -> None:
    """Count a recording with partial messages as it is, and one whose answer is long: that is mostly deltas."""
    recording = RECORDING.read_bytes()
    deltas = b"".join(line + b"\n" for line in recording.split(b"\n") if b"content_block_delta" in line)
    for what, once in (("a long answer", recording + deltas * 4), ("a recorded stream", recording)):
        chunks = [once] * (bench.size(100, 5) * 1_000_000 // len(once))

        def nova(chunks: list[bytes] = chunks) -> None:
            reader = AGENTS["claude"].reader("stream-json")
            for chunk in chunks:
                reader.feed(chunk)
                _ = reader.report
            reader.close()

        def loads(chunks: list[bytes] = chunks) -> None:
            for chunk in chunks:
                for line in chunk.splitlines():
                    json.loads(line)

        times = bench.in_turn({"nova": nova, "json.loads": loads})
        bench.ratio(f"{what}: speed, of json.loads per line", times["json.loads"], times["nova"], at_least(6))
