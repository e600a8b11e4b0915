"""Messages that checks share, right in both languages: what was lost, doubled, out of order, left behind, not reconnected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .words import Text, brief, plural

MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Noun:
    """What is counted: `Noun("заказ", "заказа", "заказов", "order", "orders")`, the forms after 1, 2 and 5."""

    one: str
    few: str
    many: str
    en_one: str
    en_many: str

    def count(self, number: int) -> Text:
        """`3 заказа` / `3 orders`"""
        ru = plural(number, self.one, self.few, self.many)
        return Text(f"{number} {ru}", f"{number} {self.en_one if number == 1 else self.en_many}")

    def of(self, number: int) -> Text:
        """After «из»: `из 21 заказа`, `из 40 заказов` / `of 40 orders`."""
        ru = self.few if number % 10 == 1 and number % 100 != 11 else self.many
        return Text(f"из {number} {ru}", f"of {number} {self.en_one if number == 1 else self.en_many}")


MESSAGES = Noun("сообщение", "сообщения", "сообщений", "message", "messages")
ORDERS = Noun("заказ", "заказа", "заказов", "order", "orders")
TASKS = Noun("задача", "задачи", "задач", "task", "tasks")
EVENTS = Noun("событие", "события", "событий", "event", "events")
REQUESTS = Noun("запрос", "запроса", "запросов", "request", "requests")
OPERATIONS = Noun("операция", "операции", "операций", "operation", "operations")


def examples(values: Sequence[object], most: int = MOST_EXAMPLES) -> str:
    """`A-17, A-3, …`"""
    shown = ", ".join(
        value if isinstance(value, str) and value.isprintable() and len(value) <= 40 else brief(value, 40)
        for value in values[:most]
    )
    return shown + (", …" if len(values) > most else "")


def lost(missing: Sequence[object], total: int, noun: Noun = MESSAGES) -> Text:
    """`потеряно 3 из 40 заказов: A-17, …`"""
    words = Text(f"потеряно {len(missing)} ", f"lost {len(missing)} ") + noun.of(total)
    return words + f": {examples(missing)}"


def doubled(values: Sequence[object], noun: Noun = MESSAGES) -> Text:
    """`дважды или чаще: 2 заказа: A-17 (×3), …`; `values` are all that was seen, repetitions included."""
    counts = {value: number for value, number in Counter(values).items() if number > 1}
    shown = examples([f"{value} (×{number})" for value, number in counts.items()])
    return Text("больше одного раза: ", "more than once: ") + noun.count(len(counts)) + f": {shown}"


def unexpected(values: Sequence[object], noun: Noun = MESSAGES) -> Text:
    """`никто не отправлял: 1 сообщение: A-99`"""
    return Text("никто не отправлял: ", "nobody sent: ") + noun.count(len(values)) + f": {examples(values)}"


def out_of_order(earlier: object, later: object, key: object = "") -> Text:
    """`A-18 раньше, чем A-17 (ключ user-1)`"""
    before, after = examples([later]), examples([earlier])
    whose = Text(f" (ключ {examples([key])})", f" (key {examples([key])})") if key not in ("", None) else Text("", "")
    return Text(f"{before} раньше, чем {after}", f"{before} before {after}") + whose


def still_in_queue(queue: str, number: int, noun: Noun = MESSAGES) -> Text:
    """`в очереди tasks ещё 3 сообщения`"""
    return Text(f"в очереди {queue} ещё ", f"queue {queue} still holds ") + noun.count(number)


def not_reconnected(service: str, upstream: str, seconds: float) -> Text:
    """`worker не подключился к broker снова за 10 с`"""
    return Text(
        f"{service} не подключился к {upstream} снова за {seconds:.0f} с",
        f"{service} did not connect to {upstream} again within {seconds:.0f} s",
    )


def not_consuming(service: str, queue: str) -> Text:
    """`worker не подписан на очередь tasks`"""
    return Text(f"{service} не подписан на очередь {queue}", f"{service} is not subscribed to queue {queue}")


def within(seconds: float) -> Text:
    """` за 10 с` / ` within 10 s`"""
    return Text(f" за {seconds:.0f} с", f" within {seconds:.0f} s")
