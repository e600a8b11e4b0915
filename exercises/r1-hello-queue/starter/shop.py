"""The shop's order desk. This file is given: read it, there is nothing to change here."""
import json
import os
import urllib.request

SHOP_URL = os.environ["SHOP_URL"]


def orders():
    """Numbers of today's orders, in the order in which they came: ["A-101", "A-102", …]."""
    with urllib.request.urlopen(f"{SHOP_URL}/orders", timeout=10) as answer:
        return json.load(answer)["orders"]


def processed(text):
    """Tell the shop that a message has been processed; `text` is the whole text of the message."""
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(f"{SHOP_URL}/processed", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()
