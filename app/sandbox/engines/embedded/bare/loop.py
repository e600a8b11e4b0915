"""A small event loop on epoll: descriptors, timers, ended children. Nothing in it may block."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

READ, WRITE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR, select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR


class Timer:
    """A call that is due later; `cancel` makes it never happen."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Idempotent."""
        self.callback = None


class Loop:
    """Runs callbacks one after another until `quit` is called.

    A fault in a callback is written to stderr and ends that callback only: one bad request must not end a whole pod.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._children: dict[int, Callable[[int], None]] = {}
        self._status: int | None = None

    def watch(self, fd: int, callback: Callable[[], None], events: int = READ) -> None:
        """Call `callback` whenever `fd` is ready; replaces an earlier watch of it."""
        if fd in self._watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._watched[fd] = callback

    def forget(self, fd: int) -> None:
        """Stop watching; must come before the descriptor is closed. Idempotent."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once after `seconds`."""
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def on_exit(self, pid: int, callback: Callable[[int], None]) -> None:
        """Call `callback` with the exit code (negative: a signal) when the child ends."""
        self._children[pid] = callback

    def quit(self, status: int = 0) -> None:
        """Leave `run`."""
        self._status = status

    def run(self) -> int:
        """Run until `quit`; return its status. Only one loop of a process may run, on its main thread."""
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noted)
        self.watch(wake_read, lambda: self._reap(wake_read))
        self._guard(lambda: self._reap(wake_read))
        while self._status is None:
            for fd, _ in self._epoll.poll(self._pause()):
                callback = self._watched.get(fd)
                if callback is not None and self._status is None:
                    self._guard(callback)
            self._fire()
        return self._status

    def _pause(self) -> float:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1.0

    def _fire(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None and self._status is None:
                self._guard(timer.callback)

    def _reap(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 512)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            callback = self._children.pop(pid, None)
            if callback is not None:
                code = os.waitstatus_to_exitcode(status)
                self._guard(lambda callback=callback, code=code: callback(code))  # type: ignore[misc]

    @staticmethod
    def _guard(callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            sys.excepthook(*sys.exc_info())


def _noted(signum: int, frame: FrameType | None) -> None:
    """The wakeup descriptor says it already; without a Python handler the signal would not reach it."""
