"""One attempt of a task on one machine, phase by phase, and the interface through which others can run attempts."""
