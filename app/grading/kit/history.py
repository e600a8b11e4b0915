"""What a check sent and what became of it, and the invariants that must hold whatever broke in between."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from .phrases import OPERATIONS, Noun, doubled, examples, lost, out_of_order, unexpected
from .words import Failed, Text

Outcome = Literal["ok", "failed", "unknown"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "failed", "unknown")


@dataclass(slots=True)
class Operation:
    """One thing that was asked of the sandbox.

    Attributes:
        value: by which its effect is found again, such as an order's number.
        key: things of one key must keep their order.
        outcome: `ok`: acknowledged, so it must last; `failed`: refused, so it must have no effect; `unknown`: no answer,
            either is right.
    """

    value: Hashable
    key: Hashable = None
    outcome: Outcome = "unknown"


class History:
    """Operations in the order in which they were begun; may be shared by the threads of a check.

    The invariants compare it with what was found at the end, and wait for nothing: look with `kit.eventually` first, or
    use `holds` as its matcher.

    Args:
        noun: what messages call the operations.
    """

    def __init__(self, noun: Noun = OPERATIONS) -> None:
        self.noun = noun
        self._operations: list[Operation] = []
        self._lock = threading.Lock()

    def record(self, value: Hashable, outcome: Outcome = "ok", *, key: Hashable = None) -> Operation:
        """Write down an operation that is over."""
        operation = Operation(value, key, outcome)
        with self._lock:
            self._operations.append(operation)
        return operation

    @contextmanager
    def sending(self, value: Hashable, *, key: Hashable = None) -> Iterator[Operation]:
        """Write down what is done inside: `ok` when it ends well, `unknown` when it raises `Failed`, which ends here.

        Set `operation.outcome = "failed"` inside where the answer was a clear refusal.
        """
        operation = self.record(value, "unknown", key=key)
        try:
            yield operation
        except Failed:
            return
        if operation.outcome == "unknown":
            operation.outcome = "ok"

    def values(self, *outcomes: Outcome) -> list[Hashable]:
        """What was sent, of these outcomes or of any."""
        with self._lock:
            return [one.value for one in self._operations if not outcomes or one.outcome in outcomes]

    # -- invariants ------------------------------------------------------------------------------------------------

    def nothing_lost(self, found: Sequence[Hashable]) -> None:
        """Everything acknowledged is among `found`.

        Raises:
            Failed: something is not, or nothing at all was acknowledged.
        """
        self._raise(self._lost(found))

    def nothing_doubled(self, found: Sequence[Hashable]) -> None:
        """Nothing is in `found` more often than it was sent."""
        self._raise(self._doubled(found))

    def only_sent(self, found: Sequence[Hashable]) -> None:
        """Nothing is in `found` that was not sent, or that was refused."""
        self._raise(self._strange(found))

    def order_kept(self, found: Sequence[Hashable]) -> None:
        """The first sights in `found` of values of one key stand in the order in which they were sent."""
        self._raise(self._disorder(found))

    def exactly_once(self, found: Sequence[Hashable]) -> None:
        """Nothing lost, nothing doubled, only what was sent."""
        self._raise(self._lost(found) or self._strange(found) or self._doubled(found))

    def _lost(self, found: Sequence[Hashable]) -> tuple[Text, Text] | None:
        sent = self.values("ok")
        if not sent:
            return Text("хотя бы одна операция подтверждена", "at least one operation is acknowledged"), self._outcomes()
        there = set(found)
        missing = [value for value in sent if value not in there]
        return (
            (Text("всё подтверждённое на месте", "all that was acknowledged is there"), lost(missing, len(sent), self.noun))
            if missing
            else None
        )

    def _doubled(self, found: Sequence[Hashable]) -> tuple[Text, Text] | None:
        allowed = self.values()
        extra = [value for value in dict.fromkeys(found) if found.count(value) > max(allowed.count(value), 1)]
        if not extra:
            return None
        repeated = [value for value in found if value in extra]
        return Text("каждое подействовало один раз", "each took effect once"), doubled(repeated, self.noun)

    def _strange(self, found: Sequence[Hashable]) -> tuple[Text, Text] | None:
        known = set(self.values("ok", "unknown"))
        strange = [value for value in dict.fromkeys(found) if value not in known]
        if not strange:
            return None
        refused = [value for value in strange if value in self.values("failed")]
        if refused:
            seen = Text("подействовало то, на что пришёл отказ: ", "what was refused took effect: ") + examples(refused)
        else:
            seen = unexpected(strange, self.noun)
        return Text("только отправленное", "only what was sent"), seen

    def _disorder(self, found: Sequence[Hashable]) -> tuple[Text, Text] | None:
        place = {value: at for at, value in reversed(list(enumerate(found)))}
        last: dict[Hashable, Hashable] = {}
        with self._lock:
            operations = [one for one in self._operations if one.value in place]
        for one in operations:
            before = last.get(one.key)
            if before is not None and place[one.value] < place[before]:
                return Text("порядок отправки сохранён", "the order of sending is kept"), out_of_order(
                    before, one.value, one.key
                )
            last[one.key] = one.value
        return None

    def _outcomes(self) -> Text:
        ok, failed, unknown = (len(self.values(outcome)) for outcome in OUTCOMES)
        return Text(
            f"подтверждено: {ok}, отказов: {failed}, без ответа: {unknown}", f"ok: {ok}, failed: {failed}, unknown: {unknown}"
        )

    def _raise(self, broken: tuple[Text, Text] | None) -> None:
        if broken:
            raise Failed(expected=broken[0], seen=broken[1])
