"""HTTP/2 and gRPC bent out of shape by a graded service (G09): bounded, told, and the other checks still run."""

# ruff: noqa: E501 - programs of attackers, one act a line

from __future__ import annotations

import time

from tests.attacks.corpus import attack
from tests.attacks.range import Range
from tests.attacks.test_grading import PROBER_MB

ONLY = ("reflection", "old-client")
#: A server of bare HTTP/2 frames; `attack(client, send, stream)` is what it does once a request has come.
RAW = """
import socket, struct, threading, time
def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
def talk(client):
    client.recv(65536)
    client.sendall(frame(4, 0, 0))
    begun = time.monotonic()
    def attack():
{attack}
    try: attack()
    except OSError: pass
    client.close()
server = socket.create_server(("0.0.0.0", 50051), backlog=64)
while True:
    client, _ = server.accept()
    threading.Thread(target=talk, args=(client,), daemon=True).start()
"""
FRAMES = {
    "rapid-reset": "while True: client.sendall(b''.join(frame(3, 0, n, b'\\0\\0\\0\\x08') for n in range(1, 4000, 2)))",
    "settings-flood": "while True: client.sendall(frame(4, 0, 0, b'\\0\\4\\0\\0\\xff\\xff') * 2000)",
    "ping-flood": "while True: client.sendall(frame(6, 0, 0, b'x' * 8) * 2000)",
    "go-away": "client.sendall(frame(7, 0, 0, bytes(8)))",
    "endless-continuation": "client.sendall(frame(1, 0, 1, b'\\x88'))\nwhile True: client.sendall(frame(9, 0, 1, b'\\0\\1a\\1b' * 4000))",
    "huge-frame": "client.sendall(b'\\xff\\xff\\xff\\0\\0\\0\\0\\0\\1')\nwhile True: client.sendall(bytes(65536))",
    "not-http-2": "client.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')\ntime.sleep(30)",
    "silence": "time.sleep(600)",
}  # fmt: skip
#: A gRPC server that lies within the rules of the protocol.
LIES = """
from concurrent import futures
import time
import grpc, shop_pb2, shop_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as r, reflection_pb2_grpc

class Greeter(shop_pb2_grpc.GreeterServicer):
    def Greet(self, request, context):
        {greet}

class Reflection(reflection_pb2_grpc.ServerReflectionServicer):
    def ServerReflectionInfo(self, requests, context):
        {reflect}

server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.max_metadata_size", 64 << 20)])
shop_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
reflection_pb2_grpc.add_ServerReflectionServicer_to_server(Reflection(), server)
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()
"""
SERVICE = "r.ServerReflectionResponse(list_services_response=r.ListServiceResponse(service=[r.ServiceResponse(name='shop.v1.Greeter')]))"
GARBAGE = (
    "r.ServerReflectionResponse(file_descriptor_response=r.FileDescriptorResponse(file_descriptor_proto=[b'\\xff' * 1000]))"
)
CALLS = {
    "reflection-lies": ("return shop_pb2.GreetReply(message='x')", f"for request in requests: yield {SERVICE}; yield {GARBAGE}"),
    "endless-stream": ("return shop_pb2.GreetReply(message='x')", f"while True: yield {SERVICE}"),
    "silent-stream": ("return shop_pb2.GreetReply(message='x')", "time.sleep(600); yield"),
    "huge-metadata": (
        "context.set_trailing_metadata([('x', 'a' * (8 << 20))]); return shop_pb2.GreetReply(message='x')",
        "context.abort(grpc.StatusCode.UNKNOWN, 'b' * (8 << 20)); yield",
    ),
    "huge-message": ("return shop_pb2.GreetReply(message='a' * (30 << 20))", "yield r.ServerReflectionResponse(valid_host='a' * (30 << 20))"),
    "invalid-status": ("context.set_code(99); return shop_pb2.GreetReply()", "raise SystemExit"),
}  # fmt: skip


def solution(grader: Range, code: str) -> dict[str, str]:
    return {**grader.greeter.solution(), "server.py": code}


def well_behaved(grader: Range) -> str:
    """The control: the reference passes the same checks."""
    return grader.grade(grader.greeter.solution(), grader.greeter, only=ONLY).verdict


@attack("G09", control="well_behaved")
def test_g09_frames_out_of_shape_fail_in_time(grader: Range) -> None:
    assert well_behaved(grader) == "passed"
    attacks = {
        name: RAW.replace("{attack}", "\n".join(f"        {line}" for line in code.splitlines()))
        for name, code in FRAMES.items()
    }
    fails_bounded(grader, attacks)


@attack("G09", control="well_behaved")
def test_g09_lies_within_the_protocol_fail_in_time(grader: Range) -> None:
    fails_bounded(grader, {name: LIES.format(greet=greet, reflect=reflect) for name, (greet, reflect) in CALLS.items()})


def fails_bounded(grader: Range, attacks: dict[str, str]) -> None:
    begun = time.monotonic()
    reports = grader.grade_all({name: solution(grader, code) for name, code in attacks.items()}, grader.greeter, only=ONLY)
    assert time.monotonic() - begun < 90 * len(attacks) / 2
    for name, report in reports.items():
        assert (report.verdict, report.score) == ("failed", 0), (name, report.checks, report.notes, report.error)
        assert [check.status for check in report.checks] == ["failed", "failed"], name
        assert all(check.message and check.message.en.seen for check in report.checks), name
    assert 5 < grader.prober_peak_mb < PROBER_MB
