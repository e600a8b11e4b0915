"""What the taps saw: events with attributes, and lists of them that can be searched."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from .frame import Frame, label
from .services import service_of
from .words import Text, brief

_COMMON = frozenset({"seq", "at", "conn", "from", "to", "dir", "protocol", "kind", "id", "size"})
#: What of an event is told besides its kind, in this order; the first three that are there.
_TOLD = ("method", "path", "status", "queue", "routing_key", "code", "statement", "text", "tag", "body")
_SETTLING = frozenset({"ack", "nack", "reject"})


@dataclass(frozen=True)
class Event:
    """One thing that a tap saw; docs/taps.md lists the kinds.

    Besides its attributes it has the fields of its kind: `event.queue`, `event.body`, `event.status`, `event.latency` …

    Attributes:
        seq: number in the sandbox's trace.
        at: seconds of the machine's monotonic clock, the one of `time.monotonic()`.
        conn: number of the connection.
        replica: the client's replica, `worker-2`.
        upstream: the service it spoke to.
        dir: `up` from the client, `down` to it.
        id: ties a request and its reply, a delivery and its ack.
    """

    seq: int
    at: float
    conn: int
    replica: str
    upstream: str
    dir: str
    protocol: str
    kind: str
    id: str = ""
    size: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Event:
        return cls(
            seq=int(data.get("seq", 0)),
            at=float(data["at"]),
            conn=int(data.get("conn", 0)),
            replica=str(data.get("from", "")),
            upstream=str(data.get("to", "")),
            dir=str(data.get("dir", "")),
            protocol=str(data.get("protocol", "")),
            kind=str(data["kind"]),
            id=str(data.get("id") or ""),
            size=int(data.get("size") or 0),
            fields={key: value for key, value in data.items() if key not in _COMMON},
        )

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        try:
            return fields[name]
        except KeyError:
            kind, has = self.__dict__.get("kind"), ", ".join(sorted(fields))
            raise AttributeError(f"an event of kind `{kind}` has no `{name}`; it has {has or 'no fields of its own'}") from None

    def get(self, name: str, default: Any = None) -> Any:
        """A field that this kind of event may not have."""
        return self.fields.get(name, default)

    @property
    def service(self) -> str:
        """The client's service: `worker` for `worker-2`."""
        return service_of(self.replica)

    @property
    def settles(self) -> tuple[str, ...]:
        """Ids of what it answers: of all deliveries for an ack of several."""
        return tuple(map(str, self.get("ids") or ())) or ((self.id,) if self.id else ())

    def told(self, begun: float) -> Text:
        """The event as a message tells it, its time relative to `begun`: `worker-2: ack (tasks) at +1.20 s`."""
        details = [brief(self.fields[key], 40) for key in _TOLD if self.fields.get(key) not in (None, "")]
        shown = f" ({', '.join(details[:3])})" if details else ""
        after = self.at - begun
        when = Text(f", +{after:.2f} с".replace(".", ","), f" at +{after:.2f} s")
        return Text.same(f"{self.replica}: ") + label(self.kind) + shown + when


class Trace(Sequence[Event]):
    """Events in the order of their times.

    Attributes:
        dropped: how many more there were that the taps could not keep.
    """

    def __init__(self, events: Sequence[Event], dropped: int = 0, known: Mapping[str, Event] | None = None) -> None:
        self._events = sorted(events, key=lambda one: (one.at, one.seq))
        self.dropped = dropped
        self._by_id: dict[str, list[Event]] | None = None
        #: deliveries by id, so that an ack can be asked for the queue and body of what it settles
        self._known = known if known is not None else {e.id: e for e in self._events if e.kind in ("deliver", "get") and e.id}

    @overload
    def __getitem__(self, place: int) -> Event: ...
    @overload
    def __getitem__(self, place: slice) -> Trace: ...
    def __getitem__(self, place: int | slice) -> Event | Trace:
        return self._part(self._events[place]) if isinstance(place, slice) else self._events[place]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def of(self, wanted: str | Frame, *more: str | Frame) -> Trace:
        """Those of these kinds (`"ack"`) or patterns (`frame.ack()`)."""
        return self._part([e for e in self._events if any(self._is(e, one) for one in (wanted, *more))])

    def by(self, client: str) -> Trace:
        """Those of one service (`worker`: all replicas) or of one replica (`worker-2`)."""
        return self._part([e for e in self._events if client in (e.replica, e.service)])

    def to(self, upstream: str) -> Trace:
        """Those of the connections to one upstream."""
        return self._part([e for e in self._events if e.upstream == upstream])

    def about(self, text: str) -> Trace:
        """Those that have `text` in one of their fields, and those that answer them: a delivery and its ack."""
        found = {e.id for e in self._events if e.id and _mentions(e, text)}
        found |= {name for name, e in self._known.items() if _mentions(e, text)}
        return self._part([e for e in self._events if _mentions(e, text) or found & {e.id, *e.settles}])

    def between(self, begin: float, end: float) -> Trace:
        """Those with `begin` < time < `end`."""
        return self._part([e for e in self._events if begin < e.at < end])

    def answers(self, asked: Event) -> Trace:
        """Those that answer `asked`: the ack of a delivery, the response of a request."""
        if self._by_id is None:
            self._by_id = defaultdict(list)
            for event in self._events:
                for name in event.settles:
                    self._by_id[name].append(event)
        return self._part([e for e in self._by_id.get(asked.id, ()) if e is not asked and e.dir != asked.dir])

    @property
    def told(self) -> Text:
        """What there is, by kinds: `deliver ×3, ack ×2`."""
        counts = Counter(event.kind for event in self._events)
        if not counts:
            return Text("ничего", "nothing at all")
        parts = [label(kind) + (f" ×{number}" if number > 1 else "") for kind, number in counts.most_common(8)]
        return Text(", ".join(part.ru for part in parts), ", ".join(part.en for part in parts))

    def _part(self, events: Sequence[Event]) -> Trace:
        return Trace(events, self.dropped, self._known)

    def _is(self, event: Event, wanted: str | Frame) -> bool:
        if isinstance(wanted, str):
            return event.kind == wanted
        fields: dict[str, Any] = {"kind": event.kind, **event.fields}
        if not wanted.accepts(fields) and event.kind in _SETTLING:
            settled = [self._known[name] for name in event.settles if name in self._known]
            return any(wanted.accepts({**one.fields, **fields}) for one in settled)
        return wanted.accepts(fields) and wanted.dir in ("", event.dir)


def _mentions(event: Event, text: str) -> bool:
    return any(text in str(value) for value in event.fields.values())
