"""Where ``nova`` begins."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run ``nova``."""
    if sys.argv[1:] == ["--version"]:  # asked by every script that looks for us: not worth loading the command line
        from nova_async.cli.version import version_line

        sys.stdout.write(version_line() + "\n")
        return
    import os
    import signal

    # Inherited from whoever started us. With SIGCHLD ignored the exit status of every child is lost (G23), and with a
    # signal blocked nobody could interrupt us.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by our parent: no file or pipe of ours may take its number
            os.open(os.devnull, os.O_RDWR)
    # Until a command listens for it, Ctrl-C just ends us, without a traceback; who inherited it ignored goes on so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:2] == ["demo-agent"]:  # started many times by the example cascade, and needs nothing of the rest
        from nova_async import demo_agent

        sys.exit(demo_agent.main(sys.argv[2:]))
    from nova_async.cli.app import answer

    sys.exit(answer())
