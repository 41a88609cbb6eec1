"""A program by itself: runs a command in a terminal of its own, and relays between that and its own streams.

It stands between ``nova exec --pty`` and its command, so that nothing about the supervision is different: what the
terminal shows goes to our standard output, which is the worker's pipe, and what comes on our standard input is typed.
It ends as the command ends. Only the standard library is loaded: it is started with each such command.
"""

import os
import pty
import select
import signal
import sys
import termios
import time
from types import FrameType

__all__ = ["main"]

CHUNK = 64 * 1024  # bytes
QUIET = 0.5  # seconds without a byte after the command's exit: what else has the terminal says nothing more
LONGEST = 5.0  # seconds; after that, what still talks is no longer heard
NOT_EXECUTABLE, NOT_FOUND = 126, 127
USUAL = (24, 80)  # lines and columns where nobody looks
END_OF_FILE = b"\x04"  # what Ctrl-D is to a terminal
MANY = 16  # times: a pipe stays at its end, and of a terminal each read takes one, as several commands of a script do


class Relay:
    """The command and its terminal, between our two streams."""

    def __init__(self, pid: int, terminal: int) -> None:
        self._pid = pid
        self._terminal = terminal
        self._listens = True  # to our own input
        self._typed = b""  # and not yet taken by the terminal
        self._exited_at: float | None = None
        self.status = 0
        self._news, news = os.pipe()  # of signals: it is readable when the command has exited
        os.set_blocking(news, False)
        os.set_blocking(self._news, False)
        signal.set_wakeup_fd(news, warn_on_full_buffer=False)

    def resize(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Give the terminal the size that ours has now."""
        termios.tcsetwinsize(self._terminal, our_size())

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Pass on what was meant for the command's group."""
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            return

    def run(self) -> None:
        """Relay until the command has exited and its terminal has nothing more to say."""
        heard_at = time.monotonic()
        while True:
            wanted = [self._news, self._terminal, *([0] if self._listens and not self._typed else [])]
            patience = None if self._exited_at is None else QUIET
            readable, writable, _ = select.select(wanted, [self._terminal] if self._typed else [], [], patience)
            if self._news in readable:
                os.read(self._news, CHUNK)
            if self._terminal in readable:
                if not self._show():
                    return
                heard_at = time.monotonic()
            if writable:
                self._type()
            if 0 in readable:
                self._listen()
            if self._has_exited(heard_at):
                return

    def _show(self) -> bool:
        """Write what the terminal shows; tell whether anybody has it open still."""
        try:
            shown = os.read(self._terminal, CHUNK)
        except BlockingIOError:  # there is nothing after all
            return True
        except OSError:  # how Linux says that nobody has
            return False
        left = memoryview(shown)
        while left:
            left = left[os.write(1, left) :]
        return bool(shown)

    def _listen(self) -> None:
        try:
            typed = os.read(0, CHUNK)
        except OSError:
            typed = b""
        self._typed = typed or END_OF_FILE * MANY  # in the middle of a line the first one only ends that
        self._listens = bool(typed)

    def _type(self) -> None:
        try:
            self._typed = self._typed[os.write(self._terminal, self._typed[:CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # nobody has it open any more
            self._typed, self._listens = b"", False

    def _has_exited(self, heard_at: float) -> bool:
        """Tell whether it is all over: the command has exited, and what it left behind is quiet or has had its time."""
        if self._exited_at is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid == 0:
                return False
            self.status, self._exited_at = status, time.monotonic()
        now = time.monotonic()
        return now - max(heard_at, self._exited_at) > QUIET or now - self._exited_at > LONGEST

    def wait(self) -> int:
        """Return how the command ended, as ``os.waitstatus_to_exitcode`` has it."""
        if self._exited_at is None:  # it has closed its terminal, and goes on
            self.status = os.waitpid(self._pid, 0)[1]
        return os.waitstatus_to_exitcode(self.status)


def our_size() -> tuple[int, int]:
    """Return the lines and columns of our own terminal, where we have one that knows."""
    try:
        lines, columns = termios.tcgetwinsize(0)
    except termios.error:
        return USUAL
    return (lines, columns) if lines and columns else USUAL


def main(program: str, words: list[str]) -> None:
    """Run the command, and end as it ends."""
    size, is_watched = our_size(), os.isatty(0)
    pid, terminal = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(0, size)
        become(program, words)
    if not is_watched:  # what no person types is not shown as typed
        modes = termios.tcgetattr(terminal)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
    os.set_blocking(terminal, False)
    relay = Relay(pid, terminal)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)  # or its news would not come
    signal.signal(signal.SIGWINCH, relay.resize)
    signal.signal(signal.SIGINT, relay.interrupt)
    # The command is told itself; somebody has to be there for what it says then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    relay.run()
    code = relay.wait()
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def become(program: str, words: list[str]) -> None:
    """Be the command, in its terminal."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # Python has its own ideas about these
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(program, words)
    except OSError as error:
        os.write(2, f"nova: cannot run {words[0]}: {error.strerror}\n".encode(errors="replace"))
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
