"""One supervised agent: a child, its log, its reader and its limits."""
