"""Without a framework, with a breaker: whoever was silent is left alone for a second, then asked again."""

import json
import os
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COOL_DOWN = 1.0
PATIENCE = 0.5


class Part:
    def __init__(self, base):
        self.base = base
        self.closed_until = 0.0

    def ask(self, path, answers, name):
        if time.monotonic() < self.closed_until:
            return
        try:
            with urllib.request.urlopen(self.base + path, timeout=PATIENCE) as answer:
                answers[name] = json.loads(answer.read())
        except (OSError, ValueError):
            self.closed_until = time.monotonic() + COOL_DOWN


VIDEO = Part(os.environ["VIDEO_URL"])
RECS = Part(os.environ["RECS_URL"])
BILLING = Part(os.environ["BILLING_URL"])


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        place = urlsplit(self.path)
        film = place.path.rpartition("/")[2]
        viewer = parse_qs(place.query)["viewer"][0]
        answers = {}
        threads = [
            threading.Thread(target=VIDEO.ask, args=(f"/films/{film}", answers, "video")),
            threading.Thread(target=RECS.ask, args=(f"/films/{film}/similar", answers, "recs")),
            threading.Thread(target=BILLING.ask, args=(f"/viewers/{viewer}", answers, "billing")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if "video" not in answers:
            self.send(503, {"error": "video"})
            return
        self.send(
            200,
            {
                "video": answers["video"],
                "recommendations": answers.get("recs", {}).get("films", []),
                "plan": answers.get("billing", {}).get("plan"),
                "missing": [name for name in ("recs", "billing") if name not in answers],
            },
        )

    def send(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("0.0.0.0", 8000), Page).serve_forever()
