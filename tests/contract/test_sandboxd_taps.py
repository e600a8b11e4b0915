"""Taps driven by sandboxd: real pods, a real tap between a learner's service and an upstream, and a prober that we play."""

from __future__ import annotations

import asyncio
import json
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.content.exercise import Exercise
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.engines.embedded import EmbeddedEngine, start_spawner
from app.sandbox.images.definition import ImageDefinition
from app.sandbox.images.store import ImageStore
from app.sandbox.taps.bundle import tap_files
from tests.desk import Desk, desk, write_exercise
from tests.product import eventually
from tests.proofs import offered

SANDBOX = """
  services:
    stock:
      image: python
      given: true
      command: [python3, /given/stock.py]
      ready: {kind: tcp, port: 8000}
      init: workspace/stock.txt
    shop:
      image: python
      command: [python3, /workspace/main.py]
      ready: {kind: tcp, port: 8080}
      restart: always
    idler: {image: python, command: [python3, /workspace/batch.py]}
  edges:
    - {from: shop, to: "stock:8000", protocol: http}
"""
#: Answers with the path and who asked; what it is set up with must be a number.
STOCK = """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{self.path} for {self.client_address[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
#: Asks the stock and passes its answer on, with the time that took; 502 when the stock cannot be asked.
SHOP = """
import http.server, time, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        begun = time.monotonic()
        try:
            answer = urllib.request.urlopen("http://stock:8000" + self.path, timeout=4).read()
            self.send_response(200)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}".encode()
            self.send_response(502)
        self.end_headers()
        self.wfile.write(answer + f" in {time.monotonic() - begun:.3f}".encode())
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
INIT = """
import sys
if not sys.stdin.read().strip().isdigit():
    print("a notice\\ntool:<stdin>:1: ERROR:  not a number\\n  ^", file=sys.stderr)
    sys.exit(3)
"""
#: What the scripts of the prober use besides `ask`: asking the shop something, and telling the test what they saw.
TOOLS = """
import threading, time, urllib.error, urllib.request
def shop(path="/a", within=8, host="shop"):
    try:
        return urllib.request.urlopen(f"http://{host}:8080{path}", timeout=within).read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"
    except OSError as error:
        return f"{type(error).__name__}"
def meanwhile(*arguments):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(shop(*arguments)))
    thread.start()
    return lambda: (thread.join(), answers[0])[1]
def tap(op, **arguments):
    answer = ask("tap_" + op, **arguments)
    assert answer["ok"], answer
    return answer["value"]
def tell(**seen):
    say(type="note", kind="seen", ru="", en=json.dumps(seen))
"""


ENDS = "\ncheck('first'); check('second'); say(type='finished', scale=1.0)"


class Definitions:
    """The real images; `python` can be set up with a file, as databases can."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def definition(self, name: str) -> ImageDefinition:
        found = self._store.definition(name)
        return found.model_copy(update={"init": ("/usr/bin/python3", "-c", INIT)}) if name == "python" else found


def write(folder: Path) -> Exercise:
    """`stock` is given; `shop` has an edge to it, `idler` has none."""
    home = write_exercise(folder, "taps").folder
    for name, text in {
        "given/stock.py": STOCK,
        "starter/main.py": SHOP,
        "starter/batch.py": "import time; time.sleep(600)",
        "starter/stock.txt": "7\n",
    }.items():
        (home / name).write_text(text)
    text = (home / "exercise.yaml").read_text()
    begin, end = text.index("  services:"), text.index("workspace:")
    text = text[:begin].rstrip() + SANDBOX + text[end:]
    text = text.replace("[{path: main.py}]", "[{path: main.py}, {path: stock.txt}]").replace(
        "timeout_seconds: 5", "timeout_seconds: 60"
    )
    (home / "exercise.yaml").write_text(text)
    return offered(home)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, ready_store: ImageStore) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("taps")
    engine = EmbeddedEngine(home, ready_store, start_spawner(home))
    with desk(home, engine, images=Definitions(ready_store), write=write, tap_files=tap_files()) as found:
        yield found


@pytest.fixture
def sandbox(daemon: Desk) -> Iterator[pb.Sandbox]:
    found = daemon.ready(within=20)
    yield found
    daemon.client.stop(found.id)
    daemon.until(found.id, lambda now: now.state == "gone", 15)


def run(
    daemon: Desk, sandbox: pb.Sandbox, script: str, ends: str = ENDS, **how: Any
) -> tuple[pb.RunFinished, dict[str, Any], list[pb.RunEvent]]:
    """Run a prober; its outcome, what it told, and all events."""
    events = daemon.run(sandbox.id, TOOLS + textwrap.dedent(script) + ends, **how)
    seen: dict[str, Any] = {}
    for event in events:
        if event.note:
            seen |= json.loads(json.loads(event.note)["en"])
    return events[-1].finished, seen, events


def kinds(events: Sequence[Mapping[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


def test_the_code_of_a_tap_comes_compiled_by_the_python_that_runs_it(ready_store: ImageStore) -> None:
    files = asyncio.run(ready_store.compiled("tap", tap_files(), "/member"))
    sources = {path for path in files if path.endswith(".py")}
    compiled = {path.replace("__pycache__/", "").replace(".cpython-313.pyc", ".py") for path in files.keys() - sources}
    assert sources == compiled == tap_files().keys()


def test_names_lead_to_the_tap_and_the_trace_tells_what_went_through(daemon: Desk, sandbox: pb.Sandbox) -> None:
    assert [stage.name for stage in sandbox.stages][:3] == ["queued", "isolation", "taps"]
    outcome, seen, events = run(
        daemon,
        sandbox,
        """
        import socket
        before = tap("mark")["seq"]
        answer = shop("/apples")
        trace = tap("trace", after=before)
        tell(answer=answer, trace=trace, again=tap("trace", after=trace["next"]), stock=socket.gethostbyname("stock"))
        """,
    )
    assert outcome.verdict == "passed", outcome
    trace = seen["trace"]["events"]
    # The upstream sees the tap on its own segment, and the trace the learner's replica
    assert seen["answer"].startswith("/apples for 10.98.2.")
    assert seen["stock"].startswith("10.98.2.")
    assert {(event["from"], event["to"]) for event in trace} == {("shop", "stock")}
    request, response = (next(event for event in trace if event["kind"] == kind) for kind in ("request", "response"))
    assert (request["method"], request["path"], request["dir"]) == ("GET", "/apples", "up")
    assert (response["status"], response["dir"], response["id"]) == (200, "down", request["id"])
    assert 0 < response["latency"] < 5
    assert [event["seq"] for event in trace] == list(range(trace[0]["seq"], trace[0]["seq"] + len(trace)))
    assert [event["at"] for event in trace] == sorted(event["at"] for event in trace)
    assert seen["again"] == {"events": [], "next": trace[-1]["seq"], "dropped": 0}
    # And the report gets what happened during each check, with times that count from the run's begin
    first, second = (json.loads(event.trace) for event in events if event.HasField("trace"))
    assert (first["check"], second["check"], second["events"], first["dropped"]) == ("first", "second", [], 0)
    assert kinds(first["events"]) == kinds(trace)
    assert all(0 <= event["at"] < 30 for event in first["events"])
    told = [event.WhichOneof("event") for event in events if event.WhichOneof("event") not in ("stage", "note")]
    assert told == ["check_started", "check_finished", "trace"] * 2 + ["finished"]


def test_a_frame_is_held_while_its_sender_dies_and_then_dropped(daemon: Desk, sandbox: pb.Sandbox) -> None:
    outcome, seen, _ = run(
        daemon,
        sandbox,
        """
        steps = [{"do": "kill", "service": "@sender"}, {"do": "await_exit", "service": "@sender"}]
        when = {"kind": "request", "path": "/lost"}
        rule = {"from": "shop", "when": when, "do": "hold", "seconds": 5, "then": "drop", "on_hold": steps}
        armed = tap("arm", upstream="stock", rule=rule)["rule"]
        other = shop("/other")
        answer = meanwhile("/lost")
        begun = time.monotonic()
        fired = tap("await", rule=armed, count=1, timeout=8)
        took = time.monotonic() - begun
        answer = answer()
        status = {s["full_name"]: s["restarts"] for s in ask("status")["value"]}
        tap("disarm", upstream="stock", rule=armed)
        deadline = time.monotonic() + 10
        while not (after := shop("/after")).startswith("/after") and time.monotonic() < deadline: time.sleep(0.05)
        trace = tap("trace", after=0)["events"]
        tell(fired=fired, took=took, other=other, answer=answer, restarts=status, after=after, trace=trace)
        """,
    )
    assert outcome.verdict == "passed", outcome
    assert seen["fired"]["fired"] == 1
    assert (seen["fired"]["events"][0]["from"], seen["fired"]["events"][0]["path"]) == ("shop", "/lost")
    assert seen["took"] < 5
    assert seen["other"].startswith("/other for")
    # The one whose request was held is gone, nobody answered for it, and the upstream never saw the request
    assert "/lost" not in seen["answer"]
    paths = [event["path"] for event in seen["trace"] if event["kind"] == "request"]
    assert paths[:2] == ["/other", "/lost"]
    lost = next(event["id"] for event in seen["trace"] if event["kind"] == "request" and event["path"] == "/lost")
    assert [event["kind"] for event in seen["trace"] if event.get("id") == lost and event["kind"] == "response"] == []
    assert seen["restarts"]["shop"] == 1
    assert seen["after"].startswith("/after for")


def test_delay_and_black_hole_act_until_they_are_disarmed(daemon: Desk, sandbox: pb.Sandbox) -> None:
    outcome, seen, _ = run(
        daemon,
        sandbox,
        """
        rule = {"from": "shop", "when": {"kind": "response"}, "times": 0, "do": "delay", "seconds": 0.5}
        delay = tap("arm", upstream="stock", rule=rule)
        slow = shop("/slow")
        tap("disarm", upstream="stock", rule=delay["rule"])
        fast = shop("/fast")
        hole = tap("arm", upstream="stock", rule={"from": "shop", "when": {}, "do": "blackhole"})
        nothing = shop("/nothing")
        check("first")
        say(type="check_started", id="second")
        tap("mark")  # as the kit does first: the end of the first check is through by then, and has disarmed the rule
        through = shop("/through")
        refused = ask("tap_await", rule=hole["rule"], count=1, timeout=1)
        wrong = ask("tap_arm", upstream="shop", rule={"do": "drop"})
        tell(slow=slow, fast=fast, nothing=nothing, through=through, refused=refused["ok"], wrong=wrong["ok"])
        say(type="check_finished", id="second", status="failed", seconds=0.1)
        say(type="finished", scale=1.0)
        """,
        ends="",
    )
    assert (outcome.verdict, outcome.error) == ("failed", "")
    assert float(seen["slow"].rpartition(" ")[2]) >= 0.5
    assert float(seen["fast"].rpartition(" ")[2]) < 0.5
    assert seen["nothing"].startswith("502 ")
    assert seen["through"].startswith("/through for")
    assert (seen["refused"], seen["wrong"]) == (False, False)


def test_a_step_that_fails_makes_the_run_errored(daemon: Desk, sandbox: pb.Sandbox) -> None:
    outcome, _, _ = run(
        daemon,
        sandbox,
        """
        steps = [{"do": "kill", "service": "nobody"}]
        tap("arm", upstream="stock", rule={"when": {}, "dir": "up", "do": "hold", "on_hold": steps})
        shop("/a")
        time.sleep(30)
        """,
        ends="",
    )
    assert outcome.verdict == "errored"
    assert "kill nobody" in outcome.error


def test_a_tap_that_is_killed_is_replaced_and_the_run_is_errored(daemon: Desk, sandbox: pb.Sandbox) -> None:
    # Given a run whose prober waits, and the tap's process dies under it
    daemon.script = TOOLS + "tell(before=shop('/before'))\ncheck('first')\ntime.sleep(30)"
    daemon.do(daemon._reload())
    events = daemon.client.run(sandbox.id, seed=7, timeout=30)
    while next(events).WhichOneof("event") != "check_finished":
        pass
    member = daemon.engine._sandboxes[sandbox.id].members["tap-stock"]
    daemon.do(member.kill())
    # Then the run is errored at once
    begun = time.monotonic()
    outcome = list(events)[-1].finished
    assert (outcome.verdict, outcome.score) == ("errored", 0)
    assert "tap of `stock`" in outcome.error
    assert time.monotonic() - begun < 5
    # And the sandbox has a new one, says so, and works
    now = daemon.until(sandbox.id, lambda now: any("tap failed" in event for event in now.events))
    assert now.state == "ready"
    outcome, seen, _ = run(daemon, sandbox, "answer = shop('/again'); tell(answer=answer)")
    assert outcome.verdict == "passed", outcome
    assert seen["answer"].startswith("/again for")


def test_new_replicas_and_restarted_ones_are_known(daemon: Desk, sandbox: pb.Sandbox) -> None:
    outcome, seen, _ = run(
        daemon,
        sandbox,
        """
        assert ask("scale", "shop", replicas=3)["ok"]
        assert ask("restart", "shop")["ok"]
        hosts = ["shop", "shop-2", "shop-3"]
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if {s["state"] for s in ask("status")["value"] if s["name"] == "shop"} == {"ready"}: break
            time.sleep(0.05)
        before = tap("mark")["seq"]
        answers = [shop("/" + host, host=host) for host in hosts]
        trace = tap("trace", after=before)["events"]
        tell(answers=answers, who=[e["from"] for e in trace if e["kind"] == "open"])
        """,
    )
    assert outcome.verdict == "passed", outcome
    assert [answer.partition(" ")[0] for answer in seen["answers"]] == ["/shop", "/shop-2", "/shop-3"]
    assert seen["who"] == ["shop", "shop-2", "shop-3"]


def test_who_has_no_edge_is_refused_and_told(daemon: Desk, sandbox: pb.Sandbox) -> None:
    knock = "import socket; print(socket.create_connection(('stock', 8000), 3).recv(9))"
    result = daemon.do(daemon.engine.exec(sandbox.id, "idler", ["/usr/bin/python3", "-c", knock]))
    assert b"ConnectionResetError" in result.stderr
    outcome, seen, _ = run(daemon, sandbox, "tell(trace=tap('trace', after=0))")
    assert outcome.verdict == "passed"
    refused = [event for event in seen["trace"]["events"] if event["kind"] == "refused"]
    assert [event["from"] for event in refused] == ["idler"]


def test_a_bad_init_file_fails_the_learners_services_and_a_good_one_mends_them(daemon: Desk) -> None:
    # Given a sandbox whose file is wrong
    sandbox = daemon.ready(within=20, files={"stock.txt": "seven"})
    states = {service.full_name: (service.state, service.message) for service in sandbox.services}
    said = "stock.txt: line 1: ERROR:  not a number"
    assert states == {"stock": ("ready", ""), "shop": ("failed", said), "idler": ("failed", said)}
    assert [*sandbox.events] == [f"stock: {said}"]
    # When it is put right
    daemon.client.apply(sandbox.id, {"stock.txt": "8"}, restart=True)
    # Then everything runs
    states = {"stock": "ready", "shop": "ready", "idler": "ready"}
    daemon.until(sandbox.id, lambda now: {s.full_name: s.state for s in now.services} == states, 15)
    # And a trial on a wrong one finds the services failed, and is no fault of ours
    script = "tell(states={s['name']: s['message'] for s in ask('status')['value']})"
    outcome, seen, _ = run(daemon, sandbox, script, files={"stock.txt": "nine"})
    assert (outcome.verdict, outcome.error) == ("passed", "")
    assert seen["states"] == {"stock": "", "shop": said, "idler": said}
    daemon.client.stop(sandbox.id)
    eventually("it is gone", lambda: daemon.client.status(sandbox.id).state == "gone", within=15)
