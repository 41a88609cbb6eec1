"""Show what Claude Code prints. Formats are those of versions 2.1.197 and 2.1.332 (docs/agents.md)."""

from typing import Any, final

from nova_async._core.text import one_line
from nova_async.agents.claude.verdict import limit_told
from nova_async.agents.event_reader import http_status
from nova_async.agents.ledger import count, money
from nova_async.agents.message_renderer import Line, MessageRenderer
from nova_async.agents.rendering import PieceKind

__all__ = ["ClaudeRenderer"]


@final
class ClaudeRenderer(MessageRenderer):
    """Shows Claude Code."""

    def take_system(self, event: Line) -> None:
        """Show a line in which the program tells of itself."""
        match event.subtype:
            case "api_retry":
                self.note(PieceKind.WARNING, _retry(event))
            case "model_fallback":
                self.note(PieceKind.WARNING, f"falling back to {_word(event.fallback_model, 'another model')}")
            case "model_refusal_no_fallback":
                self.note(PieceKind.WARNING, "the model refused to answer")
            case "compact_boundary":
                self.note(PieceKind.NOTE, "the conversation was compacted")
            case "task_started" if self.called(event.tool_use_id) is None:
                self.note(PieceKind.NOTE, f"in the background: {_word(event.description, 'a task')}")
            case "task_notification":
                # Of a sub-agent that it waits for, the result comes next.
                called, told = self.called(event.tool_use_id), _word(event.summary, "a task")
                if called is None or called.is_over:
                    self.note(PieceKind.NOTE, f"in the background: {told} ({_word(event.status, 'ended')})")
            case _:
                super().take_system(event)

    def take_other(self, event: Line) -> bool:
        """Show how full the account is."""
        if event.type != "rate_limit_event":
            return False
        info = event.rate_limit_info or {}
        limit, used = limit_told(info), money(info.get("utilization"))
        if limit is not None:
            self.note(PieceKind.WARNING, f"over the usage limit ({limit.kind})")
        elif info.get("status") == "allowed_warning" and used is not None:
            self.note(PieceKind.WARNING, f"{used:.0%} of the {_word(info.get('rateLimitType'), 'usage')} limit used")
        return True


def _retry(event: Line) -> str:
    status = http_status(event.error_status)
    why = f"{status or ''} {_word(event.error, '')}".strip() or "connection error"
    delay = money(event.retry_delay_ms)
    when = f" in {delay / 1000:.1f} s" if delay is not None else ""
    return f"retrying{when} ({why}), {count(event.attempt)}/{count(event.max_retries)}"


def _word(value: Any, otherwise: str) -> str:
    return one_line(value) if isinstance(value, str) and value.strip() else otherwise
