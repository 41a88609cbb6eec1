"""What the page can have a running run do: each is a POST, and the run itself says whether it makes sense."""

from collections.abc import Mapping
from typing import Any

import msgspec

from nova_async.control.protocol import Approve, Budget, Pause, Request, Resume, Retry, Stop, StopTask, Workers
from nova_async.errors import NovaError

__all__ = ["RUN_ACTIONS", "TASK_ACTIONS", "ActionError", "request_for"]

# What stands in an address, and what the run is asked.
RUN_ACTIONS: Mapping[str, type[Request]] = {
    "stop": Stop, "pause": Pause, "resume": Resume, "workers": Workers, "budget": Budget, "retry": Retry,
    "approve": Approve,
}  # fmt: skip
TASK_ACTIONS: Mapping[str, type[Request]] = {"stop": StopTask, "retry": Retry, "approve": Approve}


class ActionError(NovaError):
    """What was asked for is not complete, or not of the right kind; the text says what is wrong."""


def request_for(kind: type[Request], said: Mapping[str, Any], task_id: str | None = None) -> Request:
    """Return what to ask the run, as the body of a POST says it. Raises ``ActionError``."""
    about = {} if task_id is None else {"tasks": (task_id,)}
    known = {name: value for name, value in {**said, **about}.items() if name in fields_of(kind)}
    try:
        return msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        raise ActionError(f"this cannot be done: {error}") from None


def fields_of(kind: type[Request]) -> frozenset[str]:
    """Return what can be said with a request; its number is the connection's own."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind)) - {"id"}
