"""A worker's log: the file on disk, its writer, and its followers."""
