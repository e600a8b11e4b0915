"""One call: its messages both ways, and how it ended."""

from __future__ import annotations

from ...decoder import MAX_TEXT, Direction, Undecodable
from ...trace import Event
from . import codes


class Messages:
    """Cuts the data of one direction into messages: a flag, four bytes of length, that many bytes."""

    def __init__(self) -> None:
        self.count = 0
        self._prefix = b""
        self._left = self._size = 0

    @property
    def within(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._prefix or self._left)

    def read(self, data: bytes, at: int, end: int) -> list[int]:
        """Sizes of the messages that end in these bytes."""
        sizes = []
        while at < end:
            if not self._left:
                step = min(5 - len(self._prefix), end - at)
                self._prefix += data[at : at + step]
                at += step
                if len(self._prefix) < 5:
                    break
                if self._prefix[0] > 1:
                    raise Undecodable("a message of gRPC begins with neither 0 nor 1")
                self._left = int.from_bytes(self._prefix[1:], "big")
                self._size, self._prefix = self._left + 5, b""
            step = min(self._left, end - at)
            self._left -= step
            at += step
            if not self._left:
                self.count += 1
                sizes.append(self._size)
        return sizes


class Stream:
    """From its headers to its end."""

    def __init__(self, name: str, path: str, grpc: bool, now: float) -> None:
        service, _, method = path.lstrip("/").rpartition("/")
        self.about = {"id": name, "service": service[:MAX_TEXT], "method": method[:MAX_TEXT]}
        self._begun = now
        self._grpc = grpc
        self._messages: dict[Direction, Messages] = {"up": Messages(), "down": Messages()}
        self.http = b""  #: the status of HTTP

    def request(self, size: int) -> Event:
        """The event of its beginning."""
        return {"kind": "request", "size": size, **self.about}

    def data(self, direction: Direction, data: bytes, at: int, end: int) -> list[Event]:
        """Events of the messages that end in these bytes."""
        if not self._grpc:
            return []
        messages = self._messages[direction]
        first = messages.count + 1
        sizes = messages.read(data, at, end)
        return [{"kind": "message", "n": first + place, "size": size, **self.about} for place, size in enumerate(sizes)]

    def within(self, direction: Direction) -> bool:
        """Whether a message has begun and not ended."""
        return self._messages[direction].within

    def response(self, code: int, size: int, now: float) -> Event:
        """The event of its end."""
        event: Event = {"kind": "response", "size": size, "code": code, "status": codes.name(code), **self.about}
        return {**event, "messages": self._messages["down"].count, "latency": round(now - self._begun, 6)}
