"""Using up what others need (S11-S16): the attacker meets its limit, and says so; the same attempt under a wider limit goes on.

How fast a neighbour answers meanwhile is measured in tests/bench/test_neighbours.py; here it must answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine, SpawnerHandle
from app.sandbox.model import Limits, LimitStrength, SandboxSpec, ServiceState
from tests.attacks.corpus import attack
from tests.pods import (
    alive,
    http_get,
    idle,
    launched,
    processes_below,
    python,
    replica,
    sandbox,
    started,
    until,
    until_state,
    web,
)  # fmt: skip

pytestmark = pytest.mark.anyio
BOMB = "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)"
TAKES = "import time\nx = []\nwhile True: x.append(bytearray(4 << 20)); time.sleep(0.005)"
HOLDS = "import time\nx = bytearray({mb} << 20)\nprint('fine', flush=True)\ntime.sleep(600)"
FLOOD = "import sys\nline = 'x' * 4095 + '\\n'\nwhile True: sys.stdout.write(line)"
SPIN = "import os\nfor _ in range(7): os.fork() == 0\nwhile True: pass"


@pytest.fixture(scope="module")
async def neighbour(embedded: EmbeddedEngine) -> AsyncIterator[SandboxSpec]:
    spec = await launched(embedded, sandbox())
    yield spec
    assert (await http_get(embedded, spec, "web")).startswith("web ")
    assert replica(await embedded.status(spec.id), "web").restarts == 0
    await embedded.stop(spec.id)


@pytest.fixture(scope="module")
async def strength(embedded: EmbeddedEngine) -> dict[str, LimitStrength]:
    """Whether the kernel enforces each limit here, or we watch."""
    return dict((await embedded.doctor()).limits)


async def answers(engine: EmbeddedEngine, spec: SandboxSpec, within: float = 3.0) -> None:
    start = time.monotonic()
    assert (await asyncio.wait_for(http_get(engine, spec, "web"), within)).startswith("web ")
    assert time.monotonic() - start < within


async def most_processes(engine: EmbeddedEngine, spawner: SpawnerHandle, bombs: int, pids: int) -> int:
    """How many processes that many fork bombs with this ceiling come to; they are killed within five seconds."""
    before = len(processes_below(spawner.process.pid))
    services = [idle(f"bomb{number}", BOMB, limits=Limits(pids=pids)) for number in range(bombs)]
    spec = await launched(engine, sandbox(web(), *services, pids=bombs * (pids + 40) + 200, cpus=2.0))
    own = len(services) * 3 + 8  # the pod's own, and bubblewrap's two for each service
    most = last = 0
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        last = len(processes_below(spawner.process.pid)) - before
        most = max(most, last)
    await answers(engine, spec)
    start = time.monotonic()
    for service in services:
        await engine.kill(spec.id, service.name)
    assert time.monotonic() - start < 5
    status = await engine.status(spec.id)
    assert all(replica(status, service.name).state is ServiceState.CRASHED for service in services)
    await engine.stop(spec.id)
    return most - own


@attack("S11", control="most_processes")
async def test_s11_fork_bombs_are_held_and_killed(
    embedded: EmbeddedEngine, neighbour: SandboxSpec, spawner: SpawnerHandle
) -> None:
    one = await most_processes(embedded, spawner, 1, 40)
    assert 20 < one <= 45
    await answers(embedded, neighbour)
    five = await most_processes(embedded, spawner, 5, 20)
    assert 50 < five <= 5 * 24
    await answers(embedded, neighbour)
    # The control: with a wider ceiling the same bomb goes beyond
    assert await most_processes(embedded, spawner, 1, 90) > 60


async def killed_for_memory(engine: EmbeddedEngine, code: str, limits: Limits) -> str:
    """What the status says of a service that ends by itself; empty when it is well after two seconds."""
    spec = sandbox(web(), idle("bomb", code, limits=limits), memory_mb=400)
    await started(engine, spec)
    deadline = time.monotonic() + 2
    found = ""
    while time.monotonic() < deadline and not found:
        await asyncio.sleep(0.1)
        status = await engine.status(spec.id)
        found = status.events[0] if status.events and replica(status, "bomb").state is ServiceState.CRASHED else ""
    await answers(engine, spec)
    await engine.stop(spec.id)
    return found


@attack("S12", control="killed_for_memory")
async def test_s12_a_memory_bomb_dies_alone_and_it_is_said_why(embedded: EmbeddedEngine, neighbour: SandboxSpec) -> None:
    swap = _swap_used()
    told = "bomb: killed by the memory limit (64 MiB)"
    assert await killed_for_memory(embedded, TAKES, Limits(memory_mb=64)) == told
    assert await killed_for_memory(embedded, HOLDS.format(mb=90), Limits(memory_mb=64)) == told
    # The control: under a wider limit the same holds its memory in peace
    assert await killed_for_memory(embedded, HOLDS.format(mb=90), Limits(memory_mb=160)) == ""
    await answers(embedded, neighbour)
    assert _swap_used() - swap < 16 << 10


@attack("S12", control="killed_for_memory")
async def test_s12_shared_memory_counts_and_threads_are_counted(
    embedded: EmbeddedEngine, neighbour: SandboxSpec, strength: dict[str, LimitStrength]
) -> None:
    # Given one that fills every scratch, which is memory too
    fill = (
        "import time\n"
        "for top, mb in (('/tmp', 28), ('/data', 28), ('/dev/shm', 15)): open(f'{top}/x', 'wb').write(bytes(mb << 20))\n"
        "print('full', flush=True)\n"
        "x = bytearray(20 << 20)\n"
        "time.sleep(600)"
    )
    if strength["memory"] == "hard":
        assert "memory limit" in await killed_for_memory(embedded, fill, Limits(memory_mb=64))
    assert await killed_for_memory(embedded, fill, Limits(memory_mb=200)) == ""
    # And one that starts ten thousand threads
    spec = await launched(embedded, sandbox(web(limits=Limits(pids=40, memory_mb=128))))
    code = (
        "import threading\n"
        "done = threading.Event(); count = 0\n"
        "try:\n"
        "    while count < 10_000: threading.Thread(target=done.wait, daemon=True).start(); count += 1\n"
        "except RuntimeError: pass\n"
        "print(count, flush=True)\n"
        "import os; os._exit(0)"
    )
    assert 10 < int(await python(embedded, spec, "web", code)) < 45
    await answers(embedded, spec)
    await answers(embedded, neighbour)
    await embedded.stop(spec.id)


@attack("S12", control="killed_for_memory")
async def test_s12_the_whole_sandbox_has_a_ceiling_too(embedded: EmbeddedEngine) -> None:
    services = [idle(name, HOLDS.format(mb=70), limits=Limits(memory_mb=120)) for name in ("a", "b", "c")]
    spec = sandbox(*services, memory_mb=160)
    await started(embedded, spec)
    status = await until(
        embedded, spec, "somebody killed", lambda status: any(s.state is ServiceState.CRASHED for s in status.services)
    )
    assert any(service.state is ServiceState.READY for service in status.services)
    await embedded.stop(spec.id)


FILL = """
import os, json
def fill(path):
    size = 0
    try:
        with open(path, 'wb', 0) as file:
            while size < 64 << 20: size += file.write(bytes(1 << 16))
    except OSError: pass
    if os.path.exists(path): os.unlink(path)
    return size >> 20
def count(folder):
    made = 0
    try:
        while made < 5000: open(f'{folder}/{made}', 'w').close(); made += 1
    except OSError: pass
    for number in range(made): os.unlink(f'{folder}/{number}')
    return made
def sparse(path):
    try:
        with open(path, 'wb') as file: file.truncate(1 << 40)
        return 'sparse'
    except OSError: return 'refused'
tops = ('/tmp', '/data', '/dev/shm')
written = [fill(f'{p}/x') for p in (*tops, '', '/dev', '/workspace', '/usr', '/etc')]
print(json.dumps([written, [count(p) for p in tops], sparse('/data/s')]))
"""


async def filled(engine: EmbeddedEngine, limits: Limits) -> tuple[list[int], list[int], str]:
    """MiB that could be written to each place, files that could be made, and what became of a terabyte of nothing."""
    spec = await launched(engine, sandbox(web(limits=limits)))
    found = json.loads(await python(engine, spec, "web", FILL, timeout=40))
    await engine.stop(spec.id)
    return tuple(found)


@attack("S13", control="filled")
async def test_s13_scratch_is_bounded_in_bytes_and_files(embedded: EmbeddedEngine, tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    written, made, sparse = await filled(embedded, Limits(tmp_mb=4, data_mb=4, inodes=100, memory_mb=256))
    assert written == [4, 4, 16, 0, 0, 0, 0, 0]
    assert all(50 < count < 100 for count in made)
    assert sparse == "refused"
    # The control: with wider limits more is written
    written, made, _ = await filled(embedded, Limits(tmp_mb=20, data_mb=12, inodes=1000, memory_mb=256))
    assert written == [20, 12, 16, 0, 0, 0, 0, 0]
    assert all(900 < count < 1000 for count in made)
    after = os.statvfs(tmp_path)
    assert (free.f_bavail - after.f_bavail) * free.f_frsize < 64 << 20, "nothing of it is on the host's disk"


async def kept_of_a_flood(engine: EmbeddedEngine, neighbour: SandboxSpec, log_kb: int) -> int:
    """Bytes that are kept of endless output; the rest is counted and read no faster than a few MiB a second."""
    spec = await launched(engine, sandbox(idle("flood", FLOOD, limits=Limits(log_kb=log_kb, cpus=0.5)), web()))
    status = await until(engine, spec, "dropped", lambda status: replica(status, "flood").log_dropped > 1 << 20)
    began = time.monotonic()
    await asyncio.sleep(1)  # what comes in a second is measured
    after = replica(await engine.status(spec.id), "flood")
    assert after.log_dropped - replica(status, "flood").log_dropped < (12 << 20) * (time.monotonic() - began)
    assert len((await engine.logs(spec.id, "flood", offset=(log_kb << 10) - 10)).data) == 10
    await answers(engine, spec)
    await answers(engine, neighbour)
    await engine.stop(spec.id)
    return after.log_bytes


@attack("S13", control="kept_of_a_flood")
async def test_s13_a_flood_of_output_is_kept_in_bounds(embedded: EmbeddedEngine, neighbour: SandboxSpec) -> None:
    assert await kept_of_a_flood(embedded, neighbour, 256) == 256 << 10
    assert await kept_of_a_flood(embedded, neighbour, 1024) == 1 << 20


async def cores_used(engine: EmbeddedEngine, spawner: SpawnerHandle, cpus: float) -> float:
    """Cores that eight spinning processes get under a ceiling."""
    spec = await launched(engine, sandbox(web(), idle("spin", SPIN, limits=Limits(cpus=cpus, pids=200)), cpus=2.0, pids=300))
    await answers(engine, spec)
    begun, used = time.monotonic(), _cpu_seconds(spawner.process.pid)
    await asyncio.sleep(2)  # what is used in two seconds is measured
    found = (_cpu_seconds(spawner.process.pid) - used) / (time.monotonic() - begun)
    result = await engine.exec(spec.id, "web", ["/usr/bin/nice", "-n", "-20", "/bin/true"])
    assert b"cannot set niceness" in result.stderr, "nobody asks for more than is due"
    await engine.stop(spec.id)
    return found


@attack("S14", control="cores_used")
async def test_s14_spinning_is_throttled_to_its_quota(
    embedded: EmbeddedEngine, neighbour: SandboxSpec, spawner: SpawnerHandle, strength: dict[str, LimitStrength]
) -> None:
    narrow, wide = await cores_used(embedded, spawner, 0.3), await cores_used(embedded, spawner, 1.5)
    await answers(embedded, neighbour)
    if strength["cpu"] == "hard":
        assert narrow < 0.5
        assert wide > narrow * 1.3
    else:
        assert strength["cpu"] == "soft", "nice: others go first, and nobody is stopped"


async def descriptors(engine: EmbeddedEngine, limit: int) -> int:
    """Sockets that one process can open."""
    spec = await launched(engine, sandbox(web(limits=Limits(nofile=limit))))
    code = "import socket\nx = []\ntry:\n    while True: x.append(socket.socket())\nexcept OSError: print(len(x))"
    found = int(await python(engine, spec, "web", code))
    await engine.stop(spec.id)
    return found


@attack("S15", control="descriptors")
async def test_s15_descriptors_and_sockets_run_out_for_their_owner_only(
    embedded: EmbeddedEngine, neighbour: SandboxSpec
) -> None:
    assert 50 < await descriptors(embedded, 100) < 100
    assert 250 < await descriptors(embedded, 300) < 300
    # Given one that leaves thousands of connections in TIME_WAIT
    spec = await launched(embedded, sandbox(web(), web("other")))
    code = (
        "import socket, time\n"
        "server = socket.create_server(('0.0.0.0', 9000)); end = time.monotonic() + 5; count = 0\n"
        "try:\n"
        "    while count < 65_000 and time.monotonic() < end:\n"
        "        one = socket.create_connection(('127.0.0.1', 9000), 1); one.close(); server.accept()[0].close(); count += 1\n"
        "except OSError: pass\n"
        "print(count, sum(1 for line in open('/proc/net/tcp') if line.split()[3] == '06'))"
    )
    count, waiting = map(int, (await python(embedded, spec, "web", code, timeout=60)).split())
    assert count > 1000
    assert waiting > 100, "they did pile up"
    await answers(embedded, neighbour)
    await embedded.stop(spec.id)


STUBBORN = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT): signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    while True: time.sleep(1)
os.wait()
for _ in range(20):
    if os.fork() == 0: os._exit(0)   # zombies that nobody waits for
print('hiding', flush=True)
while True: time.sleep(1)
"""


def survives_a_polite_signal() -> bool:
    """The control: SIGTERM alone, as a careless platform sends it to all of them, ends nothing."""
    token = f"stubborn-{os.getpid()}"
    with subprocess.Popen([sys.executable, "-c", STUBBORN, token], stdout=subprocess.PIPE, start_new_session=True) as stubborn:
        assert stubborn.stdout
        assert stubborn.stdout.readline() == b"hiding\n"
        everyone = _bearing(token)
        for pid in everyone:
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.3)  # time enough to die of it
        left = _bearing(token)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    return len(left) == 2


def _bearing(token: str) -> set[int]:
    """Processes that were started with this argument; zombies have none."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if token.encode() in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


@attack("S16", control="survives_a_polite_signal")
async def test_s16_what_ignores_everything_is_gone_in_time(embedded: EmbeddedEngine, spawner: SpawnerHandle) -> None:
    assert survives_a_polite_signal()
    before = processes_below(spawner.process.pid)
    spec = await launched(embedded, sandbox(idle("mule", STUBBORN), idle("second", STUBBORN)))
    for name in ("mule", "second"):
        await until(embedded, spec, "hidden", lambda status, n=name: replica(status, n).log_bytes > 0)
    start = time.monotonic()
    await embedded.stop_service(spec.id, "mule", grace=0.3)
    assert 0.25 < time.monotonic() - start < 5
    status = await until_state(embedded, spec, "mule", ServiceState.STOPPED)
    assert (status.exit_code, status.rss_mb < 1) == (137, True)
    # FUSE, with which a process could be made to wait for ever, is not there
    result = await embedded.exec(spec.id, "second", ["/bin/sh", "-c", "ls /dev/fuse"])
    assert result.exit_code != 0
    theirs = processes_below(spawner.process.pid) - before
    start = time.monotonic()
    await embedded.stop(spec.id)
    while alive(theirs):
        assert time.monotonic() - start < 10
        await asyncio.sleep(0.02)


def _cpu_seconds(root: int) -> float:
    """CPU time of everything below a process, the ended children of each included."""
    ticks = 0
    for pid, _ in processes_below(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(fields[index]) for index in (11, 12))
    return ticks / os.sysconf("SC_CLK_TCK")


def _swap_used() -> int:
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(values["SwapTotal"].split()[0]) - int(values["SwapFree"].split()[0])
