"""The page of a film: asks three services and puts their answers together.

Works well as long as everybody else does.
"""

import json
import os
from urllib.request import urlopen

from flask import Flask, jsonify, request

VIDEO_URL = os.environ["VIDEO_URL"]
RECS_URL = os.environ["RECS_URL"]
BILLING_URL = os.environ["BILLING_URL"]

app = Flask(__name__)


def ask(url):
    """The JSON that a service answers."""
    with urlopen(url) as answer:
        return json.load(answer)


@app.get("/watch/<film>")
def watch(film):
    viewer = request.args["viewer"]
    video = ask(f"{VIDEO_URL}/films/{film}")
    recs = ask(f"{RECS_URL}/films/{film}/similar")
    billing = ask(f"{BILLING_URL}/viewers/{viewer}")
    return jsonify(video=video, recommendations=recs["films"], plan=billing["plan"], missing=[])


app.run(host="0.0.0.0", port=8000)
