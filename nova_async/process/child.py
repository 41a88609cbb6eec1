"""One child process that was started: its pipes, its exit, and the family that it leads."""

import asyncio
import os
import signal

from nova_async._core.descriptors import clear_of_standard_streams
from nova_async.process.asyncio_process import EXIT_UNKNOWN, Vanished, has_exited
from nova_async.process.exit_status import exit_code_of_reaped
from nova_async.process.family import Family
from nova_async.process.keeper import Keeper
from nova_async.process.pipes import USUAL, OutputPipe

__all__ = ["Child", "Pipes"]


class Pipes:
    """What connects a child with us: a pipe for its output, one for its errors if they are apart, and its keeper's.

    Raises ``OSError`` if no descriptor is left, or there can be no keeper here; nothing is left open then.
    """

    def __init__(self, *, errors_apart: bool, kept: bool) -> None:
        self.output: OutputPipe | None = None
        self.errors: OutputPipe | None = None
        self.keeper: Keeper | None = None
        try:
            self.keeper = Keeper() if kept else None
            self.output = OutputPipe()
            # Little is said there, and nothing is lost by waiting for us: the usual size will do.
            self.errors = OutputPipe(USUAL) if errors_apart else None
        except BaseException:
            self.close()
            raise

    def close_ends_of_child(self) -> None:
        """Close the ends that the child has by now; a second call does nothing."""
        for pipe in (self.output, self.errors):
            if pipe is not None:
                pipe.close_write_end()
        if self.keeper is not None:
            self.keeper.started()

    def close(self) -> None:
        """Close every end; a second call does nothing."""
        for pipe in (self.output, self.errors, self.keeper):
            if pipe is not None:
                pipe.close()


class Child:
    """A started process and its output.

    ``pid`` is that of the leader: the process that was started itself. ``cookie`` is the family path in its
    environment, ``family`` the leader and everything that descends from it.
    """

    def __init__(self, process: asyncio.subprocess.Process, cookie: str, pipes: Pipes, family: Family) -> None:
        self.pid = process.pid
        self.cookie = cookie
        self.family = family
        self._process = process
        self._pipes = pipes
        self._pidfd = _pidfd_of(process.pid)
        self._exit_code: int | None = None
        self.exit_is_unknown = False  # then the code is 255, and says nothing

    def __repr__(self) -> str:
        return f"<Child {self.pid}, returncode {self.returncode}>"

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None until the loop has learned that the leader has exited."""
        if self._exit_code is None and self._process.returncode is not None:
            self._exit_code = self._true_code(self._process.returncode)
        return self._exit_code

    def _true_code(self, told: int) -> int:
        """Return the code that the process ended with: asyncio says 255 if somebody else has reaped it (G23)."""
        if told != EXIT_UNKNOWN or (code := exit_code_of_reaped(self._pidfd)) is None:
            # Where SIGCHLD is ignored, the kernel keeps the status of no child.
            lost = isinstance(self._process, Vanished) or signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
            self.exit_is_unknown = told == EXIT_UNKNOWN and lost
            return told
        return code

    def has_exited(self) -> bool:
        """Ask the kernel whether the leader has exited, of which the loop may not know yet."""
        return has_exited(self._process)

    async def wait(self) -> int:
        """Wait until the leader has exited and return its code, whatever grandchildren or open pipes remain (G1).

        It may be cancelled, called again, and called concurrently.
        """
        await self.family.leader_exit()
        code = self.returncode
        assert code is not None
        return code

    def reap(self) -> int:
        """Reap the leader, which has been killed, in place of a loop that was closed; return its exit code."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            code = exit_code_of_reaped(self._pidfd)
        else:
            code = os.waitstatus_to_exitcode(status) if pid else None
        code = -signal.SIGKILL if code is None else code
        transport = self._process._transport  # type: ignore[attr-defined]
        transport.get_extra_info("subprocess").returncode = code
        transport.close()  # or it would warn, and close itself by the closed loop
        return code

    @property
    def output(self) -> int:
        """Our end of the pipe of its standard output, and of its standard error if they share one; -1 once closed."""
        return -1 if self._pipes.output is None else self._pipes.output.read_end

    @property
    def errors(self) -> int:
        """Our end of the pipe of its standard error; -1 once closed, and if it shares that of its standard output."""
        return -1 if self._pipes.errors is None else self._pipes.errors.read_end

    def close_output(self) -> None:
        """Close our ends of its pipes, and what the exit code is asked by; a second call does nothing."""
        self._pipes.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def _pidfd_of(pid: int) -> int:
    """Return a descriptor that stands for a child of ours, or -1: by it the kernel knows how the child has ended."""
    try:
        return clear_of_standard_streams(os.pidfd_open(pid))
    except (AttributeError, OSError):  # no pidfds here, no descriptor left, or it has ended and was reaped by others
        return -1
