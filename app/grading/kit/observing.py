"""Assertions over what the taps saw. None of them passes on silence: each needs something that must have been seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from .edges import Edge, Sight
from .expecting import Expecting
from .frame import Frame
from .pipe import Pipe
from .trace import Event, Trace
from .waiting import Clock
from .window import Window, no_holes
from .words import Failed, Fault, Text

T = TypeVar("T")

_SHORTEST_STEP, _LONGEST_STEP = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the trace: what comes after it happened after `kit.mark()` was called."""

    seq: int


class Observing(Expecting):
    """The part of `Kit` that looks at the traffic between services.

    `since` is always a mark and defaults to the check's beginning; `within` is in seconds, from `limit()`, and defaults
    to `limit(10)`.
    """

    def __init__(self, pipe: Pipe, clock: Clock, edges: Sequence[tuple[str, str]]) -> None:
        super().__init__(pipe, clock)
        self._edges = edges
        self._open: list[Any] = []
        self._beginning = self.mark() if edges else None

    def edge(self, client: str, upstream: str) -> Edge:
        """The edge from a service (`worker`: all its replicas; `worker-2`: one) to an upstream.

        Raises:
            Fault: the exercise has no such edge.
        """
        edge = Edge(client, upstream, self._pipe, self._clock, self._keep)
        if (edge.service, upstream) not in self._edges:
            raise Fault(f"the exercise has no edge from `{client}` to `{upstream}`")
        return edge

    def mark(self) -> Mark:
        """This place in the trace."""
        return Mark(int(self._pipe.call("tap_mark")["seq"]))

    def trace(self, *edges: Edge, since: Mark | None = None) -> Trace:
        """Everything that the taps have seen since a mark, on these edges or on all of them."""
        return Window(self._pipe, self._from(since), edges).read()

    def seen(
        self, edge: Edge, frame: Frame, *, within: float | None = None, count: int = 1, since: Mark | None = None
    ) -> Event:
        """Wait until the frame has been seen `count` times; return the last of these.

        Raises:
            Failed: it did not come in time.
        """
        sight = edge.on(frame)

        def found(trace: Trace) -> Event | None:
            events = _of(trace, sight)
            return events[count - 1] if len(events) >= count else None

        times = "" if count == 1 else f" ×{count}"
        return self._watch([edge], since, within, found, lambda trace: (sight.words + times, self._told(trace, sight)))

    def seen_then_not(
        self, first: Sight, never: Sight, *, until: Sight, within: float | None = None, since: Mark | None = None
    ) -> Trace:
        """See `first`, then `until`, and nothing that is `never` between the two; return what lay between.

        Both ends must have been seen: that nothing happened counts only while the taps surely saw what did.

        Raises:
            Failed: `never` was seen, or one of the ends was not.
            Fault: the taps lost events of this time.
        """

        def found(trace: Trace) -> Trace | None:
            begin = next(iter(_of(trace, first)), None)
            if begin is None:
                return None
            end = next((event for event in _of(trace, until) if event.at > begin.at), None)
            between = trace.between(begin.at, end.at if end else float("inf"))
            for event in _of(between, never):
                expected = first.words + Text(", и после этого нет: ", ", and after that no: ") + never.words
                after = Text(", а затем ", ", and then ") + event.told(self.begun)
                raise Failed(expected=expected, seen=begin.told(self.begun) + after)
            return between if end else None

        def missing(trace: Trace) -> tuple[Text, Text]:
            begun = next(iter(_of(trace, first)), None)
            if begun is None:
                return first.words, self._told(trace, first)
            after = Text(" после того, как ", " after ") + begun.told(self.begun)
            return until.words + after, self._told(trace, until)

        edges = [first.edge, never.edge, until.edge]
        return self._watch(edges, since, within, found, missing, whole=True)

    def in_order(self, *sights: Sight, within: float | None = None, since: Mark | None = None) -> list[Event]:
        """See all of these, the first of each in this order; return them.

        Raises:
            Failed: one did not come, or came too early.
            Fault: the taps lost events of this time.
        """
        expected = Text(" → ".join(s.words.ru for s in sights), " → ".join(s.words.en for s in sights))

        def found(trace: Trace) -> list[Event] | None:
            firsts = [next(iter(_of(trace, sight)), None) for sight in sights]
            events = [event for event in firsts if event is not None]
            if len(events) < len(sights):
                return None
            for earlier, later in pairwise(events):
                if later.at <= earlier.at:
                    early = later.told(self.begun) + Text("; только потом ", "; only then ") + earlier.told(self.begun)
                    raise Failed(expected=expected, seen=early)
            return events

        def missing(trace: Trace) -> tuple[Text, Text]:
            absent = next((sight for sight in sights if not _of(trace, sight)), sights[-1])
            return expected, absent.words + Text(" не было; ", ": none; ") + self._told(trace, absent)

        return self._watch([sight.edge for sight in sights], since, within, found, missing, whole=True)

    def each(
        self,
        asked: Sight,
        answered: Frame,
        *,
        after: Sight | Callable[[Event], Sight] | None = None,
        least: int = 1,
        within: float | None = None,
        since: Mark | None = None,
    ) -> list[tuple[Event, Event]]:
        """See at least `least` frames `asked`, each with its own answer, and each answer only after `after`.

        `kit.each(broker.on(frame.deliver()), frame.ack(), after=db.on(frame.commit()))`: no ack before a commit of the
        same replica, begun after the delivery.

        Args:
            answered: on the same edge; tied to the question by the tap (`id`).
            after: what the same replica must have done between the two; a function gets the question.

        Raises:
            Failed: fewer came, one was not answered in time, or one was answered too early.
            Fault: the taps lost events of this time.
        """
        edges = [asked.edge] + ([after.edge] if isinstance(after, Sight) else [])

        def found(trace: Trace) -> list[tuple[Event, Event]] | None:
            pairs = []
            for question in _of(trace, asked):
                answer = next(iter(trace.answers(question).of(answered)), None)
                if answer is None:
                    return None
                pairs.append((question, answer))
                if after is not None:
                    self._not_before(trace, question, answer, after if isinstance(after, Sight) else after(question))
            return pairs if len(pairs) >= least else None

        def missing(trace: Trace) -> tuple[Text, Text]:
            questions = _of(trace, asked)
            if len(questions) < least:
                return asked.words + f" ×{least}", self._told(trace, asked)
            open_ones = [question for question in questions if not trace.answers(question).of(answered)]
            seen = Text("без ответа: ", "without an answer: ") + open_ones[0].told(self.begun)
            return Text("на каждый ", "for each ") + asked.words + Text(": ", ": ") + answered.words, seen

        return self._watch(
            edges if after is None or isinstance(after, Sight) else [], since, within, found, missing, whole=True
        )

    def _not_before(self, trace: Trace, question: Event, answer: Event, needed: Sight) -> None:
        between = trace.between(question.at, answer.at)
        own = needed.edge.client == question.service or needed.edge.client == question.replica
        if not [event for event in _of(between, needed) if event.replica == question.replica or not own]:
            expected = answer_after(answer, needed)
            late = next((event for event in _of(trace, needed) if event.at > answer.at), None)
            seen = answer.told(self.begun) + (
                Text("; только потом ", "; only then ") + late.told(self.begun)
                if late
                else Text(", а этого ещё не было", ", and that had not come yet")
            )
            raise Failed(expected=expected, seen=seen)

    def _watch(
        self,
        edges: Sequence[Edge],
        since: Mark | None,
        within: float | None,
        found: Callable[[Trace], T | None],
        missing: Callable[[Trace], tuple[Text, Text]],
        *,
        whole: bool = False,
    ) -> T:
        """Read the trace until `found` finds, then return that; at the end of the time fail with what is `missing`.

        Args:
            whole: what is found counts only if the window has no holes.
        """
        window = Window(self._pipe, self._from(since), edges)
        limit = within if within is not None else self.limit(10)
        deadline, step = time.monotonic() + limit, _SHORTEST_STEP
        while True:
            over = time.monotonic() >= deadline
            trace = window.read()
            value = found(trace)
            if value is not None:
                if whole:
                    no_holes(trace)
                return value
            if over:
                no_holes(trace)
                expected, seen = missing(trace)
                raise Failed(expected=expected, seen=seen + Text(f" (ждали {limit:.0f} с)", f" (waited {limit:.0f} s)"))
            time.sleep(step)
            step = min(step * 1.5, _LONGEST_STEP)

    def _told(self, trace: Trace, sight: Sight) -> Text:
        """What was on the sight's edge instead."""
        there = trace.to(sight.edge.upstream).by(sight.edge.client)
        return Text(f"на связи {sight.edge.name}: ", f"on {sight.edge.name}: ") + there.told

    def _from(self, since: Mark | None) -> int:
        mark = since or self._beginning
        if mark is None:
            raise Fault("the exercise has no edges, so nothing was traced")
        return mark.seq

    def _keep(self, probe: T) -> T:
        self._open.append(probe)
        return probe


def answer_after(answer: Event, needed: Sight) -> Text:
    """`ack only after worker → db: COMMIT`"""
    return Text.same(f"{answer.kind} ") + Text("только после: ", "only after ") + needed.words


def _of(trace: Trace, sight: Sight) -> Trace:
    return trace.of(sight.frame).to(sight.edge.upstream).by(sight.edge.client)
