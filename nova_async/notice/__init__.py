"""Telling people what happens to a run: by a command, an address on the web, or their terminal."""
