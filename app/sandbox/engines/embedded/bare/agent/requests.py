"""What the engine may ask of a pod. Each answer is sent when it is known; nothing here waits."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from typing import Any

from .. import linux, wire
from ..loop import WRITE, Loop, Timer
from .capture import Capture
from .join import Joined
from .pod import MOST_REPLICAS, NoSuchService, Pod
from .view import WORKSPACE

_OUTPUT_KEPT = 1 << 20
_PUSH_PAUSE_S = 0.04
_STRAGGLERS_S = 0.2
_UNSENT_MOST = 2000


class NoSuchFile(Exception):
    """Nothing there that may be read."""


class Desk:
    """Takes requests from the control socket and answers them; pushes a status after changes, 25 times a second at most."""

    def __init__(self, loop: Loop, control: socket.socket) -> None:
        self._loop = loop
        self._control = control
        self._pod: Pod | None = None
        self._dirty: Timer | None = None
        self._pushed_at = 0.0
        self._unsent: list[tuple[dict[str, Any], bytes, list[int]]] = []
        self._terminals: dict[int, Joined] = {}
        self._dials: set[_Dial] = set()
        self._next_terminal = 1
        loop.watch(control.fileno(), self._readable)
        self._say({"event": "hello"})

    def _readable(self) -> None:
        try:
            packet = wire.receive(self._control)
        except BlockingIOError:
            return
        except OSError:
            packet = None
        if packet is None:  # the engine is gone: so is everything here
            self._loop.quit()
            return
        number = packet.header.get("id")
        try:
            self._handle(packet, lambda header, body=b"", fds=(): self._say({"id": number, **header}, body, fds))
        except NoSuchService as error:
            self._say({"id": number, "error": "no-such-service", "message": f"there is no service {error}"})
        except NoSuchFile as error:
            self._say({"id": number, "error": "no-such-file", "message": str(error)})
        except (OSError, ValueError, KeyError) as error:
            self._say({"id": number, "error": "engine-error", "message": f"{type(error).__name__}: {error}"})
        finally:
            packet.close()

    def _handle(self, packet: wire.Packet, answer: Callable[..., None]) -> None:
        request = packet.header
        operation = request["op"]
        if operation == "setup":
            self._pod = Pod(self._loop, wire.unpack_files(packet.body), self._changed)
            answer({})
            return
        pod = self._pod
        if pod is None:
            raise ValueError("the pod is not set up")
        if operation == "status":
            answer(pod.status())
        elif operation == "put":
            pod.put(wire.unpack_files(packet.body), request["revision"], replace=request["replace"])
            answer({})
        elif operation == "scale":
            pod.scale(request["service"], min(MOST_REPLICAS, max(0, request["replicas"])), lambda: answer({}))
        elif operation == "attach":
            self._attach(pod, packet, answer)
        elif operation == "dismiss":
            pod.guests[request["member"]].kill()
            answer({})
        elif operation == "stderr":
            answer({}, pod.guests[request["member"]].stderr.tail())
        elif operation == "hang-up":
            terminal = self._terminals.pop(request["terminal"], None)
            if terminal is not None:
                terminal.kill()
            answer({})
        else:
            self._service(pod, packet, answer)

    def _service(self, pod: Pod, packet: wire.Packet, answer: Callable[..., None]) -> None:
        request = packet.header
        operation = request["op"]
        replica = pod.replica(request["service"])
        if operation == "logs":
            data = replica.capture.read(request["offset"], request["limit"])
            answer({"dropped": replica.capture.dropped}, data)
        elif operation == "get":
            root = WORKSPACE if request["root"] == "workspace" else replica.view.scratch("/data")
            answer({}, _read(str(root), request["path"], request["limit"]))
        elif operation == "dial":
            dial = _Dial(self._loop, replica.address, request["port"], request["seconds"], answer, self._dials)
            self._dials.add(dial)
        elif operation == "exec":
            self._exec(pod, packet, answer)
        elif operation == "terminal":
            self._terminal(pod, packet, answer)
        elif operation == "start":
            if not replica.running:
                replica.restarts = 0
                replica.start()
            answer({})
        elif operation == "stop":
            replica.stop(request["grace"], lambda: answer({}))
        elif operation == "kill":
            replica.kill(lambda: answer({}))
        elif operation == "restart":
            replica.restart(lambda: answer({}))
        elif operation == "pause":
            if not replica.pause():
                raise ValueError(f"{replica.name} does not run")
            answer({})
        elif operation == "resume":
            replica.resume()
            answer({})
        else:
            raise ValueError(f"unknown operation {operation}")

    def _exec(self, pod: Pod, packet: wire.Packet, answer: Callable[..., None]) -> None:
        request = packet.header
        replica = pod.replica(request["service"])
        if replica.jail is None or replica.jail.main_process() is None:
            raise ValueError(f"{replica.name} does not run")
        outputs = (Capture(self._loop, _OUTPUT_KEPT), Capture(self._loop, _OUTPUT_KEPT))
        # A memfd is sealed input: nothing in the service can make the agent wait for its reader.
        stdin = wire.sealed(packet.body)
        streams = (stdin, outputs[0].pipe(pod.service_uid), outputs[1].pipe(pod.service_uid))
        timed_out = False

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            joined.kill()

        def finish(code: int, patience: float) -> None:
            if any(output.open for output in outputs) and patience > 0:
                self._loop.later(0.01, lambda: finish(code, patience - 0.01))
                return
            out, err = (output.read(0, _OUTPUT_KEPT) for output in outputs)
            for output in outputs:
                output.close()
            answer({"code": code, "timed_out": timed_out, "split": len(out)}, out + err)

        def ended(code: int) -> None:
            timer.cancel()
            finish(code, _STRAGGLERS_S)

        timer = self._loop.later(request["seconds"], give_up)
        init = replica.jail.init
        assert init is not None
        try:
            joined = Joined(self._loop, replica.cell, init, request["argv"], request["env"], streams, ended)
        finally:
            for fd in streams:
                os.close(fd)

    def _terminal(self, pod: Pod, packet: wire.Packet, answer: Callable[..., None]) -> None:
        request = packet.header
        replica = pod.replica(request["service"])
        if replica.jail is None or replica.jail.main_process() is None:
            raise ValueError(f"{replica.name} does not run")
        number = self._next_terminal
        self._next_terminal += 1

        def started(master: int | None) -> None:
            if master is None:
                answer({"error": "engine-error", "message": f"{replica.name} has just ended"})
                return
            answer({"terminal": number}, b"", [master])
            os.close(master)

        def ended(code: int) -> None:
            self._terminals.pop(number, None)

        init = replica.jail.init
        assert init is not None
        argv = request["argv"] or replica.spec["shell"]
        env = {"TERM": "xterm-256color"}
        self._terminals[number] = Joined(self._loop, replica.cell, init, argv, env, None, ended, started)

    def _attach(self, pod: Pod, packet: wire.Packet, answer: Callable[..., None]) -> None:
        name = packet.header["member"]["name"]
        files = wire.unpack_files(packet.body)
        stdin, stdout = packet.fds
        pod.attach(
            packet.header["member"],
            files,
            (stdin, stdout),
            lambda code: self._say({"event": "member", "member": name, "code": code}),
        )
        answer({})

    def _changed(self) -> None:
        if self._dirty is None:
            wait = max(0.0, self._pushed_at + _PUSH_PAUSE_S - time.monotonic())
            self._dirty = self._loop.later(wait, self._push)

    def _push(self) -> None:
        self._dirty = None
        self._pushed_at = time.monotonic()
        if self._pod is not None and not self._unsent:
            self._say({"event": "status", **self._pod.status()})

    def _say(self, header: dict[str, Any], body: bytes = b"", fds: Any = ()) -> None:
        if not self._unsent:
            try:
                wire.send(self._control, header, body, fds)
                return
            except BlockingIOError:
                self._loop.watch(self._control.fileno(), self._writable, WRITE)
            except OSError:
                self._loop.quit()
                return
        if len(self._unsent) >= _UNSENT_MOST:  # an engine that reads nothing is as good as gone
            self._loop.quit(1)
            return
        self._unsent.append((header, body, [os.dup(fd) for fd in fds]))

    def _writable(self) -> None:
        while self._unsent:
            header, body, fds = self._unsent[0]
            try:
                wire.send(self._control, header, body, fds)
            except BlockingIOError:
                return
            for fd in fds:
                os.close(fd)
            del self._unsent[0]
        self._loop.watch(self._control.fileno(), self._readable)


class _Dial:
    """A connection to a service in the making; hands the connected socket over."""

    def __init__(
        self, loop: Loop, address: str, port: int, timeout: float, answer: Callable[..., None], dials: set[_Dial]
    ) -> None:
        self._loop = loop
        self._answer = answer
        self._dials = dials
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._timer = loop.later(timeout, lambda: self._finish(errno.ETIMEDOUT))
        code = self._socket.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            loop.watch(self._socket.fileno(), self._connected, WRITE)
        else:
            loop.later(0, lambda: self._finish(code))

    def _connected(self) -> None:
        if self._socket.fileno() >= 0:
            self._finish(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _finish(self, code: int) -> None:
        self._timer.cancel()
        self._dials.discard(self)
        self._loop.forget(self._socket.fileno())
        with self._socket:
            if code:
                self._answer({"refused": os.strerror(code)})
            else:
                self._socket.setblocking(True)
                self._answer({}, b"", [self._socket.fileno()])


def _read(root: str, path: str, limit: int) -> bytes:
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        fd = linux.open_beneath(directory, path, os.O_RDONLY)
    except OSError as error:
        raise NoSuchFile(error.strerror) from None
    finally:
        os.close(directory)
    try:
        state = os.fstat(fd)
        if not stat.S_ISREG(state.st_mode):
            raise NoSuchFile("it is not a regular file")
        if state.st_size > limit:
            raise NoSuchFile(f"it has {state.st_size} bytes, more than {limit}")
        with contextlib.closing(os.fdopen(os.dup(fd), "rb")) as file:
            return file.read(limit)
    finally:
        os.close(fd)
