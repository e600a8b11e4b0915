"""The broker as a way to cheat or to break the checker (G10, G11): it is ours, a learner's rights end where the checker's begin."""

# ruff: noqa: E501 - programs of attackers, one act a line

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.grading.report import Report
from app.sandbox.model import Purpose
from tests.attacks.corpus import attack
from tests.attacks.range import Range
from tests.product import eventually

FIRST = ("consumer-first",)
#: What every attacker begins with: a connection as the learner.
CONNECT = """
import json, os, socket, struct, sys, threading, time
import pika, shop
QUEUE = "tasks"
def connect():
    return pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
"""
HONEST = """
def consume(channel, on_message):
    channel.queue_declare(QUEUE)
    channel.basic_consume(QUEUE, on_message)
    channel.start_consuming()
def handle(channel, method, properties, body):
    shop.processed(body.decode())
    channel.basic_ack(method.delivery_tag)
"""
FAKE = (
    CONNECT
    + """
class Fake:
    def serve(self, port, talk):
        server = socket.create_server(("0.0.0.0", port))
        while True:
            client, _ = server.accept()
            threading.Thread(target=talk, args=(client,), daemon=True).start()
def management(client):
    client.recv(65536)
    body = json.dumps([{"name": "tasks", "messages_ready": 3, "consumers": 1}]).encode()
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    client.close()
def amqp(client):
    client.recv(65536)
    client.sendall(b"AMQP\\0\\0\\x09\\x01" * 10)
    client.close()
for name in ("rabbitmq", "rabbitmq-2", "consumer"):
    try: open("/etc/hosts", "a").write(f"127.0.0.1 {name}\\n")
    except OSError as error: print("hosts", error.errno, flush=True)
for address in ("rabbitmq", "10.98.1.1"):
    try: socket.create_server((socket.gethostbyname(address), 5672)); print("bound", flush=True)
    except OSError as error: print("bind", error.errno, flush=True)
threading.Thread(target=Fake().serve, args=(15672, management), daemon=True).start()
Fake().serve(5672, amqp)
"""
)
ASKS_THE_FAKE = (
    CONNECT
    + """
import urllib.request
print(json.dumps({"fake": json.load(urllib.request.urlopen("http://consumer:15672/api/queues", timeout=5))}), flush=True)
"""
)


def fooled_by_asking_it(grader: Range, files: dict[str, str]) -> list[str]:
    """The control: who asks the impostor itself, at its own address, is told that the queue exists."""
    sandbox = grader.launch(files, exercise=grader.queue)
    grader.client.control(sandbox, "producer", "start")
    log = eventually("it asked", lambda: grader.client.logs(sandbox, "producer").data.decode(), within=20)
    grader.stop(sandbox)
    return [queue["name"] for queue in json.loads(log.splitlines()[0])["fake"]]


@attack("G10", control="fooled_by_asking_it")
def test_g10_a_broker_of_the_learners_own_fools_nobody(grader: Range) -> None:
    files = {"producer.py": ASKS_THE_FAKE, "consumer.py": FAKE}
    assert fooled_by_asking_it(grader, files) == ["tasks"]
    report = grader.grade(files, grader.queue, only=("consumer-first", "producer-first"))
    assert (report.verdict, report.score) == ("failed", 0)
    log = report.log_tails["consumer"]
    assert "bound" not in log
    assert "hosts 30" in log or "hosts 13" in log


RIGHTS = (
    CONNECT
    + HONEST
    + """
def tried(what):
    connection = connect()
    try:
        what(connection.channel())
        return "allowed"
    except pika.exceptions.ChannelClosedByBroker as error: return error.reply_code
    except pika.exceptions.AMQPError as error: return type(error).__name__
    finally:
        if connection.is_open: connection.close()
def as_prober(password):
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    parameters.credentials = pika.PlainCredentials("prober", password)
    try: pika.BlockingConnection(parameters).close(); return "let in"
    except pika.exceptions.AMQPError as error: return type(error).__name__
def management():
    import base64, urllib.request, urllib.error
    token = base64.b64encode(b"learner:learner").decode()
    request = urllib.request.Request("http://rabbitmq:15672/api/queues", headers={"Authorization": "Basic " + token})
    try: return urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as error: return error.code
found = {
    "declare": tried(lambda c: c.queue_declare("probe.x")), "delete": tried(lambda c: c.queue_delete("probe.x")),
    "purge": tried(lambda c: c.queue_purge("probe.x")), "consume": tried(lambda c: (c.basic_consume("probe.x", print), c.connection.process_data_events(1))),
    "get": tried(lambda c: c.basic_get("probe.x")), "exchange": tried(lambda c: c.exchange_declare("probe.e")),
    "bind": tried(lambda c: (c.queue_declare("own"), c.queue_bind("own", "probe.e"))), "trace": tried(lambda c: c.queue_bind("own", "amq.rabbitmq.trace", "#")),
    "own": tried(lambda c: (c.queue_declare("own"), c.queue_purge("own"), c.queue_delete("own"))),
    "prober": [as_prober(p) for p in ("", "prober", "learner", "guest")], "management": management(),
}
print(json.dumps(found), flush=True)
consume(connect().channel(), handle)
"""
)


def allowed_on_its_own(found: dict[str, Any]) -> bool:
    """The control: the same acts on a queue of the learner's own are allowed, so it is the name that is protected."""
    return bool(found["own"] == "allowed")


@attack("G11", control="allowed_on_its_own")
def test_g11_the_checkers_queues_are_out_of_reach(grader: Range) -> None:
    files = {**grader.queue.solution(), "consumer.py": RIGHTS}
    sandbox = grader.launch(files, Purpose.GRADING, grader.queue)
    *_, last = grader.client.run(sandbox, seed=3, only=list(FIRST), timeout=120)
    log = grader.client.logs(sandbox, "consumer").data.decode()
    grader.stop(sandbox)
    found = json.loads(next(line for line in log.splitlines() if line.startswith("{")))
    assert allowed_on_its_own(found)
    refused = {name: answer for name, answer in found.items() if name not in ("own", "prober", "management", "trace")}
    assert set(refused.values()) == {403}, refused
    assert "let in" not in found["prober"]
    assert found["management"] == 401
    assert last.finished.verdict == "passed", "it does its work besides"
    assert json.loads(last.finished.signals_json)["broker-refusals"] >= 7


PAYLOAD = "x" * 20_000
FLOODS = {
    "messages": "channel.queue_declare('flood')\nwhile True: channel.basic_publish('', 'flood', b'm' * 10)",
    "large": "channel.queue_declare('flood')\nwhile True: channel.basic_publish('', 'flood', b'm' * (1 << 20))",
    "persistent": (
        "channel.queue_declare('flood', durable=True)\n"
        "while True: channel.basic_publish('', 'flood', b'm' * 100_000, pika.BasicProperties(delivery_mode=2))"
    ),
    "queues": "n = 0\nwhile True: channel.queue_declare(f'q{n}'); n += 1",
    "connections": "held = []\nwhile True:\n    try: held.append(connect())\n    except Exception: time.sleep(0.2)",
    "channels": "held = []\nwhile True:\n    try: held.append(connection.channel())\n    except Exception: connection = connect()",
}  # fmt: skip
POISON = {
    "gigabyte": (
        "raw = connection._impl._transport if hasattr(connection._impl, '_transport') else None\n"
        "channel.basic_publish('', QUEUE, b'm' * (40 << 20))"
    ),
    "not-text": "channel.queue_declare(QUEUE)\nwhile True: channel.basic_publish('', QUEUE, bytes(range(128, 256))); time.sleep(0.001)",
    "declared-otherwise": "channel.queue_delete(QUEUE)\nchannel.queue_declare(QUEUE, arguments={'x-max-length': 0})\ntime.sleep(600)",
    "deletes": "while True:\n    channel.queue_delete(QUEUE); channel.queue_declare(QUEUE)",
    "steals": "channel.queue_declare(QUEUE)\nchannel.basic_consume(QUEUE, lambda *_: None, auto_ack=True)\nchannel.start_consuming()",
}  # fmt: skip


def attacker(code: str, *, after_work: bool = False) -> str:
    """A consumer that attacks at once, or only after it has done its work honestly for two messages."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    hostile = f"def attack():\n    connection = connect()\n    channel = connection.channel()\n{body}\n"
    if not after_work:
        return f"{CONNECT}\n{hostile}\nattack()\n"
    count = "count = 0\ndef work(channel, method, properties, body):\n    global count\n    handle(channel, method, properties, body)\n"
    count += "    count += 1\n    if count == 3: threading.Thread(target=attack, daemon=True).start()\n"
    return f"{CONNECT}\n{HONEST}\n{hostile}\n{count}\nconsume(connect().channel(), work)\n"


def without_the_attack(grader: Range) -> str:
    """The control: the consumer that only works passes."""
    return grader.grade(grader.queue.solution(), grader.queue, only=FIRST).verdict


@attack("G11", control="without_the_attack")
def test_g11_floods_and_poison_fail_and_are_never_our_fault(grader: Range) -> None:
    assert without_the_attack(grader) == "passed"
    begun = time.monotonic()
    attacks = {name: attacker(code) for name, code in {**FLOODS, **POISON}.items()}
    reports = all_of(grader, attacks, FIRST)
    assert time.monotonic() - begun < 120 * len(attacks)
    assert {name: report.verdict for name, report in reports.items() if report.verdict != "failed"} == {}, told(reports)


@attack("G11", control="without_the_attack")
@pytest.mark.parametrize("name", ["large", "persistent", "connections"])
def test_g11_a_flood_in_the_middle_of_a_run_is_not_our_fault_either(grader: Range, name: str) -> None:
    """Errored would cost nothing and be tried again: a flood must not buy that."""
    report = grader.grade(
        {**grader.queue.solution(), "consumer.py": attacker(FLOODS[name], after_work=True)}, grader.queue,
        only=("consumer-first", "keeps-running", "acknowledged", "in-order"),
    )  # fmt: skip
    assert report.verdict != "errored", told({name: report})
    assert report.check("consumer-first").status == "passed", told({name: report})


def all_of(grader: Range, attacks: dict[str, str], only: tuple[str, ...]) -> dict[str, Report]:
    files = {name: {**grader.queue.solution(), "consumer.py": code} for name, code in attacks.items()}
    return grader.grade_all(files, grader.queue, only=only)


def told(reports: dict[str, Report]) -> str:
    return "\n".join(
        f"{name}: {report.verdict} {[(c.id, c.status) for c in report.checks]} {report.error} "
        f"{[note.text.en for note in report.notes if note.kind == 'errored']} {report.log_tails.get('consumer', '')[-200:]}"
        for name, report in reports.items()
    )
