"""Leaving over the network (S09, S10, S20): the host, the cloud, the internet, and the sandbox next door."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import SandboxSpec
from tests.attacks.corpus import attack
from tests.attacks.weak import jailed
from tests.pods import PORT, PYTHON, launched, python, sandbox, web
from tests.product import TOP

pytestmark = pytest.mark.anyio
PATIENCE = 3.0  #: seconds within which every connect must have failed
#: Target -> (IPv4, IPv6, port); the port 0 stands for a listener of the host that really answers.
TARGETS = {
    "host loopback": ("127.0.0.1", "::1", 0),
    "gateway, listener": ("10.98.1.1", "fe80::1%eth0", 0),
    "gateway, ssh": ("10.98.1.1", "fe80::1%eth0", 22),
    "gateway, web": ("10.98.1.1", "fe80::1%eth0", 8000),
    "gateway, streams": ("10.98.1.1", "fe80::1%eth0", 8001),
    "gateway, database": ("10.98.1.1", "fe80::1%eth0", 5432),
    "gateway, broker": ("10.98.1.1", "fe80::1%eth0", 5672),
    "loopback, web": ("127.0.0.1", "::1", 8001),
    "loopback, database": ("127.0.0.1", "::1", 5432),
    "loopback, broker": ("127.0.0.1", "::1", 5672),
    "loopback, docker": ("127.0.0.1", "::1", 2375),
    "cloud metadata": ("169.254.169.254", "fd00:ec2::254", 80),
    "docker bridge": ("172.17.0.1", "fd00:d0c::1", 2375),
    "docker bridge, TLS": ("172.17.0.1", "fd00:d0c::1", 2376),
    "private network": ("10.0.0.1", "fc00::1", 80),
    "home router": ("192.168.0.1", "fe80::2%eth0", 80),
    "carrier network": ("100.64.0.1", "64:ff9b::a00:1", 443),
    "name server": ("8.8.8.8", "2001:4860:4860::8888", 53),
    "internet": ("192.0.2.1", "2001:db8::1", 443),
    "the other segment": ("10.98.2.1", "fe80::3%eth0", 8000),
}
PROBE = r"""
import errno, json, os, socket, sys, time
targets = json.loads(sys.argv[1])
found = {}
def attempt(name, action):
    begun = time.monotonic()
    try:
        action()
        answer = "ok"
    except BaseException as error:
        answer = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
    found[name] = (answer, round(time.monotonic() - begun, 2))
def connect(family, address, port):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(4)
        probe.connect(socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4])
def send(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(2)
        probe.sendto(b"\0" * 12 + b"\7canary\0\0\1\0\1", (address, port))
        probe.recv(512)
for name, (four, six, port) in targets["connect"].items():
    attempt(f"{name} v4", lambda: connect(socket.AF_INET, four, port))
    attempt(f"{name} v6", lambda: connect(socket.AF_INET6, six, port))
for address in ("8.8.8.8", "10.98.1.1", "127.0.0.53", "169.254.169.254"):
    attempt(f"query {address}", lambda: send(address, 53))
for name in targets["names"]:
    attempt(f"name {name}", lambda: socket.getaddrinfo(name, 80))
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\0" + targets["abstract"]))
for name, family in {"packet": 17, "vsock": 40, "alg": 38, "tipc": 30, "netlink routes": 16}.items():
    kind = socket.SOCK_RAW if family in (16, 17) else socket.SOCK_DGRAM
    attempt(f"socket {name}", lambda: socket.socket(family, kind).close())
attempt("socket raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def bait() -> Iterator[dict[str, object]]:
    """Listeners of the host: a port of both families that the pod's own network might lead to, and an abstract socket."""
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0soty-bait-{os.getpid()}")
    abstract.listen()
    port = both.getsockname()[1]
    targets = {name: (four, six, number or port) for name, (four, six, number) in TARGETS.items()}
    names = ["host.docker.internal", "gateway.docker.internal", "kubernetes.default", "host.containers.internal"]
    names += ["metadata.google.internal", f"{'a' * 60}.tunnel.example.com", socket.gethostname() or "localhost.localdomain"]
    yield {"connect": targets, "names": names, "abstract": f"soty-bait-{os.getpid()}"}
    both.close()
    abstract.close()


@pytest.fixture(scope="module")
def outside(bait: dict[str, object]) -> dict[str, list[object]]:
    """The control: from the host the listeners are reached, over both families, and names of the host are known."""
    near = dict(list(bait["connect"].items())[:1])
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps({**bait, "connect": near, "names": ["localhost"]})],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def with_rights() -> dict[str, list[object]]:
    """The control: with the rights that we take away, raw sockets open."""
    argv = jailed(sys.executable, "-c", PROBE, json.dumps({"connect": {}, "names": [], "abstract": "x"}))
    return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)


@attack("S09", "S20", control="outside")
async def test_s09_s20_it_reaches_no_network_and_no_name_but_its_own(
    embedded: EmbeddedEngine, bait: dict[str, object], outside: dict[str, list[object]]
) -> None:
    assert (outside["host loopback v4"][0], outside["host loopback v6"][0], outside["abstract"][0]) == ("ok", "ok", "ok")
    assert outside["name localhost"][0] == "ok"
    spec = await launched(embedded, sandbox())
    result = await embedded.exec(spec.id, "web", [PYTHON, "-c", PROBE, json.dumps(bait)], timeout=120)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    connects = {name: tuple(answer) for name, answer in found.items() if name.endswith((" v4", " v6"))}
    assert len(connects) == 2 * len(TARGETS) == 40
    refused = {"ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH", "EINVAL", "ENODEV", "gaierror"}
    bad = {name: answer for name, answer in connects.items() if answer[0] not in refused or answer[1] > PATIENCE}
    assert not bad
    others = {
        name: tuple(answer)
        for name, answer in found.items()
        if name.startswith(("query ", "name ", "abstract")) and name not in connects
    }
    assert len(others) == 4 + 7 + 1
    bad = {name: answer for name, answer in others.items() if answer[0] == "ok" or answer[1] > PATIENCE}
    assert not bad
    await embedded.stop(spec.id)


@attack("S20", control="listening_of_the_host")
async def test_s20_no_port_of_a_sandbox_is_open_on_the_host(embedded: EmbeddedEngine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as control:
        assert control.getsockname()[1] in listening_of_the_host()
    before = listening_of_the_host()
    spec = await launched(embedded, sandbox(web(), web("other")))
    new = listening_of_the_host() - before
    assert PORT not in new
    for port in new:  # somebody else's work on this machine; ours would say the name of a service
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert b"other " not in probe.recv(4096)
    await embedded.stop(spec.id)


def listening_of_the_host() -> set[int]:
    """TCP ports on which somebody listens in the host's network namespace."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


@attack("S10", control="with_rights")
async def test_s10_it_opens_no_raw_or_foreign_socket(embedded: EmbeddedEngine, with_rights: dict[str, list[object]]) -> None:
    spec = await launched(embedded, sandbox())
    ask = json.dumps({"connect": {}, "names": [], "abstract": "x"})
    found = json.loads((await embedded.exec(spec.id, "web", [PYTHON, "-c", PROBE, ask], timeout=30)).stdout)
    sockets = {name: answer[0] for name, answer in found.items() if name.startswith("socket ")}
    assert sockets.pop("socket netlink routes") in ("ok", "EAFNOSUPPORT")  # to read routes takes no rights, to change them does
    assert set(sockets.values()) <= {"EAFNOSUPPORT", "EPERM"}, sockets
    assert sockets["socket vsock"] == "EAFNOSUPPORT"
    assert (with_rights["socket raw"][0], with_rights["socket packet"][0]) == ("ok", "ok")
    await embedded.stop(spec.id)


LISTEN = """
import http.server, os, socket, threading
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("0.0.0.0", 9999))
count = 0
def listen():
    global count
    while heard.recv(64): count += 1
threading.Thread(target=listen, daemon=True).start()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.environ['SOTY_SERVICE']} {count}".encode())
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
SCAN = """
import socket, subprocess
voice = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
voice.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
reached = []
for host in [f"10.98.1.{n}" for n in range(1, 255)] + ["10.98.1.255", "255.255.255.255", "224.0.0.1"]:
    try: voice.sendto(b"boo", (host, 9999))
    except OSError: pass
for n in range(1, 40):
    with socket.socket() as probe:
        probe.settimeout(0.3)
        if probe.connect_ex((f"10.98.1.{n}", 8000)) == 0: reached.append(n)
"""


@pytest.fixture
async def same_network(embedded: EmbeddedEngine) -> tuple[int, int]:
    """The control: whom the scan reaches in the attacker's own sandbox, and what the other service there hears."""
    spec = await launched(embedded, sandbox(web(), web("other"), files={"main.py": LISTEN.encode()}))
    reached = json.loads(await python(embedded, spec, "web", SCAN + "print(reached)", timeout=60))
    heard = await python(embedded, spec, "other", FETCH)
    await embedded.stop(spec.id)
    return len(reached), int(heard.split()[1])


FETCH = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/', timeout=3).read().decode())"


@attack("S10", control="same_network")
async def test_s10_a_scan_stays_in_its_own_sandbox(embedded: EmbeddedEngine, same_network: tuple[int, int]) -> None:
    assert same_network[0] >= 2
    assert same_network[1] >= 1
    # Given a neighbour, and an attacker with nobody else in the sandbox
    neighbour = await launched(embedded, sandbox(web("victim"), files={"main.py": LISTEN.encode()}))
    spec: SandboxSpec = await launched(embedded, sandbox(web("attacker"), files={"main.py": LISTEN.encode()}))
    reached = json.loads(await python(embedded, spec, "attacker", SCAN + "print(reached)", timeout=60))
    # Then it reaches itself alone, and the neighbour hears nothing
    assert len(reached) == 1
    assert await python(embedded, neighbour, "victim", FETCH) == "victim 0"
    await embedded.stop(neighbour.id)
    await embedded.stop(spec.id)


STEAL = """
import socket, subprocess
theirs = socket.gethostbyname("other")
found = []
for address in (theirs, "10.98.1.1"):
    try:
        socket.create_server((address, 8000))
        found.append("bound")
    except OSError as error: found.append(error.errno)
changes = [
    ["ip", "addr", "add", theirs + "/24", "dev", "eth0"], ["ip", "link", "set", "eth0", "promisc", "on"],
    ["ip", "neigh", "replace", theirs, "lladdr", "02:00:00:00:00:01", "dev", "eth0"],
]
for change in changes:
    found.append(subprocess.run(change, capture_output=True).returncode)
print(found)
"""


@pytest.fixture(scope="module")
def with_the_right_to() -> list[int]:
    """The control: with rights over its network the same changes are made."""
    code = (
        "import socket\n"
        "from app.sandbox.engines.embedded.bare.agent.netlink import Netlink\n"
        "Netlink().add_bridge('mine', '10.98.1.77')\n"
        "print([socket.create_server(('10.98.1.77', 8000)).getsockname()[1]])"
    )
    done = subprocess.run(jailed(sys.executable, "-c", code), cwd=TOP, capture_output=True, check=True, timeout=30)
    return json.loads(done.stdout)


@attack("S10", control="with_the_right_to")
async def test_s10_it_takes_no_address_of_another_service(embedded: EmbeddedEngine, with_the_right_to: list[int]) -> None:
    assert with_the_right_to == [PORT]
    spec = await launched(embedded, sandbox(web(), web("other")))
    answers = json.loads(await python(embedded, spec, "web", STEAL))
    assert answers[:2] == [99, 99]  # EADDRNOTAVAIL
    assert all(code != 0 for code in answers[2:])
    fetch = "import urllib.request as u; print(u.urlopen('http://other:8000/', timeout=3).read().decode())"
    assert (await python(embedded, spec, "web", fetch)).startswith("other ")
    await embedded.stop(spec.id)
