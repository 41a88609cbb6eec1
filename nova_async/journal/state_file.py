"""``cascade_state.json``: the run as it stands, in the documented schema, for programs that poll a file."""

import asyncio
import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import final

from nova_async._core.atomic_files import own_folder, replace_file
from nova_async._core.own_places import STATE_FILE, chosen_by_us
from nova_async._core.threads import in_thread
from nova_async.journal.state_document import encoded, read_state, run_document, task_document
from nova_async.views import RunView, TaskView

__all__ = ["StateFile", "read_state", "run_document", "task_document"]

PAUSE_SECONDS = 0.5  # the shortest time from one write to the next while changes keep coming
TRY_AGAIN_SECONDS = 5.0  # after a failed write; a disk usually stays full for longer, and one try costs little


@final
class StateFile:
    """A file that follows a changing run: at once after a quiet time, else twice a second, and never half written.

    It belongs to one event loop. ``view`` and ``run`` are called in that loop, ``view`` only for the tasks that were
    touched: the cost of a write depends on what has changed. Temporary files are in the folder ``scratch``. A failing
    disk does not affect the run: ``on_trouble`` is called with a message, and with None once a write succeeds again.

    A link is followed, and an existing file keeps its mode, where the user has named the file; in the usual place a
    link is replaced, and the file is readable by its owner only.
    """

    def __init__(
        self,
        path: Path,
        *,
        tasks: Iterable[str],
        view: Callable[[str], TaskView],
        run: Callable[[], RunView],
        scratch: Path,
        on_trouble: Callable[[str | None], object] = lambda text: None,
    ) -> None:
        self.path = path
        self.error: str | None = None
        """Why the latest write failed; None once one has succeeded again."""
        self._view, self._run, self._scratch, self._on_trouble = view, run, scratch, on_trouble
        self._fragments: dict[str, bytes] = dict.fromkeys(tasks, b"")  # each task, encoded; in the plan's order
        self._touched = set(self._fragments)
        self._is_stale = self._closed = self._swept = False
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._not_before = 0.0
        self._again: asyncio.TimerHandle | None = None
        self._waiting: list[asyncio.Future[None]] = []

    def touch(self, task_ids: Iterable[str] = ()) -> None:
        """Have the file rewritten, now or in a moment: something about these tasks, or the run, has changed.

        After ``close`` this does nothing.
        """
        if not self._closed:
            self._touched.update(task_ids)
            self._begin()

    async def flush(self) -> None:
        """Write what has changed, without a pause; if more keeps coming, keep writing."""
        if self.error is not None:
            self._begin()
        while self._task is not None and not self._task.done():
            self._hurry.set()
            await asyncio.wait([self._task])
        self._hurry.clear()

    async def written(self) -> None:
        """Wait until the file says how everything stands now, or could not be written; without a pause."""
        if self._task is not None and not self._task.done():
            written = asyncio.get_running_loop().create_future()
            self._waiting.append(written)
            self._hurry.set()
            await written

    async def close(self) -> None:
        """Write the last state, and accept no more changes. May be called any number of times."""
        self._closed = True
        await self.flush()
        if self._again is not None:
            self._again.cancel()

    def _begin(self) -> None:
        self._is_stale = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        """Write as long as something is new; when all is quiet the task ends, and with it every timer."""
        loop = asyncio.get_running_loop()
        while self._is_stale:
            if (pause := self._not_before - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._hurry.wait()
            self._hurry.clear()
            self._is_stale = False
            waiting, self._waiting = self._waiting, []
            self._not_before = loop.time() + PAUSE_SECONDS
            await self._write_once(loop)
            tell(waiting)
        tell(self._waiting)  # who came while the last write was under way, in which all is
        self._waiting = []

    async def _write_once(self, loop: asyncio.AbstractEventLoop) -> None:
        touched, self._touched = self._touched, set()
        error = None
        try:
            views = [self._view(task_id) for task_id in touched]
            await in_thread(self._write, views, self._run())
        except OSError as found:
            error = f"{self.path}: {found.strerror or found}"
            self._again = loop.call_later(TRY_AGAIN_SECONDS, self.touch)
        except Exception as found:  # a wrong document is a bug, but the run is worth more than its state file
            error = f"{self.path}: {found!r}"
            loop.call_exception_handler({"message": f"{self.path} cannot be written", "exception": found})
        if error is not None:
            self._touched |= touched
        if error != self.error:
            self.error = error
            self._on_trouble(error)

    def _write(self, views: list[TaskView], run: RunView) -> None:
        for view in views:
            self._fragments[view.id] = encoded(view.id) + b":" + encoded(task_document(view))
        about = {part: encoded(said) for part, said in run_document(run).items()}
        is_named = not chosen_by_us(self.path, STATE_FILE)
        path = Path(os.path.realpath(self.path)) if is_named else self.path.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_devices(path)
        with contextlib.suppress(OSError):  # its disk may be another one, and the file can be written without it
            own_folder(self._scratch)
        if not self._swept:
            for folder in {self._scratch, path.parent}:
                with contextlib.suppress(OSError):
                    remove_leftovers(folder, path.name)
            self._swept = True
        tasks = b",".join(self._fragments.values())
        content = b'{"project":%b,"tasks":{%b},"nova":%b}\n' % (about["project"], tasks, about["nova"])
        replace_file(path, content, by_way_of=self._scratch, keeps_mode=is_named)


def tell(waiting: Iterable["asyncio.Future[None]"]) -> None:
    """Let those go on who still wait."""
    for future in waiting:
        if not future.done():
            future.set_result(None)


def refuse_devices(path: Path) -> None:
    """Check that no device or the like would be replaced by a file: `--state /dev/null` means that nobody wants one."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):  # the system refuses a folder itself
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove the temporary files of processes that were killed while they wrote."""
    temporary = re.compile(rf"\.?{re.escape(name)}\.(\d{{1,10}})-[0-9a-f]{{8}}\.tmp", re.ASCII)
    for leftover in folder.iterdir():
        if found := temporary.fullmatch(leftover.name):
            try:
                os.kill(int(found[1]), 0)
            except ProcessLookupError:
                leftover.unlink(missing_ok=True)
            except (OverflowError, PermissionError):
                continue
