"""Three answers gathered by asyncio, each under a timeout of its own."""

import asyncio
import os

import httpx
from flask import Flask, jsonify, request

PARTS = {"video": os.environ["VIDEO_URL"], "recs": os.environ["RECS_URL"], "billing": os.environ["BILLING_URL"]}

app = Flask(__name__)


async def ask(client, url):
    async with asyncio.timeout(0.6):
        answer = await client.get(url)
        answer.raise_for_status()
        return answer.json()


async def ask_all(film, viewer):
    async with httpx.AsyncClient(timeout=None) as client:
        return await asyncio.gather(
            ask(client, f"{PARTS['video']}/films/{film}"),
            ask(client, f"{PARTS['recs']}/films/{film}/similar"),
            ask(client, f"{PARTS['billing']}/viewers/{viewer}"),
            return_exceptions=True,
        )


@app.get("/watch/<film>")
def watch(film):
    video, recs, billing = asyncio.run(ask_all(film, request.args["viewer"]))
    if isinstance(video, BaseException):
        return jsonify(error=f"no film: {type(video).__name__}"), 503
    page = {"video": video, "recommendations": [], "plan": None, "missing": []}
    if isinstance(recs, BaseException):
        page["missing"].append("recs")
    else:
        page["recommendations"] = recs["films"]
    if isinstance(billing, BaseException):
        page["missing"].append("billing")
    else:
        page["plan"] = billing["plan"]
    return page


app.run(host="0.0.0.0", port=8000, threaded=True)
