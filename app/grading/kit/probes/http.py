"""HTTP/1.1 with hard caps: total time, head and body size; no redirects, no proxies, no decompression."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..pipe import Pipe
from ..services import ServiceInfo, blame
from ..waiting import Clock
from ..words import Failed, Text, brief

MAX_BODY = 1 << 20  #: bytes
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        headers: names in lower case; of repeated ones the last.
        asked: `GET /path` at the service, for messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked: str

    @property
    def text(self) -> str:
        """The body as UTF-8, with replacement characters where it is not."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Failed: it is not JSON, or nested too deeply to read.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Failed(
                expected=Text(f"{self.asked} отвечает JSON", f"{self.asked} answers JSON"),
                seen=Text(f"{self.status} и тело {brief(self.text)}", f"{self.status} and the body {brief(self.text)}"),
            ) from None


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a moment in time, however slowly the bytes drip."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class _DeadlineSocket:
    """What `http.client` needs of a socket, under one deadline for everything."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._deadline))

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(max(self._deadline - time.monotonic(), 0.001))
        self._sock.sendall(data)

    def close(self) -> None:
        """`http.client` lets go of it while the body is still being read; the exchange closes the real one."""


class Http:
    """One service's HTTP port; each request has a connection of its own.

    Args:
        info: whom to speak to.
        port: TCP port.
        headers: sent with every request.
    """

    def __init__(
        self, info: ServiceInfo, port: int, pipe: Pipe, clock: Clock, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self._info, self._port, self._pipe, self._clock = info, port, pipe, clock
        self._headers = dict(headers or {})

    def get(self, path: str, **options: Any) -> Answer:
        """`request("GET", …)`"""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        """`request("POST", …)`"""
        return self.request("POST", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        within: float | None = None,
        max_body: int = MAX_BODY,
    ) -> Answer:
        """Ask and read the whole answer.

        Args:
            path: begins with `/`; already percent-encoded.
            json_body: anything JSON-able, sent with its content type.
            within: seconds for everything together, from `limit()`; default `limit(5)`.
            max_body: bytes of the answer's body that are still accepted.

        Raises:
            Failed: nothing listens, the connection broke, or the answer is too slow, too large or not HTTP.
            Fault: the same of a given service.
        """
        asked = f"{method} {self._info.name}:{self._port}{path}"
        limit = within if within is not None else self._clock.limit(5)
        sent = {**self._headers, **(headers or {}), "Accept-Encoding": "identity", "Connection": "close"}
        if json_body is not None:
            body = json.dumps(json_body, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        try:
            answer = self._exchange(method, path, body, sent, time.monotonic() + limit, max_body, asked)
            if _leads_elsewhere(answer, self._info.name):
                self._signal("redirect-elsewhere")
            return answer
        except _TooLarge:
            self._signal("answer-too-large")
            seen = Text(f"ответ больше {max_body // 1024} КиБ", f"an answer larger than {max_body // 1024} KiB")
        except TimeoutError:
            seen = Text(f"за {limit:.1f} с ответ не пришёл целиком", f"no complete answer within {limit:.1f} s")
        except ConnectionRefusedError:
            seen = Text("на этом порту никто не слушает", "nothing listens on this port")
        except http.client.RemoteDisconnected:
            seen = Text("соединение закрыто без ответа", "the connection was closed without an answer")
        except http.client.IncompleteRead:
            seen = Text("соединение оборвалось посреди ответа", "the connection broke in the middle of the answer")
        except (http.client.HTTPException, ValueError) as error:
            seen = Text(f"это не ответ HTTP: {brief(repr(error))}", f"this is not an HTTP answer: {brief(repr(error))}")
        except OSError as error:
            seen = Text(f"соединение оборвалось: {error}", f"the connection broke: {error}")
        raise blame(self._info, self._pipe, Text(f"ответ на {asked}", f"an answer to {asked}"), seen)

    def _signal(self, kind: str) -> None:
        """Tell instructors, not the verdict; given services are ours."""
        if self._info.learner:
            self._pipe.send({"type": "signal", "kind": kind})

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline: float, max_body: int, asked: str
    ) -> Answer:
        connection = http.client.HTTPConnection(self._info.name, self._port)
        left = deadline - time.monotonic()
        with socket.create_connection((self._info.name, self._port), timeout=max(left, 0.001)) as sock:
            connection.sock = _DeadlineSocket(sock, deadline)
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            pieces, size = [], 0
            while piece := answer.read(_PIECE):
                size += len(piece)
                if size > max_body:
                    raise _TooLarge
                pieces.append(piece)
        found = {name.lower(): value for name, value in answer.getheaders()}
        if answer.length:  # what was promised and did not come
            raise http.client.IncompleteRead(b"", answer.length)
        return Answer(answer.status, found, b"".join(pieces), asked)


def _leads_elsewhere(answer: Answer, host: str) -> bool:
    """Whether it redirects to something else than the service that was asked; we do not follow either way."""
    target = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
    try:
        parts = urllib.parse.urlsplit(target)
        return bool(parts.scheme not in ("", "http", "https") or (parts.hostname and parts.hostname != host))
    except ValueError:
        return True


class _TooLarge(Exception):
    pass
