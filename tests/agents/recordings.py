"""Recorded outputs of the real agents, each with what was run and what a correct reader must say about it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nova_async import TokenUsage
from nova_async.agents import AGENTS, AgentReader, AgentReport

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "data"
FULL = ROOT / ".." / "shared" / "agents" / "captures"
# Codex prints no total where every call was refused; that nothing was used is known all the same.
REFUSED_AT_ONCE = re.compile(r"codex/(?:always529|err401)\.json\.(?:stdout|merged)")


@dataclass(frozen=True)
class Recording:
    """One recorded output and its sidecar."""

    path: Path

    @cached_property
    def output(self) -> bytes:
        """Every byte that the agent printed."""
        return self.path.read_bytes()

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """What was run, and the truth."""
        beside = self.path.with_name(f"{self.path.name}.json")
        # Those of `verdicts` have no name for how they were made.
        loaded: dict[str, Any] = json.loads(
            (beside if beside.exists() else self.path.with_suffix(".json")).read_bytes()
        )
        return loaded

    @property
    def name(self) -> str:
        """Agent and file, as a test id."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def agent(self) -> str:
        """The agent's name."""
        return self.path.parent.name

    @property
    def mode(self) -> str:
        """The output mode, in our words."""
        return str(self.sidecar["mode"]).split("+")[0]

    @property
    def mode_of_reader(self) -> str | None:
        """The output mode as a reader is told it; None where the recorder did not note it."""
        mode = str(self.sidecar.get("mode", "raw")).split("+")[0]
        return None if mode == "raw" else mode

    @property
    def is_comparable(self) -> bool:
        """False where the sidecar holds no truth, or the documented line counts what the model made up."""
        return self.mode != "raw" and not (self.agent == "claude" and self.path.name.startswith("ansi.text."))

    @property
    def is_final(self) -> bool:
        """Whether all that was used is known by its end."""
        return bool(self.sidecar["final_total_printed"]) or REFUSED_AT_ONCE.fullmatch(self.name) is not None

    def reader(self) -> AgentReader:
        """Return a fresh reader for this output."""
        before = self.sidecar.get("thread_total_before")
        return AGENTS[self.agent].reader(self.mode, TokenUsage(**before) if before else None)

    def read(self, size: int = 0) -> AgentReport:
        """Read all of it in chunks of so many bytes, or whole."""
        return read(self.reader(), pieces(self.output, size))


def pieces(output: bytes, size: int) -> Iterator[bytes]:
    """Cut an output into chunks of one size; 0 leaves it whole."""
    size = size or len(output) or 1
    return (output[at : at + size] for at in range(0, len(output), size))


def read(
    reader: AgentReader, chunks: Iterable[bytes], after_each: Callable[[AgentReport], None] | None = None
) -> AgentReport:
    """Feed all chunks, close, and return the last report."""
    for chunk in chunks:
        reader.feed(chunk)
        if after_each:
            after_each(reader.report)
    reader.close()
    return reader.report


def recordings_in(folder: Path) -> list[Recording]:
    """Return the recordings of a folder, in a stable order."""
    return [Recording(sidecar.with_suffix("")) for sidecar in sorted(folder.glob("*/*.json"))]


def kept(name: str) -> Recording:
    """Return one of the recordings in ``tests/data``."""
    return Recording(KEPT / name)


KEPT_RECORDINGS = recordings_in(KEPT)
