"""One decoder for each protocol; what is listed here is what a tap can be asked to speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from ..decoder import Decoder, Kinds
from . import amqp, grpc, http, postgres, tcp

#: protocol -> a new decoder for a connection of this number
DECODERS: Mapping[str, Callable[[int], Decoder]] = {
    "tcp": tcp.Tcp,
    "http": http.Http,
    "grpc": grpc.Grpc,
    "amqp": amqp.Amqp,
    "postgres": postgres.Postgres,
}
KINDS: Mapping[str, Kinds] = {
    "tcp": tcp.KINDS,
    "http": http.KINDS,
    "grpc": grpc.KINDS,
    "amqp": amqp.KINDS,
    "postgres": postgres.KINDS,
}
#: protocol -> why an action is impossible on these kinds (no kinds: on bytes); empty when it is possible
CANNOT: Mapping[str, Callable[[str, Set[str]], str]] = {
    "tcp": tcp.cannot,
    "http": http.cannot,
    "grpc": grpc.cannot,
    "amqp": amqp.cannot,
    "postgres": postgres.cannot,
}
