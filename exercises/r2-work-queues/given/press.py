"""The print shop: lists today's books and prints them, one request a book. The prober says which books take long or fail.

GET /books, POST /print are for everybody. /control/... needs the token that only the prober has.
"""

import hmac
import json
import select
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition

TOKEN = Path("/given/secrets/control_token").read_text().strip()
MAX_BODY = 64 * 1024
MAX_JOBS = 5000
USUAL = 1.0  # seconds that a book takes on a day without a prober
LONGEST_HOLD = 250  # seconds; nobody waits for a prober that is gone
LOOK = 0.02  # seconds between looks whether the worker is still there

PRINTING, PRINTED, CUT_SHORT, REFUSED = "printing", "printed", "cut short", "refused"


class Press:
    """`jobs` is the history of the day: one entry for each time that somebody began to print a book."""

    def __init__(self):
        self.changed = Condition()
        self.open_day({"books": [f"B-{number}" for number in range(101, 113)], "seconds": USUAL})

    def open_day(self, day):
        """Start anew: `books` to hand out, `held` ones that print until released, `refused` ones with how often.

        A book that nobody holds takes `seconds`.
        """
        with self.changed:
            self.books, self.seconds = list(day.get("books", [])), float(day.get("seconds", 0))
            self.held, self.refusals = set(day.get("held", [])), dict(day.get("refused", {}))
            self.jobs = []
            self.changed.notify_all()

    def hold(self, books):
        """From now on these print until they are released, and no others."""
        with self.changed:
            self.held = set(books)
            self.changed.notify_all()

    def begin(self, book):
        with self.changed:
            job = {"book": book, "state": PRINTING}
            if len(self.jobs) < MAX_JOBS:
                self.jobs.append(job)
            if self.refusals.get(book, 0) > 0:
                self.refusals[book] -= 1
                job["state"] = REFUSED
            return job

    def finish(self, job, present):
        """Print until the book may come out; it counts only if the worker is still there to take it."""
        with self.changed:
            begun = time.monotonic()
            while present():
                passed = time.monotonic() - begun
                if passed >= (LONGEST_HOLD if job["book"] in self.held else self.seconds):
                    break
                self.changed.wait(LOOK)
            job["state"] = PRINTED if present() else CUT_SHORT


PRESS = Press()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_HOLD + 20
    wbufsize = -1  # head and body leave together: who has seen the head may act before the body has passed the tap

    def do_GET(self):
        if self.path == "/books":
            print("handed out", len(PRESS.books), "books", flush=True)
            self.answer(200, {"books": PRESS.books})
        elif self.path == "/control/jobs" and self.allowed():
            with PRESS.changed:
                self.answer(200, {"jobs": PRESS.jobs})
        else:
            self.answer(404, {"error": "no such page"})

    def do_POST(self):
        body = self.body()
        if body is None:
            return
        if self.path == "/print" and isinstance(body.get("book"), str):
            self.print_book(body["book"][:80])
        elif self.path == "/control/day" and self.allowed():
            PRESS.open_day(body)
            self.answer(200, {})
        elif self.path == "/control/hold" and self.allowed():
            PRESS.hold(body["books"])
            self.answer(200, {})
        else:
            self.answer(404, {"error": "no such page"})

    def print_book(self, book):
        job = PRESS.begin(book)
        print(f"{book}: {job['state']}", flush=True)
        if job["state"] == REFUSED:
            self.answer(503, {"error": f"paper jam: {book} is not printed"})
            return
        PRESS.finish(job, self.present)
        print(f"{book}: {job['state']}", flush=True)
        if job["state"] == PRINTED:
            self.answer(200, {"printed": book})
        else:
            self.close_connection = True

    def present(self):
        """Whether the worker still waits at the other end of the connection."""
        word = select.poll()
        word.register(self.connection, select.POLLIN)
        try:
            return not word.poll(0) or self.connection.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            return False

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
        data = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
