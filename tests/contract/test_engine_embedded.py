"""What only real pods can show: names, networks, files, limits, ends."""

from __future__ import annotations

import asyncio
import json
import os
import time

import pytest

from app.sandbox.engine import EngineError, NoSuchFile
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import Limits, MemberSpec, ReadyProbe, ServiceState
from tests.pods import (
    PORT,
    PYTHON,
    SERVER,
    http_get,
    idle,
    launched,
    python,
    replica,
    sandbox,
    started,
    until,
    until_state,
    web,
)

pytestmark = pytest.mark.anyio
FETCH = "import urllib.request as u; print(u.urlopen('http://{}:8000/', timeout=3).read().decode())"
REACHES = """
import socket
def reaches(host):
    try:
        socket.create_connection((host, 8000), 1).close()
        return True
    except OSError:
        return False
"""


async def test_it_lets_two_services_find_each_other_by_name(embedded: EmbeddedEngine) -> None:
    # Given two services that both listen on 0.0.0.0:8000
    spec = await launched(embedded, sandbox(web("orders"), web("stock")))
    # Then each one is reached by its own name, from inside and from outside
    assert (await python(embedded, spec, "orders", FETCH.format("stock"))).startswith("stock ")
    assert (await python(embedded, spec, "stock", FETCH.format("orders"))).startswith("orders ")
    assert (await http_get(embedded, spec, "stock")).startswith("stock ")
    await embedded.stop(spec.id)


async def test_it_tells_running_services_about_new_replicas(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox(web("worker"), web("other")))
    await embedded.scale(spec.id, "worker", 3)
    await until(embedded, spec, "three", lambda status: status.ready and len(status.services) == 4)
    assert (await python(embedded, spec, "other", FETCH.format("worker-3"))).startswith("worker-3 ")
    assert (await python(embedded, spec, "other", FETCH.format("worker"))).startswith("worker ")
    await embedded.scale(spec.id, "worker", 1)
    code = "import socket\ntry: socket.gethostbyname('worker-3')\nexcept OSError: print('unknown')"
    assert await python(embedded, spec, "other", code) == "unknown"
    await embedded.stop(spec.id)


async def test_it_keeps_front_and_back_apart_and_lets_a_guest_reach_both(embedded: EmbeddedEngine) -> None:
    # Given a learner's service on the front segment and a given one on the back
    back = web("broker", given=True, segment="back", workspace=False, files={"main.py": SERVER.encode()})
    back = type(back)(**{**{name: getattr(back, name) for name in back.__slots__}, "command": (PYTHON, "/given/main.py")})
    spec = await launched(embedded, sandbox(web("app"), back, two_segments=True))
    # When the learner's service tries the name and every address of the back segment
    code = REACHES + "print(reaches('broker'), any(reaches(f'10.98.2.{host}') for host in (1, 10, 11)))"
    assert await python(embedded, spec, "app", code) == "False False"
    back_code = REACHES + "print(reaches('app'), any(reaches(f'10.98.1.{host}') for host in (1, 10, 11)))"
    assert await python(embedded, spec, "broker", back_code) == "False False"
    # Then it fails, while a guest reaches both by name
    report = REACHES + "import json; print(json.dumps([reaches('app'), reaches('broker')]), flush=True)"
    guest = await embedded.attach(spec.id, MemberSpec("prober", "prober", (PYTHON, "-c", report)))
    assert json.loads(await asyncio.wait_for(guest.stdout.readline(), 15)) == [True, True]
    assert await guest.wait() == 0
    # And the platform dials both
    assert (await http_get(embedded, spec, "broker")).startswith("broker ")
    await embedded.stop(spec.id)


async def test_it_gives_a_guest_no_name_and_a_view_of_its_own(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox())
    code = (
        "import os, sys, socket, time\n"
        "print(open('/member/check.py').read(), os.listdir('/workspace'), os.listdir('/given'), flush=True)\n"
        "print(socket.gethostbyname('web'), flush=True)\n"
        "sys.stderr.write('for operators'); sys.stderr.flush()\n"
        "sys.stdin.read()\n"
    )
    member = MemberSpec("prober", "prober", (PYTHON, "-c", code), {"check.py": b"expected = 42"})
    guest = await embedded.attach(spec.id, member)
    assert await asyncio.wait_for(guest.stdout.readline(), 15) == b"expected = 42 [] []\n"
    assert await guest.stdout.readline() == b"10.98.1.10\n"
    # A service cannot resolve it, does not see its files or processes, and finds nothing listening at its address
    seen = await python(
        embedded,
        spec,
        "web",
        "import os, socket\n"
        "try: socket.gethostbyname('prober'); print('resolved')\n"
        "except OSError: pass\n"
        "print(os.listdir('/member'), [p for p in os.listdir('/proc') if p.isdigit() and b'member' in "
        "open(f'/proc/{p}/cmdline', 'rb').read() and int(p) != os.getpid()])",
    )
    assert seen == "[] []"
    assert await guest.stderr_tail() == b"for operators"
    await guest.kill()
    await embedded.stop(spec.id)


async def test_it_mounts_given_files_and_secrets_for_given_services_alone(embedded: EmbeddedEngine) -> None:
    given = idle("broker", given=True, workspace=False, files={"conf/a.ini": b"x=1"})
    spec = await launched(embedded, sandbox(web("app"), given, secrets={"prober_password": "s3cret"}))
    code = "print(open('/given/conf/a.ini').read(), open('/given/secrets/prober_password').read())"
    assert await python(embedded, spec, "broker", code) == "x=1 s3cret"
    listing = "import os; print(os.listdir('/given'), sorted(os.environ))"
    seen = await python(embedded, spec, "app", listing)
    assert seen.startswith("[]")
    assert "s3cret" not in seen
    await embedded.stop(spec.id)


async def test_it_prepares_before_it_starts_and_says_why_that_failed(embedded: EmbeddedEngine) -> None:
    generate = (PYTHON, "/workspace/generate.py")
    good = b"open('/data/gen/made.py', 'w').write('VALUE = 7')"
    bad = b"print('line 3: unknown field'); raise SystemExit(2)"
    use = b"import made, time; print(made.VALUE, flush=True); time.sleep(600)"
    service = web("app", command=(PYTHON, "/workspace/main.py"), prepare=generate, ready=ReadyProbe())
    # Given a generator that works, the service imports what it wrote
    spec = await launched(embedded, sandbox(service, files={"main.py": use, "generate.py": good}))
    await until(embedded, spec, "output", lambda status: replica(status, "app").log_bytes == 2)
    assert (await embedded.logs(spec.id, "app")).data == b"7\n"
    # When the generator breaks and the service is restarted
    await embedded.put(spec.id, {"generate.py": bad}, replace=False)
    await embedded.restart(spec.id, "app")
    # Then the service has failed, with the tool's own words
    failed = await until_state(embedded, spec, "app", ServiceState.FAILED)
    assert (failed.message, failed.exit_code) == ("line 3: unknown field", 2)
    await embedded.stop(spec.id)


async def test_a_guest_takes_the_name_of_an_upstream_and_gives_it_back(embedded: EmbeddedEngine) -> None:
    # Given a service behind, another one beside it, a learner's service in front, and nobody who stands for the first
    ours = [
        web(
            name,
            given=True,
            segment="back",
            workspace=False,
            files={"main.py": SERVER.encode()},
            command=(PYTHON, "/given/main.py"),
        )
        for name in ("broker", "billing")
    ]
    spec = await launched(embedded, sandbox(web("app"), *ours, two_segments=True))
    who = "import socket\ntry: print(socket.gethostbyname('broker'))\nexcept OSError: print('unknown')"
    assert await python(embedded, spec, "app", who) == "unknown"
    # When a guest stands for it
    code = (
        "import os, socket\n"
        "print(os.environ['SOTY_ADDRESS'], socket.gethostbyname('broker'), flush=True)\n"
        "listener = socket.create_server((os.environ['SOTY_ADDRESS'], 8000))\n"
        "print('listens', flush=True)\n"
        "while True: listener.accept()[0].sendall(b'guest')\n"
    )
    member = MemberSpec("tap-broker", "prober", (PYTHON, "-c", code), stands_for="broker")
    guest = await embedded.attach(spec.id, member)
    front, back = (await asyncio.wait_for(guest.stdout.readline(), 15)).decode().split()
    assert await guest.stdout.readline() == b"listens\n"
    # Then the learner's service finds the guest under that name, and everybody else the service itself
    assert front.startswith("10.98.1.")
    assert back == replica(await embedded.status(spec.id), "broker").address
    assert await python(embedded, spec, "app", who) == front
    assert await python(embedded, spec, "billing", who) == back
    hello = "import socket; print(socket.create_connection(('broker', 8000), 3).recv(9))"
    assert await python(embedded, spec, "app", hello) == "b'guest'"
    assert (await http_get(embedded, spec, "broker")).startswith("broker ")
    prober = await embedded.attach(spec.id, MemberSpec("prober", "prober", (PYTHON, "-c", who)))
    assert (await asyncio.wait_for(prober.stdout.readline(), 15)).decode().strip() == back
    # And when it ends, the name is nobody's, until another one takes it, at the same address
    await guest.kill()
    assert await python(embedded, spec, "app", who) == "unknown"
    second = await embedded.attach(spec.id, member)
    assert (await asyncio.wait_for(second.stdout.readline(), 15)).decode().split() == [front, back]
    assert await python(embedded, spec, "app", who) == front
    await embedded.stop(spec.id)


async def test_it_restarts_with_growing_pauses_and_keeps_the_log(embedded: EmbeddedEngine) -> None:
    spec = sandbox(idle("flaky", "print('try', flush=True); raise SystemExit(3)", restart="always"))
    await started(embedded, spec)
    status = await until(embedded, spec, "restarts", lambda status: replica(status, "flaky").restarts >= 3)
    assert replica(status, "flaky").exit_code in (3, None)
    assert not status.ready
    assert (await embedded.logs(spec.id, "flaky")).data.count(b"try\n") >= 3
    await embedded.stop(spec.id)


async def test_it_empties_data_on_a_restart_but_not_when_the_policy_restarts(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox(web(restart="always")))
    await python(embedded, spec, "web", "open('/data/state', 'w').write('kept')")
    await embedded.kill(spec.id, "web")
    await until_state(embedded, spec, "web", ServiceState.READY)
    assert await embedded.get(spec.id, "web", "/data/state") == b"kept"
    await embedded.restart(spec.id, "web")
    await until_state(embedded, spec, "web", ServiceState.READY)
    with pytest.raises(NoSuchFile):
        await embedded.get(spec.id, "web", "/data/state")
    await embedded.stop(spec.id)


async def test_it_freezes_every_process_of_a_paused_service(embedded: EmbeddedEngine) -> None:
    ticker = "import os, time\nos.fork()\nwhile True: print('.', end='', flush=True); time.sleep(0.01)"
    spec = await launched(embedded, sandbox(idle("ticker", ticker)))
    await until(embedded, spec, "ticks", lambda status: replica(status, "ticker").log_bytes > 20)
    await embedded.pause(spec.id, "ticker")
    frozen = replica(await embedded.status(spec.id), "ticker")
    await asyncio.sleep(0.2)  # twenty ticks of what would run
    still = replica(await embedded.status(spec.id), "ticker")
    assert still.log_bytes - frozen.log_bytes <= 2  # what was in the pipe already
    await embedded.resume(spec.id, "ticker")
    await until(embedded, spec, "ticks", lambda status: replica(status, "ticker").log_bytes > still.log_bytes + 10)
    await embedded.stop(spec.id)


async def test_it_probes_over_http_until_the_answer_is_good(embedded: EmbeddedEngine) -> None:
    slow = SERVER.replace("self.send_response(200)", "self.send_response(200 if os.path.exists('/data/warm') else 503)")
    spec = sandbox(web(ready=ReadyProbe("http", PORT, "/healthz")), files={"main.py": slow.encode()})
    await started(embedded, spec)
    await until(embedded, spec, "listening", lambda status: replica(status, "web").log_bytes > 0)
    assert replica(await embedded.status(spec.id), "web").state is ServiceState.STARTING
    await python(embedded, spec, "web", "open('/data/warm', 'w')")
    await until_state(embedded, spec, "web", ServiceState.READY)
    await embedded.stop(spec.id)


async def test_it_ends_a_terminal_with_everything_that_was_started_in_it(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox())
    terminal = await embedded.terminal(spec.id, "web")
    loop = asyncio.get_running_loop()
    screen = bytearray()
    loop.add_reader(terminal.fileno(), lambda: screen.extend(os.read(terminal.fileno(), 4096)))
    # Given a shell with a job in the background, and one that has left its session
    daemon = "import os; os.fork() and os._exit(0); os.setsid(); os.execlp('sleep', 'sleep', '542')"
    os.write(terminal.fileno(), f"sleep 541 & python3 -c \"{daemon}\"; stty size; echo do''ne\n".encode())
    async with asyncio.timeout(20):
        while b"done" not in screen:
            await asyncio.sleep(0.01)
    assert b"24 80" in screen
    running = (
        "import os\n"
        "lines = [open(f'/proc/{p}/cmdline', 'rb').read() for p in os.listdir('/proc') if p.isdigit()]\n"
        "print(sum(line.startswith(b'sleep') for line in lines))"
    )
    async with asyncio.timeout(20):
        while await python(embedded, spec, "web", running) != "2":
            await asyncio.sleep(0.02)
    # When the terminal is closed
    loop.remove_reader(terminal.fileno())
    await terminal.close()
    # Then nothing of it is left, and the service lives
    async with asyncio.timeout(20):
        while await python(embedded, spec, "web", running) != "0":
            await asyncio.sleep(0.05)
    assert (await http_get(embedded, spec, "web")).startswith("web ")
    await embedded.stop(spec.id)


async def test_it_ends_what_a_shell_leaves_behind(embedded: EmbeddedEngine) -> None:
    # Given a shell that starts a program which leaves its session, and then ends by itself
    spec = await launched(embedded, sandbox())
    terminal = await embedded.terminal(spec.id, "web")
    daemon = "import os; os.fork() and os._exit(0); os.setsid(); os.execlp('sleep', 'sleep', '543')"
    os.write(terminal.fileno(), f'python3 -c "{daemon}"; touch /data/left; exit\n'.encode())
    left = (
        "import glob, os\n"
        "lines = [open(path, 'rb').read() for path in glob.glob('/proc/[0-9]*/cmdline')]\n"
        "print(os.path.exists('/data/left'), sum(line.startswith(b'sleep') for line in lines))"
    )
    # Then the program does not outlive it
    async with asyncio.timeout(20):
        while await python(embedded, spec, "web", left) != "True 0":
            await asyncio.sleep(0.05)
    await terminal.close()
    await embedded.stop(spec.id)


async def test_it_lets_a_command_wait_until_the_service_is_furnished(embedded: EmbeddedEngine) -> None:
    # Given services that count as ready as soon as they run, and commands that come at once
    spec = sandbox(*(idle(f"idle{number}") for number in range(4)))
    await started(embedded, spec)
    code = (
        "import os; print(os.getuid(), os.path.exists('/soty'), os.path.exists('/images'), os.path.exists('/usr/bin/python3'))"
    )
    seen = await asyncio.gather(*(python(embedded, spec, service.name, code) for service in spec.services))
    # Then each one sees the service's own root
    assert seen == ["1000 False False True"] * 4
    await embedded.stop(spec.id)


async def test_it_gives_up_on_a_command_that_takes_too_long(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox())
    start = time.monotonic()
    result = await embedded.exec(spec.id, "web", ["/bin/sh", "-c", "echo begun; sleep 60"], timeout=0.5)
    assert (result.timed_out, result.stdout) == (True, b"begun\n")
    assert time.monotonic() - start < 3
    # Output above the cap is dropped, and the command still ends by itself
    loud = await embedded.exec(spec.id, "web", [PYTHON, "-c", "print('x' * 3_000_000)"])
    assert (loud.exit_code, len(loud.stdout)) == (0, 1 << 20)
    await embedded.stop(spec.id)


async def test_it_reports_an_image_that_cannot_run_the_command(embedded: EmbeddedEngine) -> None:
    spec = sandbox(web("app", command=("/no/such/program",)))
    await started(embedded, spec)
    await until_state(embedded, spec, "app", ServiceState.CRASHED)
    assert b"/no/such/program" in (await embedded.logs(spec.id, "app")).data
    await embedded.stop(spec.id)


async def test_it_launches_eight_sandboxes_at_once(embedded: EmbeddedEngine) -> None:
    specs = [sandbox(web("a"), web("b")) for _ in range(8)]
    await asyncio.gather(*(launched(embedded, spec) for spec in specs))
    assert {spec.id for spec in specs} <= set(await embedded.list())
    await asyncio.gather(*(embedded.stop(spec.id) for spec in specs))


async def test_it_leaves_nothing_when_it_is_stopped_during_a_launch(embedded: EmbeddedEngine) -> None:  # S17
    for pause in (0.0, 0.02, 0.06, 0.1):
        spec = sandbox()
        task = asyncio.create_task(embedded.launch(spec))
        await asyncio.sleep(pause)  # another moment of the launch each time
        await embedded.stop(spec.id)
        await asyncio.gather(task, return_exceptions=True)
        assert spec.id not in await embedded.list()


async def test_it_never_blocks_the_loop(embedded: EmbeddedEngine) -> None:
    # Given a clock that notices every stall
    worst = 0.0

    async def clock() -> None:
        nonlocal worst
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            worst = max(worst, time.monotonic() - before - 0.005)

    ticking = asyncio.create_task(clock())
    # When sandboxes come and go, with a flood in one of them
    flood = idle("flood", "while True: print('x' * 1000)")
    specs = [sandbox(web(), flood) for _ in range(3)]
    await asyncio.gather(*(launched(embedded, spec) for spec in specs))
    await asyncio.gather(*(embedded.put(spec.id, {"big": bytes(1 << 20)}) for spec in specs))
    await asyncio.gather(*(embedded.stop(spec.id) for spec in specs))
    ticking.cancel()
    # Then no stall is longer than a fifth of a second
    assert worst < 0.2


async def test_it_examines_the_machine_by_running_a_pod(embedded: EmbeddedEngine) -> None:
    report = await embedded.doctor()
    assert report.usable, report.reason
    assert report.limits["disk"] == report.limits["network"] == "hard"
    assert {"kernel", "bubblewrap", "cgroups"} <= report.versions.keys()
    assert not [name for name in await embedded.list() if name.startswith("doctor")]


async def test_it_cannot_dial_what_has_ended(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox())
    await embedded.kill(spec.id, "web")
    start = time.monotonic()
    with pytest.raises(ConnectionError):
        await embedded.dial(spec.id, "web", PORT, timeout=0.3)
    assert time.monotonic() - start < 2
    with pytest.raises(EngineError):
        await embedded.exec(spec.id, "web", ["/bin/true"])
    await embedded.stop(spec.id)


async def test_it_counts_the_limits_of_every_replica(embedded: EmbeddedEngine) -> None:
    spec = await launched(embedded, sandbox(web(limits=Limits(nofile=77, tmp_mb=3, data_mb=2, inodes=50))))
    code = (
        "import os, resource\n"
        "sizes = [os.statvfs(p).f_blocks * os.statvfs(p).f_frsize >> 20 for p in ('/tmp', '/data')]\n"
        "hard = [resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)]\n"
        "print(hard, sizes, os.statvfs('/data').f_files)"
    )
    assert await python(embedded, spec, "web", code) == "[77, 0] [3, 2] 50"
    await embedded.stop(spec.id)
