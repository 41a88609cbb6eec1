"""The program of a keeper: starts a command, adopts whatever that leaves without a parent, and ends as it ends.

Started by path, with a Python that loads no site-packages, so that it starts quickly and stays small.

Usage: keeper_program.py PIPE PROGRAM WORD…

PIPE is the write end of a pipe to our supervisor. Before we exit, a line ``PID START`` goes there for each process that
is still below us, with its start in clock ticks since boot. PROGRAM is the command's file, the words are its command
line. The exit code is the command's, or its signal ends us, too; 127 if there is no such program, 126 if it cannot run.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    try:
        import _signal as signal  # the C half of signal; the other half loads enum
    except ImportError:
        import signal

PR_SET_CHILD_SUBREAPER = 36
NOT_EXECUTABLE, NOT_FOUND = 126, 127
# What would end us before the command. A handler, unlike SIG_IGN, is not inherited by it.
TAKEN = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)
PYTHONS_OWN = (signal.SIGPIPE, signal.SIGXFSZ)  # which Python ignores
LOOKS = 3  # for the last words: a process born during one is found by the next


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def environment() -> "dict[bytes, bytes]":
    """Return the environment that we were given: Python adds LC_CTYPE to its own where there is no locale."""
    try:
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 (pathlib is dear here)
            fields = file.read().split(b"\0")
    except OSError:
        return dict(os.environb)
    return {name: value for name, equals, value in (field.partition(b"=") for field in fields) if equals and name}


def start(program: str, words: "list[str]") -> int:
    """Start the command as if we were not there, and return its pid.

    Not by ``posix_spawn``: with that, glibc leaves two signals of its own ignored in the command.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)  # what comes meanwhile is for both of us
    heard = [number for number in TAKEN if signal.getsignal(number) != signal.SIG_IGN]
    pid = os.fork()
    for number in heard:
        signal.signal(number, signal.SIG_DFL if pid == 0 else lambda number, frame: None)
    if pid == 0:
        become(program, words, mask)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def become(program: str, words: "list[str]", mask: "set[int]") -> None:
    """Be the command."""
    for number in PYTHONS_OWN:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execve(program, words, environment())
    except OSError as error:
        os.write(2, f"nova: cannot run {words[0]}: {error.strerror}\n".encode(errors="surrogateescape"))
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def wait_for(command: int) -> int:
    """Reap every child until the command is the one; return how it ended, as ``os.waitstatus_to_exitcode`` has it."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == command:
            return os.waitstatus_to_exitcode(status)


def say_last_words(pipe: int) -> None:
    """Tell our supervisor which processes still descend from us."""
    from nova_async.process import procfs
    from nova_async.process.descendants import descendants

    told: set[tuple[int, float]] = set()
    for _ in range(LOOKS):
        me = procfs.look(os.getpid())
        found = {(entry.pid, entry.start_time) for entry in descendants(procfs, me)} if me is not None else set()
        if not found - told:
            return
        # At most some hundreds a look, so the pipe holds them all.
        try:
            os.write(pipe, b"".join(b"%d %d\n" % one for one in sorted(found - told)))
        except OSError:  # nobody is listening any more
            return
        told |= found


def end_as(code: int) -> None:
    """Exit with this code or, if it is negative, by that signal; without a core file, because the command has one."""
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        code = 128 - code
    os._exit(code)


def main() -> None:
    """Keep one command."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from guard_program import let_imports_find_this_folder  # type: ignore[import-not-found] # pyright: ignore

    del sys.path[0]
    let_imports_find_this_folder()
    pipe = int(sys.argv[1])
    os.set_inheritable(pipe, False)
    adopt_orphans()
    command = start(sys.argv[2], sys.argv[3:])
    with open("/proc/self/comm", "w") as comm:  # noqa: PTH123
        comm.write("nova-keeper")  # so that an agent's `pkill python` does not hit us
    code = wait_for(command)
    say_last_words(pipe)
    end_as(code)


if __name__ == "__main__":
    main()
