"""What a tap can see on an edge, as patterns: `frame.ack()`, `frame.publish(queue="tasks")`, `frame.request(path="/orders")`.

A pattern serves twice: rules of a tap wait for it, and traces are searched with it. A value of a field is compared as it
is; `contains("A-17")` looks for a part of it and `any_of(500, 503)` for one of several. A `body` or `statement` given as
text is looked for as a part; the tap keeps the first 512 characters of a body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .words import Text, brief

Direction = Literal["up", "down", ""]
UP: Direction = "up"
DOWN: Direction = "down"
BOTH: Direction = ""

#: How the fields of a pattern are told, in the order of telling.
_FIELDS = {
    "queue": ("очередь", "queue"),
    "exchange": ("обменник", "exchange"),
    "routing_key": ("ключ", "routing key"),
    "method": ("метод", "method"),
    "path": ("путь", "path"),
    "service": ("сервис", "service"),
    "status": ("статус", "status"),
    "code": ("код", "code"),
    "redelivered": ("повторная", "redelivered"),
    "no_ack": ("без ack", "no ack"),
    "requeue": ("с возвратом", "requeue"),
    "prefetch": ("prefetch", "prefetch"),
    "durable": ("durable", "durable"),
    "persistent": ("persistent", "persistent"),
    "mandatory": ("mandatory", "mandatory"),
    "implicit": ("вне транзакции", "outside a transaction"),
    "user": ("роль", "role"),
    "database": ("база", "database"),
    "tag": ("итог", "tag"),
    "statement": ("запрос", "statement"),
    "n": ("номер", "number"),
    "body": ("тело", "body"),
}
_LABELS = {"commit": "COMMIT", "begin": "BEGIN", "rollback": "ROLLBACK"}
_RU = {
    "open": "открытое соединение",
    "close": "закрытое соединение",
    "refused": "отказ в соединении",
    "undecoded": "неразобранный обмен",
    "data": "данные",
    "request": "запрос",
    "response": "ответ",
    "message": "сообщение потока",
    "statement": "запрос SQL",
    "complete": "итог запроса SQL",
    "error": "ошибка SQL",
    "startup": "начало сеанса",
}
_EN = {
    "open": "opened connection",
    "close": "closed connection",
    "refused": "refused connection",
    "undecoded": "undecoded traffic",
    "statement": "SQL statement",
    "complete": "end of an SQL statement",
    "error": "SQL error",
    "startup": "start of a session",
}


def label(kind: str) -> Text:
    """A kind of event as messages call it: words of the protocol stay as they are."""
    same = _LABELS.get(kind, kind)
    return Text(_RU.get(kind, same), _EN.get(kind, same))


@dataclass(frozen=True, slots=True)
class Frame:
    """A pattern of events.

    Attributes:
        when: field -> value, `{"contains": text}` or `{"any": [values]}`; empty fits everything, plain bytes included.
        dir: `up` from the client to the upstream, `down` back, empty for both.
    """

    when: Mapping[str, Any] = field(default_factory=dict)
    dir: Direction = BOTH

    @property
    def kind(self) -> str:
        """The kind of event that it asks for; empty for any."""
        return str(self.when.get("kind", ""))

    @property
    def words(self) -> Text:
        """The pattern as a message tells it: `publish (queue tasks)`."""
        name = label(self.kind) if self.kind else Text("любые данные", "any bytes")
        ru, en = [], []
        for key, (ru_key, en_key) in _FIELDS.items():
            if key in self.when:
                value = _value_words(self.when[key])
                ru.append(f"{ru_key} {value.ru}")
                en.append(f"{en_key} {value.en}")
        return name + Text(f" ({', '.join(ru)})", f" ({', '.join(en)})") if ru else name

    def accepts(self, fields: Mapping[str, Any]) -> bool:
        """Whether an event with these fields fits."""
        return all(_fits(wanted, fields.get(key)) for key, wanted in self.when.items())


def contains(part: str) -> dict[str, Any]:
    """A text that has `part` in it."""
    return {"contains": part}


def any_of(*values: Any) -> dict[str, Any]:
    """One of `values`."""
    return {"any": list(values)}


def anything(direction: Direction = BOTH) -> Frame:
    """All traffic, decoded or not."""
    return Frame({}, direction)


def event(kind: str, direction: Direction = BOTH, **fields: Any) -> Frame:
    """Any kind of event; the table in docs/taps.md lists kinds and their fields."""
    when = {key: _part(key, value) for key, value in fields.items() if value is not None}
    return Frame({"kind": kind, **when}, direction)


# -- connections: for traces; a rule cannot wait for them ------------------------------------------------------------


def opened() -> Frame:
    """A connection that was opened through the tap."""
    return event("open", UP)


def closed(by: str | None = None) -> Frame:
    """A connection that ended; `by`: client, upstream or rule."""
    return event("close", BOTH, by=by)


def refused() -> Frame:
    """A connection from a service that has no edge to this port."""
    return event("refused", UP)


# -- HTTP and gRPC -------------------------------------------------------------------------------------------------


def request(method: str | None = None, path: Any = None, body: Any = None, service: str | None = None) -> Frame:
    """An HTTP request, or a gRPC call when `service` (and then `method` of it) is given."""
    return event("request", UP, method=method, path=path, body=body, service=service)


def response(status: Any = None, body: Any = None, code: Any = None) -> Frame:
    """An HTTP response with this `status`, or the end of a gRPC call with this `code`."""
    return event("response", DOWN, status=status, body=body, code=code)


def message(number: int | None = None) -> Frame:
    """A message of a gRPC call, in either direction; `number` counts those of its direction from 1."""
    return event("message", BOTH, n=number)


# -- AMQP ----------------------------------------------------------------------------------------------------------


def publish(
    queue: str | None = None,
    *,
    exchange: str | None = None,
    routing_key: Any = None,
    body: Any = None,
    persistent: bool | None = None,
    mandatory: bool | None = None,
) -> Frame:
    """A message on its way to the broker; `queue` means the default exchange with the queue's name as routing key."""
    if queue is not None:
        exchange, routing_key = "", queue
    fields = {"exchange": exchange, "routing_key": routing_key, "body": body}
    return event("publish", UP, **fields, persistent=persistent, mandatory=mandatory)


def confirm() -> Frame:
    """The broker's word that it has a published message."""
    return event("confirm", DOWN)


def deliver(
    queue: Any = None, *, body: Any = None, redelivered: bool | None = None, no_ack: bool | None = None, routing_key: Any = None
) -> Frame:
    """A message on its way to a consumer."""
    fields = {"queue": queue, "body": body, "redelivered": redelivered, "no_ack": no_ack, "routing_key": routing_key}
    return event("deliver", DOWN, **fields)


def ack(queue: Any = None, *, body: Any = None) -> Frame:
    """A consumer's word that it has processed; of one queue, or of the delivery whose body has `body` in it."""
    return event("ack", UP, queue=queue, body=body)


def nack(queue: Any = None, *, requeue: bool | None = None) -> Frame:
    """A consumer's refusal of one or several messages."""
    return event("nack", UP, queue=queue, requeue=requeue)


def reject(queue: Any = None, *, requeue: bool | None = None) -> Frame:
    """A consumer's refusal of one message."""
    return event("reject", UP, queue=queue, requeue=requeue)


def consume(queue: Any = None, *, no_ack: bool | None = None) -> Frame:
    """A subscription; `no_ack=True` is `auto_ack`."""
    return event("consume", UP, queue=queue, no_ack=no_ack)


def declare(queue: Any = None, *, durable: bool | None = None) -> Frame:
    """A queue's declaration."""
    return event("declare", UP, queue=queue, durable=durable)


def qos(prefetch: int | None = None) -> Frame:
    """The number of messages that a consumer takes in advance."""
    return event("qos", UP, prefetch=prefetch)


# -- PostgreSQL ----------------------------------------------------------------------------------------------------


def startup(user: str | None = None, database: str | None = None) -> Frame:
    """The beginning of a session."""
    return event("startup", UP, user=user, database=database)


def begin() -> Frame:
    """BEGIN."""
    return event("begin", UP)


def commit(*, implicit: bool | None = None) -> Frame:
    """COMMIT, or (`implicit`) a writing statement outside a transaction, which commits by itself; None: either."""
    return event("commit", UP, implicit=implicit)


def rollback() -> Frame:
    """ROLLBACK."""
    return event("rollback", UP)


def statement(text: Any = None) -> Frame:
    """A statement that has `text` in it."""
    return event("statement", UP, statement=text)


def complete(tag: Any = None) -> Frame:
    """A statement that has succeeded; `tag` such as `contains("INSERT")`."""
    return event("complete", DOWN, tag=tag)


def error(code: str | None = None) -> Frame:
    """A statement that has failed; `code` is the SQLSTATE."""
    return event("error", DOWN, code=code)


def _part(key: str, value: Any) -> Any:
    return contains(value) if key in ("body", "statement") and isinstance(value, str) else value


def _fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping):
        if "contains" in wanted:
            return value is not None and str(wanted["contains"]) in str(value)
        return value in wanted["any"]
    return bool(value == wanted)


def _value_words(wanted: Any) -> Text:
    if isinstance(wanted, Mapping):
        if "contains" in wanted:
            part = brief(wanted["contains"], 40)
            return Text(f"содержит {part}", f"has {part} in it")
        values = [_plain(value) for value in wanted["any"]]
        return Text(" или ".join(values), " or ".join(values))
    if isinstance(wanted, bool):
        return Text("да" if wanted else "нет", "yes" if wanted else "no")
    return Text.same(_plain(wanted))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value and value.isprintable() and len(value) <= 40 else brief(value, 40)
