"""The page of a film: what it is for is the film; everything else may be missing, but never for longer than a moment."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

from flask import Flask, jsonify, request

VIDEO_URL = os.environ["VIDEO_URL"]
RECS_URL = os.environ["RECS_URL"]
BILLING_URL = os.environ["BILLING_URL"]
PATIENCE = 0.5  # seconds for one answer

app = Flask(__name__)
# Every page may wait for three answers at once; a pool that is too small would make pages wait for each other.
calls = ThreadPoolExecutor(max_workers=3)


def ask(url):
    """The JSON that a service answers within our patience; OSError or ValueError when there is none."""
    with urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


@app.get("/watch/<film>")
def watch(film):
    viewer = request.args["viewer"]
    video = calls.submit(ask, f"{VIDEO_URL}/films/{film}")
    recs = calls.submit(ask, f"{RECS_URL}/films/{film}/similar")
    billing = calls.submit(ask, f"{BILLING_URL}/viewers/{viewer}")
    missing = []

    def or_else(name, answer, key, default):
        try:
            return answer.result()[key]
        except (OSError, ValueError, KeyError):
            missing.append(name)
            return default

    recommendations = or_else("recs", recs, "films", [])
    plan = or_else("billing", billing, "plan", None)
    try:
        film_itself = video.result()
    except (OSError, ValueError):
        return jsonify(error="the film cannot be played right now"), 503
    return jsonify(video=film_itself, recommendations=recommendations, plan=plan, missing=missing)


app.run(host="0.0.0.0", port=8000)
