"""Where ``nova`` begins."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run ``nova``."""
    if sys.argv[1:] == ["--version"]:  # asked by every script that looks for us: not worth loading the command line
        from nova_async.cli.version import version_line

        sys.stdout.write(version_line() + "\n")
        return
    from nova_async.cli.app import app

    app()
