"""Goal 4: the verdict of the least exercise, through the API, against plain processes that do the same.

Run with `./test bench -s`: prints medians of one run, both sides in turn; needs the images of the test run.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from app.content.exercise import Exercise
from tests.bench.handing_in import graded, learner, product, reference
from tests.bench.test_grading import STAGES
from tests.bench.test_pages import tell
from tests.product import eventually, free_port
from tests.proofs import offered

ROUNDS = 5
QUICK = """
format: 1
id: quick
module: m01
lesson: m01-l01
order: 1
title: {ru: Т, en: T}
goal: {ru: Т, en: T}
level: easy
minutes: 10
sandbox:
  services:
    web: {image: python, command: [python3, main.py], ready: {kind: tcp, port: 8000}, limits: {memory: 64m}}
workspace: {editable: [{path: main.py}]}
checks:
  timeout_seconds: 60
  items:
    - {id: first, points: 25, title: {ru: Т, en: T}}
    - {id: second, points: 25, title: {ru: Т, en: T}}
    - {id: third, points: 25, title: {ru: Т, en: T}}
    - {id: fourth, points: 25, title: {ru: Т, en: T}}
starter_fails: [first]
mutants:
  - {id: m1, dir: mutant, killed_by: [first], why: {ru: Т, en: T}}
  - {id: m2, dir: mutant, killed_by: [first], why: {ru: Т, en: T}}
  - {id: m3, dir: mutant, killed_by: [first], why: {ru: Т, en: T}}
hints: [{ru: Т, en: T}, {ru: Т, en: T}, {ru: Т, en: T}]
"""
QUICK_CHECKS = """
from kit import Kit, Text, check, equal

def asks(path: str):
    def one(kit: Kit) -> None:
        kit.expect(kit.http("web", 8000).get(f"/{path}").text, equal(f"/{path}"), Text.same("body"))
    return one

for name in ("first", "second", "third", "fourth"):
    check(name)(asks(name))
"""
QUICK_SERVICE = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Handler).serve_forever()
"""
QUICK_BARE = """
import http.client, sys
for path in ("/first", "/second", "/third", "/fourth"):
    asked = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
    asked.request("GET", path)
    assert asked.getresponse().read().decode() == path
    asked.close()
"""


def quick_exercise(folder: Path) -> Exercise:
    """One Python service and four checks that do next to nothing."""
    files = {"exercise.yaml": QUICK, "task.ru.md": "Т", "task.en.md": "T", "checks/checks.py": QUICK_CHECKS}
    files |= {f"{name}/main.py": QUICK_SERVICE for name in ("starter", "reference", "mutant")}
    for name, text in files.items():
        path = folder / "quick" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return offered(folder / "quick")


def accepts(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def bare_processes(folder: Path) -> float:
    """Seconds of the same as two plain processes: a service until it accepts, then one that asks it four times."""
    port = free_port()
    service, asker = folder / "service.py", folder / "asker.py"
    service.write_text(QUICK_SERVICE)
    asker.write_text(QUICK_BARE)
    began = time.monotonic()
    with subprocess.Popen([sys.executable, service, str(port)]) as process:
        try:
            eventually("it accepts", lambda: accepts(port), every=0.005)
            subprocess.run([sys.executable, asker, str(port)], check=True)
            return time.monotonic() - began
        finally:
            process.kill()


def test_one_service_and_four_checks_against_plain_processes() -> None:
    """Hand in, verdict."""
    ours, plain, parts = [], [], []
    with tempfile.TemporaryDirectory(prefix="soty-quick-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        exercise = quick_exercise(folder)
        with product(SOTY_EXERCISES_DIR=name) as soty, soty.api(learner(soty, "quick")) as api:
            for number in range(ROUNDS + 1):
                seconds, found = graded(api, exercise.id, reference(exercise), every=0.02)
                alone = bare_processes(folder / "quick")
                if number:  # the first round warms
                    ours.append(seconds)
                    plain.append(alone)
                    parts.append(found["timings_ms"])
    print(f"\none service, four checks: submit to verdict {median(ours):.2f} s, plain processes {median(plain):.2f} s "
          f"(load {os.getloadavg()[0]:.1f}, medians of {ROUNDS})")  # fmt: skip
    for stage in (*STAGES, *(name for name in parts[0] if name.startswith("check:")), "total"):
        print(f"  {stage:24} {median(one.get(stage, 0) for one in parts):8.0f} ms")
    found = median(a / b for a, b in zip(ours, plain, strict=True))
    tell("verdict / plain processes", found, 2, found <= 2)
