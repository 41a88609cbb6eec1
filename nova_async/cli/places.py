"""The files that every command knows by the same name unless told otherwise."""

from nova_async._core.advice import PLAN
from nova_async._core.own_places import JOURNAL, LOG_DIR, STATE_FILE

__all__ = ["JOURNAL", "LOG_DIR", "PLAN", "STATE_FILE"]
