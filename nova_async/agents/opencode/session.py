"""Read opencode's sessions, which it keeps in an SQLite database.

The tables are those of version 1.18.33 (docs/agents.md). A sub-agent is a session whose parent is the one that called
it. The call that names a new session is written down nowhere, so the sum is always a lower bound.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from nova_async._core.money import without_dust
from nova_async.agents.event_reader import decode
from nova_async.agents.ledger import UsageLedger, bounded, count, money
from nova_async.agents.reader import UsageByModel
from nova_async.agents.session import SessionRows, SessionUsage

__all__ = ["ROWS", "usage_of"]

MOST_ROWS = 100_000  # answers; a run of a day has a few thousand

# UNION, not UNION ALL: a session that were its own descendant would never end.
QUERY = f"""
WITH RECURSIVE family(id) AS (
    SELECT id FROM session WHERE id = :session
    UNION SELECT session.id FROM session JOIN family ON session.parent_id = family.id
)
SELECT message.session_id, message.id, message.data FROM message JOIN family ON message.session_id = family.id
WHERE message.time_created >= :since LIMIT {MOST_ROWS}
"""


class _Message(msgspec.Struct):
    role: Any = None
    modelID: Any = None
    tokens: Any = None
    cost: Any = None


_MESSAGE = msgspec.json.Decoder(_Message)


def usage_of(rows: Iterable[tuple[Any, ...]], session_id: str) -> SessionUsage:
    """Return what the answers in these rows have used: session, message, its data as JSON."""
    own, everything, cost = UsageLedger(), UsageLedger(), None
    for session, name, data in rows:
        text = data.encode() if isinstance(data, str) else data if isinstance(data, bytes) else b""
        message = decode(_MESSAGE, text)
        if message is None or message.role != "assistant" or not isinstance(message.tokens, dict):
            continue
        tokens, cache = message.tokens, message.tokens.get("cache")
        cache = cache if isinstance(cache, dict) else {}
        output = count(tokens.get("output")) + count(tokens.get("reasoning"))
        counts = count(tokens.get("input")), output, count(cache.get("read")), count(cache.get("write"))
        model = message.modelID if isinstance(message.modelID, str) else ""
        everything.put(str(name), counts, model)
        if session == session_id:
            own.put(str(name), counts, model)
        if any(counts) and (paid := money(message.cost)) is not None:
            cost = without_dust((cost or 0.0) + paid)
    usage, by_model = everything.read()
    return SessionUsage(
        usage=bounded(usage), usage_by_model=UsageByModel(by_model), own=own.read()[0], cost_usd=cost
    )  # fmt: skip


ROWS = SessionRows(QUERY, usage_of)
