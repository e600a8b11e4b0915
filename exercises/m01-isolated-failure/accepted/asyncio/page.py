"""One event loop from door to door: the server and its three calls are coroutines, each call under a timeout of its own."""

import asyncio
import json
import os
from urllib.parse import parse_qs, urlsplit

PARTS = {name: urlsplit(os.environ[f"{name.upper()}_URL"]) for name in ("video", "recs", "billing")}
PATIENCE = 0.7


class NoAnswer(Exception):
    pass


async def ask(name, path):
    place = PARTS[name]
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise NoAnswer(name) from error
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise NoAnswer(name)
    try:
        return json.loads(body)
    except ValueError as error:
        raise NoAnswer(name) from error


async def page(film, viewer):
    video, recs, billing = await asyncio.gather(
        ask("video", f"/films/{film}"),
        ask("recs", f"/films/{film}/similar"),
        ask("billing", f"/viewers/{viewer}"),
        return_exceptions=True,
    )
    if isinstance(video, NoAnswer):
        return "503 Service Unavailable", {"error": "the film does not answer"}
    missing = [name for name, part in (("recs", recs), ("billing", billing)) if isinstance(part, NoAnswer)]
    return "200 OK", {
        "video": video,
        "recommendations": [] if "recs" in missing else recs["films"],
        "plan": None if "billing" in missing else billing["plan"],
        "missing": missing,
    }


async def serve(reader, writer):
    try:
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        place = urlsplit(request.split(" ")[1])
        status, value = await page(place.path.rpartition("/")[2], parse_qs(place.query)["viewer"][0])
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 8000, backlog=128)
    await server.serve_forever()


asyncio.run(main())
