"""What happened, durably: the journal of all runs, its writer's lock, and ``cascade_state.json`` for polling."""
