"""The order desk: hands out the day's orders and writes down which were processed. The prober draws the day.

GET /orders, POST /processed are for everybody. /control/... needs the token that only the prober has.
"""

import hmac
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

TOKEN = Path("/given/secrets/control_token").read_text().strip()
MAX_BODY = 64 * 1024
MAX_PROCESSED = 5000


class Desk:
    def __init__(self):
        self.lock = Lock()
        self.orders = ["A-101", "A-102", "A-103"]
        self.processed = []


DESK = Desk()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 15

    def do_GET(self):
        if self.path == "/orders":
            print("handed out", len(DESK.orders), "orders", flush=True)
            self.answer(200, {"orders": DESK.orders})
        elif self.path == "/control/processed" and self.allowed():
            with DESK.lock:
                self.answer(200, {"processed": list(DESK.processed)})
        else:
            self.answer(404, {"error": "no such page"})

    def do_POST(self):
        body = self.body()
        if body is None:
            return
        if self.path == "/processed" and isinstance(body.get("text"), str):
            with DESK.lock:
                if len(DESK.processed) < MAX_PROCESSED:
                    DESK.processed.append(body["text"])
            print("processed:", body["text"][:200], flush=True)
            self.answer(200, {})
        elif self.path == "/control/day" and self.allowed():
            with DESK.lock:
                DESK.orders, DESK.processed = list(body["orders"]), []
            self.answer(200, {})
        else:
            self.answer(404, {"error": "no such page"})

    def body(self):
        try:
            size = int(self.headers.get("Content-Length", ""))
            if not 0 <= size <= MAX_BODY:
                raise ValueError
            value = json.loads(self.rfile.read(size))
            if not isinstance(value, dict):
                raise ValueError
        except (ValueError, RecursionError):
            self.close_connection = True
            self.answer(400, {"error": "a JSON object of at most 64 KiB is expected"})
            return None
        return value

    def allowed(self):
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {TOKEN}".encode())

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
