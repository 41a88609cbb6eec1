"""How fast Claude's stream-json is counted."""

import json
from pathlib import Path

from nova_async.agents import AGENTS
from tests.benchmarks.measure import in_turn, show

RECORDING = Path(__file__).parents[1] / "data/claude/tools.sjp.merged"
SIZE = 100_000_000


def main() -> None:
    """Measure and print."""
    recording = RECORDING.read_bytes()
    deltas = b"".join(line + b"\n" for line in recording.split(b"\n") if b"content_block_delta" in line)
    once = recording + deltas * 4  # a long answer is mostly deltas
    chunks = [once] * (SIZE // len(once))

    def nova() -> None:
        reader = AGENTS["claude"].reader("stream-json")
        for chunk in chunks:
            reader.feed(chunk)
            _ = reader.report
        reader.close()

    def naive() -> None:
        for chunk in chunks:
            for line in chunk.splitlines():
                json.loads(line)

    times = in_turn(1, nova=nova, naive=naive)
    show("speed against json.loads per line", times["naive"] / times["nova"], "times", "≥ 6")
    show("megabytes a second", SIZE / 1e6 / times["nova"], "MB/s", "-")
