"""One family of processes: started in a session of its own, found wherever it went, and ended as one."""
