"""The moods of the fake engine: each one disappoints its caller in exactly one way."""

from __future__ import annotations

import json
import time

import pytest

from app.sandbox.engine import EngineError, EngineRefused
from app.sandbox.engines.fake import FakeEngine, Mood
from app.sandbox.model import MemberSpec, ServiceState
from tests.pods import idle, launched, sandbox, started, until, web

pytestmark = pytest.mark.anyio


async def test_a_slow_one_takes_its_time_and_then_works() -> None:
    engine = FakeEngine(Mood.SLOW, delay=0.2)
    start = time.monotonic()
    spec = await launched(engine, sandbox())
    assert time.monotonic() - start >= 0.2
    assert (await engine.logs(spec.id, "web")).data == b"started\n"


async def test_one_that_is_never_ready_stays_in_starting() -> None:
    engine = FakeEngine(Mood.NEVER_READY)
    spec = sandbox()
    await started(engine, spec)
    status = await engine.status(spec.id)
    assert (status.ready, status.services[0].state) == (False, ServiceState.STARTING)


async def test_one_that_dies_later_tells_its_watchers() -> None:
    engine = FakeEngine(Mood.DIES_LATER, delay=0.05)
    spec = await launched(engine, sandbox())
    status = await until(engine, spec, "gone", lambda status: not status.alive)
    assert (status.ready, status.reason) == (False, "its isolation ended")
    assert spec.id not in await engine.list()


async def test_a_full_one_is_a_fault_of_the_platform() -> None:
    engine = FakeEngine(Mood.FULL)
    with pytest.raises(EngineError) as caught:
        await engine.launch(sandbox())
    assert caught.value.code == "engine-full"
    assert not await engine.list()


async def test_one_that_refuses_says_so_to_the_doctor_and_to_callers() -> None:
    engine = FakeEngine(Mood.REFUSES)
    assert not (await engine.doctor()).usable
    with pytest.raises(EngineRefused):
        await engine.launch(sandbox())


async def test_its_taps_listen_and_agree_to_everything() -> None:
    engine = FakeEngine()
    ours = idle("peer", given=True, workspace=False, segment="back")
    spec = await launched(engine, sandbox(ours, web(), two_segments=True))
    tap = await engine.attach(spec.id, MemberSpec("tap-peer", "tap", ("/bin/true",), stands_for="peer"))
    assert json.loads(await tap.stdout.readline()) == {"type": "ready"}
    tap.stdin.write(b'{"op": "sync", "n": 7}\n')
    assert json.loads(await tap.stdout.readline()) == {"type": "reply", "n": 7, "ok": True, "value": None}
    await engine.stop(spec.id)
    assert await tap.wait() == -9
