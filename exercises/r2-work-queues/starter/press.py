"""The print shop. This file is given: read it, there is nothing to change here."""
import json
import os
import urllib.request

PRESS_URL = os.environ["PRESS_URL"]
PATIENCE = 300  # seconds; no book takes longer


def books():
    """Numbers of the books that are to be printed today: ["B-101", "B-102", …]."""
    with urllib.request.urlopen(f"{PRESS_URL}/books", timeout=10) as answer:
        return json.load(answer)["books"]


def print_book(number):
    """Print a book and return when it is ready; that takes from a moment to minutes.

    Raises an exception when the press has failed: the book is not printed then.
    """
    body = json.dumps({"book": number}).encode()
    request = urllib.request.Request(f"{PRESS_URL}/print", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        answer.read()
