"""Which span something belongs to, as the W3C header ``traceparent`` writes it. Pure."""

import hashlib
import re
from typing import NamedTuple, final

from nova_async.records import AttemptId

__all__ = ["SpanRef", "parent_in", "span_of"]

# Later versions may have more behind these four parts (https://www.w3.org/TR/trace-context/#versioning-of-traceparent).
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.ASCII)
SAMPLED = 1


@final
class SpanRef(NamedTuple):
    """One span, to be referred to from another one, or from another process."""

    trace_id: int
    span_id: int
    is_sampled: bool = True

    @property
    def traceparent(self) -> str:
        """It as the header ``traceparent`` or the variable ``TRACEPARENT``."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.is_sampled):02x}"

    def child(self, *names: str) -> "SpanRef":
        """Return a span of the same trace that is known by these names: whoever knows them finds the same one."""
        digest = hashlib.sha256("\0".join((self.traceparent, *names)).encode(errors="surrogatepass"))
        return self._replace(span_id=int.from_bytes(digest.digest()[:8]) or 1)


def parent_in(text: str) -> SpanRef | None:
    """Read ``TRACEPARENT``; None for what is none, as its rules want it."""
    found = TRACEPARENT.fullmatch(text.strip())
    if found is None or (found[1] == "00" and len(text.strip()) > 55):
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    return SpanRef(trace_id, span_id, bool(int(found[4], 16) & SAMPLED)) if trace_id and span_id else None


def span_of(run: SpanRef, attempt: AttemptId) -> SpanRef:
    """Return the span of an attempt: known before it begins, so that its agent can be told."""
    return run.child(attempt.run_id, attempt.task_id, str(attempt.number))
