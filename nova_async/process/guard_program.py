"""The program of the orphan guard: waits for its supervisor's death, then ends the processes it left behind.

Started by path, with a Python that loads no site-packages, so that it starts quickly and stays small.

Usage: guard_program.py PIPE PIDFD PID SUPERVISOR-ID [FOLDER]

PIPE is the read end of a pipe from the supervisor, which brings the lines that `Instructions` reads, and end of file at
its death. PIDFD is the supervisor's, or -1: a forked helper of it may keep the pipe open after its death.
FOLDER is where psutil is, on a system that never has /proc; - where no process can be seen.
"""

import os
import select
import sys

LOOK_AGAIN = 500  # ms; only without a pidfd, to notice the supervisor's death behind a pipe that somebody keeps open
# ms in which lines may gather: a supervisor writes one at each start and each end of a worker, and to wake us each time
# costs it more than to write it, and takes a core from the worker. The pipe holds a thousand lines.
GATHERING = 100


def let_imports_find_this_folder() -> None:
    """Fake the package, so that the few modules we need can be imported without the rest."""
    for name, path in (("nova_async", []), ("nova_async.process", [os.path.dirname(os.path.abspath(__file__))])):  # noqa: PTH100, PTH120
        package = type(sys)(name)
        package.__path__ = path
        sys.modules[name] = package


class Instructions:
    """What the supervisor has told us so far, one word and its arguments in a line.

    ``lead WORKER PID START`` names a worker's leader, ``seen WORKER PID START`` another process of its family,
    ``over WORKER`` says that nobody of it is left, ``release WORKER`` that they may outlive the supervisor. ``again``
    begins a list of all that are left, and ``stop`` ends us.
    """

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.released: set[str] = set()
        self.families: dict[str, dict[int, tuple[float, bool]]] = {}  # start time and whether it leads, by worker, pid
        self.stop = False
        self.ended = False
        self._rest = b""

    def read(self) -> None:
        """Read what has arrived, without waiting."""
        while not self.ended:
            try:
                data = os.read(self.pipe, 65536)
            except BlockingIOError:
                return
            self.ended = not data
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._obey(*line.decode().split(" "))

    def _obey(self, word: str, worker: str = "", pid: str = "", start: str = "") -> None:
        if word == "stop":
            self.stop = True
        elif word == "again":
            self.families.clear()
        elif word == "over":
            self.families.pop(worker, None)
        elif word == "release":
            self.released.add(worker)
            self.families.pop(worker, None)
        elif word == "lead":
            self.families[worker] = {int(pid): (float(start), True)}
        elif word == "seen" and worker in self.families:
            self.families[worker][int(pid)] = (float(start), False)


def wait_for_death(instructions: Instructions, pidfd: int, pid: int) -> None:
    """Return once the supervisor is dead, or has told us to stop."""
    poll = select.poll()
    poll.register(instructions.pipe, select.POLLIN)
    if pidfd >= 0:
        poll.register(pidfd, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(None if pidfd >= 0 else LOOK_AGAIN)}
        instructions.read()  # even after its death: the last lines count
        if instructions.ended or instructions.stop or pidfd in ready:
            return
        if pidfd < 0 and os.getppid() != pid:
            return
        poll.modify(instructions.pipe, 0)  # wakes us at the end of the pipe alone
        poll.poll(GATHERING)
        poll.modify(instructions.pipe, select.POLLIN)


def main() -> None:
    """Guard one supervisor."""
    let_imports_find_this_folder()
    from nova_async.process import sweep  # loaded early: at the supervisor's death every millisecond counts
    from nova_async.process.signalling import signal

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # blocked since our birth, see orphan_guard
        signal.signal(each, signal.SIG_IGN)
    pipe, pidfd, pid = (int(text) for text in sys.argv[1:4])
    supervisor = sys.argv[4]
    if sys.argv[5:] == ["-"]:
        from nova_async.process import blind as table
    elif sys.argv[5:]:
        sys.path.append(sys.argv[5])
        from nova_async.process import psutil_processes as table  # type: ignore[no-redef]
    else:
        from nova_async.process import procfs as table  # type: ignore[no-redef]
    if os.path.exists("/proc/self/comm"):  # noqa: PTH110 (pathlib is dear here)
        with open("/proc/self/comm", "w") as comm:  # noqa: PTH123
            comm.write("nova-guard")  # so that an agent's `pkill python` does not hit us
    os.set_blocking(pipe, False)
    orphans = sweep.Orphans(supervisor, pid, table)
    instructions = Instructions(pipe)
    wait_for_death(instructions, pidfd, pid)
    if not instructions.stop:
        orphans.know(
            sweep.KnownProcess(pid, start_time, leads)
            for worker, family in instructions.families.items()
            if worker not in instructions.released
            for pid, (start_time, leads) in family.items()
        )
        orphans.end(instructions.released)


if __name__ == "__main__":
    main()
