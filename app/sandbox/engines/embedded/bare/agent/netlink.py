"""Bridges, veth pairs and addresses by rtnetlink; no `ip` binary is needed inside a pod."""

from __future__ import annotations

import os
import socket
import struct

_NEWLINK, _DELLINK, _NEWADDR, _NEWNEIGH, _ERROR = 16, 17, 20, 28, 2
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_ADDRESS, _NDA_HARDWARE, _NUD_PERMANENT = 1, 2, 0x80
_TIMEOUT_S = 5.0
_PORT_ID = 0x534F5459


def _attribute(kind: int, data: bytes) -> bytes:
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + bytes(-size % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _link(index: int = 0, *, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, _IFF_UP if up else 0, _IFF_UP if up else 0)


def mac_of(address: str) -> bytes:
    """A hardware address that follows from the IP address, so that nobody's neighbour table goes stale on a restart."""
    return b"\x02\x00" + socket.inet_aton(address)


class Netlink:
    """Speaks to the network namespace that the process was in when it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(_TIMEOUT_S)
        # Not the kernel's choice, which is our pid: 1, as is that of bubblewrap, which does the same in the same namespace.
        self._socket.bind((_PORT_ID, 0))
        self._sequence = 0

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def add_bridge(self, name: str, address: str) -> None:
        """A bridge that is up, with an address of its own in a /24."""
        info = _attribute(_IFLA_LINKINFO, _text(_INFO_KIND, "bridge"))
        attributes = _text(_IFLA_IFNAME, name) + _attribute(_IFLA_ADDRESS, mac_of(address)) + info
        self._ask(_NEWLINK, _CREATE | _EXCL, _link(up=True) + attributes)
        self.add_address(name, address)

    def add_veth(self, name: str, bridge: str, peer: str, namespace: int, address: str) -> None:
        """A pair: `name` here, a port of `bridge` and up; `peer` in the network namespace behind the descriptor."""
        inside = _link() + _text(_IFLA_IFNAME, peer) + _number(_IFLA_NET_NS_FD, namespace)
        inside += _attribute(_IFLA_ADDRESS, mac_of(address))
        info = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, inside))
        attributes = _text(_IFLA_IFNAME, name) + _number(_IFLA_MASTER, socket.if_nametoindex(bridge))
        self._ask(_NEWLINK, _CREATE | _EXCL, _link(up=True) + attributes + _attribute(_IFLA_LINKINFO, info))

    def add_address(self, name: str, address: str) -> None:
        """Give a /24 address to an interface."""
        raw = socket.inet_aton(address)
        message = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, socket.if_nametoindex(name))
        self._ask(_NEWADDR, _CREATE | _EXCL, message + _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw))

    def add_neighbour(self, name: str, address: str) -> None:
        """Know the hardware address behind an address for good, so that nothing is ever asked or lost on the way."""
        message = struct.pack("=BxxxiHBB", socket.AF_INET, socket.if_nametoindex(name), _NUD_PERMANENT, 0, 0)
        message += _attribute(_NDA_ADDRESS, socket.inet_aton(address)) + _attribute(_NDA_HARDWARE, mac_of(address))
        self._ask(_NEWNEIGH, _CREATE | _REPLACE, message)

    def set_up(self, name: str) -> None:
        """Bring an interface up."""
        self._ask(_NEWLINK, 0, _link(socket.if_nametoindex(name), up=True))

    def delete(self, name: str) -> None:
        """Delete an interface, and its peer with it."""
        self._ask(_DELLINK, 0, _link(socket.if_nametoindex(name)))

    def _ask(self, kind: int, flags: int, payload: bytes) -> None:
        self._sequence += 1
        head = struct.pack("=IHHII", 16 + len(payload), kind, _REQUEST | _ACK | flags, self._sequence, 0)
        self._socket.send(head + payload)
        while True:
            answer = self._socket.recv(65536)
            _, answer_kind, _, sequence, _ = struct.unpack_from("=IHHII", answer)
            if sequence == self._sequence and answer_kind == _ERROR:
                code = -struct.unpack_from("=i", answer, 16)[0]
                if code:
                    raise OSError(code, f"netlink: {os.strerror(code)}")
                return
