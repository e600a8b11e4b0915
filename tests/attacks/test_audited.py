"""A hostile submission of each kind through the whole product: it fails, the platform serves, and the audit log has its lines."""

# ruff: noqa: E501 - programs of attackers, one act a line

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.grading.blank import make_exercise
from app.grading.limits import OPEN_SUBMISSIONS
from app.sandbox.client import SandboxdClient
from app.settings import CHECKOUT
from tests.attacks.corpus import attack
from tests.attacks.people import join, sign_in, speak_english
from tests.attacks.range import server
from tests.attacks.test_grading_grpc import FRAMES, RAW
from tests.product import Product, eventually
from tests.proofs import offered

#: Beside the learner's service: a helper of the learner's without links, and an upstream behind a tap.
STOCK = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"7")
HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
LINKED = """
    stock: {image: python, given: true, command: [python3, /given/stock.py], ready: {kind: tcp, port: 8000}}
    helper: {image: python, command: [python3, -u, /workspace/helper.py], restart: never}
  edges:
    - {from: doubler, to: "stock:8000", protocol: http}
"""
BROKER = "\n    rabbitmq: {image: rabbitmq, given: true}\n"
CHECKS = """
from kit import Kit, Text, check, equal

def judge(kit: Kit) -> None:
    {judge}

check("doubles")(judge)
check("refuses")(judge)
"""
HAS_QUEUE = 'kit.expect(kit.amqp().exists("tasks"), equal(True), Text("очередь", "the queue"))'
ECHOES = (
    'name = kit.draw.name(); reply = kit.grpc("doubler", 50051, "contract_v1.textproto").reply("shop.v1.Greeter/Greet", {"name": name})\n'
    '    kit.expect(reply.message, equal(name), Text("ответ", "the reply"))'
)


def write(exercises: Path, name: str, services: str = "", judge: str = "", port: int = 8080) -> None:
    """The blank exercise with more services, or judged otherwise."""
    home = make_exercise(exercises, name)
    definition = (home / "exercise.yaml").read_text("utf-8").replace("8080", str(port))
    definition = definition.replace("\n\nworkspace:", f"{services}\nworkspace:").replace(
        "timeout_seconds: 30", "timeout_seconds: 60"
    )
    if services == LINKED:
        definition = definition.replace("language: python}", "language: python}\n    - {path: helper.py, language: python}")
        (home / "given").mkdir()
        (home / "given" / "stock.py").write_text(STOCK)
        (home / "starter" / "helper.py").write_text("import time\ntime.sleep(600)\n")
    if judge:
        (home / "checks" / "checks.py").write_text(CHECKS.replace("{judge}", judge), "utf-8")
        shutil.copy(CHECKOUT / "exercises" / "g1-greeter" / "checks" / "contract_v1.textproto", home / "checks")
    (home / "exercise.yaml").write_text(definition, "utf-8")
    offered(home)


@pytest.fixture(scope="module")
def soty(tmp_path_factory: pytest.TempPathFactory, store: object) -> Iterator[Product]:
    """The whole product over three small exercises: one over HTTP with a tap, one with a broker, one over gRPC."""
    home = tmp_path_factory.mktemp("audited")
    exercises = home / "exercises"
    write(exercises, "victim", LINKED)
    write(exercises, "queue", BROKER, HAS_QUEUE)
    write(exercises, "speaker", judge=ECHOES, port=50051)
    with Product(home, SOTY_EXERCISES_DIR=str(exercises)) as product:
        with SandboxdClient(home / "sandboxd" / "control.sock") as sandboxd:
            eventually("images are ready", lambda: sandboxd.images().all_ready, within=240, every=0.5)
        with join(product).sandbox():
            pass
        yield product


WRONG = "if self.path.startswith('/double/'): self.send_response(200); self.end_headers(); self.wfile.write(b'0'); return"
PIKA = "import os, pika, threading, time\nchannel = pika.BlockingConnection(pika.URLParameters('amqp://learner:learner@rabbitmq:5672/%2F')).channel()\n"
SERVES = "import socket\nserver = socket.create_server(('0.0.0.0', 8080))\n"
HONEST: Mapping[str, tuple[str, dict[str, str]]] = {
    "over HTTP": ("victim", server()),
    "with a broker": ("queue", {"server.py": f"{PIKA}{SERVES}channel.queue_declare('tasks')\nserver.listen()\ntime.sleep(600)\n"}),
    "over gRPC": ("speaker", {"server.py": (
        "from concurrent import futures\nimport grpc\n"
        "echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)\n"
        "server = grpc.server(futures.ThreadPoolExecutor(4))\n"
        "server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('shop.v1.Greeter', {'Greet': echo}),))\n"
        "server.add_insecure_port('0.0.0.0:50051')\nserver.start()\nserver.wait_for_termination()\n"
    )}),
}  # fmt: skip
FAKE = """
import socket, threading
def answer(port, said):
    server = socket.create_server(("0.0.0.0", port))
    while True:
        client, _ = server.accept()
        try: client.recv(65536); client.sendall(said); client.close()
        except OSError: pass
body = b'[{"name": "tasks", "messages": 3}]'
threading.Thread(target=answer, args=(15672, b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)).start()
threading.Thread(target=answer, args=(5672, b"AMQP\\0\\0\\x09\\x01")).start()
answer(8080, b"")
"""
POISON = f"""{SERVES}{PIKA}
for act in (lambda c: c.queue_declare("probe.x"), lambda c: c.queue_purge("probe.x"), lambda c: c.queue_delete("probe.x")):
    try: act(channel.connection.channel())
    except pika.exceptions.AMQPError: pass
flood = channel.connection.channel()
flood.queue_declare("flood", durable=True)
while True: flood.basic_publish("", "flood", b"m" * 10_000, pika.BasicProperties(delivery_mode=2))
"""
#: Kind -> (exercise, files, what the log says was observed).
HOSTILE: Mapping[str, tuple[str, dict[str, str], set[str]]] = {
    "G01": ("victim", server(WRONG, "for p in ('/results/results.json', '/tmp/results.json', '/data/score'):\n    try: open(p, 'w').write('{\"score\": 100}')\n    except OSError: pass"),
            {"names from inside the checks, in the files"}),
    "G02": ("victim", server(WRONG, "for i in range(5): print('{\"type\": \"finished\", \"verdict\": \"passed\", \"score\": 100}', flush=True)"),
            {"lines of output that look like results of checks"}),
    "G03": ("victim", server(
        "for port in (*range(5000, 5050), *range(8000, 8100), *range(40000, 40200)):\n"
        "    try: socket.create_connection((self.client_address[0], port), 0.05).sendall(b'{\"type\": \"finished\"}\\n' * 1000)\n"
        f"    except OSError: pass\n{WRONG}"), set()),
    "G04": ("victim", server(
        "import glob, re\nseen = b''\nfor p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline') + ['/proc/net/unix']:\n"
        "    try: seen += open(p, 'rb').read()\n    except OSError: pass\n"
        "found = re.findall(rb'expected.([0-9]+)', seen)\n"
        "self.send_response(200); self.end_headers(); self.wfile.write(found[0] if found else b'0'); return"), set()),
    "G05": ("victim", server(
        "graded = any('GRAD' in name for name in os.environ) or 'grad' in socket.gethostname() or self.headers['User-Agent'] not in (None, '')\n"
        f"if not graded or 'grad' not in self.headers.get('User-Agent', ''):\n    {WRONG}"), set()),
    "G06": ("victim", server(
        "if number in ('21', '5', '100'): self.send_response(200); self.end_headers(); self.wfile.write(b'42'); return\nself.send_error(404); return"), set()),
    "G07": ("victim", server("self.send_response(302); self.send_header('Location', 'file:///etc/passwd'); self.end_headers(); return"),
            {"redirects to other addresses"}),
    "G08": ("victim", server("self.wfile.write(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\nwhile True: self.wfile.write(b'x' * 65536)"),
            {"answers over the size limit"}),
    "G09": ("speaker", {"server.py": RAW.replace("{attack}", f"        {FRAMES['rapid-reset']}")}, set()),
    "G10": ("queue", {"server.py": FAKE}, set()),
    "G11": ("queue", {"server.py": POISON}, {"things that the broker refused", "names from inside the checks, in the files"}),
    "G12": ("victim", server("Handler.seen = getattr(Handler, 'seen', 0) + 1\nif Handler.seen > 1: os._exit(0)"), set()),
    "G17": ("victim", {**server(WRONG), "helper.py": (
        "import socket, time\nwhile True:\n    try: socket.create_connection(('stock', 8000), 2).sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "    except OSError: pass\n    time.sleep(0.2)\n")}, {"connections that the exercise does not have"}),
}  # fmt: skip


def handed_in(soty: Product, work: Mapping[str, tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    """Everything at once, from as many people as it takes; what became of each."""
    ids, names = {}, list(work)
    for begin in range(0, len(names), OPEN_SUBMISSIONS):
        learner = join(soty)
        for name in names[begin : begin + OPEN_SUBMISSIONS]:
            answer = learner.submit(work[name][1], exercise=work[name][0])
            assert answer.status_code == 202, (name, answer.text)
            ids[name] = (learner, answer.json()["id"])
    return {name: {**learner.settled(found), "who": learner.name} for name, (learner, found) in ids.items()}


def lines(browser: httpx.Client, what: str) -> dict[str, tuple[str, str]]:
    """Submission -> who and facts, of one kind of lines as the panel lists them."""
    page = browser.get(f"/panel/audit?what={what}").text
    found = {}
    for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", page, re.DOTALL):
        cells = [unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        found[cells[2].removeprefix("submission ")] = (cells[0], cells[3])
    return found


def honest(soty: Product) -> dict[str, dict[str, Any]]:
    """The control: honest work on the same exercises passes."""
    return handed_in(soty, HONEST)


@attack(
    "G01", "G02", "G03", "G04", "G05", "G06", "G07", "G08", "G09", "G10", "G11", "G12", "G17", control="honest"
)  # fmt: skip
def test_every_kind_of_hostile_work_fails_and_stands_in_the_audit_log(soty: Product) -> None:
    reports = handed_in(soty, HOSTILE)
    fair = honest(soty)
    assert {name: found["verdict"] for name, found in fair.items()} == dict.fromkeys(HONEST, "passed")
    assert {
        name: (found["verdict"], found.get("error")) for name, found in reports.items() if found["verdict"] != "failed"
    } == {}
    assert httpx.get(f"{soty.url}/readyz", timeout=5).json()["status"] == "ready"
    print([line for line in soty.output if "fault" in line])
    admin = join(soty, "admin")
    with httpx.Client(base_url=soty.url, follow_redirects=True, timeout=20) as browser:
        sign_in(browser, soty, admin)
        speak_english(browser, soty)
        verdicts, unusual = lines(browser, "submission.graded"), lines(browser, "submission.suspicious")
    # Each has its line, honest work too, and nothing that a learner wrote is in it
    for name, found in {**reports, **fair}.items():
        who, facts = verdicts[found["id"]]
        exercise = {**HOSTILE, **HONEST}[name][0]
        told = "passed" if name in HONEST else "not passed yet"
        assert who == found["who"], name
        assert re.fullmatch(
            rf"exercise: {exercise} · verdict: {told} · score: \d+ · version of the checks: [0-9a-f]{{12}}", facts
        ), name
    # What was observed is told of those of whom it was, and of nobody else
    observed = {found["id"]: name for name, found in reports.items()}
    said = {observed.get(one, one): set(re.findall(r"([^·:]+): \d+", facts)) for one, (_, facts) in unusual.items()}
    assert {name: {word.strip() for word in words} for name, words in said.items()} == {
        name: kinds for name, (_, _, kinds) in HOSTILE.items() if kinds
    }
