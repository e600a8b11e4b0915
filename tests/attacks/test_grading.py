"""Cheating and sabotage by the graded code itself (G01-G04, G08, G12): it fails for the right reason, and nothing else suffers.

The victim is the exercise that `./soty exercise new` makes: a service that doubles numbers over HTTP.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.content.exercise import Exercise, load_exercise
from app.grading.always_wrong import always_wrong
from app.grading.blank import make_exercise
from app.grading.local import LocalGrader
from app.grading.report import Report
from app.settings import CHECKOUT
from tests.graders import grader_over

Victim = tuple[LocalGrader, Exercise]

SERVER = """
import os, socket, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        number = self.path.removeprefix("/double/")
        {on_request}
        if not number.lstrip("-").isdigit():
            return self.send_error(400)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(int(number) * 2).encode())

{before}
HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    top = tmp_path_factory.mktemp("grading")
    exercise = load_exercise(make_exercise(top / "exercises", "victim"))
    with grader_over(top / "home", top / "exercises") as grader:
        yield grader, exercise


def grade(victim: Victim, *, on_request: str = "pass", before: str = "") -> Report:
    grader, exercise = victim
    return grader.grade(exercise, {"server.py": SERVER.format(on_request=on_request, before=before)}, seed=5)


def said(report: Report) -> dict[str, object]:
    """What the service printed as its last line of JSON."""
    lines = [line for line in report.log_tails["doubler"].splitlines() if line.startswith("{")]
    found: dict[str, object] = json.loads(lines[-1])
    return found


def test_the_honest_service_passes(victim: Victim) -> None:
    assert grade(victim).verdict == "passed"


@pytest.mark.parametrize("name", ["forges", "empty", "constant", "sleeps", "floods", "crashes"])
def test_g01_g02_g12_what_is_always_wrong_earns_nothing(victim: Victim, name: str) -> None:
    grader, exercise = victim
    report = grader.grade(exercise, always_wrong(exercise)[name])
    assert (report.verdict, report.score) == ("failed", 0)


def test_g03_the_prober_listens_on_nothing(victim: Victim) -> None:
    scan = """
        import json
        def open_ports(host):
            found = []
            for port in [*range(1, 1200), *range(5000, 5100), *range(8000, 9000), *range(32768, 33800)]:
                with socket.socket() as probe:
                    probe.settimeout(0.2)
                    if probe.connect_ex((host, port)) == 0:
                        found.append(port)
            return found
        if not hasattr(Handler, "scanned"):
            Handler.scanned = True
            print(json.dumps({"prober": open_ports(self.client_address[0]), "me": open_ports("127.0.0.1")}), flush=True)
    """
    report = grade(victim, on_request=scan.strip().replace("\n        ", "\n        "))
    assert said(report) == {"prober": [], "me": [8080]}


def test_g04_nothing_of_the_prober_can_be_read(victim: Victim) -> None:
    look = """
        import json, pathlib
        commands = [p.read_text(errors="replace") for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")]
        found = {
            "mine": any("server.py" in command for command in commands),
            "prober": any("member" in command or "prober" in command for command in commands),
            "files": [p for p in ("/member", "/member/job.json", "/given/secrets/prober_password") if os.path.isfile(p)],
            "names": "prober" in pathlib.Path("/etc/hosts").read_text(),
            "secrets": [name for name in os.environ if "TOKEN" in name or "PASSWORD" in name or "SECRET" in name],
        }
        print(json.dumps(found), flush=True)
    """
    report = grade(victim, on_request=look.strip())
    assert said(report) == {"mine": True, "prober": False, "files": [], "names": False, "secrets": []}


@pytest.mark.parametrize(
    ("attack", "told"),
    [
        ("self.wfile.write(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\n        while True: self.wfile.write(b'x' * 65536)", "larger than"),
        ("for _ in range(900): self.wfile.write(b'x'); time.sleep(0.5)", "no complete answer"),
        ("time.sleep(600)", "no complete answer"),
        ("os._exit(0)", "closed without an answer"),
    ],
    ids=["ten-gigabytes", "drip", "sleeps", "exits"],
)
def test_g08_g12_a_bad_answer_fails_its_check_in_time_and_says_so(victim: Victim, attack: str, told: str) -> None:
    begun = time.monotonic()
    report = grade(victim, on_request=attack)
    check = report.check("doubles")
    assert check.status == "failed"
    assert check.message
    assert told in check.message.en.seen
    assert report.check("refuses").status == "failed"
    assert time.monotonic() - begun < 90


def test_g12_a_service_that_answers_only_once_fails_with_its_traceback(victim: Victim) -> None:
    once = "Handler.seen = getattr(Handler, 'seen', 0) + 1\n        if Handler.seen > 1: raise SystemExit('tired of answering')"
    report = grade(victim, on_request=once)
    message = report.check("doubles").message
    assert message
    assert "tired of answering" in message.en.seen


GRADER = """
import sys, time
from pathlib import Path
from tests.graders import grader_over
with grader_over(Path(sys.argv[1])):
    print("running", flush=True)
    time.sleep(60)
"""


def test_a_killed_grader_leaves_no_process_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("killed")
    argv = [sys.executable, "-c", GRADER, str(home)]
    with subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE) as grader:
        assert grader.stdout
        assert grader.stdout.readline() == b"running\n"
        assert _processes_of(home)
        grader.kill()
    deadline = time.monotonic() + 15
    while (left := _processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def _processes_of(home: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
        except OSError:
            continue
        if f"SOTY_HOME={home}/".encode() in environment:
            found.append(path.name)
    return found
