"""What passes a tap is what was sent, byte for byte: real conversations, broken ones and noise, decoded first or after."""

from __future__ import annotations

import random
import socket
import threading

import pytest

from tests.recordings import Chunk
from tests.tap_process import Server, TapProcess, exactly
from tests.unit.test_tap_fuzz import PROTOCOLS, mutated, turns

DOWN = {"http": "response", "amqp": "deliver", "postgres": "error", "grpc": "message"}
UP = {"http": "request", "amqp": "publish", "postgres": "statement", "grpc": "message"}
ROUNDS = 25


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def play(tap: TapProcess, server: Server, conversation: list[Chunk], draw: random.Random) -> None:
    """Both sides say their part at once, in random pieces; each must hear the other's."""
    said = {way: b"".join(data for direction, data in conversation if direction == way) for way in ("up", "down")}
    with tap.connect() as client, server.accept() as upstream:
        pieces = {way: draw.choice((7, 500, 5000, 100_000)) for way in said}

        def say(sock: socket.socket, way: str) -> None:
            for at in range(0, len(said[way]), pieces[way]):
                sock.sendall(said[way][at : at + pieces[way]])
            sock.shutdown(socket.SHUT_WR)

        speakers = [threading.Thread(target=say, args=pair) for pair in ((client, "up"), (upstream, "down"))]
        for speaker in speakers:
            speaker.start()
        try:
            assert exactly(upstream, len(said["up"])) == said["up"]
            assert upstream.recv(1) == b""
            assert exactly(client, len(said["down"])) == said["down"]
            assert client.recv(1) == b""
        finally:
            for speaker in speakers:
                speaker.join()


def take_turns(tap: TapProcess, server: Server, conversation: list[Chunk]) -> None:
    """As it was recorded: each says something when it has heard what was said before."""
    with tap.connect() as client, server.accept() as upstream:
        for direction, data in conversation:
            speaker, listener = (client, upstream) if direction == "up" else (upstream, client)
            speaker.sendall(data)
            assert exactly(listener, len(data)) == data


@pytest.mark.parametrize("armed", [False, True], ids=["transparent", "frame by frame"])
def test_what_passes_is_what_was_sent(server: Server, protocol: str, armed: bool) -> None:
    draw = random.Random(f"{protocol} {armed}")
    with TapProcess(protocol, server.port) as tap:
        if armed:  # it waits for a frame that does not come, and looks at all of them
            tap.arm(do="drop", dir="up", when={"kind": UP[protocol], "id": "never"})
            tap.arm("r2", do="drop", dir="down", when={"kind": DOWN[protocol], "id": "never"})
        take_turns(tap, server, turns(protocol))
        assert not tap.trace("undecoded")
        for _ in range(ROUNDS):
            play(tap, server, mutated(protocol, draw.randrange(1 << 30)), draw)
            noise = [(way, draw.randbytes(draw.randint(1, 3000))) for way in ("up", "down")]
            play(tap, server, noise, draw)
        assert not [event for event in tap.trace() if "rule" in event]
        told = tap.trace("undecoded")
        assert len({event["conn"] for event in told}) == len(told)  # once for each connection
        assert not [event for event in told if "in the decoder" in event["why"]]
        assert tap.rss_mb() < 32
