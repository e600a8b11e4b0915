"""Engines and sandboxes for tests: real images, real pods, small services, and a look at what is left behind."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from app.sandbox.engine import Engine
from app.sandbox.engines.embedded import EmbeddedEngine, SpawnerHandle, start_spawner
from app.sandbox.engines.fake import FakeEngine
from app.sandbox.images.store import ImageStore
from app.sandbox.model import (
    EngineStatus,
    ReadyProbe,
    SandboxSpec,
    ServiceSpec,
    ServiceState,
    ServiceStatus,
)
from tests.product import TEST_HOME, TOP

PORT = 8000
#: Answers GET with its name; says `started` once it listens.
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['SOTY_SERVICE']} {self.client_address[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
print("started", flush=True)
server.serve_forever()
"""
PYTHON = "/usr/bin/python3"
_ids = itertools.count(1)


def web(name: str = "web", **changes: object) -> ServiceSpec:
    """A service of /workspace/main.py that is ready when it accepts on PORT."""
    values = {"image": "python", "command": (PYTHON, "/workspace/main.py"), "ready": ReadyProbe("tcp", PORT), **changes}
    return ServiceSpec(name=name, **values)


def idle(name: str = "idle", code: str = "import time; time.sleep(600)", **changes: object) -> ServiceSpec:
    """A service that runs a line of Python."""
    return web(name, **{"command": (PYTHON, "-c", code), "ready": ReadyProbe(), **changes})


def sandbox(*services: ServiceSpec, **changes: object) -> SandboxSpec:
    """A sandbox of these services with SERVER as main.py and an id that no other test uses."""
    values = {"files": {"main.py": SERVER.encode()}, "member_images": ("prober",), **changes}
    return SandboxSpec(id=f"t{os.getpid()}-{next(_ids)}", services=services or (web(),), **values)


async def until(
    engine: Engine, spec: SandboxSpec, what: str, holds: Callable[[EngineStatus], bool], within: float = 20.0
) -> EngineStatus:
    """Watch the sandbox until `holds`; fails with the last status."""
    last: EngineStatus | None = None
    try:
        async with asyncio.timeout(within):
            async for last in engine.watch(spec.id):
                if holds(last):
                    return last
    except TimeoutError:
        pass
    raise AssertionError(f"{what}: not within {within:g} s; last: {last}")


async def started(engine: Engine, spec: SandboxSpec) -> SandboxSpec:
    """Launch and release; its services may still be starting."""
    await engine.launch(spec)
    await engine.release(spec.id)
    return spec


async def launched(engine: Engine, spec: SandboxSpec) -> SandboxSpec:
    """Launch, release and wait until it is ready."""
    await started(engine, spec)
    await until(engine, spec, "ready", lambda status: status.ready)
    return spec


def replica(status: EngineStatus, name: str) -> ServiceStatus:
    """One replica by full name."""
    return next(service for service in status.services if service.full_name == name)


async def until_state(engine: Engine, spec: SandboxSpec, name: str, state: ServiceState, within: float = 20.0) -> ServiceStatus:
    """Wait until a replica is in a state."""
    status = await until(engine, spec, f"{name} {state}", lambda status: replica(status, name).state is state, within)
    return replica(status, name)


async def python(engine: Engine, spec: SandboxSpec, service: str, code: str, timeout: float = 20.0) -> str:
    """What a piece of Python prints inside a service; its exit code must be 0."""
    result = await engine.exec(spec.id, service, [PYTHON, "-c", code], timeout=timeout)
    assert result.exit_code == 0, result
    return result.stdout.decode().strip()


async def http_get(engine: Engine, spec: SandboxSpec, service: str) -> str:
    """The body that the service answers over a dialled connection."""
    connection = await engine.dial(spec.id, service, PORT)
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


def processes_below(root: int) -> set[tuple[int, str]]:
    """Every descendant of a process, as (pid, start time): the same pair is never given twice."""
    parents: dict[int, list[tuple[int, str]]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append((int(path.parent.name), fields[19]))
    found: set[tuple[int, str]] = set()
    queue = [root]
    while queue:
        children = parents.get(queue.pop(), [])
        found.update(children)
        queue += [pid for pid, _ in children]
    return found


def alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those that still exist and are more than a zombie."""
    left = set()
    for pid, started in processes:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == started and fields[0] != "Z":
            left.add((pid, started))
    return left


def inventory(home: Path) -> dict[str, set[str]]:
    """What an instance could leave behind: groups, mounts of this namespace, files of its home."""
    instance = (home / "embedded" / "instance").read_text()
    folders = [Path(top, name) for top, names, _ in os.walk("/sys/fs/cgroup") for name in names]
    groups = {str(path) for path in folders if path.name.startswith(f"soty-{instance}-")}
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    files = {str(path) for path in home.rglob("*") if path.is_file()}
    return {"groups": groups, "mounts": mounts, "files": files}


def soon(what: str, holds: Callable[[], bool], within: float = 5.0) -> float:
    """Poll until it holds; the seconds that took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < within, f"{what}: not within {within:g} s"
        time.sleep(0.005)
    return time.monotonic() - start


def images() -> ImageStore:
    """The store that the whole test run shares; what is missing is built."""
    return ImageStore(TEST_HOME / "images", TOP / "sandboxes")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def store(anyio_backend: str) -> ImageStore:
    store = images()
    await store.prepare(["agent", "python", "prober"])
    return store


@pytest.fixture(scope="session")
async def tap_image(store: ImageStore) -> None:
    """For tests that attach a tap."""
    await store.prepare(["tap"])


@pytest.fixture(scope="session")
def ready_store() -> ImageStore:
    """The store with what a sandbox with taps needs, for tests without a loop of their own."""
    store = images()
    asyncio.run(store.prepare(["agent", "python", "prober", "tap"]))
    return store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def spawner(home: Path) -> Iterator[SpawnerHandle]:
    handle = start_spawner(home)
    yield handle
    handle.close()
    assert not inventory(home)["groups"]


@pytest.fixture(scope="module")
async def embedded(home: Path, store: ImageStore, spawner: SpawnerHandle, anyio_backend: str) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(home, store, spawner)
    yield engine
    await engine.close()


@pytest.fixture(params=["embedded", "fake"])
async def engine(request: pytest.FixtureRequest, embedded: EmbeddedEngine) -> AsyncIterator[Engine]:
    if request.param == "embedded":
        yield embedded
        return
    fake = FakeEngine()
    yield fake
    await fake.close()
