"""The time limits of one worker: named timers that can be stopped and go on, with as much time left as before."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, final

__all__ = ["Timers"]


class Timer(NamedTuple):
    """What happens, and when.

    ``due`` is on the loop's clock; ``left`` is in seconds while time stands still; ``handle`` is None once it has
    happened.
    """

    handle: asyncio.TimerHandle | None
    due: float
    action: Callable[..., None]
    arguments: tuple[object, ...]
    left: float = 0.0


@final
class Timers:
    """Calls each action once, after so many seconds of the loop's clock in which time did not stand still."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._armed: dict[str, Timer] = {}
        self._closed = False
        self._stands_still = False
        self.late = 0.0
        """Seconds by which the latest action came too late: we stood still, or the loop was held up."""

    @property
    def stand_still_now(self) -> bool:
        """Whether no time passes."""
        return self._stands_still

    def __contains__(self, name: str) -> bool:
        return name in self._armed

    def arm(self, name: str, seconds: float, action: Callable[..., None], *arguments: object) -> None:
        """Call an action after so many seconds; a timer of the same name is replaced. Once closed it does nothing."""
        if not self._closed:
            due = self._loop.time() + seconds  # not the handle's: uvloop's has no `when` where no millisecond is left
            self._armed[name] = Timer(self._loop.call_later(seconds, self._fire, name), due, action, arguments)

    def forget(self, name: str) -> None:
        """Let a timer be armed anew that has called its action."""
        del self._armed[name]

    def close(self) -> None:
        """Call nothing any more."""
        self._closed = True
        for timer in self._armed.values():
            if timer.handle is not None:
                timer.handle.cancel()
        self._armed.clear()

    def stand_still(self) -> None:
        """Let no time pass."""
        self._stands_still = True
        now = self._loop.time()
        for name, timer in self._armed.items():
            if timer.handle is not None:
                timer.handle.cancel()
                self._armed[name] = timer._replace(left=max(timer.due - now, 0.0))

    def go_on(self) -> None:
        """Let time pass again."""
        self._stands_still = False
        for name, timer in list(self._armed.items()):
            if timer.handle is not None and timer.handle.cancelled():  # not one that was armed since then
                self.arm(name, timer.left, timer.action, *timer.arguments)

    def _fire(self, name: str) -> None:
        timer = self._armed[name]
        self.late = self._loop.time() - timer.due
        self._armed[name] = timer._replace(handle=None)
        timer.action(*timer.arguments)
