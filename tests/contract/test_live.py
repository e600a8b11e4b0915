"""What a page may rely on, and what a stranger cannot get: `live` before a real sandboxd, over real WebSockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web

from app.live import stream as live_stream
from app.live.caps import STREAMS_EACH, TERMINALS_EACH
from app.live.server import Live
from app.live.watching import Watching
from app.sandbox.grants import Kind, TicketMint, TicketVerifier, public_key_path
from tests.desk import AUDIENCE, Desk, desk
from tests.product import free_port

APP = "http://127.0.0.1:8000"


class Page:
    """A browser's page: opens streams and reads them."""

    def __init__(self, daemon: Desk, session: ClientSession, url: str) -> None:
        self.daemon, self.session, self.url = daemon, session, url

    def ticket(self, kind: Kind, sandbox: str, service: str = "", user: str = "ada", mint: TicketMint | None = None) -> str:
        return (mint or self.daemon.mint).mint(user=user, sandbox=sandbox, kind=kind, audience=AUDIENCE, service=service)

    async def connect(self, origin: str | None = APP, **headers: str) -> ClientWebSocketResponse:
        named = {"Origin": origin} if origin is not None else {}
        return await self.session.ws_connect(f"{self.url}/ws", headers={**named, **headers})

    async def open(
        self, kind: Kind, sandbox: str, service: str = "", user: str = "ada", **more: Any
    ) -> ClientWebSocketResponse:
        socket = await self.connect()
        await socket.send_json({"ticket": self.ticket(kind, sandbox, service, user), **more})
        return socket


def played(tmp_path: Path, scene: Callable[[Page], Awaitable[None]]) -> None:
    """Run a scene with a daemon, a live process's application and a page."""

    async def whole(daemon: Desk) -> None:
        async with live(daemon) as url, ClientSession() as session:
            await scene(Page(daemon, session, url))

    with desk(tmp_path) as daemon:
        asyncio.run(asyncio.wait_for(whole(daemon), 30))


@asynccontextmanager
async def live(daemon: Desk) -> AsyncIterator[str]:
    verifier = TicketVerifier(public_key_path(daemon.home), AUDIENCE)
    served = Live(APP, verifier, Watching(daemon.sockets / "watch.sock"), daemon.sockets / "bytes.sock")
    runner = web.AppRunner(served.application(), shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def text(socket: ClientWebSocketResponse) -> dict[str, Any]:
    message = await socket.receive(timeout=5)
    assert message.type is WSMsgType.TEXT, message
    return dict(json.loads(message.data))


async def until_state(socket: ClientWebSocketResponse, state: str) -> dict[str, Any]:
    """`live` hears of a change up to 0.1 s after it, so frames may come before the one that is waited for."""
    while (frame := await text(socket)).get("state") != state:
        pass
    return frame


async def end_of(socket: ClientWebSocketResponse) -> int | None:
    while (await socket.receive(timeout=5)).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
        pass
    return socket.close_code


class TestStreams:
    def test_a_page_watches_a_sandbox_from_launch_to_end(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.launch)
            socket = await page.open(Kind.WATCH, sandbox.id)
            state = await until_state(socket, "ready")
            services = {s["full_name"]: s["state"] for s in state["services"]}
            assert services == {"web": "ready", "peer": "ready", "batch": "waiting"}
            assert state["expires_at"] > time.time()
            # Nothing that is for operators leaves the house
            assert not {"owner", "message", "content_hash"} & state.keys()
            await asyncio.to_thread(page.daemon.client.stop, sandbox.id)
            assert (await until_state(socket, "gone"))["reason"] == "stopped"
            assert await end_of(socket) == 1000

        played(tmp_path, scene)

    def test_logs_are_followed_from_an_offset_as_harmless_text(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            engine, sandbox = page.daemon.engine, await asyncio.to_thread(page.daemon.ready)
            engine.write_log(sandbox.id, "web", b"red \x1b[31m, bell \x07, C1 \xc2\x9b31m, cut \xd0")
            socket = await page.open(Kind.LOGS, sandbox.id, "web", offset=8)
            first = await text(socket)
            assert first["data"] == "red , bell , C1 31m, cut "
            engine.write_log(sandbox.id, "web", b"\xb6 bad \xff\n\tend")
            second = await text(socket)
            assert second["data"] == "ж bad �\n\tend"
            # Reading on after a reconnect continues where it ended
            engine.write_log(sandbox.id, "web", b"more")
            again = await page.open(Kind.LOGS, sandbox.id, "web", offset=second["offset"])
            assert (await text(again))["data"] == "more"

        played(tmp_path, scene)

    def test_a_terminal_carries_bytes_both_ways_and_its_size(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.ready)
            opened: list[Any] = []
            engine = page.daemon.engine
            terminal = engine.terminal

            async def remembered(*arguments: Any, **options: Any) -> Any:
                opened.append(await terminal(*arguments, **options))
                return opened[-1]

            engine.terminal = remembered
            socket = await page.open(Kind.TERMINAL, sandbox.id, "web", rows=30, cols=100)
            await socket.send_bytes("привет\x03".encode())
            echoed = b""
            while len(echoed) < 13:
                echoed += (await socket.receive(timeout=5)).data
            assert echoed == "привет\x03".encode()
            assert opened[0].size == (30, 100)
            await socket.send_json({"rows": 10**9, "cols": 0})
            await socket.send_bytes(b".")
            await socket.receive(timeout=5)
            assert opened[0].size == (500, 1)
            # When the page goes, the terminal is closed
            await socket.close()
            for _ in range(100):
                if opened[0].fileno() < 0:
                    break
                await asyncio.sleep(0.02)
            assert opened[0].fileno() < 0

        played(tmp_path, scene)

    def test_watchers_hear_that_sandboxd_is_away_and_what_was_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.live.watching.AGAIN_SECONDS", 0.1)

        async def scene() -> None:
            with desk(tmp_path) as daemon:
                async with live(daemon) as url, ClientSession() as session:
                    page = Page(daemon, session, url)
                    sandbox = await asyncio.to_thread(daemon.ready)
                    journal = daemon.sockets / "journal" / f"{sandbox.id}.json"
                    crashed = journal.read_text()
                    socket = await page.open(Kind.WATCH, sandbox.id)
                    await until_state(socket, "ready")
                    # When sandboxd dies without a word (its journal says `ready`) and comes back
                    mute(daemon)
                    await asyncio.to_thread(daemon.stop)
                    journal.write_text(crashed)
                    assert await text(socket) == {"type": "away"}
                    with desk(tmp_path):
                        assert (await until_state(socket, "gone"))["reason"] == "lost"

        asyncio.run(asyncio.wait_for(scene(), 30))


def mute(daemon: Desk) -> None:
    """From here on nobody hears what happens to sandboxes, as if the process had been killed."""
    daemon.sandboxes.changes._subscriptions.clear()


class TestStrangers:
    @pytest.mark.parametrize(
        "origin",
        [
            None,
            "null",
            "http://evil.example",
            "https://127.0.0.1:8000",
            "http://127.0.0.1:8000.evil.example",
            "http://127.0.0.1:80000",
            "http://127.0.0.1:8001",
            "http://127.0.0.1",
            "http://live.localhost:8001",
            "http://sub.localhost:8000",
            "HTTP://127.0.0.1:8000",
            "http://127.0.0.1:8000/",
        ],
    )
    def test_only_the_apps_own_pages_may_connect(self, tmp_path: Path, origin: str | None) -> None:
        async def scene(page: Page) -> None:
            with pytest.raises(WSServerHandshakeError) as refused:
                await page.connect(origin)
            assert refused.value.status == 403
            # Positive control: the app's own, and its twin under the other name of this machine
            for welcome in (APP, "http://localhost:8000"):
                await (await page.connect(welcome)).close()

        played(tmp_path, scene)

    def test_whoever_brings_a_cookie_is_refused(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            with pytest.raises(WSServerHandshakeError) as refused:
                await page.connect(Cookie="session=stolen")
            assert refused.value.status == 400
            async with page.session.get(f"{page.url}/healthz", headers={"Cookie": "a=b"}) as answer:
                assert answer.status == 400
            async with page.session.get(f"{page.url}/healthz") as answer:
                assert (await answer.json())["status"] == "ok"

        played(tmp_path, scene)

    def test_a_ticket_is_good_once_and_for_one_thing(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.ready)
            good = page.ticket(Kind.WATCH, sandbox.id)
            stranger = TicketMint.open(tmp_path / "elsewhere")
            tickets = {
                "used": good,
                "forged": page.ticket(Kind.WATCH, sandbox.id, mint=stranger),
                "altered": page.ticket(Kind.WATCH, sandbox.id)[:-4] + "AAAA",
                "empty": "",
                "garbage": "a.b",
                "long": "x" * 5000,
            }
            first = await page.connect()
            await first.send_json({"ticket": good})
            await until_state(first, "ready")
            for name, ticket in tickets.items():
                socket = await page.connect()
                await socket.send_json({"ticket": ticket})
                assert await end_of(socket) == 4401, name

        played(tmp_path, scene)

    def test_a_ticket_for_logs_opens_no_terminal_and_another_service_not_at_all(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.ready)
            for op, kind in (("terminal", Kind.LOGS), ("logs", Kind.TERMINAL), ("terminal", Kind.WATCH)):
                reader, writer = await asyncio.open_unix_connection(page.daemon.sockets / "bytes.sock")
                writer.write(json.dumps({"op": op, "ticket": page.ticket(kind, sandbox.id, "web")}).encode() + b"\n")
                assert json.loads(await reader.readline()) == {"ok": False, "error": "ticket-refused"}
                writer.close()
            assert await end_of(await page.open(Kind.LOGS, sandbox.id, "nobody")) == 4404
            assert await end_of(await page.open(Kind.LOGS, "nosuchsandbox", "web")) == 4404

        played(tmp_path, scene)

    def test_there_is_no_shell_in_the_platforms_own_services(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.ready)
            assert await end_of(await page.open(Kind.TERMINAL, sandbox.id, "peer")) == 4404
            # Positive control: the learner's own has one, and the log of the other may be read
            shell = await page.open(Kind.TERMINAL, sandbox.id, "web")
            await shell.send_bytes(b"x")
            assert (await shell.receive(timeout=5)).data == b"x"
            assert (await text(await page.open(Kind.LOGS, sandbox.id, "peer")))["data"] == "started\n"

        played(tmp_path, scene)

    def test_who_says_nothing_or_nonsense_is_hung_up_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_stream, "FIRST_FRAME_SECONDS", 0.3)

        async def scene(page: Page) -> None:
            assert await end_of(await page.connect()) == 4401
            for nonsense in ("{", "[]", "7", '"x"', "[" * 20000):
                socket = await page.connect()
                await socket.send_str(nonsense)
                assert await end_of(socket) == 4400
            socket = await page.connect()
            await socket.send_bytes(b"x" * 100_000)
            assert await end_of(socket) == 1009
            sandbox = await asyncio.to_thread(page.daemon.ready)
            socket = await page.open(Kind.LOGS, sandbox.id, "web", offset=-1)
            assert await end_of(socket) == 4400

        played(tmp_path, scene)

    def test_a_stream_without_fresh_tickets_ends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_stream, "RENEW_SECONDS", 1.0)

        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.ready)
            left, kept, wrong = [await page.open(Kind.LOGS, sandbox.id, "web") for _ in range(3)]
            await asyncio.sleep(0.7)  # most of the second in which a ticket must be renewed
            await kept.send_json({"ticket": page.ticket(Kind.LOGS, sandbox.id, "web")})
            await wrong.send_json({"ticket": page.ticket(Kind.LOGS, sandbox.id, "peer")})
            assert await end_of(wrong) == 4401
            assert await end_of(left) == 4401
            page.daemon.engine.write_log(sandbox.id, "web", b"still here")
            await text(kept)
            assert (await text(kept))["data"] == "still here"

        played(tmp_path, scene)

    def test_one_person_has_so_many_streams_and_no_more(self, tmp_path: Path) -> None:
        async def scene(page: Page) -> None:
            sandbox = await asyncio.to_thread(page.daemon.ready)
            terminals = [await page.open(Kind.TERMINAL, sandbox.id, "web") for _ in range(TERMINALS_EACH + 1)]
            assert await end_of(terminals[-1]) == 4429
            watches = [await page.open(Kind.WATCH, sandbox.id) for _ in range(STREAMS_EACH - TERMINALS_EACH)]
            for socket in watches:
                await text(socket)
            assert await end_of(await page.open(Kind.WATCH, sandbox.id)) == 4429
            # Somebody else is not concerned, and a closed stream makes room
            await until_state(await page.open(Kind.WATCH, sandbox.id, user="bob"), "ready")
            await watches[0].close()
            for _ in range(100):
                socket = await page.open(Kind.WATCH, sandbox.id)
                if (await socket.receive(timeout=5)).type is WSMsgType.TEXT:
                    return
            raise AssertionError("no room was made")

        played(tmp_path, scene)


def test_a_reader_that_does_not_read_makes_the_writer_wait(tmp_path: Path) -> None:
    async def scene(page: Page) -> None:
        # Given a service that has written 64 MiB, and a page that opens its log and reads nothing
        sandbox = await asyncio.to_thread(page.daemon.ready)
        engine = page.daemon.engine
        engine.write_log(sandbox.id, "web", b"x" * (64 << 20))
        pages = 0
        logs = engine.logs

        async def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal pages
            pages += 1
            return await logs(*arguments, **options)

        engine.logs = counted
        await page.open(Kind.LOGS, sandbox.id, "web")
        # Then, as soon as no more is fetched, that was only what fits into the buffers on the way
        before = 0
        async with asyncio.timeout(20):
            while not 0 < before == pages:
                before = pages
                await asyncio.sleep(0.5)
        assert pages < 600

    played(tmp_path, scene)
