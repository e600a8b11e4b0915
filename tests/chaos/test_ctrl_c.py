"""Ctrl-C while people work: an inventory of the machine before the start and after the end."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.sandbox.client import SandboxdClient
from tests.chaos.staying import write_staying_exercise
from tests.pods import alive, inventory, processes_below
from tests.product import Product, eventually

#: What a home keeps: the database without its log, keys, settings of the programs, and what sandboxd tells after a restart.
BELONGS = {
    "db": {"soty.sqlite3"},
    "secrets": {"secret_key", "ticket_key"},
    "public": {"ticket_key.pub"},
    "run": {"supervisord.conf"},
    "worker": {"worker-0.lock"},
    "sandboxd": {"lock", "usual.json", "journal"},
    "embedded": {"lock", "instance", "agent", "tools"},
    "live": set[str](),
}
MADE_ANEW = {"cache", "metrics", "images", "exercises"}
NAMESPACES = ("net", "mnt", "pid", "user", "ipc")
STOPS_WITHIN = 20.0


def mounts() -> set[str]:
    """Mount points of this namespace, those that keep a namespace alive included."""
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def namespaces(pid: int | str) -> set[str]:
    """Names of the namespaces that a process is in; none when it has ended."""
    try:
        return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in NAMESPACES}
    except OSError:
        return set()


def processes() -> set[tuple[int, str]]:
    """Everything that runs on this machine, as (pid, start time)."""
    return processes_below(0)


def belong_to(home: Path, launcher: int) -> set[tuple[int, str]]:
    """The product's processes, however they hang together: by descent, by a namespace of its pods, by their environment."""
    descent = processes_below(launcher)
    ours = set().union(*(namespaces(pid) for pid, _ in descent)) - namespaces("self")
    found = set(descent)
    for pid, started in processes():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            environment = []
        if f"SOTY_HOME={home}".encode() in environment or namespaces(pid) & ours:
            found.add((pid, started))
    return found


def strangers(home: Path) -> set[str]:
    """What lies in a home and does not belong there, and every socket."""
    found = set()
    for folder in home.iterdir():
        if folder.name in MADE_ANEW:
            continue
        names = {entry.name.partition("-")[0] if folder.name == "embedded" else entry.name for entry in folder.iterdir()}
        found |= {f"{folder.name}/{name}" for name in names - BELONGS.get(folder.name, set())}
    sockets = (path for path in home.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode))
    return found | {str(path.relative_to(home)) for path in sockets}


@pytest.fixture(params=["root", "an ordinary user"] if os.geteuid() == 0 else ["an ordinary user"])
def soty(request: pytest.FixtureRequest) -> Iterator[Product]:
    """Not started yet. Root's home lies below a closed folder, so that it must be shown to the accounts elsewhere."""
    with tempfile.TemporaryDirectory(prefix="soty-ctrl-c-") as folder:
        home = Path(folder) / "home"
        write_staying_exercise(home / "exercises", check_seconds=120)
        account = "nobody" if os.geteuid() == 0 and request.param != "root" else None
        if account:
            for path in (home.parent, home):
                os.chown(path, pwd.getpwnam(account).pw_uid, -1)
        product = Product(home, account=account, SOTY_EXERCISES_DIR=str(home / "exercises"))
        yield product
        product.stop()


def learner(soty: Product, name: str) -> httpx.Client:
    return soty.api(soty.cli("users", "add", name, "--token"))


def asked(client: httpx.Client, path: str, **body: object) -> str:
    """Start something; its id."""
    answer = client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.engine("embedded")
def test_ctrl_c_with_two_sandboxes_and_a_grading_leaves_nothing_behind(soty: Product) -> None:
    mounts_before = mounts()
    # Given two people with a sandbox each, and a third whose submission is being checked
    soty.start()
    with SandboxdClient(soty.home / "sandboxd" / "control.sock") as sandboxd:
        eventually("images are ready", lambda: sandboxd.images().all_ready, within=240, every=0.5)
    with learner(soty, "anna") as anna, learner(soty, "boris") as boris, learner(soty, "vera") as vera:
        sandboxes = [(client, asked(client, "/exercises/echo/sandbox")) for client in (anna, boris)]
        submission = asked(vera, "/exercises/echo/submissions", files={})
        for client, sandbox in sandboxes:
            eventually("it is ready", lambda c=client, s=sandbox: c.get(f"/sandboxes/{s}").json()["state"] == "ready", 120, 0.2)
        eventually("it is checked", lambda: vera.get(f"/submissions/{submission}").json()["progress"]["check"], 120, 0.2)
    assert soty.process
    ours = belong_to(soty.home, soty.process.pid)
    pods = set().union(*(namespaces(pid) for pid, _ in ours)) - namespaces("self")
    assert len([name for name in pods if name.startswith("net:")]) >= 10, "three sandboxes, seven services, a prober"
    # When somebody presses Ctrl-C, which a terminal sends to the whole group
    os.killpg(soty.process.pid, signal.SIGINT)
    pressed = time.monotonic()
    code = soty.process.wait(STOPS_WITHIN)
    print(f"ended {time.monotonic() - pressed:.1f} s after Ctrl-C; {len(ours)} processes, {len(pods)} namespaces")
    # Then nothing is left but what belongs
    assert code == 0, soty.output[-20:]
    assert not alive(ours), "processes, and the namespaces that they kept"
    assert mounts() <= mounts_before
    assert not list(Path("/run/soty").glob(f"{soty.process.pid}-*")), "places where closed folders were shown to the accounts"
    assert not inventory(soty.home)["groups"]
    assert not strangers(soty.home)
    assert "Traceback" not in "".join(soty.output)
