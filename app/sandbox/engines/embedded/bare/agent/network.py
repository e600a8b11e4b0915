"""The network of a pod: one or two segments, an address per replica, names by hosts files, no way out.

A segment is a bridge in the pod's namespace; the agent has an address on it, so that it can dial. Nothing is routed
between segments or to the host: the pod has no other interface, forwarding is off, and IPv6 is off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from .. import linux
from .netlink import Netlink

SEGMENTS = {"front": "10.98.1", "back": "10.98.2"}
_FIRST_HOST, _LAST_HOST = 10, 250


class Network:
    """Addresses and interfaces. `hosts(segment)` is the file to bind at /etc/hosts of a service there."""

    def __init__(self, folder: Path, *, two_segments: bool) -> None:
        self.segments = ("front", "back") if two_segments else ("front",)
        self._netlink = Netlink()
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._count = 0
        self._taken: dict[str, set[int]] = {segment: set() for segment in self.segments}
        self._names: dict[str, dict[str, str]] = {segment: {} for segment in self.segments}
        self._folder = folder
        _settle()
        for segment in self.segments:
            self._netlink.add_bridge(segment, f"{SEGMENTS[segment]}.1")
            self._write_hosts(segment)
        self._write_hosts("all")

    def segment_of(self, wanted: str) -> str:
        """The segment that a service is on: all are on one where there is only one."""
        return wanted if wanted in self.segments else self.segments[0]

    def hosts(self, segment: str) -> Path:
        """`segment` may be `all`, for guests of the platform."""
        return self._folder / f"hosts.{segment}"

    def allot(self, segment: str) -> str:
        """A free address of the segment.

        Raises:
            OSError: none is left.
        """
        for host in range(_FIRST_HOST, _LAST_HOST):
            if host not in self._taken[segment]:
                self._taken[segment].add(host)
                address = f"{SEGMENTS[segment]}.{host}"
                self._netlink.add_neighbour(segment, address)
                return address
        raise OSError("no address left")

    def free(self, segment: str, address: str) -> None:
        """Give an address back."""
        self._taken[segment].discard(int(address.rsplit(".", 1)[1]))

    def name(self, segment: str, name: str, address: str | None) -> None:
        """Publish (or, with None, take back) a name; running services see it at once."""
        if address is None:
            self._names[segment].pop(name, None)
        else:
            self._names[segment][name] = address
        self._write_hosts(segment)
        self._write_hosts("all")

    def plug(self, pid: int, addresses: Mapping[str, str]) -> list[str]:
        """Give the network namespace of a process one interface per segment; return the names on our side."""
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ours: list[str] = []
        try:
            for number, (segment, address) in enumerate(addresses.items()):
                self._count += 1
                name = f"v{self._count}"
                self._netlink.add_veth(name, segment, f"eth{number}", namespace, address)
                ours.append(name)
            with self._inside(namespace):
                _settle()
                inside = Netlink()
                try:
                    for number, address in enumerate(addresses.values()):
                        inside.add_address(f"eth{number}", address)
                        inside.set_up(f"eth{number}")
                finally:
                    inside.close()
        except OSError:
            self.unplug(ours)
            raise
        finally:
            os.close(namespace)
        return ours

    def unplug(self, names: list[str]) -> None:
        """Delete our side now: the kernel takes its time with the namespace of a dead process."""
        for name in names:
            with contextlib.suppress(OSError):
                self._netlink.delete(name)

    @contextlib.contextmanager
    def _inside(self, namespace: int) -> Iterator[None]:
        linux.setns(namespace, linux.CLONE_NEWNET)
        try:
            yield
        finally:
            linux.setns(self._own, linux.CLONE_NEWNET)

    def _all_names(self) -> dict[str, str]:
        """For guests: a name that both segments know (an upstream and its tap) means the upstream itself."""
        return {name: address for segment in self.segments for name, address in self._names[segment].items()}

    def _write_hosts(self, segment: str) -> None:
        names = self._names[segment] if segment != "all" else self._all_names()
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
        content = ("\n".join(lines) + "\n").encode()
        # Services have this very file mounted: it is overwritten in place, in one write that never shortens it, so that
        # no reader ever finds it empty or cut.
        fd = os.open(self.hosts(segment), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(fd, content.ljust(os.fstat(fd).st_size), 0)
        finally:
            os.close(fd)


def _settle() -> None:
    """The present network namespace: no forwarding, whatever the host's default is; no IPv6; low ports for everybody."""
    values = {"ipv4/ip_forward": 0, "ipv4/ip_unprivileged_port_start": 0}
    values |= {f"ipv6/conf/{which}/disable_ipv6": 1 for which in ("all", "default")}
    for name, value in values.items():
        path = Path("/proc/sys/net") / name
        if path.exists():  # a kernel without IPv6 has no such switch
            path.write_text(str(value))
