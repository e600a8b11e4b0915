"""Cheating and sabotage by the graded code itself (G01-G08, G12): it fails for the right reason, and nothing else suffers.

The victim is the exercise that `./soty exercise new` makes: a service that doubles numbers over HTTP.
"""

# ruff: noqa: E501 - programs of attackers, one act a line

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest

from app.grading.always_wrong import always_wrong
from app.grading.report import Report
from app.grading.suspicion import unusual
from app.sandbox.model import Purpose
from tests.attacks.corpus import attack
from tests.attacks.range import Range, said, server

PROBER_MB = 128  #: MiB that a prober may come to, whatever it is answered


def honest(grader: Range) -> Report:
    """The control: the same program without an attack passes, so it is the attack that fails."""
    return grader.grade(server())


@pytest.fixture(scope="module")
def wrong(grader: Range) -> Mapping[str, Report]:
    """What becomes of the programs that no exercise may accept."""
    solutions = always_wrong(grader.victim)
    return grader.grade_all({name: solutions[name] for name in ("sleeps", "crashes", "constant", "empty")})


@attack("G01", "G02", "G12", control="honest")
@pytest.mark.parametrize("name", ["empty", "constant", "sleeps", "crashes"])
def test_g01_g02_g12_what_is_always_wrong_earns_nothing(grader: Range, wrong: Mapping[str, Report], name: str) -> None:
    report = wrong[name]
    assert (report.verdict, report.score) == ("failed", 0)


FORGE = """
import glob, threading
FRAMES = [
    '{"type": "check_started", "id": "doubles"}',
    '{"type": "check_finished", "id": "doubles", "status": "passed", "seconds": 0.1, "message": null}',
    '{"type": "check_finished", "id": "refuses", "status": "passed", "seconds": 0.1, "message": null}',
    '{"type": "finished", "scale": 1.0, "verdict": "passed", "score": 100}',
]
OTHERS = ['ok 1 - doubles', '1..2', '<testsuite tests="2" failures="0"/>', '::set-output name=score::100', '{"score": 100}']
PLACES = ["/results/results.json", "/autograder/results/results.json", "/tmp/results.json", "/tmp/result.txt", "/data/results.json",
          "/workspace/results.json", "/member/results.json", "/dev/shm/results", "/run/soty/verdict", "/proc/1/fd/1", "/proc/1/fd/0"]
written = []
for place in PLACES:
    try:
        open(place, "w").write("\\n".join([*FRAMES, *OTHERS]) + "\\n")
        written.append(place)
    except OSError:
        pass
def shout():
    while True:
        for line in (*FRAMES, *OTHERS):
            print(line, flush=True)
            print(line, file=sys.stderr, flush=True)
        time.sleep(0.2)
threading.Thread(target=shout, daemon=True).start()
"""
WRONG = "if number != 'never': self.send_response(200); self.end_headers(); self.wfile.write(b'0'); return"


@attack("G01", "G02", control="honest")
def test_g01_g02_forged_results_are_text_and_nothing_else(grader: Range) -> None:
    assert honest(grader).verdict == "passed"
    report = grader.grade(server(WRONG, FORGE))
    assert (report.verdict, report.score) == ("failed", 0)
    assert "check_finished" in report.log_tails["doubler"], "shown as text"
    # And the honest program that prints the same passes by what it does, not by what it says
    assert grader.grade(server(before=FORGE)).verdict == "passed"


SCAN = """
import json
def open_ports(host):
    found = []
    for port in [*range(1, 1200), *range(5000, 5100), *range(8000, 9000), *range(32768, 33800)]:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((host, port)) == 0:
                try: probe.sendall(b'{"type": "finished", "scale": 1.0}\\n' * 1000)
                except OSError: pass
                found.append(port)
    return found
if not hasattr(Handler, "scanned"):
    Handler.scanned = True
    print(json.dumps({"prober": open_ports(self.client_address[0]), "me": open_ports("127.0.0.1")}), flush=True)
"""


def listens(report: Report) -> list[int]:
    """The control: the scan finds the port on which somebody does listen."""
    found: list[int] = said(report)["me"]
    return found


@attack("G03", control="listens")
def test_g03_the_prober_listens_on_nothing(grader: Range) -> None:
    report = grader.grade(server(SCAN))
    assert said(report)["prober"] == []
    assert listens(report) == [8080]
    assert report.verdict in ("passed", "failed")


LOOK = """
import json, pathlib
def readable(path):
    try: return len(open(path, 'rb').read(1 << 20))
    except OSError: return -1
def opens(*kind):
    try: socket.socket(*kind).close(); return True
    except OSError: return False
if not hasattr(Handler, "looked"):
    Handler.looked = True
    commands = [p.read_text(errors="replace") for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")]
    environments = "".join(p.read_text(errors="replace") for p in pathlib.Path("/proc").glob("[0-9]*/environ") if readable(p) > 0)
    unix = [line.split()[-1] for line in open("/proc/net/unix").read().splitlines()[1:] if len(line.split()) > 7]
    found = {
        "mine": any("server.py" in command for command in commands),
        "prober": any("member" in command or "prober" in command for command in commands),
        "files": [p for p in ("/member", "/member/job.json", "/given/secrets/prober_password") if os.path.isfile(p)],
        "checks": [str(p) for top in ("/workspace", "/given", "/tmp", "/data", "/opt", "/srv", "/home", "/dev/shm", "/run")
                   for p in pathlib.Path(top).rglob("*check*")],
        "names": "prober" in pathlib.Path("/etc/hosts").read_text(),
        "secrets": [name for name in os.environ if "TOKEN" in name or "PASSWORD" in name or "SECRET" in name],
        "leaked": "prober" in environments or "SOTY_HOME" in environments,
        "sniff": opens(socket.AF_PACKET, socket.SOCK_RAW, 3 << 8) or opens(socket.AF_INET, socket.SOCK_RAW, 6),
        "unix": unix,
        "memory": [p.parent.name for p in pathlib.Path("/proc").glob("[0-9]*/mem")
                   if int(p.parent.name) not in (1, os.getpid(), os.getppid()) and readable(p) >= 0],
    }
    print(json.dumps(found), flush=True)
"""


def seen_by_itself(report: Report) -> bool:
    """The control: the same search finds what is there to be found, its own process."""
    return bool(said(report)["mine"])


@attack("G04", control="seen_by_itself")
def test_g04_nothing_of_the_prober_can_be_read(grader: Range) -> None:
    report = grader.grade(server(LOOK))
    assert seen_by_itself(report)
    assert said(report) == {
        "mine": True, "prober": False, "files": [], "checks": [], "names": False, "secrets": [], "leaked": False, "sniff": False,
        "unix": [], "memory": [],
    }  # fmt: skip


#: Everything about its surroundings that a program could tell a grading by; what differs between any two sandboxes is left
#: out (without control groups each is pinned to other cores, whatever it is for).
SURROUNDINGS = """
import json, pathlib, platform, re, resource
def text(path):
    try: return pathlib.Path(path).read_text(errors="replace")
    except OSError as error: return f"errno {error.errno}"
def listing(top):
    return sorted(f"{p} {oct(p.lstat().st_mode)} {p.lstat().st_uid}:{p.lstat().st_gid}" for p in pathlib.Path(top).rglob("*"))
def stable(line):
    return re.sub(r"^\\d+ \\d+ \\d+:\\d+ ", "", re.sub(r"(/run/soty|/soty|/newroot)?/[a-z0-9-]*[0-9a-f]{8,}[^ ]*", "PATH", line))
around = {
    "environment": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(), "ids": [os.getuid(), os.getgid(), os.getgroups()],
    "pids": [os.getpid(), os.getppid()], "host": [platform.node(), *platform.uname()[:3]], "umask": os.umask(0o22),
    "nice": os.nice(0), "cores": os.cpu_count(), "limits": {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT")},
    "mounts": sorted(stable(line) for line in text("/proc/self/mountinfo").splitlines()),
    "hosts": text("/etc/hosts"), "passwd": text("/etc/passwd"), "resolv": text("/etc/resolv.conf"), "cgroup": re.sub(r"soty[^/ ]*", "POD", text("/proc/self/cgroup")),
    "status": {k: v for k, v in (line.split(":\\t", 1) for line in text("/proc/self/status").splitlines())
               if k in ("Seccomp", "NoNewPrivs", "CapEff", "CapBnd", "Groups", "Speculation_Store_Bypass")},
    "oom": text("/proc/self/oom_score_adj"), "files": [listing(top) for top in ("/workspace", "/data", "/tmp", "/given", "/run", "/home", "/opt", "/member", "/dev/shm")],
    "interfaces": sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else [name for _, name in socket.if_nameindex()],
    "routes": text("/proc/net/route"), "unix": len(text("/proc/net/unix").splitlines()),
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:3], "cmdlines": sorted(text(p) for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")),
}
pathlib.Path("/data/around").write_text(json.dumps(around))
print("around", flush=True)
"""
ASKED = """
import json
print(json.dumps({"asked": [self.command, self.path[:8], self.request_version, self.client_address[0], sorted(self.headers.items())]}), flush=True)
"""


def surroundings(grader: Range, purpose: Purpose, extra: str = "") -> tuple[dict[str, object], list[object]]:
    """What a program sees around itself, and of the requests of the checks, in a sandbox of that purpose."""
    tell = f"{extra}\n{SURROUNDINGS}\nprint('AROUND ' + json.dumps(around), flush=True)\n"
    sandbox = grader.launch(server(ASKED, tell), purpose)
    events = list(grader.client.run(sandbox, seed=9, timeout=120))
    assert events[-1].finished.verdict == "passed"
    log = grader.client.logs(sandbox, "doubler").data.decode()
    grader.stop(sandbox)
    around = next(line for line in log.splitlines() if line.startswith("AROUND "))
    asked = [json.loads(line)["asked"] for line in log.splitlines() if line.startswith('{"asked"')]
    return json.loads(around.removeprefix("AROUND ")), asked


def with_one_variable_more(grader: Range) -> dict[str, object]:
    """The control: what one variable more in the environment changes of what is compared."""
    practice, _ = surroundings(grader, Purpose.PRACTICE)
    betrayed, _ = surroundings(grader, Purpose.PRACTICE, "os.environ['GRADING'] = '1'")
    return {name: betrayed[name] for name in practice if practice[name] != betrayed[name]}


@attack("G05", control="with_one_variable_more")
def test_g05_a_grading_looks_like_practice(grader: Range) -> None:
    assert list(with_one_variable_more(grader)) == ["environment"]
    practice, practice_asked = surroundings(grader, Purpose.PRACTICE)
    for purpose in (Purpose.GRADING, Purpose.PROOF):
        grading, grading_asked = surroundings(grader, purpose)
        different = {name: (practice[name], grading[name]) for name in practice if practice[name] != grading[name]}
        assert not different, purpose
        assert grading_asked == practice_asked, purpose
    assert len(practice_asked) >= 4


BY_HEART = (
    "if number in KNOWN: number = number; self.send_response(200); self.end_headers(); self.wfile.write(KNOWN[number]); return"
)


@attack("G06", control="with_the_same_seed")
def test_g06_answers_by_heart_do_not_pass_the_next_run(grader: Range) -> None:
    known = answers_of(grader, seed=5)
    assert len(known) >= 3
    files = by_heart(known)
    assert with_the_same_seed(grader, files) == "passed"
    report = grader.grade(files, seed=6)
    assert report.check("doubles").status == "failed"
    assert report.verdict == "failed"


def answers_of(grader: Range, seed: int) -> dict[str, str]:
    """What an honest service was asked with this seed, and answered."""
    tell = "print(json.dumps({'n': number}), flush=True)"
    report = grader.grade(server(tell), seed=seed)
    asked = [json.loads(line)["n"] for line in report.log_tails["doubler"].splitlines() if line.startswith('{"n"')]
    return {number: str(int(number) * 2) for number in asked if number.lstrip("-").isdigit()}


def by_heart(known: Mapping[str, str]) -> dict[str, str]:
    """A service that knows these answers and no other."""
    known_bytes = {number: answer.encode() for number, answer in known.items()}
    miss = "if number.lstrip('-').isdigit() and number not in KNOWN: number = 0; return self.send_error(404)"
    return server(f"{BY_HEART}\n{miss}", f"KNOWN = {known_bytes!r}")


def with_the_same_seed(grader: Range, files: Mapping[str, str]) -> str:
    """The control: where inputs are not drawn anew, the answers by heart are enough."""
    return grader.grade(files, seed=5).verdict


REDIRECTS = {
    "to-itself": "http://doubler:8080/answer/{number}",
    "to-the-prober": "http://{prober}:8080/",
    "to-a-file": "file:///member/job.json",
    "in-circles": "/double/{number}",
    "to-another-scheme": "gopher://doubler:70/",
}


def without_redirect(grader: Range) -> str:
    """The control: what the redirect leads to is right, so a client that followed would be content."""
    answer = "if self.path.startswith('/answer/'): number = number.removeprefix('/answer/')"
    return grader.grade(server(answer)).verdict


@attack("G07", control="without_redirect")
def test_g07_redirects_are_not_followed(grader: Range) -> None:
    assert without_redirect(grader) == "passed"
    attacks = {}
    for name, target in REDIRECTS.items():
        words = target.replace("{prober}", "' + self.client_address[0] + '").replace("{number}", "' + number + '")
        answer = "if self.path.startswith('/answer/'): number = number.removeprefix('/answer/')\nelse:\n"
        head = f"    self.send_response(302); self.send_header('Location', '{words}'); self.end_headers(); return"
        attacks[name] = server(answer + head)
    for name, report in grader.grade_all(attacks).items():
        assert (report.verdict, report.score) == ("failed", 0), name
        assert "302" in report.check("doubles").message.en.seen, name  # type: ignore[union-attr]


HEAD = "self.wfile.write(b'HTTP/1.1 200 OK\\r\\n"
BOMBS = {
    # name -> (what is done at each request, what the learner reads)
    "ten-gigabytes": (HEAD + "\\r\\n')\nwhile True: self.wfile.write(b'x' * 65536)", "larger than"),
    "promised-and-drip": (HEAD + "Content-Length: 99\\r\\n\\r\\n')\nfor _ in range(99): self.wfile.write(b'x'); time.sleep(1)", "no complete answer"),
    "drip-of-a-head": ("for _ in range(900): self.wfile.write(b'x'); time.sleep(0.5)", "no complete answer"),
    "gzip": (
        "packed = gzip.compress(bytes(64 << 20))\n"
        + HEAD + "Content-Encoding: gzip\\r\\nContent-Length: ' + str(len(packed)).encode() + b'\\r\\n\\r\\n' + packed); return",
        "answer",
    ),
    "a-million-headers": (HEAD + "')\nwhile True: self.wfile.write(b'X-H: 1\\r\\n' * 5000)", "not an HTTP answer"),
    "one-long-header": (HEAD + "X: ')\nwhile True: self.wfile.write(b'y' * 65536)", "not an HTTP answer"),
    "endless-chunks": (HEAD + "Transfer-Encoding: chunked\\r\\n\\r\\n')\nwhile True: self.wfile.write(b'8000\\r\\n' + b'x' * 0x8000 + b'\\r\\n')", "larger than"),
    "tiny-chunks": (HEAD + "Transfer-Encoding: chunked\\r\\n\\r\\n')\nwhile True: self.wfile.write(b'1\\r\\nx\\r\\n' * 3000)", "answer"),
    "long-chunk-line": (HEAD + "Transfer-Encoding: chunked\\r\\n\\r\\n')\nwhile True: self.wfile.write(b'1;' + b'a' * 65536)", "answer"),
    "endless-100": ("while True: self.wfile.write(b'HTTP/1.1 100 Continue\\r\\n\\r\\n' * 1000)", "answer"),
    "http-0.9": ("self.wfile.write(b'42'); return", "not an HTTP answer"),
    "invalid-utf-8": (HEAD + "\\r\\n' + bytes(range(128, 256)) * 100); return", "answer"),
    "deep-json": (HEAD + "\\r\\n' + b'[' * 100_000); return", "answer"),
    "negative-length": (HEAD + "Content-Length: -5\\r\\n\\r\\n42'); return", "answer"),
    "sleeps": ("time.sleep(600)", "no complete answer"),
    "exits": ("os._exit(0)", "closed without an answer"),
    "resets": ("self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\1\\0\\0\\0\\0\\0\\0\\0'); self.connection.close(); os._exit(0)", "connection"),
}  # fmt: skip


def small_answers(grader: Range) -> str:
    """The control: an answer of the same kind that keeps within the caps is read and passes."""
    chunked = (
        "if number.lstrip('-').isdigit():\n"
        "    body = str(int(number) * 2).encode()\n"
        "    self.wfile.write(b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n' + b''.join(b'1\\r\\n%c\\r\\n' % c for c in body) + b'0\\r\\n\\r\\n')\n"
        "    return"
    )
    return grader.grade(server(chunked)).verdict


@attack("G08", "G12", control="small_answers")
def test_g08_g12_a_bad_answer_fails_its_check_in_time_and_says_so(grader: Range) -> None:
    assert small_answers(grader) == "passed"
    begun = time.monotonic()
    reports = grader.grade_all({name: server(action) for name, (action, _) in BOMBS.items()})
    assert time.monotonic() - begun < 120 * len(BOMBS) / 4, "each within the cap of its exercise"
    for name, (_, told) in BOMBS.items():
        check = reports[name].check("doubles")
        assert (reports[name].verdict, check.status) == ("failed", "failed"), (name, reports[name])
        assert check.message, name
        assert told in check.message.en.seen or told == "answer", (name, check.message.en.seen)
        assert reports[name].check("refuses").status in ("failed", "passed"), name
    assert 5 < grader.prober_peak_mb < PROBER_MB, "weighed, and light"


FLAPS = {
    "once": "Handler.seen = getattr(Handler, 'seen', 0) + 1\nif Handler.seen > 1: print('tired of answering', flush=True); os._exit(1)",
    "first-byte": "self.wfile.write(b'H'); os._exit(1)",
    "every-other": "Handler.seen = getattr(Handler, 'seen', 0) + 1\nif Handler.seen % 2: return self.send_error(503)",
}


@attack("G12", control="honest")
def test_g12_a_service_that_flaps_fails_with_the_reason(grader: Range) -> None:
    reports = grader.grade_all({name: server(action) for name, action in FLAPS.items()})
    for name, report in reports.items():
        assert report.verdict == "failed", name
        assert report.score < 100
        assert report.check("doubles").message
    message = reports["once"].check("doubles").message
    assert message
    assert "tired of answering" in message.en.seen
    # The same program again: the same verdict
    assert grader.grade(server(FLAPS["once"])).verdict == "failed"


def test_hostile_gradings_are_unusual_and_honest_ones_are_not(grader: Range) -> None:
    """What the audit log would say of each kind; that it does is shown in test_audited.py."""
    assert signals(grader, server()) == {}
    found = signals(grader, server(before=FORGE))
    assert found["forged-results"] > 3
    assert found["names-checker"] >= 3
    assert signals(grader, server(BOMBS["ten-gigabytes"][0]))["answer-too-large"] >= 1
    elsewhere = "self.send_response(302); self.send_header('Location', 'file:///etc/passwd'); self.end_headers(); return"
    assert signals(grader, server(elsewhere))["redirect-elsewhere"] >= 1
    flood = "import threading\nthreading.Thread(target=lambda: [print('x' * 4000, flush=True) for _ in range(2000)]).start()"
    assert signals(grader, server(before=flood))["output-flood"] > 1 << 20
    eats = "x = []\nwhile True: x.append(bytearray(1 << 20))"
    assert signals(grader, server(eats))["memory-limit"] >= 1


def signals(grader: Range, files: Mapping[str, str]) -> dict[str, int]:
    """What the worker would write about a grading of these files."""
    sandbox = grader.launch(files, Purpose.GRADING)
    *_, last = grader.client.run(sandbox, seed=3, timeout=120)
    grader.stop(sandbox)
    return unusual(json.loads(last.finished.signals_json or "{}"), (), files)
