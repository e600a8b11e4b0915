"""Assertions over traces: right ones pass, wrong ones say who did what and when, and silence never passes."""

from __future__ import annotations

import threading
import time

import pytest

from app.grading.kit import Failed, Fault, Kit, Sight, frame
from tests.scripted_taps import ScriptedTaps, a_kit


def started() -> tuple[ScriptedTaps, Kit]:
    platform = ScriptedTaps()
    platform.happen("ack", id="old")  # before the check: never its business
    return platform, a_kit(platform)


def on(kit: Kit, upstream: str, pattern: frame.Frame) -> Sight:
    return kit.edge("worker", upstream).on(pattern)


def one_delivery(platform: ScriptedTaps, number: int, replica: str = "worker") -> str:
    name = f"5.1.{number}"
    platform.happen("deliver", replica, up=False, id=name, queue="tasks", body=f"order A-{number}")
    return name


# --- a trace ---------------------------------------------------------------------------------------------------------


def test_a_trace_holds_what_happened_since_the_check_began_on_these_edges() -> None:
    platform, kit = started()
    platform.happen("commit", upstream="db")
    platform.happen("publish", routing_key="tasks")
    assert [event.kind for event in kit.trace()] == ["commit", "publish"]
    assert [event.kind for event in kit.trace(kit.edge("worker", "db"))] == ["commit"]
    mark = kit.mark()
    platform.happen("rollback", upstream="db")
    assert [event.kind for event in kit.trace(since=mark)] == ["rollback"]


def test_a_trace_longer_than_an_answer_is_read_whole() -> None:
    platform, kit = started()
    for number in range(350):
        platform.happen("publish", body=str(number))
    assert [event.body for event in kit.trace()] == [str(number) for number in range(350)]


def test_a_trace_is_searched_by_kind_replica_and_content() -> None:
    platform, kit = started()
    first, second = one_delivery(platform, 17), one_delivery(platform, 18, "worker-2")
    platform.happen("ack", "worker-2", id="", ids=[second])
    platform.happen("ack", "worker", id=first)
    trace = kit.trace()
    assert len(trace.of("ack")) == 2
    assert [event.kind for event in trace.by("worker-2")] == ["deliver", "ack"]
    assert len(trace.by("worker")) == 4
    assert [(e.kind, e.replica) for e in trace.about("A-18")] == [("deliver", "worker-2"), ("ack", "worker-2")]
    assert [event.replica for event in trace.of(frame.ack(body="A-17"))] == ["worker"]
    assert len(trace.of(frame.ack(queue="tasks"))) == 2
    assert [event.replica for event in trace.answers(trace[0])] == ["worker"]
    assert trace.told.en == "deliver ×2, ack ×2"


# --- seen ------------------------------------------------------------------------------------------------------------


def test_seen_waits_for_the_frame() -> None:
    platform, kit = started()
    timer = threading.Timer(0.15, lambda: platform.happen("ack", "worker-2"))
    timer.start()
    assert kit.seen(kit.edge("worker", "broker"), frame.ack(), within=5).replica == "worker-2"
    timer.join()


def test_what_was_not_seen_is_told_with_what_was() -> None:
    platform, kit = started()
    platform.happen("deliver", up=False)
    platform.happen("commit", upstream="db")
    with pytest.raises(Failed) as failed:
        kit.seen(kit.edge("worker", "broker"), frame.ack(), within=0.1, count=2)
    assert failed.value.expected.en == "worker → broker: ack ×2"
    assert failed.value.seen.en.startswith("on worker → broker: deliver (waited")
    assert failed.value.seen.ru.startswith("на связи worker → broker: deliver (ждали")


def test_silence_is_told_as_silence() -> None:
    _, kit = started()
    with pytest.raises(Failed, match="on worker → broker: nothing at all"):
        kit.seen(kit.edge("worker", "broker"), frame.ack(), within=0.1)


def test_what_was_not_seen_because_it_was_lost_is_no_failure() -> None:
    platform, kit = started()
    platform.happen("deliver")
    platform.dropped = 3
    with pytest.raises(Fault, match="lost 3 events"):
        kit.seen(kit.edge("worker", "broker"), frame.ack(), within=0.1)


def test_a_conversation_that_was_not_understood_is_the_learners_only_if_it_never_spoke_the_protocol() -> None:
    platform, kit = started()
    platform.happen("undecoded", conn=3)
    with pytest.raises(Failed, match="speaks amqp to broker"):
        kit.seen(kit.edge("worker", "broker"), frame.ack(), within=0.1)
    platform.happen("channel-open", conn=3)
    with pytest.raises(Fault, match="stopped understanding connection 3"):
        kit.seen(kit.edge("worker", "broker"), frame.ack(), within=0.1)


# --- seen, then not --------------------------------------------------------------------------------------------------


def unanswered(kit: Kit) -> object:
    """A refused message is not acknowledged before the next one comes."""
    edge = kit.edge("worker", "broker")
    first, until = edge.on(frame.deliver(body="A-1 ")), edge.on(frame.deliver(body="marker"))
    return kit.seen_then_not(first, edge.on(frame.ack()), until=until, within=0.2)


def test_absence_counts_between_two_sights() -> None:
    platform, kit = started()
    platform.happen("ack")
    platform.happen("deliver", up=False, body="A-1 x")
    platform.happen("nack")
    platform.happen("deliver", up=False, body="marker")
    platform.happen("ack")
    assert [event.kind for event in unanswered(kit)] == ["nack"]


def test_what_came_in_between_is_told_with_its_time() -> None:
    platform, kit = started()
    platform.happen("deliver", up=False, body="A-1 x", queue="tasks")
    platform.happen("ack", "worker-2", after=0.5)
    with pytest.raises(Failed) as failed:
        unanswered(kit)
    assert "and after that no: worker → broker: ack" in failed.value.expected.en
    assert 'worker: deliver ("tasks", "A-1 x") at +0.0' in failed.value.seen.en
    assert "and then worker-2: ack at +0.5" in failed.value.seen.en
    assert "worker-2: ack, +0,5" in failed.value.seen.ru


@pytest.mark.parametrize(("seen", "told"), [([], "A-1 "), (["A-1 x"], "marker"), (["marker"], "A-1 ")])
def test_absence_without_both_ends_is_never_enough(seen: list[str], told: str) -> None:
    platform, kit = started()
    for body in seen:
        platform.happen("deliver", up=False, body=body)
    with pytest.raises(Failed) as failed:
        unanswered(kit)
    assert f'deliver (body has "{told}" in it)' in failed.value.expected.en


def test_an_end_that_came_before_the_beginning_is_no_end() -> None:
    platform, kit = started()
    platform.happen("deliver", up=False, body="marker")
    platform.happen("deliver", up=False, body="A-1 x")
    with pytest.raises(Failed, match="marker"):
        unanswered(kit)


def test_absence_counts_for_nothing_where_events_were_lost() -> None:
    platform, kit = started()
    platform.happen("deliver", up=False, body="A-1 x")
    platform.happen("deliver", up=False, body="marker")
    platform.dropped = 1
    with pytest.raises(Fault):
        unanswered(kit)


# --- order -----------------------------------------------------------------------------------------------------------


def test_frames_of_two_taps_have_one_order() -> None:
    platform, kit = started()
    commit, ack = on(kit, "db", frame.commit()), on(kit, "broker", frame.ack())
    platform.happen("commit", upstream="db")
    platform.happen("ack")
    assert [event.kind for event in kit.in_order(commit, ack, within=1)] == ["commit", "ack"]
    with pytest.raises(Failed) as failed:
        kit.in_order(ack, commit, within=1)
    assert "worker: COMMIT at +0.0" in failed.value.seen.en
    assert "only then worker: ack" in failed.value.seen.en
    with pytest.raises(Failed, match=r"rollback|ROLLBACK"):
        kit.in_order(commit, on(kit, "db", frame.rollback()), within=0.1)


# --- each ------------------------------------------------------------------------------------------------------------


def each(kit: Kit, least: int = 1) -> int:
    broker, db = kit.edge("worker", "broker"), kit.edge("worker", "db")
    return len(kit.each(broker.on(frame.deliver()), frame.ack(), after=db.on(frame.commit()), least=least, within=0.2))


def test_each_delivery_has_its_ack_after_a_commit_of_the_same_replica() -> None:
    platform, kit = started()
    for number in (1, 2):
        name = one_delivery(platform, number)
        platform.happen("commit", upstream="db")
        platform.happen("ack", id=name)
    assert each(kit, least=2) == 2
    with pytest.raises(Failed, match="deliver ×3"):
        each(kit, least=3)


def test_an_ack_before_the_commit_is_told_with_both_times() -> None:
    platform, kit = started()
    name = one_delivery(platform, 1)
    platform.happen("commit", "worker-2", upstream="db")  # another replica's does not help
    platform.happen("ack", id=name, after=0.2)
    platform.happen("commit", upstream="db", after=0.4)
    with pytest.raises(Failed) as failed:
        each(kit)
    assert failed.value.expected.en == "ack only after worker → db: COMMIT"
    assert "worker: ack at +0.2" in failed.value.seen.en
    assert "only then worker: COMMIT at +0.4" in failed.value.seen.en


def test_a_delivery_without_its_ack_is_named() -> None:
    platform, kit = started()
    one_delivery(platform, 7)
    with pytest.raises(Failed, match=r"without an answer: worker: deliver .*A-7"):
        each(kit)


def test_no_delivery_at_all_is_a_failure() -> None:
    _, kit = started()
    with pytest.raises(Failed):
        each(kit)


def test_an_exercise_without_edges_has_no_trace_and_asks_for_none() -> None:
    from pathlib import Path

    from app.grading.kit.trial import Sandbox
    from app.grading.kit.waiting import Clock

    platform = ScriptedTaps()
    kit = Kit("check", 7, Sandbox((), {}, Path()), platform, Clock())
    assert not platform.asked
    with pytest.raises(Fault, match="no edges"):
        kit.trace()


def test_a_trace_of_ten_thousand_events_is_judged_in_moments() -> None:
    platform = ScriptedTaps(page=1000)
    kit = a_kit(platform)
    for number in range(5000):
        platform.happen("ack", id=one_delivery(platform, number))
    begun = time.monotonic()
    kit.each(kit.edge("worker", "broker").on(frame.deliver()), frame.ack(), least=5000, within=10)
    assert time.monotonic() - begun < 5
