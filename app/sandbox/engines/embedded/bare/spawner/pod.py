"""One pod from the outside: its outer bubblewrap, its agent, its lifeline."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .. import wire
from ..info import Info
from ..loop import Loop
from .cgroups import Group

#: Host uids of one pod: its root, its services, guests of the platform.
UIDS_PER_POD = 3
_STDERR_KEPT = 8 << 10
_REMOVE_TRIES = 100
_TELLS_WITHIN_S = 2.0  #: bubblewrap names its child within milliseconds


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is needed to start a pod. `uid` is the first of its host uids; None: it keeps the caller's."""

    name: str
    bwrap: str
    tools: str
    bare: str
    agent_root: str
    images: Mapping[str, str]
    uid: int | None
    group: Group | None


def outer_arguments(plan: Plan) -> list[str]:
    """Options of the outer bubblewrap: the agent's own root, image roots to start services from, nothing of the host."""
    options = ["--unshare-user", "--uid", "0", "--gid", "0", "--unshare-net", "--unshare-pid", "--unshare-ipc"]
    options += ["--unshare-uts", "--unshare-cgroup-try", "--as-pid-1", "--die-with-parent", "--new-session"]
    options += ["--cap-add", "ALL", "--hostname", "pod", "--ro-bind", f"{plan.agent_root}/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"{plan.agent_root}/{name}"):
            options += ["--symlink", os.readlink(f"{plan.agent_root}/{name}"), f"/{name}"]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/run", "/tmp", "/soty", "/images", "/cgroup"):  # services' uids pass through some of them
        options += ["--perms", "0755", "--dir", folder]
    options += ["--ro-bind", plan.tools, "/soty/tools", "--ro-bind", plan.bare, "/soty/bare"]
    for name, root in plan.images.items():
        options += ["--ro-bind", root, f"/images/{name}"]
    for name, path in plan.group.shown.items() if plan.group else ():
        options += ["--bind", path, f"/cgroup/{name}"]
    return [*options, "--chdir", "/", "--clearenv"]


def agent_command(control: int, lifeline: int) -> list[str]:
    """argv of the agent; -I and -S keep it away from every file but its own."""
    code = "import sys; sys.path.insert(0, '/soty'); from bare.agent.main import main; main()"
    return ["/usr/bin/python3", "-I", "-S", "-B", "-c", code, str(control), str(lifeline)]


class Pod:
    """A started pod. `on_gone` is called once, when no process and no group of it is left."""

    def __init__(self, loop: Loop, plan: Plan, on_gone: Callable[[Pod], None]) -> None:
        self.plan = plan
        self._loop = loop
        self._on_gone = on_gone
        self._stderr = b""
        self._agent: int | None = None  # pidfd
        self._bwrap: int | None = None
        self._doomed = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lifeline, lifeline = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._info = Info(loop, self._informed)
        info = self._info.write_end
        go, self._go = os.pipe2(os.O_CLOEXEC)
        self._errors, errors = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        options = outer_arguments(plan)
        if plan.uid is not None:
            options += ["--userns-block-fd", str(go)]
        arguments = wire.sealed_arguments([*options, "--info-fd", str(info)])
        argv = [plan.bwrap, "--args", str(arguments), "--", *agent_command(theirs.fileno(), lifeline.fileno())]
        passed = (arguments, info, go, theirs.fileno(), lifeline.fileno())
        try:
            self._bwrap = _start(plan, argv, passed, errors)
        except BaseException:
            ours.close()
            self._forget_files()
            raise
        finally:
            for fd in (arguments, info, go, errors):
                os.close(fd)
            theirs.close()
            lifeline.close()
        self.control = ours
        loop.on_exit(self._bwrap, self._bwrap_ended)
        loop.watch(self._errors, self._complained)

    @property
    def stderr(self) -> str:
        """The last words of bubblewrap or the agent."""
        return self._stderr.decode(errors="replace").strip()

    def kill(self) -> None:
        """End every process of the pod now; idempotent.

        Bubblewrap is let live until it has told who its child is: killed before, it would leave a child that waits for it
        for ever.
        """
        self._lifeline.close()
        if self._agent is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._agent, signal.SIGKILL)
            self._kill_bwrap()
        elif not self._doomed:
            self._loop.later(_TELLS_WITHIN_S, self._kill_bwrap)
        self._doomed = True

    def _kill_bwrap(self) -> None:
        if self._bwrap is not None:
            os.kill(self._bwrap, signal.SIGKILL)  # not reaped yet, so the number is still ours

    def _informed(self, pid: int) -> None:
        try:
            self._agent = os.pidfd_open(pid)
            self._loop.watch(self._agent, self._agent_ended)
            if self._doomed:
                self.kill()
                return
            if self.plan.uid is not None:
                for kind in ("uid_map", "gid_map"):
                    lines = [f"{inside} {self.plan.uid + inside} 1" for inside in range(UIDS_PER_POD)]
                    with open(f"/proc/{pid}/{kind}", "w", buffering=4096) as file:
                        file.write("\n".join(lines) + "\n")
            os.write(self._go, b"x")
        except OSError as error:
            self._stderr += f"pod of {self.plan.name}: {error}".encode()
            self.kill()

    def _complained(self) -> None:
        try:
            data = os.read(self._errors, 4096)
        except BlockingIOError:
            return
        if not data:
            self._loop.forget(self._errors)
        self._stderr = (self._stderr + data)[-_STDERR_KEPT:]

    def _bwrap_ended(self, code: int) -> None:
        self._bwrap = None
        self._info.look()  # its last words may name a child
        self._complained()
        self.kill()
        self._finish_if_gone()

    def _agent_ended(self) -> None:
        if self._agent is not None:
            self._loop.forget(self._agent)
            os.close(self._agent)
            self._agent = None
        self.kill()
        self._finish_if_gone()

    def _finish_if_gone(self, tries: int = _REMOVE_TRIES) -> None:
        if self._bwrap is not None or self._agent is not None:
            return
        if self.plan.group is not None and not self.plan.group.remove() and tries:
            # The kernel lets go of a group a moment after its last process.
            self._loop.later(0.005 if tries > _REMOVE_TRIES - 20 else 0.1, lambda: self._finish_if_gone(tries - 1))
            return
        self._forget_files()
        self._on_gone(self)

    def _forget_files(self) -> None:
        self._info.close()
        self._loop.forget(self._errors)
        for fd in (self._errors, self._go):
            os.close(fd)
        self._lifeline.close()


def _start(plan: Plan, argv: Sequence[str], passed: Sequence[int], errors: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        if plan.group is not None:
            plan.group.join()
        null = os.open("/dev/null", os.O_RDWR)
        for target, source in enumerate((null, null, errors)):
            os.dup2(source, target)
        for fd in passed:
            os.set_inheritable(fd, True)
        if plan.uid is not None:
            os.setgroups([])
            os.setresgid(plan.uid, plan.uid, plan.uid)
            os.setresuid(plan.uid, plan.uid, plan.uid)
        os.chdir("/")
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execve(argv[0], list(argv), {})
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}".encode())
    os._exit(127)
