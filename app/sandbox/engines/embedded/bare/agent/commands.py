"""Commands and terminals that the platform opens inside services."""

from __future__ import annotations

import os
from collections.abc import Callable

from .. import wire
from ..loop import Loop
from .capture import Capture
from .join import Joined
from .pod import Pod
from .replica import Replica

_OUTPUT_KEPT = 1 << 20
_STRAGGLERS_S = 0.2
_PATIENCE_S, _POLL_S = 3.0, 0.005


class Commands:
    """Keeps the terminals, so that they can be hung up."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._terminals: dict[int, Joined] = {}
        self._next_terminal = 1

    def run(self, pod: Pod, packet: wire.Packet, answer: Callable[..., None]) -> None:
        """Run a command with the body as its stdin; answers with its code and output, stderr after stdout."""
        replica = pod.replica(packet.header["service"])
        self._when_running(replica, answer, lambda init: self._run(replica, init, packet, answer))

    def _run(self, replica: Replica, init: int, packet: wire.Packet, answer: Callable[..., None]) -> None:
        request = packet.header
        outputs = (Capture(self._loop, _OUTPUT_KEPT), Capture(self._loop, _OUTPUT_KEPT))
        cell = replica.cell
        # A memfd is sealed input: nothing in the service can make the agent wait for its reader.
        streams = (wire.sealed(packet.body), outputs[0].pipe(cell.uid), outputs[1].pipe(cell.uid))
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
        try:
            joined = Joined(self._loop, cell, init, request["argv"], request["env"], streams, ended)
        finally:
            for fd in streams:
                os.close(fd)

    def open_terminal(self, pod: Pod, packet: wire.Packet, answer: Callable[..., None]) -> None:
        """Start a shell on a new terminal; answers with its number and its master side."""
        replica = pod.replica(packet.header["service"])
        self._when_running(replica, answer, lambda init: self._open(replica, init, packet.header["argv"], answer))

    def _open(self, replica: Replica, init: int, argv: list[str], answer: Callable[..., None]) -> None:
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

        env = {"TERM": "xterm-256color"}
        argv = argv or replica.spec["shell"]
        self._terminals[number] = Joined(self._loop, replica.cell, init, argv, env, None, ended, started)

    def hang_up(self, number: int) -> None:
        """End a terminal with everything that was started in it."""
        terminal = self._terminals.pop(number, None)
        if terminal is not None:
            terminal.kill()

    def _when_running(
        self,
        replica: Replica,
        answer: Callable[..., None],
        then: Callable[[int], None],
        patience: float = _PATIENCE_S,
    ) -> None:
        """Call `then` with the tree's init once its command runs: before that, its namespaces are not furnished yet."""
        init = replica.jail.init if replica.jail is not None else None
        if init is not None and replica.jail is not None and replica.jail.main_process() is not None:
            then(init)
        elif replica.jail is None or patience <= 0:
            answer({"error": "engine-error", "message": f"{replica.name} does not run"})
        else:
            again = patience - _POLL_S
            self._loop.later(_POLL_S, lambda: self._when_running(replica, answer, then, again))
