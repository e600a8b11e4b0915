"""One decoder for each protocol; what is listed here is what a tap can be asked to speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from ..decoder import Decoder, Kinds
from . import tcp

PROTOCOLS = ("tcp", "http", "grpc", "amqp", "postgres")
#: protocol -> a new decoder for a connection of this number
DECODERS: Mapping[str, Callable[[int], Decoder]] = dict.fromkeys(PROTOCOLS, tcp.Tcp)
KINDS: Mapping[str, Kinds] = dict.fromkeys(PROTOCOLS, tcp.KINDS)
#: protocol -> why an action is impossible on these kinds (no kinds: on bytes); empty when it is possible
CANNOT: Mapping[str, Callable[[str, Set[str]], str]] = dict.fromkeys(PROTOCOLS, tcp.cannot)
