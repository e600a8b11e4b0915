"""The services `video`, `recs` and `billing`: one program, three parts of a film's page. The prober draws their answers.

GET answers everybody. /control/... needs the token that only the prober has.
"""

import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

PART = os.environ["PART"]
TOKEN = Path("/given/secrets/control_token").read_text().strip()
MAX_BODY = 64 * 1024
FIRST_ANSWERS = {
    "video": {"title": "Улей. Первый сезон", "url": "https://cdn.example/hive-1.m3u8"},
    "recs": {"films": ["Мёд", "Пасека", "Липовый цвет"]},
    "billing": {"plan": "family"},
}


class State:
    def __init__(self):
        self.lock = Lock()
        self.answer = FIRST_ANSWERS[PART]
        self.status = 200


STATE = State()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        with STATE.lock:
            status, value = STATE.status, STATE.answer
        self.say(status, value if status == 200 else {"error": f"{PART} has a bad day"})

    def do_POST(self):
        body = self.body()
        if body is None:
            return
        if self.path != "/control/set" or not self.allowed():
            self.say(404, {"error": "no such page"})
            return
        with STATE.lock:
            STATE.answer = body.get("answer", STATE.answer)
            STATE.status = int(body.get("status", 200))
        self.say(200, {})

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
            self.say(400, {"error": "a JSON object of at most 64 KiB is expected"})
            return None
        return value

    def allowed(self):
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {TOKEN}".encode())

    def say(self, status, value):
        data = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a crowd comes at the same moment


Server(("0.0.0.0", 8080), Handler).serve_forever()
