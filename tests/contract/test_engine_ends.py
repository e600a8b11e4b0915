"""How it ends: whoever dies first, nothing is left, and nobody touches what is not his."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from app.sandbox.engine import EngineError
from app.sandbox.engines.embedded import EmbeddedEngine, Occupied, SpawnerHandle, start_spawner
from app.sandbox.images.store import ImageStore
from tests.pods import alive, inventory, launched, processes_below, sandbox, soon, web
from tests.product import TOP

pytestmark = pytest.mark.anyio
OWNER = """
import asyncio, pathlib, sys
from app.sandbox.engines.embedded import EmbeddedEngine, start_spawner
from tests.pods import images, launched, sandbox, web

async def main():
    home = pathlib.Path(sys.argv[1])
    engine = EmbeddedEngine(home, images(), start_spawner(home))
    for _ in range(2):
        await launched(engine, sandbox(web("a"), web("b")))
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def agent_below(handle: SpawnerHandle) -> int:
    """Pid of the agent of the only pod; its bubblewrap has the same words in its command line."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid, _ in processes_below(handle.process.pid)}
    return next(pid for pid, line in lines.items() if line.startswith(b"/usr/bin/python3") and b"bare.agent" in line)


async def test_it_leaves_nothing_after_a_stop(store: ImageStore, tmp_path: Path) -> None:
    # Given an engine and what it consists of before its first sandbox
    handle = start_spawner(tmp_path)
    engine = EmbeddedEngine(tmp_path, store, handle)
    await engine.stop((await launched(engine, sandbox())).id)
    before = inventory(tmp_path)
    # When a sandbox with a stubborn, forking, detached service comes and goes (S16)
    stubborn = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(20):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n"
        "        time.sleep(600)\n"
        "time.sleep(600)\n"
    )
    spec = await launched(engine, sandbox(web(), web("stubborn", command=("/usr/bin/python3", "-c", stubborn), ready=None)))
    below = processes_below(handle.process.pid)
    assert len(below) > 20
    start = time.monotonic()
    await engine.stop(spec.id)
    took = time.monotonic() - start
    # Then processes, groups, mounts and files are as before
    assert took < 10
    assert not alive(below)
    assert inventory(tmp_path) == before
    await engine.close()
    assert handle.process.poll() is not None


@pytest.mark.parametrize("victim", ["owner", "spawner"])
def test_it_dies_with_whoever_owns_it(tmp_path: Path, victim: str, store: ImageStore) -> None:
    # Given a process that runs two sandboxes
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path)],
        cwd=TOP,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        below = processes_below(owner.pid)
        spawner = next(pid for pid, _ in below if b"bare.spawner" in Path(f"/proc/{pid}/cmdline").read_bytes())
        pods = below - {process for process in below if process[0] == spawner}
        assert len(pods) > 10
        # When it, or its spawner, is killed without a chance to clean up
        os.kill(owner.pid if victim == "owner" else spawner, signal.SIGKILL)
        # Then every process of every pod is gone at once
        took = soon("all pods gone", lambda: not alive(pods), within=1.0)
        print(f"all gone {took * 1000:.0f} ms after SIGKILL of the {victim}")
    finally:
        owner.kill()
        owner.wait(10)
    # And what may be left of groups is removed by the next owner of this home
    soon("spawner gone", lambda: not alive(below))
    handle = start_spawner(tmp_path)
    try:
        soon("groups gone", lambda: not inventory(tmp_path)["groups"])
    finally:
        handle.close()


async def test_it_tells_when_the_spawner_has_died(store: ImageStore, tmp_path: Path) -> None:
    handle = start_spawner(tmp_path)
    engine = EmbeddedEngine(tmp_path, store, handle)
    spec = await launched(engine, sandbox())
    os.kill(handle.process.pid, signal.SIGKILL)
    statuses = [status async for status in engine.watch(spec.id)]
    assert not statuses[-1].alive
    with pytest.raises(EngineError):
        await engine.launch(sandbox())
    await engine.close()
    start_spawner(tmp_path).close()  # removes the groups that the dead one could not


def test_it_lets_one_process_own_a_home(tmp_path: Path) -> None:
    handle = start_spawner(tmp_path)
    with pytest.raises(Occupied):
        start_spawner(tmp_path)
    handle.close()
    start_spawner(tmp_path).close()


async def test_it_reports_a_pod_that_died_and_can_launch_it_again(store: ImageStore, tmp_path: Path) -> None:
    handle = start_spawner(tmp_path)
    engine = EmbeddedEngine(tmp_path, store, handle)
    spec = await launched(engine, sandbox())
    agent = agent_below(handle)
    os.kill(agent, signal.SIGKILL)
    last = [status async for status in engine.watch(spec.id)][-1]
    assert (last.alive, last.ready) == (False, False)
    assert (await engine.status(spec.id)).alive is False
    assert spec.id not in await engine.list()
    await launched(engine, spec)
    await engine.close()


async def test_it_gives_up_on_an_agent_that_hangs_and_can_still_stop_it(store: ImageStore, tmp_path: Path) -> None:
    handle = start_spawner(tmp_path)
    engine = EmbeddedEngine(tmp_path, store, handle)
    spec = await launched(engine, sandbox())
    below = processes_below(handle.process.pid)
    agent = agent_below(handle)
    # Given an agent that answers nothing any more
    os.kill(agent, signal.SIGSTOP)
    with pytest.raises(EngineError) as caught:
        await engine.logs(spec.id, "web")
    assert caught.value.code == "engine-timeout"
    # Then other sandboxes are not held up, and this one can be ended
    other = await launched(engine, sandbox())
    await engine.stop(spec.id)
    assert not alive(below - processes_below(handle.process.pid))
    await engine.stop(other.id)
    await engine.close()
