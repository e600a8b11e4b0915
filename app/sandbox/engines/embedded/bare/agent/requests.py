"""What the engine may ask of a pod. Each answer is sent when it is known; nothing here waits."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from .. import wire
from ..loop import WRITE, Loop, Timer
from .commands import Commands
from .dial import Dial
from .pod import MOST_REPLICAS, NoSuchService, Pod
from .reading import NoSuchFile, read_beneath
from .view import WORKSPACE

_PUSH_PAUSE_S = 0.04
_UNSENT_MOST = 2000


class Desk:
    """Takes requests from the control socket and answers them; pushes a status after changes, 25 times a second at most."""

    def __init__(self, loop: Loop, control: socket.socket) -> None:
        self._loop = loop
        self._control = control
        self._pod: Pod | None = None
        self._dirty: Timer | None = None
        self._pushed_at = 0.0
        self._unsent: list[tuple[dict[str, Any], bytes, list[int]]] = []
        self._commands = Commands(loop)
        loop.watch(control.fileno(), self._readable)
        self._say({"event": "hello"})

    def _readable(self) -> None:
        try:
            packet = wire.receive(self._control)
        except BlockingIOError:
            return
        except (OSError, wire.Broken):
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
        elif operation == "release":
            pod.release(request["failure"])
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
            self._commands.hang_up(request["terminal"])
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
            answer({}, read_beneath(str(root), request["path"], request["limit"]))
        elif operation == "dial":
            if replica.jail is None:  # nobody is there who could refuse
                answer({"refused": f"{replica.name} does not run"})
            else:
                Dial(self._loop, replica.address, request["port"], request["seconds"], answer)
        elif operation == "exec":
            self._commands.run(pod, packet, answer)
        elif operation == "terminal":
            self._commands.open_terminal(pod, packet, answer)
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
