"""Three answers gathered on one event loop that all pages share, each call under a timeout of its own."""

import asyncio
import os
import threading

import httpx
from flask import Flask, jsonify, request

PARTS = {"video": os.environ["VIDEO_URL"], "recs": os.environ["RECS_URL"], "billing": os.environ["BILLING_URL"]}

app = Flask(__name__)
loop = asyncio.new_event_loop()
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=20))


async def ask(url):
    async with asyncio.timeout(0.6):
        answer = await client.get(url)
        answer.raise_for_status()
        return answer.json()


async def ask_all(film, viewer):
    return await asyncio.gather(
        ask(f"{PARTS['video']}/films/{film}"),
        ask(f"{PARTS['recs']}/films/{film}/similar"),
        ask(f"{PARTS['billing']}/viewers/{viewer}"),
        return_exceptions=True,
    )


@app.get("/watch/<film>")
def watch(film):
    answers = asyncio.run_coroutine_threadsafe(ask_all(film, request.args["viewer"]), loop)
    video, recs, billing = answers.result()
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


threading.Thread(target=loop.run_forever, daemon=True).start()
app.run(host="0.0.0.0", port=8000, threaded=True)
