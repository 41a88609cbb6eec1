"""What a worker needs of an agent's configuration to have one of its own."""

from dataclasses import dataclass

__all__ = ["Configuration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Where an agent keeps its configuration, and what of it goes into a folder of a worker's own; nothing here looks.

    All names are below the folder that ``variable`` names.
    """

    variable: str
    """The environment variable that names another folder in place of the usual one."""
    folder: str
    """The usual one, below the user's home folder; empty if it is that itself."""
    copied: tuple[str, ...]
    """Files that the agent writes while it works: several at once would spoil them. Changes are not kept."""
    logins: tuple[str, ...]
    """Files that hold its logins, and which it renews: never copied, always the user's own."""
    kept: tuple[str, ...]
    """Folders of its sessions: the user's own, so that they can be gone on with and be counted."""
    linked: tuple[str, ...] = ()
    """Instructions and extensions that the user has written: the user's own."""
    beside: tuple[str, ...] = ()
    """Those of ``copied`` that stand beside the usual folder, but inside of another one."""
    login_variable: str | None = None
    """The variable that names the folder of its logins, if they need not be in that of its configuration."""
