"""Where a run keeps its files unless told otherwise, and what everybody's command line calls them."""

__all__ = ["JOURNAL", "LOG_DIR", "PLAN", "STATE_FILE"]

PLAN = "CASCADE.md"
JOURNAL = ".nova/journal.db"
STATE_FILE = "cascade_state.json"
LOG_DIR = "logs"
