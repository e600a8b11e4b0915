"""Getting out of a sandbox (S04-S08, S18, S21): what learner code tries, and what it must find.

The same probe runs on the host (nothing is protected) and in a jail that keeps its rights (namespaces, but no filter and all
capabilities): there each attempt succeeds, so that inside it is really refused and not merely never made.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import MemberSpec, SandboxSpec
from tests.attacks.corpus import attack
from tests.attacks.weak import jailed
from tests.pods import PYTHON, idle, launched, sandbox, web

pytestmark = pytest.mark.anyio
CANARY = "canary-7f3a91"
CANARY_FOLDER = "bait"
ENVIRONMENT_CANARY = "canary-55d1c0"
#: Planted in this process, which starts the engine, before it does.
os.environ["SOTY_CANARY"] = ENVIRONMENT_CANARY
INHERITABLE = os.open(__file__, os.O_RDONLY)
os.set_inheritable(INHERITABLE, True)
SERVER = b"import http.server; http.server.HTTPServer(('0.0.0.0', 8000), http.server.BaseHTTPRequestHandler).serve_forever()"
CALLS = {
    "x86_64": {
        "unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0), "setns": (308, 0, 0), "ptrace": (101, 0, 0, 0, 0),
        "bpf": (321, 0, 0, 0), "keyctl": (250, 0, -3, 0), "add_key": (248, 0, 0, 0, 0, 0), "userfaultfd": (323, 0),
        "io_uring_setup": (425, 1, 0), "kexec_load": (246, 0, 0, 0, 0), "perf_event_open": (298, 0, 0, -1, -1, 0),
        "process_vm_readv": (310, 1, 0, 0, 0, 0, 0), "open_by_handle_at": (304, 0, 0, 0), "clone3": (435, 0, 0),
        "pidfd_getfd": (438, 0, 0, 0), "fsopen": (430, 0, 0), "move_mount": (429, 0, 0, 0, 0, 0), "chroot": (161, 0),
        "settimeofday": (164, 0, 0), "adjtimex": (159, 0), "clock_settime": (227, 0, 0), "syslog": (103, 3, 0, 0),
        "x32 getpid": (0x40000000 + 39,), "from the future": (900,),
    }
}  # fmt: skip
#: What a kernel does on request of somebody who has all capabilities of a user namespace.
TAKEN_WITHOUT_FILTER = frozenset({
    "unshare", "mount", "setns", "ptrace", "keyctl", "add_key", "clone3", "process_vm_readv", "fsopen", "move_mount", "chroot",
    "adjtimex",
})  # fmt: skip
PROBE = r"""
import ctypes, errno, glob, json, os, sys
arguments = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
found = {}

def attempt(name, action):
    try:
        result = action()
        found[name] = "ok" if result is None else result
    except BaseException as error:
        found[name] = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)

def call(number, *rest):
    child = os.fork()  # some of them would change the caller
    if child == 0:
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(value) for value in rest))
        os._exit(ctypes.get_errno() if result < 0 else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "")

def text(path):
    with open(path, "rb") as file:
        return file.read(100_000).decode(errors="replace")

for name, numbers in arguments["calls"].items():
    attempt(f"call {name}", lambda: call(*numbers))
for path in arguments["write"]:
    attempt(f"write {path}", lambda: open(path, "ab").close())
for path in arguments["read"]:
    attempt(f"read {path}", lambda: len(text(path)))
attempt("kill", lambda: os.kill(arguments["victim"], 0))
attempt("affinity", lambda: os.sched_setaffinity(0, {0}))
attempt("priority", lambda: os.nice(-5))
attempt("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
everything = []
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + ["/proc/self/mountinfo"]:
    try:
        everything.append(text(path))
    except OSError:
        pass
found["everything"] = "\n".join(everything)
found["environ"] = dict(os.environ)
found["descriptors"] = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}"))
found["status"] = dict(line.split(":\t", 1) for line in text("/proc/self/status").splitlines())
found["processes"] = [text(path) for path in glob.glob("/proc/[0-9]*/cmdline")]
found["sockets"] = [path for top in ("/run", "/tmp", "/var") for path in glob.glob(f"{top}/**/*.sock", recursive=True)]
found["set-uid"] = [
    os.path.join(top, name) for top, _, names in os.walk("/usr") for name in names
    if os.path.isfile(os.path.join(top, name)) and os.lstat(os.path.join(top, name)).st_mode & 0o6000
] if arguments["walk"] else []
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def bait(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """Things of the host that a probe tries to reach: a file, a process, kernel switches, doors of engines."""
    secret = tmp_path_factory.mktemp("bait") / "secret"
    secret.write_text(CANARY)
    victim = subprocess.Popen(["/bin/sleep", "600"])
    yield {
        "calls": CALLS[os.uname().machine],
        "write": [
            "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory",
            "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/x", "/sys/kernel/uevent_helper",
            "/usr/x", "/x", "/dev/x", "/workspace/main.py", str(secret),
        ],
        "read": [
            str(secret), "/etc/shadow", "/etc/passwd", "/proc/kcore", "/proc/1/root/etc/passwd", "/run/soty/hosts.front",
            "/proc/1/mem", "/sys/firmware/dmi/tables/DMI", "/sys/kernel/security/lsm", "/dev/mem",
        ],
        "victim": victim.pid,
        "walk": True,
    }  # fmt: skip
    victim.kill()
    victim.wait()


@pytest.fixture(scope="module")
def outside(bait: dict[str, object]) -> dict[str, object]:
    """The control: the probe on the host, where nothing keeps it from the file, the process and the environment."""
    mine = [path for path in bait["write"] if CANARY_FOLDER in path]
    harmless = {**bait, "write": mine, "calls": {}, "walk": False}
    argv = [sys.executable, "-c", PROBE, json.dumps(harmless)]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60, pass_fds=(INHERITABLE,))
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def unfiltered(bait: dict[str, object]) -> dict[str, object]:
    """The control: the probe in a jail like ours that has forgotten the filter and kept every capability."""
    done = subprocess.run(
        jailed(sys.executable, "-c", PROBE, json.dumps({**bait, "write": [], "read": []})),
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
async def prey(embedded: EmbeddedEngine) -> AsyncIterator[SandboxSpec]:
    spec = await launched(embedded, sandbox(web(), idle("other")))
    yield spec
    await embedded.stop(spec.id)


@pytest.fixture(scope="module")
async def inside(embedded: EmbeddedEngine, prey: SandboxSpec, bait: dict[str, object]) -> dict[str, object]:
    """What the probe finds in a service of a sandbox."""
    result = await embedded.exec(prey.id, "web", [PYTHON, "-c", PROBE, json.dumps(bait)], timeout=60)
    assert result.exit_code == 0, result.stderr.decode()
    return json.loads(result.stdout)


@attack("S04", control="outside")
def test_s04_it_reads_nothing_of_the_host(inside: dict[str, object], outside: dict[str, object]) -> None:
    # Given that on the host the probe sees the canary, the secret and a foreign process
    assert ENVIRONMENT_CANARY in str(outside["everything"])
    assert INHERITABLE in outside["descriptors"]
    assert [outside[name] for name in outside if name.startswith("read") and name.endswith("secret")] == [len(CANARY)]
    assert outside["kill"] == "ok"
    # Then inside it sees none of them
    everything = str(inside["everything"])
    assert ENVIRONMENT_CANARY not in everything
    assert "SOTY_HOME" not in everything
    environ = inside["environ"]
    assert isinstance(environ, dict)
    assert set(environ) <= {
        "PATH", "HOME", "LANG", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "SOTY_SERVICE", "SOTY_ADDRESS",
        "LC_CTYPE",
    }  # fmt: skip
    reads = {name: answer for name, answer in inside.items() if name.startswith("read ")}
    assert reads.pop("read /proc/1/root/etc/passwd") == reads.pop("read /etc/passwd")  # its own root, and a file we made
    assert all(isinstance(answer, str) and answer != "ok" for answer in reads.values()), reads
    assert inside["kill"] == "ESRCH"
    # And no descriptor but its own three (and the one that lists them) is open
    assert inside["descriptors"] == [0, 1, 2]
    # And of processes only those of its own service
    assert not [line for line in inside["processes"] if "sleep(600)" in line]


@attack("S05", control="outside")
def test_s05_it_writes_to_nothing_but_scratch(inside: dict[str, object], outside: dict[str, object]) -> None:
    writes = {name: answer for name, answer in inside.items() if name.startswith("write ")}
    assert len(writes) == 12
    assert set(writes.values()) <= {"EROFS", "EACCES", "ENOENT", "EPERM"}, writes
    assert [answer for name, answer in outside.items() if name.startswith("write ")] == ["ok"]


@attack("S06", "S21", control="unfiltered")
def test_s06_s21_it_gains_no_rights(
    inside: dict[str, object], unfiltered: dict[str, object], outside: dict[str, object]
) -> None:
    status, weak = inside["status"], unfiltered["status"]
    assert isinstance(status, dict)
    assert isinstance(weak, dict)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert (weak["CapEff"] != "0" * 16, weak["Seccomp"]) == (True, "0")
    calls = {name.removeprefix("call "): answer for name, answer in inside.items() if name.startswith("call ")}
    assert set(calls.values()) <= {"EPERM", "ENOSYS"}, calls
    assert (calls["clone3"], calls["x32 getpid"], calls["from the future"]) == ("ENOSYS",) * 3
    assert (inside["affinity"], inside["realtime"]) == ("EPERM", "EPERM")
    assert inside["priority"] in ("EPERM", "EACCES")
    assert outside["affinity"] == "ok"
    # The control: without the filter the kernel would have taken these calls (some only from root)
    taken = {name for name in calls if unfiltered[f"call {name}"] not in ("EPERM", "ENOSYS")}
    assert taken >= TAKEN_WITHOUT_FILTER, sorted(unfiltered.items())


@attack("S07", control="planted")
def test_s07_it_finds_no_door_to_an_engine(inside: dict[str, object], planted: dict[str, object]) -> None:
    assert inside["sockets"] == []
    assert inside["set-uid"] == []
    assert planted["sockets"]
    assert planted["set-uid"]


@pytest.fixture(scope="module")
def planted(bait: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The control: the probe where an engine's socket and a set-uid program do lie about."""
    top = tmp_path_factory.mktemp("planted")
    (top / "docker.sock").touch()
    (top / "su").touch()
    (top / "su").chmod(0o4755)
    argv = jailed("--bind", str(top), "/run", "--bind", str(top), "/usr/local", sys.executable, "-c", PROBE)
    done = subprocess.run([*argv, json.dumps({**bait, "write": [], "read": [], "calls": {}})], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


TYPE = """
import fcntl, glob, os, termios
for path in ['/dev/tty', '/dev/console', *glob.glob('/dev/pts/[0-9]*')]:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(fd, termios.TIOCSTI, b'x')
        print('typed')
    except OSError as error:
        print(error.errno)
"""
REFUSED = {b"1", b"2", b"6", b"13", b"25"}  #: EPERM, ENOENT, ENXIO, EACCES, ENOTTY


def types_into_its_own() -> bytes:
    """The control: on a terminal of its own the same code types, or the kernel (EIO) refuses what it would let others do."""
    main, side = pty.openpty()

    def own() -> None:
        os.setsid()
        fcntl.ioctl(side, termios.TIOCSCTTY, 0)

    code = TYPE.replace(", *glob.glob('/dev/pts/[0-9]*')", "").replace("'/dev/console'", "'/dev/tty'")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, preexec_fn=own, check=True, timeout=20)
    os.close(main)
    os.close(side)
    return done.stdout


@attack("S08", control="types_into_its_own")
async def test_s08_it_types_into_nobodys_terminal(embedded: EmbeddedEngine, prey: SandboxSpec) -> None:
    assert set(types_into_its_own().split()) <= {b"typed", b"5"}
    # Given a terminal session of the same service
    victim = await embedded.terminal(prey.id, "web", ["/bin/cat"])
    result = await embedded.exec(prey.id, "web", [PYTHON, "-c", TYPE])
    assert result.exit_code == 0, result.stderr
    assert set(result.stdout.split()) <= REFUSED
    await victim.close()


TRAPS = dict.fromkeys(("sitecustomize.py", "python3", "sh", "id", ".bashrc", "usercustomize.py"), b"#!/bin/sh\necho TRAPPED\n")


def trapped_by_name(folder: Path) -> str:
    """The control: who looks programs up in the workspace runs what lies there."""
    for name, content in TRAPS.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o755)
    return subprocess.run(["id"], env={"PATH": str(folder)}, capture_output=True, text=True, check=True).stdout


@attack("S18", control="trapped_by_name")
async def test_s18_it_poisons_only_itself(embedded: EmbeddedEngine, tmp_path: Path) -> None:
    assert trapped_by_name(tmp_path) == "TRAPPED\n"
    # Given a workspace full of traps for whoever starts a program there
    spec = await launched(embedded, sandbox(files={**TRAPS, "main.py": SERVER}))
    # Then commands and guests of the platform run the programs of their images
    result = await embedded.exec(spec.id, "web", ["python3", "-c", "print('mine')"])
    assert (result.stdout, result.stderr) == (b"mine\n", b"")
    result = await embedded.exec(spec.id, "web", ["sh", "-c", "id -u"], env={"HOME": "/tmp"})
    assert result.stdout == b"1000\n"
    # Also when the learner's own service preloads and renames what it can: a prober in another root hears nothing of it
    spoil = "import os; os.environ.update(LD_PRELOAD='/data/x.so', PATH='/data', PYTHONSTARTUP='/data/x'); print('spoilt')"
    assert (await embedded.exec(spec.id, "web", [PYTHON, "-c", spoil])).stdout == b"spoilt\n"
    code = "import os, sys; print(sys.executable, [n for n in ('LD_PRELOAD', 'PYTHONSTARTUP') if n in os.environ], flush=True)"
    guest = await embedded.attach(spec.id, MemberSpec("prober", "prober", (PYTHON, "-c", code)))
    assert await asyncio.wait_for(guest.stdout.readline(), 15) == f"{PYTHON} []\n".encode()
    assert await guest.wait() == 0
    await embedded.stop(spec.id)
