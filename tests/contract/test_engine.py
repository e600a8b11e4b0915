"""The engine contract, told over every engine."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from app.sandbox.engine import Engine, EngineError, NoSuchFile, NoSuchSandbox, NoSuchService
from app.sandbox.model import MemberSpec, SandboxSpec, ServiceState
from tests.pods import PORT, PYTHON, SERVER, idle, launched, replica, sandbox, started, until, until_state, web

pytestmark = pytest.mark.anyio
ECHO_LINES = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)\n"


async def test_it_launches_once_whatever_the_number_of_calls(engine: Engine) -> None:
    # Given a sandbox of two services
    spec = sandbox(web("orders"), web("stock"))
    # When it is launched by several callers at once, and once more when it is ready
    await asyncio.gather(*(engine.launch(spec) for _ in range(4)))
    await engine.release(spec.id)
    status = await until(engine, spec, "ready", lambda status: status.ready)
    since = [service.since for service in status.services]
    await engine.launch(spec)
    # Then there is one sandbox, and its services were started once
    again = await engine.status(spec.id)
    assert [name for name in await engine.list() if name == spec.id] == [spec.id]
    assert [service.since for service in again.services] == since
    assert [service.state for service in again.services] == [ServiceState.READY] * 2
    # And it can be stopped twice, after which nobody knows it
    await engine.stop(spec.id)
    await engine.stop(spec.id)
    assert spec.id not in await engine.list()
    with pytest.raises(NoSuchSandbox):
        await engine.status(spec.id)


async def test_it_keeps_logs_that_can_be_read_on_from_an_offset(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    await until(engine, spec, "first line", lambda status: replica(status, "web").log_bytes == len("started\n"))
    first = await engine.logs(spec.id, "web", limit=3)
    rest = await engine.logs(spec.id, "web", offset=first.offset + len(first.data))
    end = await engine.logs(spec.id, "web", offset=rest.offset + len(rest.data))
    assert (first.data, rest.data, end.data) == (b"sta", b"rted\n", b"")
    await engine.stop(spec.id)


async def test_it_runs_commands_inside_a_service(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    typed = await engine.exec(spec.id, "web", ["/bin/cat"], stdin="привет".encode())
    good = await engine.exec(spec.id, "web", ["/bin/true"])
    bad = await engine.exec(spec.id, "web", ["/bin/false"])
    missing = await engine.exec(spec.id, "web", ["/no/such/program"])
    assert (typed.exit_code, typed.stdout.decode()) == (0, "привет")
    assert (good.exit_code, bad.exit_code, missing.exit_code) == (0, 1, 127)
    assert b"/no/such/program" in missing.stderr
    await engine.stop(spec.id)


async def test_it_opens_a_terminal_that_answers(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    terminal = await engine.terminal(spec.id, "web", ["/bin/cat"], rows=9999, cols=-1)
    terminal.resize(40, 120)
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(terminal.fileno(), readable.set)
    os.write(terminal.fileno(), b"hello\n")
    await asyncio.wait_for(readable.wait(), 5)
    loop.remove_reader(terminal.fileno())
    assert os.read(terminal.fileno(), 100).startswith(b"hello")
    await terminal.close()
    await terminal.close()
    await engine.stop(spec.id)


async def test_it_refuses_a_dial_to_a_port_where_nobody_listens(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    (await engine.dial(spec.id, "web", PORT)).close()
    with pytest.raises(ConnectionError):
        await engine.dial(spec.id, "web", PORT + 1)
    await engine.stop(spec.id)


async def test_it_replaces_the_workspace_and_names_its_content(engine: Engine) -> None:
    # Given a sandbox with one file
    spec = await launched(engine, sandbox())
    before = replica(await engine.status(spec.id), "web").files_revision
    # When files are added, and then the first content comes back
    more = await engine.put(spec.id, {"lib/names.py": b"x = 1\n"}, replace=False)
    content = await engine.get(spec.id, "web", "/workspace/lib/names.py")
    same = await engine.put(spec.id, {"main.py": SERVER.encode()})
    # Then a revision is the content's, and a running service keeps the one it was started with
    assert content == b"x = 1\n"
    assert same == before != more
    assert replica(await engine.status(spec.id), "web").files_revision == before
    with pytest.raises(NoSuchFile):
        await engine.get(spec.id, "web", "/workspace/lib/names.py")
    with pytest.raises(NoSuchFile):
        await engine.get(spec.id, "web", "/workspace/main.py", limit=3)
    # And a restarted one has the new
    newest = await engine.put(spec.id, {"note.txt": b"hi"}, replace=False)
    await engine.restart(spec.id, "web")
    assert (await until_state(engine, spec, "web", ServiceState.READY)).files_revision == newest
    await engine.stop(spec.id)


async def test_it_kills_stops_and_starts_a_service(engine: Engine) -> None:
    spec = await launched(engine, sandbox(web("orders"), web("stock")))
    # When one is killed, it is down and the other is not
    await engine.kill(spec.id, "orders")
    status = await engine.status(spec.id)
    assert (replica(status, "orders").state, replica(status, "orders").signal) == (ServiceState.CRASHED, 9)
    assert replica(status, "stock").state is ServiceState.READY
    # When it is started again and then stopped politely
    await engine.start(spec.id, "orders")
    await until_state(engine, spec, "orders", ServiceState.READY)
    await engine.stop_service(spec.id, "orders", grace=2)
    assert replica(await engine.status(spec.id), "orders").state is ServiceState.STOPPED
    # Then a restart brings it back
    await engine.restart(spec.id, "orders")
    await until_state(engine, spec, "orders", ServiceState.READY)
    await engine.stop(spec.id)


async def test_it_restarts_what_ends_only_where_the_policy_says_so(engine: Engine) -> None:
    spec = await launched(engine, sandbox(web("always", restart="always"), web("never")))
    await engine.kill(spec.id, "always")
    await engine.kill(spec.id, "never")
    status = await until(engine, spec, "restarted", lambda status: replica(status, "always").state is ServiceState.READY)
    assert replica(status, "always").restarts == 1
    assert replica(status, "never").state is ServiceState.CRASHED
    # A service that ended and is not restarted does not keep the sandbox from ready
    assert status.ready
    await engine.stop(spec.id)


async def test_it_waits_for_a_start_where_the_service_is_manual(engine: Engine) -> None:
    spec = await launched(engine, sandbox(web(), web("later", start="manual")))
    assert replica(await engine.status(spec.id), "later").state is ServiceState.WAITING
    await engine.start(spec.id, "later")
    await until_state(engine, spec, "later", ServiceState.READY)
    await engine.stop(spec.id)


async def test_it_pauses_and_resumes(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    await engine.pause(spec.id, "web")
    assert replica(await engine.status(spec.id), "web").state is ServiceState.PAUSED
    await engine.resume(spec.id, "web")
    assert replica(await engine.status(spec.id), "web").state is ServiceState.READY
    await engine.stop(spec.id)


async def test_it_scales_up_and_down(engine: Engine) -> None:
    spec = await launched(engine, sandbox(web(replicas=2)))
    await engine.scale(spec.id, "web", 3)
    status = await until(engine, spec, "three", lambda status: status.ready and len(status.services) == 3)
    assert [service.full_name for service in status.services] == ["web", "web-2", "web-3"]
    await engine.scale(spec.id, "web", 1)
    status = await engine.status(spec.id)
    assert [service.full_name for service in status.services] == ["web"]
    with pytest.raises(NoSuchService):
        await engine.kill(spec.id, "web-2")
    await engine.stop(spec.id)


async def test_it_tells_every_watcher(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    seen: list[list[ServiceState]] = [[], [], []]

    async def watch(states: list[ServiceState]) -> None:
        async for status in engine.watch(spec.id):
            states.append(status.services[0].state)

    watchers = [asyncio.create_task(watch(states)) for states in seen]
    async with asyncio.timeout(5):
        while not all(seen):
            await asyncio.sleep(0.01)
        await engine.kill(spec.id, "web")
        while [states[-1] for states in seen] != [ServiceState.CRASHED] * 3:
            await asyncio.sleep(0.01)
        await engine.stop(spec.id)
        await asyncio.gather(*watchers)


async def test_it_attaches_a_guest_with_pipes_of_its_own(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    member = MemberSpec("prober", "prober", (PYTHON, "/member/echo.py"), {"echo.py": ECHO_LINES.encode()})
    guest = await engine.attach(spec.id, member)
    guest.stdin.write("вердикт\n".encode())
    assert (await asyncio.wait_for(guest.stdout.readline(), 10)).decode() == "вердикт\n"
    # There is one of a name at a time
    with pytest.raises(EngineError):
        await engine.attach(spec.id, member)
    guest.stdin.close()
    assert await asyncio.wait_for(guest.wait(), 10) == 0
    # And after its end the name is free
    second = await engine.attach(spec.id, member)
    await second.kill()
    assert await second.wait() == -9
    await engine.stop(spec.id)


async def test_it_holds_learners_services_until_their_release(engine: Engine) -> None:
    # Given a sandbox with a service of ours, two of the learner's, and a manual one
    ours = idle("peer", given=True, workspace=False)
    spec = sandbox(ours, web("orders", restart="always"), web("stock"), web("batch", start="manual"))
    await engine.launch(spec)
    # Then ours runs, theirs wait, also those that are added, and every one has an address of its own
    await until_state(engine, spec, "peer", ServiceState.READY)
    await engine.scale(spec.id, "stock", 2)
    status = await engine.status(spec.id)
    assert not status.ready
    names = ["orders", "stock", "stock-2", "batch"]
    assert {replica(status, name).state for name in names} == {ServiceState.WAITING}
    addresses = {service.full_name: service.address for service in status.services}
    assert len({address for address in addresses.values() if address.startswith("10.98.1.")}) == 5
    # When they are released, twice
    await engine.release(spec.id)
    await engine.release(spec.id)
    status = await until(engine, spec, "ready", lambda status: status.ready)
    # Then they run, once each, at these addresses, but for the manual one
    assert {service.full_name: service.address for service in status.services} == addresses
    assert {name: replica(status, name).restarts for name in names[:3]} == dict.fromkeys(names[:3], 0)
    assert replica(status, "batch").state is ServiceState.WAITING
    await engine.stop(spec.id)


async def test_it_releases_with_a_failure(engine: Engine) -> None:
    # Given a learner's service that waits, and one that runs because somebody started it
    spec = sandbox(idle("peer", given=True, workspace=False), web("orders", restart="always"), web("stock"))
    await engine.launch(spec)
    await engine.start(spec.id, "stock")
    await until_state(engine, spec, "stock", ServiceState.READY)
    # When they are released with the news that what they need is broken
    await engine.release(spec.id, "schema.sql: ERROR: no such type")
    # Then both have failed and say why, also a replica that is added, and our own service lives
    await until_state(engine, spec, "stock", ServiceState.FAILED)
    await engine.scale(spec.id, "stock", 2)
    status = await engine.status(spec.id)
    for name in ("orders", "stock", "stock-2"):
        assert replica(status, name).state is ServiceState.FAILED
        assert replica(status, name).message == "schema.sql: ERROR: no such type"
    assert replica(status, "peer").state is ServiceState.READY
    # And when it is mended, a restart brings them back
    await engine.release(spec.id)
    for name in ("orders", "stock", "stock-2"):
        await engine.restart(spec.id, name)
    status = await until(engine, spec, "ready", lambda status: status.ready)
    assert {service.message for service in status.services} == {""}
    await engine.stop(spec.id)


async def test_a_guest_stands_for_a_service_behind_and_for_nothing_else(engine: Engine) -> None:
    ours = idle("peer", given=True, workspace=False, segment="back")
    member = MemberSpec("tap-peer", "prober", (PYTHON, "-c", "input()"), stands_for="peer")
    flat = await started(engine, sandbox(ours, web()))
    with pytest.raises(EngineError) as refused:
        await engine.attach(flat.id, member)
    assert refused.value.code == "invalid-spec"
    await engine.stop(flat.id)
    spec = await started(engine, sandbox(ours, web(), two_segments=True))
    for wrong in ("web", "nobody", "tap-peer"):
        with pytest.raises(EngineError):
            await engine.attach(spec.id, replace(member, stands_for=wrong))
    guest = await engine.attach(spec.id, member)
    # One guest at a time stands for a service
    with pytest.raises(EngineError):
        await engine.attach(spec.id, replace(member, name="tap-two"))
    await guest.kill()
    second = await engine.attach(spec.id, replace(member, name="tap-two"))
    await second.kill()
    await engine.stop(spec.id)


async def test_it_says_by_name_what_it_does_not_know(engine: Engine) -> None:
    spec = await launched(engine, sandbox())
    with pytest.raises(NoSuchSandbox):
        await engine.logs("nobody", "web")
    with pytest.raises(NoSuchService):
        await engine.logs(spec.id, "nobody")
    with pytest.raises(NoSuchService):
        await engine.scale(spec.id, "nobody", 1)
    await engine.stop("nobody")
    await engine.stop(spec.id)


BAD_SPECS = {
    "id": SandboxSpec("../../x", (web(),)),
    "service name": SandboxSpec("bad1", (web("../../x"),)),
    "service option": SandboxSpec("bad2", (web("--privileged"),)),
    "replica collision": SandboxSpec("bad3", (web("web"), web("web-2"))),
    "argument with NUL": SandboxSpec("bad4", (web(command=("sh\0--bind\0/\0/",)),)),
    "value with NUL": SandboxSpec("bad5", (web(env={"A": "x\0--bind"}),)),
    "variable name": SandboxSpec("bad6", (web(env={"A=B": "x"}),)),
    "way out": SandboxSpec("bad7", (web(),), {"../main.py": b""}),
    "absolute path": SandboxSpec("bad8", (web(),), {"/etc/passwd": b""}),
    "file and folder": SandboxSpec("bad9", (web(),), {"a": b"", "a/b": b""}),
    "secret path": SandboxSpec("bad10", (web(),), secrets={"../x": "s"}),
    "learner with files": SandboxSpec("bad11", (web(files={"a": b""}),)),
}


@pytest.mark.parametrize("what", BAD_SPECS)
async def test_it_refuses_a_specification_that_could_smuggle(engine: Engine, what: str) -> None:  # S19
    with pytest.raises(EngineError) as caught:
        await engine.launch(BAD_SPECS[what])
    assert caught.value.code == "invalid-spec"
    assert BAD_SPECS[what].id not in await engine.list()
