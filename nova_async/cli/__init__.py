"""The ``nova`` command. Nothing here is imported by the library."""
