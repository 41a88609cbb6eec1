"""Recorded session files of the real agents, each with what the model server had served."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nova_async import TokenUsage
from nova_async.agents import AGENTS
from nova_async.agents.session import SessionFiles, SessionReader, SessionUsage
from tests.agents.recordings import KEPT

SESSIONS = KEPT / "sessions"


@dataclass(frozen=True)
class Session:
    """One recorded session: files that are lines, or rows of a database."""

    agent: str
    case: str

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """Whose session it is, from when on it counts, and the truth."""
        loaded: dict[str, Any] = json.loads((self.folder / "session.json").read_bytes())
        return loaded

    @property
    def session_id(self) -> str:
        """The agent's name for it."""
        return str(self.sidecar["session_id"])

    @property
    def since(self) -> datetime | None:
        """When the second process of a session that was gone on with began."""
        since = self.sidecar["since"]
        return None if since is None else datetime.fromisoformat(since)

    @property
    def served(self) -> TokenUsage:
        """What the model server has served to the process that counts."""
        return TokenUsage(**self.sidecar["served"])

    @property
    def folder(self) -> Path:
        """Where its files lie, as they lie below the agent's own folder."""
        return SESSIONS / self.agent / self.case

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files by their names below it, the session's own first."""
        found = sorted(self.folder.rglob("*.jsonl"), key=lambda path: (self.session_id[:8] not in path.name, path))
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    def is_own(self, name: str) -> bool:
        """Tell the session's own file from its sub-agents'."""
        return self.session_id[:8] in Path(name).name

    def reader(self, since: datetime | None = None) -> SessionReader:
        """Return a fresh reader of it."""
        make = files_of(self.agent).make_reader
        assert make is not None
        return make(self.session_id, since)

    def read(self, since: datetime | None = None) -> SessionUsage:
        """Read all of its files, whole."""
        reader = self.reader(since)
        for name, text in self.files.items():
            reader.feed(name, text, is_own=self.is_own(name))
        return reader.usage


def files_of(agent: str) -> SessionFiles:
    """Return where an agent keeps its sessions."""
    files = AGENTS[agent].session_files
    assert files is not None
    return files


def sessions() -> Iterator[Session]:
    """Return every recorded session."""
    for sidecar in sorted(SESSIONS.glob("*/*/session.json")):
        yield Session(sidecar.parent.parent.name, sidecar.parent.name)


RECORDED = list(sessions())
OF_LINES = [session for session in RECORDED if session.agent != "opencode"]
