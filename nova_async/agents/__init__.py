"""What coding agents print, turned into facts: bytes in, an ``AgentReport`` out; nothing here touches the system."""

from nova_async.agents.agent import CUSTOM, Agent, Call, ModeOption, SessionFiles
from nova_async.agents.event_reader import MODES
from nova_async.agents.failures import failure_of_status
from nova_async.agents.guarded import GuardedReader
from nova_async.agents.layout import Layout, as_text
from nova_async.agents.reader import (
    MAX_LINE,
    MAX_RESULT,
    AgentReader,
    AgentReport,
    Gauge,
    LineSplitter,
    UsageLimit,
    error_entrance,
)
from nova_async.agents.registry import AGENTS, DEFAULT_AGENT, recognise
from nova_async.agents.rendering import Piece, PieceKind, Renderer
from nova_async.agents.unread import unread_agent

__all__ = [
    "AGENTS",
    "CUSTOM",
    "DEFAULT_AGENT",
    "MAX_LINE",
    "MAX_RESULT",
    "MODES",
    "Agent",
    "AgentReader",
    "AgentReport",
    "Call",
    "Gauge",
    "GuardedReader",
    "Layout",
    "LineSplitter",
    "ModeOption",
    "Piece",
    "PieceKind",
    "Renderer",
    "SessionFiles",
    "UsageLimit",
    "as_text",
    "error_entrance",
    "failure_of_status",
    "recognise",
    "unread_agent",
]
