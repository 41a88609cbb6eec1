"""What coding agents print, turned into facts: bytes in, an ``AgentReport`` out; nothing here touches the system."""

from nova_async.agents.event_reader import MODES
from nova_async.agents.reader import MAX_LINE, MAX_RESULT, AgentReader, AgentReport, LineSplitter, UsageLimit
from nova_async.agents.registry import AGENTS, Agent, recognise

__all__ = [
    "AGENTS",
    "MAX_LINE",
    "MAX_RESULT",
    "MODES",
    "Agent",
    "AgentReader",
    "AgentReport",
    "LineSplitter",
    "UsageLimit",
    "recognise",
]
