"""Using up what others need (security.md S11-S16): the attacker is held, the neighbour answers, the platform counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine, SpawnerHandle
from app.sandbox.model import Limits, SandboxSpec, ServiceState
from tests.pods import http_get, idle, launched, processes_below, python, replica, sandbox, started, until, until_state, web

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def neighbour(embedded: EmbeddedEngine) -> AsyncIterator[SandboxSpec]:
    spec = await launched(embedded, sandbox())
    yield spec
    assert (await http_get(embedded, spec, "web")).startswith("web ")
    assert replica(await embedded.status(spec.id), "web").restarts == 0
    await embedded.stop(spec.id)


async def answers(engine: EmbeddedEngine, spec: SandboxSpec, within: float = 3.0) -> None:
    start = time.monotonic()
    assert (await asyncio.wait_for(http_get(engine, spec, "web"), within)).startswith("web ")
    assert time.monotonic() - start < within


async def test_s11_a_fork_bomb_is_held_and_killed(
    embedded: EmbeddedEngine, neighbour: SandboxSpec, spawner: SpawnerHandle
) -> None:
    # Given a bomb beside a well-behaved service of the same sandbox
    bomb = "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)"
    # The control: without reaching its ceiling, forking works
    limits = Limits(pids=40)
    spec = await launched(embedded, sandbox(web(), idle("bomb", bomb, limits=limits)))
    before = len(processes_below(spawner.process.pid))
    await asyncio.sleep(0.7)
    count = len(processes_below(spawner.process.pid))
    # Then it stays below its ceiling, both others answer, and it can be killed at once
    assert 20 < count < before + 45
    await answers(embedded, spec)
    await answers(embedded, neighbour)
    start = time.monotonic()
    await embedded.kill(spec.id, "bomb")
    assert time.monotonic() - start < 5
    assert replica(await embedded.status(spec.id), "bomb").state is ServiceState.CRASHED
    await embedded.stop(spec.id)


async def test_s12_a_memory_bomb_dies_alone(embedded: EmbeddedEngine, neighbour: SandboxSpec) -> None:
    # Given a service that takes memory beyond its ceiling, and one that takes less
    bomb = "import time\nx = []\nwhile True: x.append(bytearray(4 << 20)); time.sleep(0.005)"
    modest = "import time\nx = bytearray(40 << 20)\nprint('fine', flush=True)\ntime.sleep(600)"
    limits = Limits(memory_mb=64)
    spec = sandbox(web(), idle("bomb", bomb, limits=limits), idle("modest", modest, limits=limits))
    await started(embedded, spec)
    status = await until(embedded, spec, "killed", lambda status: replica(status, "bomb").state is ServiceState.CRASHED)
    status = await until(embedded, spec, "told", lambda status: bool(status.events))
    # Then only the first is killed, and it is said why
    assert replica(status, "bomb").signal == 9
    assert replica(status, "bomb").out_of_memory
    assert status.events == ("bomb: killed by the memory limit (64 MiB)",)
    assert replica(status, "modest").state is ServiceState.READY
    await answers(embedded, spec)
    await answers(embedded, neighbour)
    await embedded.stop(spec.id)


async def test_s12_s13_scratch_is_bounded_in_bytes_and_files(embedded: EmbeddedEngine) -> None:
    limits = Limits(tmp_mb=4, data_mb=4, inodes=100)
    spec = await launched(embedded, sandbox(web(limits=limits)))
    code = (
        "import os\n"
        "def fill(path):\n"
        "    size = 0\n"
        "    try:\n"
        "        with open(path, 'wb', 0) as file:\n"
        "            while size < 64 << 20: size += file.write(bytes(1 << 16))\n"
        "    except OSError: pass\n"
        "    if os.path.exists(path): os.unlink(path)\n"
        "    return size >> 20\n"
        "def count(folder):\n"
        "    made = 0\n"
        "    try:\n"
        "        while made < 5000: open(f'{folder}/{made}', 'w').close(); made += 1\n"
        "    except OSError: pass\n"
        "    return made\n"
        "print([fill(p) for p in ('/tmp/x', '/data/x', '/dev/shm/x', '/x', '/dev/x', '/workspace/x')], "
        "[count(p) < 100 for p in ('/tmp', '/data', '/dev/shm')])\n"
        "try: os.truncate('/data/gen', 1)\n"
        "except OSError: pass\n"
        "try:\n"
        "    with open('/data/0', 'wb') as file: file.truncate(1 << 40)\n"
        "    print('sparse')\n"
        "except OSError: print('EFBIG')\n"
    )
    # The control is the first three: what is allowed can be written, to its last MiB
    assert await python(embedded, spec, "web", code) == "[4, 4, 16, 0, 0, 0] [True, True, True]\nEFBIG"
    await embedded.stop(spec.id)


async def test_s13_a_flood_of_output_is_kept_in_bounds(embedded: EmbeddedEngine, neighbour: SandboxSpec) -> None:
    flood = "import sys\nline = 'x' * 4095 + '\\n'\nwhile True: sys.stdout.write(line)"
    spec = await launched(embedded, sandbox(idle("flood", flood, limits=Limits(log_kb=256, cpus=0.5)), web()))
    status = await until(embedded, spec, "dropped", lambda status: replica(status, "flood").log_dropped > 1 << 20)
    await asyncio.sleep(1)
    after = replica(await embedded.status(spec.id), "flood")
    # Then the ceiling is kept, the rest is counted, and it is not read faster than a few MiB a second
    assert after.log_bytes == 256 << 10
    assert after.log_dropped - replica(status, "flood").log_dropped < 12 << 20
    assert len((await embedded.logs(spec.id, "flood", offset=(256 << 10) - 10)).data) == 10
    await answers(embedded, spec)
    await answers(embedded, neighbour)
    await embedded.stop(spec.id)


async def test_s14_spinning_leaves_room_for_others(embedded: EmbeddedEngine, neighbour: SandboxSpec) -> None:
    spin = "import os\nfor _ in range(7): os.fork() == 0\nwhile True: pass"
    spec = await launched(embedded, sandbox(web(), idle("spin", spin, limits=Limits(cpus=0.5, pids=200)), cpus=1.0))
    await answers(embedded, spec)
    await answers(embedded, neighbour)
    await embedded.stop(spec.id)


async def test_s15_descriptors_run_out_for_their_owner_only(embedded: EmbeddedEngine, neighbour: SandboxSpec) -> None:
    spec = await launched(embedded, sandbox(web(limits=Limits(nofile=100))))
    code = "import socket\nx = []\ntry:\n    while True: x.append(socket.socket())\nexcept OSError: print(50 < len(x) < 100)"
    assert await python(embedded, spec, "web", code) == "True"
    await answers(embedded, neighbour)
    await embedded.stop(spec.id)


async def test_s16_a_daemon_that_ignores_everything_is_gone_in_time(embedded: EmbeddedEngine) -> None:
    # Given a service that ignores SIGTERM and has left its session twice
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    while True: time.sleep(1)\n"
        "os.wait()\n"
        "print('hiding', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    spec = await launched(embedded, sandbox(idle("mule", code)))
    await until(embedded, spec, "hidden", lambda status: replica(status, "mule").log_bytes > 0)
    start = time.monotonic()
    await embedded.stop_service(spec.id, "mule", grace=0.3)
    assert 0.25 < time.monotonic() - start < 5
    status = await until_state(embedded, spec, "mule", ServiceState.STOPPED)
    assert (status.exit_code, status.rss_mb < 1) == (137, True)
    await embedded.stop(spec.id)


async def test_s12_the_whole_sandbox_has_a_ceiling_too(embedded: EmbeddedEngine) -> None:
    taker = "import time\nx = bytearray(70 << 20)\ntime.sleep(600)"
    services = [idle(name, taker, limits=Limits(memory_mb=120)) for name in ("a", "b", "c")]
    spec = sandbox(*services, memory_mb=160)
    await started(embedded, spec)
    status = await until(
        embedded, spec, "somebody killed", lambda status: any(s.state is ServiceState.CRASHED for s in status.services)
    )
    assert any(service.state is ServiceState.READY for service in status.services)
    await embedded.stop(spec.id)
