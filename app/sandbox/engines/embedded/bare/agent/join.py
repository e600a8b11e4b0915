"""Runs a command inside a living service: its namespaces, its user, its limits, its filter; with pipes or a terminal.

Between the agent and the command stands a guard, a forked copy of the agent inside the service's namespaces: orphans of
the command come to it, so that all of them can be ended together. It gives up every right and cannot be looked into.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import struct
import termios
from collections.abc import Callable, Mapping, Sequence

from .. import linux
from ..loop import Loop
from .jail import INNER_UID, Cell, all_processes, set_limits

# The user namespace comes last: the others belong to an ancestor of it.
_ORDER = (
    ("pid", linux.CLONE_NEWPID),
    ("ipc", linux.CLONE_NEWIPC),
    ("uts", linux.CLONE_NEWUTS),
    ("net", linux.CLONE_NEWNET),
    ("mnt", linux.CLONE_NEWNS),
    ("user", linux.CLONE_NEWUSER),
)
_TIOCSPTLCK, _TIOCGPTN = 0x40045431, 0x80045430
_LAST_CAPABILITY = 63
_KILL_ROUNDS = 20
NOT_STARTED = 125


class Joined:
    """A command inside a service. `on_exit` is called with its exit code (128 + n for signal n).

    With a terminal, `master` is its other end as soon as `on_started` is called; the caller takes it.
    """

    def __init__(
        self,
        loop: Loop,
        cell: Cell,
        init: int,
        argv: Sequence[str],
        env: Mapping[str, str],
        streams: tuple[int, int, int] | None,
        on_exit: Callable[[int], None],
        on_started: Callable[[int | None], None] | None = None,
    ) -> None:
        self._loop = loop
        self._on_exit = on_exit
        self._on_started = on_started
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self.guard: int | None = None
        doorman = os.fork()
        if not doorman:
            _enter(cell, init, argv, env, streams, theirs)
        theirs.close()
        loop.on_exit(doorman, lambda _: None)
        loop.watch(self._ours.fileno(), self._told)

    def kill(self) -> None:
        """End the command and everything that it started and that has not been made a daemon against the guard."""
        if self.guard is None:
            return
        _kill_descendants(self.guard)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.guard, signal.SIGKILL)

    def _told(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._ours, 64, 1)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data or self.guard is not None:
            self._loop.forget(self._ours.fileno())
            self._ours.close()
            if self.guard is None:  # it could not even enter: the service has just ended
                if self._on_started is not None:
                    self._on_started(None)
                self._on_exit(NOT_STARTED)
            return
        self.guard = int(data)
        self._loop.on_exit(self.guard, self._ended)
        self._ours.send(b"x")
        if self._on_started is not None:
            self._on_started(fds[0] if fds else None)

    def _ended(self, code: int) -> None:
        self._on_exit(code if code >= 0 else 128 - code)


def _enter(
    cell: Cell,
    init: int,
    argv: Sequence[str],
    env: Mapping[str, str],
    streams: tuple[int, int, int] | None,
    report: socket.socket,
) -> None:
    """The doorman: joins the namespaces, forks the guard into them, tells the agent its pid, and leaves."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        set_limits(cell.limits)
        cell.group.join()
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        if cell.cores:
            os.sched_setaffinity(0, cell.cores)
        spaces = [(os.open(f"/proc/{init}/ns/{kind}", os.O_RDONLY), flag) for kind, flag in _ORDER]
        for fd, flag in spaces:
            linux.setns(fd, flag)
        os.chdir(cell.folder)
        master = slave = -1
        if streams is None:
            master, slave = _open_terminal()
        go, ready = os.pipe()
        guard = os.fork()
        if not guard:
            os.close(ready)
            os.read(go, 1)  # ends with the doorman
            _guard(cell, argv, env, streams or (slave, slave, slave), terminal=streams is None)
        socket.send_fds(report, [str(guard).encode()], [master] if master >= 0 else [])
        report.recv(1)  # the agent has noted the guard and will see its end
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(streams[2] if streams else 2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(NOT_STARTED)
    os._exit(0)


def _open_terminal() -> tuple[int, int]:
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))[0]
    return master, os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)


def _guard(cell: Cell, argv: Sequence[str], env: Mapping[str, str], streams: tuple[int, int, int], *, terminal: bool) -> None:
    try:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        pids = cell.limits["pids"]
        resource.setrlimit(resource.RLIMIT_NPROC, (pids, pids))
        for target, source in enumerate([os.dup(fd) for fd in streams]):
            os.dup2(source, target)
        os.closerange(3, 1 << 16)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        for capability in range(_LAST_CAPABILITY + 1):
            try:
                linux.prctl(linux.PR_CAPBSET_DROP, capability)
            except OSError:  # past the last one that this kernel knows
                break
        os.setresgid(INNER_UID, INNER_UID, INNER_UID)
        os.setresuid(INNER_UID, INNER_UID, INNER_UID)
        linux.drop_capabilities()
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        linux.install_seccomp(cell.seccomp)
        child = os.fork()
        if not child:
            os.setsid()
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            try:
                os.execvpe(argv[0], list(argv), {**cell.env, **env})
            except OSError as error:
                os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
            os._exit(127)
        null = os.open("/dev/null", os.O_RDWR)
        for target in range(3):
            os.dup2(null, target)
        while True:
            pid, status = os.wait()
            if pid == child:
                if terminal:  # a hung-up shell may end before anybody asks; what it started must not outlive it
                    _kill_descendants(os.getpid())
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(NOT_STARTED)


def _kill_descendants(root: int) -> None:
    killed: set[int] = set()
    for _ in range(_KILL_ROUNDS):  # what forks while it is looked for is found in the next round
        fresh = set(_descendants(root)) - killed
        if not fresh:
            break
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= fresh


def _descendants(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for pid in all_processes():
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
            parents.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found
