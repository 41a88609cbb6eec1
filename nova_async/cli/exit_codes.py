"""What several commands exit with; those of one command alone stand with it."""

__all__ = ["BAD_INPUT"]

BAD_INPUT = 2
"""Wrong options or a wrong plan, a journal or state file that cannot be used; click exits with the same."""
