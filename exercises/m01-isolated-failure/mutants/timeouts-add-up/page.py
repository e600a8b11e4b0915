"""The page of a film: what it is for is the film; everything else may be missing, but never for longer than a moment."""

import json
import os
from urllib.request import urlopen

from flask import Flask, jsonify, request

VIDEO_URL = os.environ["VIDEO_URL"]
RECS_URL = os.environ["RECS_URL"]
BILLING_URL = os.environ["BILLING_URL"]
PATIENCE = 0.95  # seconds for one answer

app = Flask(__name__)


def ask(url):
    """The JSON that a service answers within our patience; OSError or ValueError when there is none."""
    with urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


@app.get("/watch/<film>")
def watch(film):
    viewer = request.args["viewer"]
    missing = []

    def or_else(name, url, key, default):
        try:
            return ask(url)[key]
        except (OSError, ValueError, KeyError):
            missing.append(name)
            return default

    recommendations = or_else("recs", f"{RECS_URL}/films/{film}/similar", "films", [])
    plan = or_else("billing", f"{BILLING_URL}/viewers/{viewer}", "plan", None)
    try:
        film_itself = ask(f"{VIDEO_URL}/films/{film}")
    except (OSError, ValueError):
        return jsonify(error="the film cannot be played right now"), 503
    return jsonify(video=film_itself, recommendations=recommendations, plan=plan, missing=missing)


app.run(host="0.0.0.0", port=8000)
