"""Turning the platform's own reads and writes elsewhere (S01-S03), and inputs shaped like exploits (S19)."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, InvalidInput, NotFound, PlatformError, Unavailable
from app.sandbox.engine import NoSuchFile
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.engines.validation import InvalidSpec
from app.sandbox.model import Purpose, ReadyProbe, ServiceSpec
from tests.attacks.aftermath import Canary
from tests.attacks.corpus import attack
from tests.attacks.range import Range, server
from tests.pods import idle, launched, python, sandbox, web
from tests.product import eventually

pytestmark = pytest.mark.anyio
ROUNDS = 1000
PLANT = """
import os
target = {target!r}
answers = []
for path in ("/workspace/server.py", "/workspace/run_script", "/workspace/requirements.txt", "/workspace/.soty/x",
             "/data/server.py", "/data/run_script", "/data/gen/server.py", "/tmp/server.py", "/data/requirements.txt"):
    for link in (os.symlink, os.link):
        try:
            if os.path.lexists(path) and not path.startswith("/workspace"):
                os.unlink(path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            link(target, path)
            answers.append("made")
        except OSError as error:
            answers.append(error.errno)
"""


def written_by_a_careless_platform(folder: Path, canary: Path) -> str:
    """The control: whoever writes to `main.py` by its name writes through the link."""
    victim = folder / "victim"
    victim.write_text(canary.read_text())
    (folder / "main.py").symlink_to(victim)
    with (folder / "main.py").open("w") as file:
        file.write("overwritten")
    return victim.read_text()


@attack("S01", control="written_by_a_careless_platform")
def test_s01_links_do_not_lead_the_platforms_writes_away(grader: Range, canary: Canary, tmp_path: Path) -> None:
    assert written_by_a_careless_platform(tmp_path, canary.path) == "overwritten"
    # Given a service that plants links wherever it can, as soon as it runs and at every request
    plant = PLANT.format(target=str(canary.path))
    told = plant + "\nprint(json.dumps(answers) if (json := __import__('json')) else '', flush=True)"
    sandbox_id = grader.launch(server(before=told))
    log = eventually("it planted", lambda: grader.client.logs(sandbox_id, "doubler").data, within=10)
    assert b'"made"' in log, "links were made, in its own scratch"
    # When the workspace is saved and deployed again, and a trial puts its files
    for number in range(3):
        files = server(before=told + f"\nNUMBER = {number}")
        grader.client.apply(sandbox_id, files, restart=True)
        eventually("it runs again", lambda: grader.status(sandbox_id).state == "ready", within=20)
    list(grader.client.run(sandbox_id, seed=1, only=["refuses"], files=server(before=plant), timeout=120))
    # Then what lies in the workspace is what was put there, and the canary (see `unharmed`) was not touched
    read = "import json; print(json.dumps([os.path.islink('/workspace/server.py'), sorted(os.listdir('/workspace'))]))"
    grader.client.apply(sandbox_id, server(before=f"import os\n{read}"), restart=True)
    expected = b'[false, ["server.py"]]'
    eventually("the workspace is clean", lambda: expected in grader.client.logs(sandbox_id, "doubler").data, within=20)
    grader.stop(sandbox_id)
    # And the same code handed in for grading leads nowhere either
    assert grader.grade(server(before=plant)).verdict == "passed"


KINDS = """
import os, socket
os.chdir('/data')
os.symlink('/etc/passwd', 'link'); os.symlink('/', 'root'); os.symlink('/proc/self/fd/0', 'fd')
os.mkfifo('fifo'); os.mkdir('dir')
os.symlink({target!r}, 'canary')
socket.socket(socket.AF_UNIX).bind('socket')
open('plain', 'w').write('fine')
open('huge', 'w').truncate(8 << 20)
device = lambda: os.mknod('device', 0o20644, os.makedev(1, 8))
for call in (device, lambda: os.link('/etc/passwd', 'hard'), lambda: os.link({target!r}, 'hard2')):
    try: call(); print('made')
    except OSError: print('refused')
"""


def read_carelessly(path: Path) -> str:
    """The control: `open` follows a link, and hangs on a pipe until somebody writes."""
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(path.read_text()), daemon=True)
    thread.start()
    thread.join(0.3)
    hung = thread.is_alive()
    if hung:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        thread.join(5)
    return "hung" if hung else answers[0]


@attack("S01", "S03", control="read_carelessly")
async def test_s01_s03_only_plain_files_are_read(embedded: EmbeddedEngine, canary: Canary, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(canary.path)
    assert (read_carelessly(tmp_path / "fifo"), read_carelessly(tmp_path / "link")) == ("hung", canary.content)
    spec = await launched(embedded, sandbox())
    made = await python(embedded, spec, "web", KINDS.format(target=str(canary.path)))
    assert made.split() == ["refused"] * 3
    assert await embedded.get(spec.id, "web", "/data/plain") == b"fine"
    for path in (
        "link",
        "root/etc/passwd",
        "fifo",
        "dir",
        "socket",
        "fd",
        "canary",
        "../etc/passwd",
        "none",
        "huge",
        "hard",
        "dir/",
    ):
        began = time.monotonic()
        with pytest.raises((NoSuchFile, InvalidSpec)):
            await embedded.get(spec.id, "web", f"/data/{path}")
        assert time.monotonic() - began < 1
    for path in ("/etc/passwd", "/proc/1/environ", "/data", "data/../etc/passwd\0", "/given/secrets/x"):
        with pytest.raises((NoSuchFile, InvalidSpec)):
            await embedded.get(spec.id, "web", path)
    await embedded.stop(spec.id)


SWAP = """
import os
os.chdir('/data')
open('real', 'w').write('inside')
os.mkdir('folder')
while True:
    os.symlink({target!r}, 'new'); os.rename('new', 'file')
    os.link('real', 'new'); os.rename('new', 'file')
    if os.path.lexists('new'): os.unlink('new')
    os.symlink('/etc', 'way2'); os.rename('way2', 'way')
    os.unlink('way'); os.mkdir('way'); os.rmdir('way')
"""


def raced(folder: Path, canary: Path) -> set[bytes]:
    """The control: a careless reader of the same race sees what lies outside."""
    (folder / "real").write_text("inside")
    done, seen = threading.Event(), set()

    def swap() -> None:
        while not done.is_set():
            for make in (lambda: (folder / "new").symlink_to(canary), lambda: os.link(folder / "real", folder / "new")):
                make()
                (folder / "new").rename(folder / "file")
                (folder / "new").unlink(missing_ok=True)

    thread = threading.Thread(target=swap)
    thread.start()
    deadline = time.monotonic() + 5
    while len(seen) < 2 and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            seen.add((folder / "file").read_bytes())
    done.set()
    thread.join()
    return seen


@attack("S02", control="raced")
async def test_s02_it_survives_a_race_of_links(embedded: EmbeddedEngine, canary: Canary, tmp_path: Path) -> None:
    assert canary.content.encode() in raced(tmp_path, canary.path)
    # Given a service that swaps a file for a link as fast as it can
    spec = await launched(embedded, sandbox(idle("racer", SWAP.format(target="/etc/passwd"))))
    seen: set[bytes | str] = set()
    # When the platform reads and saves a thousand times
    for number in range(ROUNDS):
        try:
            seen.add(await embedded.get(spec.id, "racer", "/data/way/passwd" if number % 5 == 4 else "/data/file"))
        except NoSuchFile as error:
            seen.add(error.message)
        if number % 50 == 0:
            await embedded.put(spec.id, {"main.py": f"# {number}\n".encode(), "file": b"mine"})
    # Then what is read is the file inside, or nothing
    assert {answer for answer in seen if isinstance(answer, bytes)} <= {b"inside", b""}
    assert any(isinstance(answer, str) for answer in seen), "the race was lost sometimes"
    await embedded.stop(spec.id)


SHAPES = (
    "/proc/self/fd/8", "../../x", "--privileged", "$(id)", "`id`", "a\nb", "a\0b", "x" * 300, "-v/:/host",
    "host.docker.internal", "rabbitmq,network_mode=host", "{{7*7}}", "%2e%2e%2f", "‮gnp", "a b", "",
)  # fmt: skip


def taken_by_a_shell(shape: str) -> str:
    """The control: where a name becomes part of a command line, the shape acts."""
    with os.popen(f"echo {shape}") as pipe:
        return pipe.read()


@attack("S19", control="taken_by_a_shell")
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda c, e, i, x: c.control(i, x, "restart"), id="service"),
        pytest.param(lambda c, e, i, x: c.control(i, "doubler", x), id="action"),
        pytest.param(lambda c, e, i, x: c.stop(i, f"{x} "), id="reason"),
        pytest.param(lambda c, e, i, x: c.logs(i, x), id="logs"),
        pytest.param(lambda c, e, i, x: c.status(f"{x}?", timeout=5), id="sandbox"),
        pytest.param(lambda c, e, i, x: c.apply(i, {x: "text"}), id="path"),
        pytest.param(lambda c, e, i, x: c.apply(i, {}, restart=True, services=[x]), id="services"),
        pytest.param(lambda c, e, i, x: list(c.run(i, seed=1, only=[x], timeout=20)), id="check"),
        pytest.param(lambda c, e, i, x: _launch(c, e, sandbox_id=f"ABC{x}"), id="launched id"),
        pytest.param(lambda c, e, i, x: _launch(c, e, exercise_id=f"{x}!"), id="exercise"),
        pytest.param(lambda c, e, i, x: _launch(c, e, content_hash=x), id="hash"),
        pytest.param(lambda c, e, i, x: _launch(c, e, purpose=f"{x}!"), id="purpose"),
        pytest.param(lambda c, e, i, x: _launch(c, e, owner=x and x * 65), id="owner"),
        pytest.param(lambda c, e, i, x: _launch(c, e, files={x: "text"}), id="file"),
    ],
)
def test_s19_sandboxd_refuses_what_is_shaped_like_an_exploit(grader: Range, ask: Callable[..., Any]) -> None:
    assert "uid=" in taken_by_a_shell("$(id)")
    sandbox_id = grader.launch(grader.victim.solution())
    for shape in SHAPES:
        with pytest.raises((InvalidInput, NotFound, Conflict)) as caught:
            ask(grader.client, grader.victim, sandbox_id, shape)
        assert not isinstance(caught.value, Unavailable)
        assert "inside sandboxd" not in caught.value.message
    assert [one.id for one in grader.client.list().sandboxes] == [sandbox_id]
    assert grader.status(sandbox_id).state == "ready"
    grader.stop(sandbox_id)


def _launch(client: Any, exercise: Any, **changes: Any) -> object:
    asked = {
        "sandbox_id": "z" * 20, "exercise_id": exercise.id, "content_hash": exercise.content_hash,
        "purpose": Purpose.PRACTICE, "owner": "o", "files": {},
    } | changes  # fmt: skip
    return client.launch(asked.pop("sandbox_id"), **asked)


def sane() -> ServiceSpec:
    """The control: the same service with nothing odd about it is launched."""
    return web()


@attack("S19", control="sane")
async def test_s19_the_engine_itself_takes_no_odd_name_either(embedded: EmbeddedEngine) -> None:
    await embedded.stop((await launched(embedded, sandbox(sane()))).id)
    odd: list[Callable[[str], Any]] = [
        lambda x: sandbox(web(x)),
        lambda x: sandbox(web(image=x or "/")),
        lambda x: sandbox(web(env={f"{x} ": "1"})),
        lambda x: sandbox(files={x: b"1"}),
        lambda x: sandbox(secrets={x: "1"}),
        lambda x: sandbox(member_images=(x,)),
        lambda x: type(sandbox())(id=x, services=(sane(),)),
    ]
    for make in odd:
        for shape in ("/proc/self/fd/8", "../../x", "a\nb", "a\0b", "x" * 300):
            with pytest.raises(PlatformError):
                await embedded.launch(make(shape))
    # What is text and nothing else arrives as it was given
    value = "$(id) `id` --privileged\n; rm -rf / \t'\""
    show = (
        "/usr/bin/python3",
        "-c",
        "import os, sys, time; print(repr((os.environ['ODD'], sys.argv[1])), flush=True); time.sleep(60)",
    )
    spec = await launched(embedded, sandbox(web(command=(*show, value), env={"ODD": value}, ready=ReadyProbe())))
    said = (await embedded.logs(spec.id, "web")).data
    deadline = time.monotonic() + 5
    while not said and time.monotonic() < deadline:
        said = (await embedded.logs(spec.id, "web")).data
    assert said.decode().strip() == repr((value, value))
    await embedded.stop(spec.id)
