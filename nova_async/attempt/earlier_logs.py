"""Where the logs of earlier attempts lie by now: each new one moves the one before it aside."""

from dataclasses import replace
from pathlib import Path

from nova_async.records import Attempt
from nova_async.worker.log.file import find_log

__all__ = ["with_log_found"]


def with_log_found(attempt: Attempt) -> Attempt:
    """Return an attempt with the path that its log has by now, if that can be found; it waits for the disk."""
    end = attempt.end
    if end is None or end.log is None or end.log.device is None or end.log.inode is None:
        return attempt
    try:
        found = str(find_log(Path(end.log.path), (end.log.device, end.log.inode)))
    except OSError:  # it was moved away or deleted
        return attempt
    return attempt if found == end.log.path else replace(attempt, end=replace(end, log=replace(end.log, path=found)))
