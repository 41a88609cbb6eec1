"""What happened, durably: the journal of all runs, the lock of its writer, and ``cascade_state.json`` for pollers."""
