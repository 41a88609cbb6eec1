"""Show what Qwen Code prints. Formats are those of versions 0.15.10 and 0.24.4 (docs/agents.md)."""

from typing import final

from nova_async.agents.message_renderer import MessageRenderer

__all__ = ["QwenRenderer"]


@final
class QwenRenderer(MessageRenderer):
    """Shows Qwen Code: nothing of it is its own."""
