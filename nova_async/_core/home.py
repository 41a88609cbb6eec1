"""The home folder that a program with a given environment has."""

import os
from collections.abc import Mapping

__all__ = ["below_home", "home_in"]


def home_in(environment: Mapping[str, str]) -> str:
    """Return the home folder by an environment; without ``HOME``, the one that the system knows for us."""
    if home := environment.get("HOME"):
        return home
    import pwd  # few systems' users have no HOME

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/nonexistent"


def below_home(value: str, home: str) -> str:
    """Return a value with the home folder in place of a ``~`` in front, as a shell would have it."""
    return f"{home}{value[1:]}" if value == "~" or value.startswith("~/") else value
