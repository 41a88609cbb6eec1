"""Who descends from a process right now, by parent link alone, without a look at all processes.

Shared with the keeper, so it imports nothing that the keeper would have to load.
"""

from nova_async.process.kinship import same_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_async.process.kinship import ProcessEntry
    from nova_async.process.table import ProcessTable

__all__ = ["MOST", "descendants"]

MOST = 500  # processes, some 15 ms: a fork bomb must not stop the loop; a look at all of them finds the rest


def descendants(table: "ProcessTable", leader: "ProcessEntry") -> "list[ProcessEntry]":
    """Return the living descendants of a process, or about the first ``MOST``; none where the system does not tell."""
    found: list[ProcessEntry] = []
    waiting = [leader]
    while waiting and len(found) < MOST:
        parent = waiting.pop()
        looks = (table.look(pid) for pid in table.children_of(parent.pid))
        children = [entry for entry in looks if entry is not None and entry.alive and entry.parent == parent.pid]
        # The parent last: if it is still the same, its pid was nobody else's while we looked at its children (G14).
        if children and (now := table.look(parent.pid)) and same_start(now.start_time, parent.start_time):
            found += children
            waiting += children
    return found
