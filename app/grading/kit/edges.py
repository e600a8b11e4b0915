"""An edge of the sandbox and the rules by which its tap hurts the traffic. Each rule notes itself on the report's timeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from . import frame as patterns
from .frame import Frame
from .pipe import Pipe
from .services import LONGEST_WAIT, service_of
from .trace import Event
from .waiting import Clock
from .words import Failed, Fault, Text

SENDER = "@sender"  #: in a step: the replica whose frame is held
Then = Literal["forward", "drop", "cut"]
Step = tuple[str, str]  #: `("kill", "worker")`: what is done while a frame is held, and to whom

_STEPS = {
    "kill": ("убиваем {}", "kill {}"),
    "pause": ("приостанавливаем {}", "pause {}"),
    "resume": ("возобновляем {}", "resume {}"),
    "stop": ("останавливаем {}", "stop {}"),
    "restart": ("перезапускаем {}", "restart {}"),
    "await_exit": ("ждём, пока {} завершится", "await the exit of {}"),
}
_THEN = {"forward": ("пропускаем", "let it pass"), "drop": ("выбрасываем", "drop it"), "cut": ("рвём связь", "cut the link")}


@dataclass(frozen=True, slots=True)
class Sight:
    """A pattern on one edge: what an assertion over the trace looks for."""

    edge: Edge
    frame: Frame

    @property
    def words(self) -> Text:
        """`worker → broker: ack (queue tasks)`"""
        return Text.same(f"{self.edge.name}: ") + self.frame.words


class Edge:
    """The way from a service (or one replica of it) to an upstream, through its tap.

    Every method that makes a rule arms it at once and returns it. Use the rule as a context manager, or disarm it; what
    is left is disarmed with the check.

    Args:
        client: a service, all replicas of it, or one replica such as `worker-2`.
        upstream: the service at the other end.
        keep: remembers what must be disarmed with the check.
    """

    def __init__(self, client: str, upstream: str, pipe: Pipe, clock: Clock, keep: Callable[[Rule], Any]) -> None:
        self.client, self.upstream = client, upstream
        self._pipe, self._clock, self._keep = pipe, clock, keep

    @property
    def name(self) -> str:
        """`worker → broker`"""
        return f"{self.client} → {self.upstream}"

    @property
    def service(self) -> str:
        """The client's service: `worker` for `worker-2`."""
        return service_of(self.client)

    def on(self, frame: Frame) -> Sight:
        """This pattern on this edge, for `kit.in_order` and its like."""
        return Sight(self, frame)

    def carries(self, event: Event) -> bool:
        """Whether the event happened on this edge."""
        return event.upstream == self.upstream and self.client in (event.replica, event.service)

    def delay(self, seconds: float, *, jitter: float = 0.0, when: Frame | None = None, nth: int = 1, times: int = 0) -> Rule:
        """Let frames arrive `seconds` later, plus up to `jitter`, in their order. Without `when`: everything, both ways."""
        span = f"{seconds:g}" + (f"–{seconds + jitter:g}" if jitter else "")
        words = Text(f"задерживаем на {span} с: {{}}", f"delay {{}} by {span} s")
        return self._arm("delay", when, nth, times, words, seconds=seconds, jitter=jitter)

    def drop(self, when: Frame, *, nth: int = 1, times: int = 1) -> Rule:
        """Throw frames away: the other side never sees them, and nobody is told. `times=0`: all from the n-th on."""
        return self._arm("drop", when, nth, times, Text("теряем {}", "lose {}"))

    def duplicate(self, when: Frame, *, nth: int = 1, times: int = 1) -> Rule:
        """Send AMQP publishes or HTTP requests twice."""
        return self._arm("duplicate", when, nth, times, Text("удваиваем {}", "double {}"))

    def reset(self, when: Frame | None = None, *, nth: int = 1, times: int = 1) -> Rule:
        """Break the connection with an RST to both sides when the frame comes; it does not pass."""
        return self._arm("reset", when, nth, times, Text("обрываем соединение: {}", "break the connection at {}"))

    def black_hole(self, when: Frame | None = None, *, nth: int = 1) -> Rule:
        """From the frame on nothing passes, either way, on present and new connections; the sockets stay open."""
        words = Text("ничего не проходит, начиная с: {}", "nothing passes from {} on")
        return self._arm("blackhole", when, nth, 1, words if when else Text("ничего не проходит", "nothing passes from now on"))

    def drip(self, bytes_per_second: int, *, when: Frame | None = None, nth: int = 1, times: int = 0) -> Rule:
        """Let bytes through slowly."""
        words = Text(f"пропускаем по {bytes_per_second} Б/с: {{}}", f"let {{}} through at {bytes_per_second} B/s")
        return self._arm("drip", when, nth, times, words, bytes_per_second=bytes_per_second)

    def hold(
        self,
        when: Frame,
        *,
        nth: int = 1,
        then: Then = "forward",
        kill: str | None = None,
        steps: Sequence[Step] = (),
        seconds: float | None = None,
    ) -> Rule:
        """Hold the n-th frame, do something, then let it go on, drop it or cut the link.

        Args:
            kill: a service or replica to kill while the frame is held, and whose exit is awaited; `"@sender"` is the
                replica at the client's end. With `then="drop"`: a crash of which the upstream never learned.
            steps: other things to do, in order: `[("pause", "worker")]`; kill, pause, resume, stop, restart, await_exit.
            seconds: from `limit()`, after which the tap does `then` by itself; default `limit(5)`. Steps that are not
                through by then are a fault of the platform.
        """
        todo = [("kill", kill), ("await_exit", kill)] if kill else []
        todo += steps
        words = Text("держим {}", "hold {}")
        for do, service in todo:
            if do not in _STEPS:
                raise Fault(f"a held frame knows no step `{do}`; it knows {', '.join(_STEPS)}")
            if (do, service) != ("await_exit", kill):
                who = Text("отправителя", "the sender") if service == SENDER else Text.same(service)
                words += Text(f", {_STEPS[do][0].format(who.ru)}", f", {_STEPS[do][1].format(who.en)}")
        words += Text(f", {_THEN[then][0]}", f", {_THEN[then][1]}")
        on_hold = [{"do": do, "service": service} for do, service in todo]
        longest = seconds if seconds is not None else self._clock.limit(5)
        return self._arm("hold", when, nth, 1, words, seconds=longest, then=then, on_hold=on_hold)

    def cut(self) -> None:
        """Break the present connections with an RST to both sides; new ones are let through."""
        self._pipe.call("tap_cut", upstream=self.upstream, **{"from": self.client})
        self._note(Text("обрываем все соединения", "break all connections"))

    def _arm(self, do: str, when: Frame | None, nth: int, times: int, words: Text, **more: Any) -> Rule:
        pattern = when if when is not None else patterns.anything()
        rule: dict[str, Any] = {"from": self.client, "dir": pattern.dir, "when": dict(pattern.when), "nth": nth, "times": times}
        value = self._pipe.call("tap_arm", upstream=self.upstream, rule={**rule, "do": do, **more})
        what = _which(pattern, nth, times)
        told = Text(words.ru.format(what.ru), words.en.format(what.en))
        self._note(told)
        rule_made = Rule(str(value["rule"]), self, told, pattern.words, self._pipe, self._clock)
        self._keep(rule_made)
        return rule_made

    def _note(self, words: Text) -> None:
        told = Text(f"связь {self.name}: ", f"link {self.name}: ") + words
        self._pipe.send({"type": "note", "kind": "fault", "ru": told.ru, "en": told.en})


class Rule:
    """A rule that is armed.

    Attributes:
        words: what it does, as the timeline tells it.
    """

    def __init__(self, rule_id: str, edge: Edge, words: Text, awaited: Text, pipe: Pipe, clock: Clock) -> None:
        self.id, self.edge, self.words = rule_id, edge, words
        self._awaited, self._pipe, self._clock = awaited, pipe, clock
        self._armed = True

    def __enter__(self) -> Rule:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.disarm()

    def fired(self, *, within: float = 0.0, count: int = 1) -> list[Event]:
        """The events that it has treated, as soon as there are `count` of them or `within` seconds are over.

        The steps of a `hold` are through by then.
        """
        value = self._pipe.call("tap_await", rule=self.id, count=count, timeout=min(within, LONGEST_WAIT))
        return [Event.read(data) for data in value["events"]]

    def await_fired(
        self,
        *,
        within: float | None = None,
        count: int = 1,
        blame: Literal["learner", "platform"] = "learner",
        where: Text | None = None,
    ) -> list[Event]:
        """Wait until it has treated `count` frames; return their events.

        Args:
            within: seconds, from `limit()`; default `limit(10)`.
            blame: whose fault it is when the frames do not come. `platform` where the check sends them itself.

        Raises:
            Failed: they did not come; `Fault` with `blame="platform"`.
        """
        limit = within if within is not None else self._clock.limit(10)
        events = self.fired(within=limit, count=count)
        if len(events) >= count:
            return events
        times = "" if count == 1 else f" ×{count}"
        seen = Text(f"за {limit:.0f} с этого не было", f"it did not come within {limit:.0f} s")
        if events:
            seen = Text(f"за {limit:.0f} с: {len(events)} из {count}", f"{len(events)} of {count} within {limit:.0f} s")
        expected = Text.same(f"{self.edge.name}: ") + self._awaited + times
        if blame == "platform":
            raise Fault(f"rule {self.id} did not fire: {expected.en}, {seen.en}")
        raise Failed(expected=expected, seen=seen, where=where)

    def disarm(self) -> None:
        """End it: what was held goes on, what was black-holed is reset. Nothing happens the second time."""
        if self._armed:
            self._armed = False
            self._pipe.call("tap_disarm", upstream=self.edge.upstream, rule=self.id)

    close = disarm


def _which(pattern: Frame, nth: int, times: int) -> Text:
    """Which of the matching frames: `the 2nd ack`, `every ack`."""
    words = pattern.words
    if not pattern.when:
        return Text("всё", "everything")
    if times == 1:
        return Text(f"{words.ru} № {nth}", f"the {ordinal(nth)} {words.en}")
    if times == 0:
        return Text(f"{words.ru} (все, с № {nth})" if nth > 1 else f"{words.ru} (все)", f"every {words.en}") + Text(
            "", f" from the {ordinal(nth)} on" if nth > 1 else ""
        )
    last = nth + times - 1
    return Text(f"{words.ru} № {nth}–{last}", f"the {ordinal(nth)} to {ordinal(last)} {words.en}")


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th`."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
