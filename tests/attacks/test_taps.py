"""An upstream around its tap (security.md G17): what a learner's service tries that knows every address, and what it finds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import Limits, MemberSpec, ReadyProbe, SandboxSpec, ServiceSpec
from app.sandbox.taps.bundle import COMMAND, tap_files
from app.sandbox.taps.model import TapPlan
from tests.attacks.corpus import attack
from tests.pods import PYTHON, idle, launched, replica, sandbox

pytestmark = pytest.mark.anyio
#: Of the upstream: the one that has an edge, and those of other brokers, databases and services.
PORTS = (5672, 4369, 5432, 8000, 8080, 15672, 25672)
BROKER = """
import selectors, socket
ready = selectors.DefaultSelector()
for port in PORTS:
    ready.register(socket.create_server(("0.0.0.0", port), backlog=64), selectors.EVENT_READ)
while True:
    for key, _ in ready.select():
        connection, _ = key.fileobj.accept()
        connection.sendall(b"the real one")
        connection.close()
"""
#: Prints what could be reached, and how every attempt at it ended.
PROBE = r"""
import errno, fcntl, glob, json, os, select, socket, struct, sys, time
know = json.loads(sys.argv[1])
found = {"answers": {}}

def attempt(name, action):
    try:
        found[name] = action()
    except BaseException as error:
        found[name] = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)

def knock(target, family=socket.AF_INET, prepare=None, patience=2):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(patience)
        if prepare:
            prepare(probe)
        probe.connect(target)
        try:
            return probe.recv(64).decode() or "connected"
        except OSError as error:
            return f"connected, {errno.errorcode.get(error.errno or 0, 'silence')}"

def scan(name, hosts, ports):
    ended, answers = {}, {}
    for host in hosts:
        for port in ports:
            with socket.socket() as probe:
                probe.settimeout(1)
                code = probe.connect_ex((host, port))
                listens = code in (0, errno.ECONNRESET)  # who is not welcome may be reset before connect returns
                word = "connected" if listens else errno.errorcode[code]
                ended[word] = ended.get(word, 0) + 1
                if listens:
                    answers[f"{host}:{port}"] = word
    found[name] = ended
    found["answers"] |= answers

ports = know["ports"]
def device(probe):
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\0")

# Whoever answers on the wire itself, whatever the routes say: all at once, since silence takes its time
def scan_wire(hosts, port):
    probes = {}
    for host in hosts:
        probe = socket.socket()
        device(probe)
        probe.setblocking(False)
        probe.connect_ex((host, port))
        probes[probe] = host
    time.sleep(1.5)
    return [host for probe, host in probes.items() if probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            and select.select([], [probe], [], 0)[1]]

behind = [f"{know['behind']}.{host}" for host in range(1, 255)]
scan("the segment behind", behind if know["whole"] else [know["upstream"]], ports)
attempt("the segment behind, on the wire", lambda: scan_wire(behind, 5672))
scan("every port of the upstream", [know["upstream"]], range(1, 65536))
scan("every port of the tap", [know["tap"]], range(1, 65536))
scan("the keeper of the pod", ["10.98.1.1", "10.98.2.1"], [*ports, 22, 80, 443])
attempt("by name", lambda: knock(("broker", 5672)))
for port in ports[1:]:
    attempt(f"by name, {port}", lambda: knock(("broker", port)))
FREEBIND, TRANSPARENT = 15, 19
def spoofing(address, *options):
    def prepare(probe):
        for option in options:
            probe.setsockopt(socket.IPPROTO_IP, option, 1)
        probe.bind((address, 0))
    return prepare
attempt("as a neighbour", lambda: knock((know["tap"], 5672), prepare=spoofing(know["neighbour"])))
attempt("as a neighbour, unbound", lambda: knock((know["tap"], 5672), prepare=spoofing(know["neighbour"], FREEBIND)))
attempt("as a neighbour, transparent", lambda: knock((know["tap"], 5672), prepare=spoofing(know["neighbour"], TRANSPARENT)))
attempt("as the tap, behind", lambda: knock((know["upstream"], 5672), prepare=spoofing("10.98.2.11", FREEBIND)))
attempt("routes ignored", lambda: knock((know["upstream"], 5672), prepare=lambda p: p.setsockopt(1, socket.SO_DONTROUTE, 1)))
# A loose source route: the address that is connected to is the hop before the last one
routed = lambda probe: probe.setsockopt(0, socket.IP_OPTIONS, bytes([1, 131, 7, 4]) + socket.inet_aton(know["upstream"]))
attempt("routed over the tap", lambda: knock((know["tap"], 5672), prepare=routed))
attempt("routed over the keeper", lambda: knock(("10.98.1.1", 5672), prepare=routed))
for index in (1, 2, 3):
    attempt(f"over IPv6, {index}", lambda: knock((f"fe80::{index}", 5672, 0, 2), family=socket.AF_INET6))
attempt("the tap's place", lambda: socket.socket().bind((know["tap"], 5672)))
attempt("the upstream's place", lambda: socket.socket().bind((know["upstream"], 5672)))
attempt("frames", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)).close())
attempt("packets", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 6).close())
def ask_kernel(number, data):
    with socket.socket() as probe:
        fcntl.ioctl(probe, number, data)
address = lambda text: struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
attempt("another address", lambda: ask_kernel(0x8916, struct.pack("16s", b"eth0") + address("10.98.2.99")))
attempt("another neighbour", lambda: ask_kernel(0x8955, address(know["tap"]) + bytes(16) + struct.pack("i", 6) + bytes(32)))
attempt("another route", lambda: ask_kernel(0x890B, bytes(8) + address("10.98.2.0") + bytes(88)))
def netlink(kind, payload):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(2)
        kernel.send(struct.pack("=IHHII", 16 + len(payload), kind, 0x605, 1, 0) + payload)
        code = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
        if code:
            raise OSError(code, "")
new = struct.pack("=BBBBI", socket.AF_INET, 16, 0, 0, 2) + b"".join(
    struct.pack("=HH", 8, kind) + socket.inet_aton("10.98.2.99") for kind in (1, 2))
attempt("an address by netlink", lambda: netlink(20, new))
attempt("names", lambda: open("/etc/hosts", "a").close())
attempt("the tap's files", lambda: os.listdir("/member"))
found["networks"] = sorted(name for _, name in socket.if_nameindex())
found["processes"] = [open(path, "rb").read().decode() for path in glob.glob("/proc/[0-9]*/cmdline")]
found["known"] = open("/etc/hosts").read()
print(json.dumps(found))
"""

#: How an attempt ends that reaches nobody; which one it is differs between kernels.
NOWHERE = ("EINVAL", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETUNREACH", "EHOSTUNREACH", "EPERM", "TimeoutError")
ROUNDABOUT = ("as a neighbour, unbound", "as the tap, behind", "routes ignored")
ROUTED = ("routed over the tap", "routed over the keeper")
OVER_IPV6 = ("over IPv6, 1", "over IPv6, 2", "over IPv6, 3")
POWERS = (
    "as a neighbour, transparent", "frames", "packets", "another address", "another neighbour", "another route",
    "an address by netlink",
)  # fmt: skip


def upstream(segment: str) -> ServiceSpec:
    """Answers on every port with a sentence."""
    code = BROKER.replace("PORTS", repr(PORTS))
    changes: dict[str, Any] = {"given": True, "workspace": False, "segment": segment, "ready": ReadyProbe("tcp", 5672)}
    return idle("broker", code, **changes)


def learners() -> list[ServiceSpec]:
    """`app` has an edge, `other` has none."""
    limits = Limits(cpus=2.0)
    return [idle("app", limits=limits), idle("other", limits=limits)]


async def probed(
    engine: EmbeddedEngine, spec: SandboxSpec, service: str, neighbour: str, tap: str, behind: str = "10.98.2"
) -> dict[str, Any]:
    """Everything that `service` finds out, knowing every address that there is."""
    status = await engine.status(spec.id)
    know = {
        "ports": PORTS,
        "upstream": replica(status, "broker").address,
        "neighbour": replica(status, neighbour).address,
        "tap": tap,
        "behind": behind,
        "whole": behind == "10.98.2",  # where there is a route, silence takes a second for each address
    }
    result = await engine.exec(spec.id, service, [PYTHON, "-c", PROBE, json.dumps(know)], timeout=100)
    assert result.exit_code == 0, result
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
async def tapped(embedded: EmbeddedEngine, tap_image: None) -> AsyncIterator[tuple[SandboxSpec, str]]:
    """A sandbox with a real tap, and the tap's address on the front segment."""
    spec = sandbox(upstream("back"), *learners(), two_segments=True, member_images=("tap", "prober"), cpus=4.0, memory_mb=1024)
    await launched(embedded, spec)
    plan = TapPlan("broker", {5672: "tcp"}, (("app", 5672),))
    files = {**tap_files(), "tap.json": plan.as_json()}
    tap = await embedded.attach(spec.id, MemberSpec(plan.name, "tap", COMMAND, files, stands_for="broker"))
    assert b"ready" in await asyncio.wait_for(tap.stdout.readline(), 20)
    peers = {
        service.address: service.full_name for service in (await embedded.status(spec.id)).services if service.name != "broker"
    }
    tap.stdin.write(json.dumps({"op": "peers", "n": 1, "peers": peers}).encode() + b"\n")
    result = await embedded.exec(spec.id, "app", [PYTHON, "-c", "import socket; print(socket.gethostbyname('broker'))"])
    yield spec, result.stdout.decode().strip()
    await embedded.stop(spec.id)


@attack("G17", control="test_the_same_scan_finds_the_upstream_where_there_is_one_segment")
@pytest.mark.parametrize(("service", "neighbour"), [("app", "other"), ("other", "app")])
async def test_g17_no_way_leads_around_the_tap(
    embedded: EmbeddedEngine, tapped: tuple[SandboxSpec, str], service: str, neighbour: str
) -> None:
    spec, tap = tapped
    found = await probed(embedded, spec, service, neighbour, tap)
    # The segment behind does not exist for it: no interface, no route, not one connection
    assert found["networks"] == ["eth0", "lo"]
    assert found["the segment behind"] == {"ENETUNREACH": 254 * len(PORTS)}
    assert found["the segment behind, on the wire"] == []
    assert found["every port of the upstream"] == {"ENETUNREACH": 65535}
    # The tap has the one port that the edge names, and the keeper has none
    assert found["every port of the tap"] == {"connected": 1, "ECONNREFUSED": 65534}
    assert "connected" not in found["the keeper of the pod"]
    assert found["answers"] == {f"{tap}:5672": "connected"}
    # The upstream answers only whom an edge lets through
    assert found["by name"] in (["the real one"] if service == "app" else ["connected, ECONNRESET", "ECONNRESET"])
    assert {found[f"by name, {port}"] for port in PORTS[1:]} == {"ECONNREFUSED"}
    # Nobody can be somebody else, or stand where the tap stands
    for name in ("as a neighbour", "the tap's place", "the upstream's place"):
        assert found[name] == "EADDRNOTAVAIL", name
    for name in (*ROUNDABOUT, *ROUTED, *OVER_IPV6):
        assert found[name] in NOWHERE, (name, found[name])
    for name in POWERS:
        assert found[name] in ("EPERM", "EACCES", "EAFNOSUPPORT"), (name, found[name])
    # And the tap itself cannot be seen
    assert found["names"] in ("EROFS", "EACCES")
    assert found["the tap's files"] in ([], "ENOENT")
    assert not any("/member/run.py" in line for line in found["processes"])
    assert replica(await embedded.status(spec.id), "broker").address not in found["known"]


async def test_the_same_scan_finds_the_upstream_where_there_is_one_segment(embedded: EmbeddedEngine) -> None:
    # Given the same services on one network
    spec = await launched(embedded, sandbox(upstream("front"), *learners(), cpus=4.0, memory_mb=1024))
    address = replica(await embedded.status(spec.id), "broker").address
    found = await probed(embedded, spec, "other", "app", address, behind="10.98.1")
    # Then every port is open, by address, on the wire and by name, and the real one answers
    assert found["the segment behind, on the wire"] == [address]
    assert set(found["answers"]) == {f"{address}:{port}" for port in PORTS}
    assert found["every port of the upstream"] == {"connected": len(PORTS), "ECONNREFUSED": 65535 - len(PORTS)}
    assert {found["by name"], *(found[f"by name, {port}"] for port in PORTS[1:])} == {"the real one"}
    await embedded.stop(spec.id)
