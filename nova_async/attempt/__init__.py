"""One attempt of a task on one machine, phase by phase, and the seam through which attempts go to other machines."""
