"""Getting out of a sandbox (security.md S04-S10, S18, S21): what learner code tries, and what it must find.

The same probe run outside, on the host, shows that each attempt would be seen if it succeeded.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.sandbox.engine import NoSuchFile
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import SandboxSpec
from tests.pods import PYTHON, idle, launched, sandbox, web

pytestmark = pytest.mark.anyio
CANARY = "canary-7f3a91"
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
PROBE = r"""
import ctypes, errno, fcntl, glob, json, os, socket, struct, sys
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
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(value) for value in rest)) < 0:
        raise OSError(ctypes.get_errno(), "")

def text(path):
    with open(path, "rb") as file:
        return file.read(100_000).decode(errors="replace")

def connect(family, target):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.connect(target)

for name, numbers in arguments["calls"].items():
    attempt(f"call {name}", lambda: call(*numbers))
for path in arguments["write"]:
    attempt(f"write {path}", lambda: open(path, "ab").close())
for path in arguments["read"]:
    attempt(f"read {path}", lambda: len(text(path)))
for name, (family, target) in arguments["connect"].items():
    attempt(f"connect {name}", lambda: connect(family, tuple(target) if isinstance(target, list) else target))
for name, family in {"vsock": 40, "packet": 17, "alg": 38, "tipc": 30}.items():
    attempt(f"socket {name}", lambda: socket.socket(family, socket.SOCK_DGRAM).close())
attempt("socket raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())
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
    """Things of the host that a probe tries to reach: a listener, an abstract socket, a file, a process."""
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0{CANARY}")
    abstract.listen()
    secret = tmp_path_factory.mktemp("bait") / "secret"
    secret.write_text(CANARY)
    victim = subprocess.Popen(["/bin/sleep", "600"])
    port = listener.getsockname()[1]
    yield {
        "calls": CALLS[os.uname().machine],
        "write": ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/usr/x", "/x", "/dev/x", "/workspace/main.py"],
        "read": [
            str(secret),
            "/etc/shadow",
            "/etc/passwd",
            "/proc/kcore",
            "/proc/1/root/etc/passwd",
            "/run/soty/hosts.front",
            "/proc/1/mem",
        ],
        "connect": {
            "host loopback": (socket.AF_INET, ["127.0.0.1", port]),
            "abstract": (socket.AF_UNIX, f"\0{CANARY}"),
            **{
                f"{host}:{number}": (socket.AF_INET6 if ":" in host else socket.AF_INET, [host, number])
                for host in ("169.254.169.254", "192.0.2.1", "8.8.8.8", "10.0.0.1", "172.17.0.1", "2001:db8::1", "fe80::1")
                for number in (53, 80, port)
            },
            **{f"gateway:{number}": (socket.AF_INET, ["10.98.1.1", number]) for number in (22, 80, 5432, 5672, 8000, port)},
        },
        "victim": victim.pid,
        "walk": True,
    }
    victim.kill()
    victim.wait()
    listener.close()
    abstract.close()


@pytest.fixture(scope="module")
def outside(bait: dict[str, object]) -> dict[str, object]:
    """The positive control: the probe on the host, without what could change it."""
    harmless = {**bait, "write": [], "calls": {}, "connect": dict(list(bait["connect"].items())[:2]), "walk": False}  # type: ignore[attr-defined]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(harmless)],
        capture_output=True,
        check=True,
        timeout=60,
        pass_fds=(INHERITABLE,),
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


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
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_s04_it_reads_nothing_of_the_host(inside: dict[str, object], outside: dict[str, object]) -> None:
    # Given that on the host the probe sees the canary, the secret and a foreign process
    assert ENVIRONMENT_CANARY in str(outside["everything"])
    assert INHERITABLE in outside["descriptors"]  # type: ignore[operator]
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
    assert not [line for line in inside["processes"] if "sleep(600)" in line]  # type: ignore[attr-defined]


def test_s05_it_writes_to_nothing_but_scratch(inside: dict[str, object]) -> None:
    writes = {name: answer for name, answer in inside.items() if name.startswith("write ")}
    assert len(writes) == 6
    assert set(writes.values()) <= {"EROFS", "EACCES", "ENOENT", "EPERM"}, writes


def test_s06_s21_it_gains_no_rights(inside: dict[str, object], outside: dict[str, object]) -> None:
    status = inside["status"]
    assert isinstance(status, dict)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert outside["status"]["Seccomp"] == "0"  # type: ignore[index]
    calls = {name: answer for name, answer in inside.items() if name.startswith("call ")}
    assert set(calls.values()) <= {"EPERM", "ENOSYS"}, calls
    assert (calls["call clone3"], calls["call x32 getpid"], calls["call from the future"]) == ("ENOSYS",) * 3
    assert (inside["affinity"], inside["realtime"]) == ("EPERM", "EPERM")
    assert inside["priority"] in ("EPERM", "EACCES")
    assert outside["affinity"] == "ok"


def test_s07_it_finds_no_door_to_an_engine(inside: dict[str, object]) -> None:
    assert inside["sockets"] == []
    assert inside["set-uid"] == []


def test_s09_it_reaches_no_network_but_its_own(inside: dict[str, object], outside: dict[str, object]) -> None:
    # Given that from the host both baits can be connected to
    assert (outside["connect host loopback"], outside["connect abstract"]) == ("ok", "ok")
    # Then inside every connect fails
    connects = {name: answer for name, answer in inside.items() if name.startswith("connect ")}
    assert len(connects) == 29
    assert set(connects.values()) <= {"ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH", "EINVAL"}, connects


def test_s10_it_opens_no_raw_or_foreign_socket(inside: dict[str, object]) -> None:
    sockets = {name: answer for name, answer in inside.items() if name.startswith("socket ")}
    assert set(sockets.values()) <= {"EAFNOSUPPORT", "EPERM"}, sockets
    assert sockets["socket vsock"] == "EAFNOSUPPORT"


async def test_s08_it_types_into_nobodys_terminal(embedded: EmbeddedEngine, prey: SandboxSpec) -> None:
    # Given a terminal session of the same service
    victim = await embedded.terminal(prey.id, "web", ["/bin/cat"])
    code = (
        "import fcntl, glob, os, termios\n"
        "for path in ['/dev/tty', '/dev/console', *glob.glob('/dev/pts/[0-9]*')]:\n"
        "    try:\n"
        "        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)\n"
        "        fcntl.ioctl(fd, termios.TIOCSTI, b'x')\n"
        "        print('typed into', path)\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
    )
    result = await embedded.exec(prey.id, "web", [PYTHON, "-c", code])
    assert b"typed" not in result.stdout
    assert set(result.stdout.split()) <= {b"1", b"2", b"6", b"13", b"25"}
    await victim.close()


async def test_s18_it_poisons_only_itself(embedded: EmbeddedEngine) -> None:
    # Given a workspace full of traps for whoever starts a program there
    traps = dict.fromkeys(("sitecustomize.py", "python3", "sh", ".bashrc", "usercustomize.py"), b"#!/bin/sh\necho TRAPPED\n")
    spec = await launched(embedded, sandbox(files={**traps, "main.py": SERVER}))
    # Then commands and guests of the platform run the programs of their images
    result = await embedded.exec(spec.id, "web", ["python3", "-c", "print('mine')"])
    assert (result.stdout, result.stderr) == (b"mine\n", b"")
    result = await embedded.exec(spec.id, "web", ["sh", "-c", "echo mine"], env={"HOME": "/tmp"})
    assert result.stdout == b"mine\n"
    await embedded.stop(spec.id)


async def test_s01_s03_it_cannot_turn_a_read_of_the_platform_elsewhere(embedded: EmbeddedEngine, tmp_path: Path) -> None:
    spec = await launched(embedded, sandbox())
    code = (
        "import os, socket\n"
        "os.chdir('/data')\n"
        "os.symlink('/etc/passwd', 'link'); os.symlink('/', 'root'); os.mkfifo('fifo'); os.mkdir('dir')\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('socket')\n"
        "open('plain', 'w').write('fine')\n"
    )
    assert (await embedded.exec(spec.id, "web", [PYTHON, "-c", code])).exit_code == 0
    # The control: a plain file is read
    assert await embedded.get(spec.id, "web", "/data/plain") == b"fine"
    for path in ("link", "root/etc/passwd", "fifo", "dir", "socket", "../etc/passwd", "none"):
        with pytest.raises(NoSuchFile):
            await embedded.get(spec.id, "web", f"/data/{path}")
    await embedded.stop(spec.id)


async def test_s02_it_survives_a_race_of_links(embedded: EmbeddedEngine) -> None:
    # Given a service that swaps a file for a link as fast as it can
    code = (
        "import os\n"
        "os.chdir('/data')\n"
        "open('real', 'w').write('inside')\n"
        "while True:\n"
        "    os.symlink('/etc/hostname', 'new'); os.rename('new', 'file')\n"
        "    os.link('real', 'new'); os.rename('new', 'file')\n"
        "    if os.path.exists('new'): os.unlink('new')\n"
    )
    spec = await launched(embedded, sandbox(idle("racer", code)))
    seen: list[bytes | str] = []
    for _ in range(300):
        try:
            seen.append(await embedded.get(spec.id, "racer", "/data/file"))
        except NoSuchFile as error:
            seen.append(error.message)
    # Then what is read is the file inside, or nothing
    assert {answer for answer in seen if isinstance(answer, bytes)} <= {b"inside", b""}
    assert len(seen) == 300
    await embedded.stop(spec.id)
