"""The service `names`: knows how to address people. The prober draws its words and can hold its answers.

POST /greeting, /farewell are for everybody. /control/... needs the token that only the prober has.
"""

import hmac
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition

TOKEN = Path("/given/secrets/control_token").read_text().strip()
MAX_BODY = 8 * 1024 * 1024
LONGEST_HOLD = 45  # seconds; nobody waits for a prober that is gone


class Names:
    def __init__(self):
        self.changed = Condition()
        self.words = {"greeting": "Здравствуйте, {name}!", "farewell": "До свидания, {name}!"}
        self.held = False
        self.waiting = 0

    def say(self, what, name):
        with self.changed:
            words = self.words[what]
            self.waiting += 1
            self.changed.wait_for(lambda: not self.held, LONGEST_HOLD)
            self.waiting -= 1
        return words.replace("{name}", name)


NAMES = Names()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        if self.path == "/control/waiting" and self.allowed():
            self.answer(200, {"waiting": NAMES.waiting})
        else:
            self.answer(404, {"error": "no such page"})

    def do_POST(self):
        body = self.body()
        if body is None:
            return
        if self.path in ("/greeting", "/farewell") and isinstance(body.get("name"), str):
            self.answer(200, {"text": NAMES.say(self.path[1:], body["name"])})
        elif self.path == "/control/set" and self.allowed():
            with NAMES.changed:
                NAMES.words.update(body.get("words", {}))
                NAMES.held = bool(body.get("held", False))
                NAMES.changed.notify_all()
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
            self.answer(400, {"error": "a JSON object of at most 8 MiB is expected"})
            return None
        return value

    def allowed(self):
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {TOKEN}".encode())

    def answer(self, status, value):
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
    request_queue_size = 128  # thirty callers come at the same moment


Server(("0.0.0.0", 8080), Handler).serve_forever()
