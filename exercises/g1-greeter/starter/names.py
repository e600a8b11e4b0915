"""The service `names` knows how to address people. This file is given: read it, there is nothing to change here."""
import json
import os
import urllib.request

NAMES_URL = os.environ["NAMES_URL"]


def greeting(name):
    """Words to greet a person with."""
    return _ask("greeting", name)


def farewell(name):
    """Words to say goodbye to a person with."""
    return _ask("farewell", name)


def _ask(what, name):
    body = json.dumps({"name": name}, ensure_ascii=False).encode()
    request = urllib.request.Request(f"{NAMES_URL}/{what}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["text"]
