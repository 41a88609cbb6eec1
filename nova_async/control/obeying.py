"""What a run does when a client asks for it."""

from typing import Any

from nova_async.control.protocol import Request, Stop
from nova_async.errors import ControlError
from nova_async.orchestrator.orchestrator import Orchestrator

__all__ = ["obey"]


def obey(orchestrator: Orchestrator, request: Request) -> dict[str, Any]:
    """Do what a client asks, and return what more there is to say about it.

    Raises ``NovaError`` with the reason where that makes no sense.
    """
    match request:
        case Stop():
            orchestrator.stop(grace=0.0 if request.kill else None)
            return {}
        case _:
            raise ControlError("this run does not know that command yet")
