"""What coding agents print, turned into facts: bytes in, an ``AgentReport`` out; nothing here touches the system."""

from nova_async.agents.agent import CUSTOM, Agent, Call, ModeOption, SessionFiles
from nova_async.agents.event_reader import MODES
from nova_async.agents.guarded import GuardedReader
from nova_async.agents.reader import MAX_LINE, MAX_RESULT, AgentReader, AgentReport, LineSplitter, UsageLimit
from nova_async.agents.registry import AGENTS, DEFAULT_AGENT, recognise

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
    "GuardedReader",
    "LineSplitter",
    "ModeOption",
    "SessionFiles",
    "UsageLimit",
    "recognise",
]
