"""How every answer is written: JSON, and one sentence for what is wrong."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from nova_async.journal.state_document import encoded

__all__ = ["as_json", "bytes_answer", "json_answer", "problem", "said_in"]

MOST_SAID = 64 * 1024  # bytes of a request's body; the longest that we know of names 2,000 tasks
SAY_WITHIN = 10.0  # seconds for a body to arrive: who sends it bit by bit holds nothing of ours


def as_json(value: Any) -> bytes:
    r"""Write a value as JSON that means the same wherever it stands, in a page too: ``<`` is ``\u003c``."""
    return encoded(value).replace(b"<", b"\\u003c")  # it can stand in texts only


def json_answer(value: Any, status: int = 200) -> Response:
    """Answer with a value as JSON."""
    return bytes_answer(as_json(value), status)


def bytes_answer(body: bytes, status: int = 200) -> Response:
    """Answer with JSON that is written already; nobody keeps it, for it is out of date at once."""
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with what is wrong, in one sentence."""
    answer = json_answer({"error": text}, status)
    answer.headers.update(headers or {})
    return answer


async def said_in(request: Request) -> dict[str, Any]:
    """Read the JSON object in a request's body; an empty body says nothing.

    Raises ``HTTPException`` if it is none, too long or too slow.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(SAY_WITHIN):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_SAID:
                    raise HTTPException(413, f"the request is longer than {MOST_SAID:,} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the request did not arrive within {SAY_WITHIN:g} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the request ended in the middle") from None
    try:
        said = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the request is not valid JSON ({error})") from None
    if not isinstance(said, dict):
        raise HTTPException(400, "the request must be a JSON object")
    return said
