"""A worker's log: the file on the disk, who writes it, and who follows it."""
