"""The worker's loop: what happens to a job when its handler returns, waits, breaks, or is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import migrate
from app.db import Database, make_engine, now
from app.errors import Unavailable
from app.jobs.doorbells.local import LocalDoorbell
from app.jobs.handler import Postponed
from app.jobs.lease import Interrupted, Lease, LeaseLost, Stopping
from app.jobs.model import Job, JobState
from app.jobs.place import PlaceTaken, taken_place
from app.jobs.queue import URGENT, JobQueue, enqueue
from app.jobs.worker import Routine, Worker
from tests.product import eventually


class Doing:
    """A handler that does what a test says."""

    def __init__(self, do: Callable[[str, Lease], None]) -> None:
        self.handle = do
        self.heard: list[str] = []

    def requeued(self, session: Session, subject_id: str, reason: str) -> None:
        self.heard.append(f"requeued {reason}")

    def gave_up(self, session: Session, subject_id: str, reason: str) -> None:
        self.heard.append(f"gave up {reason}")


class Shop:
    """A database and workers that run in threads of the test."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(make_engine(f"sqlite:///{folder / 'soty.sqlite3'}"))
        migrate.upgrade(self.database.engine)
        self.doorbell = LocalDoorbell(folder, 0)
        self.running: list[tuple[Worker, threading.Thread]] = []

    def start(self, handler: Doing, *, holder: str = "box/0/1", slots: int = 2, routines: tuple[Routine, ...] = ()) -> Worker:
        queue = JobQueue(self.database, {"do": handler})
        worker = Worker(queue, self.doorbell, holder=holder, predecessors="box/0/", slots=slots, routines=routines)
        thread = threading.Thread(target=worker.run)
        thread.start()
        self.running.append((worker, thread))
        return worker

    def add(self, subject: str, **how: int) -> None:
        with self.database.transaction() as session:
            enqueue(session, "do", subject, **how)
        self.doorbell.ring()

    def job(self, subject: str) -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.subject_id == subject)).one()

    def until(self, subject: str, state: JobState) -> Job:
        return eventually(f"{subject} is {state}", lambda: (job := self.job(subject)).state is state and job, within=15)

    def stop(self) -> None:
        for worker, thread in self.running:
            worker.stop()
            thread.join(20)
            assert not thread.is_alive()
        self.running.clear()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    found.stop()
    found.database.dispose()


def test_a_job_is_done_soon_after_the_bell(shop: Shop) -> None:
    done: list[str] = []
    shop.start(Doing(lambda subject, _: done.append(subject)))
    shop.add("a")
    shop.until("a", JobState.DONE)
    assert done == ["a"]


def test_a_broken_handler_is_a_fault_and_others_go_on(shop: Shop) -> None:
    def handle(subject: str, lease: Lease) -> None:
        if subject == "bad":
            raise ZeroDivisionError("ours")

    handler = Doing(handle)
    shop.start(handler)
    shop.add("bad")
    shop.add("good")
    shop.until("good", JobState.DONE)
    job = eventually("a fault is counted", lambda: (job := shop.job("bad")).faults and job)
    assert (job.state, job.last_error) == (JobState.QUEUED, "internal: ZeroDivisionError: ours")
    assert handler.heard == ["requeued internal: ZeroDivisionError: ours"]


def test_a_part_that_does_not_answer_is_a_fault_with_its_code(shop: Shop) -> None:
    def handle(*_: object) -> None:
        raise Unavailable("No answer.", code="sandboxd-slow")

    shop.start(Doing(handle))
    shop.add("a")
    assert eventually("a fault", lambda: shop.job("a").faults and shop.job("a").last_error) == "sandboxd-slow: No answer."


def test_waiting_for_something_counts_nothing(shop: Shop) -> None:
    def handle(*_: object) -> None:
        raise Postponed("image-not-ready: python is being prepared", 0.05)

    handler = Doing(handle)
    shop.start(handler)
    shop.add("a")
    eventually("it waited twice", lambda: len(handler.heard) > 1)
    assert shop.job("a").faults == 0


def test_shutdown_gives_the_job_back_untouched(shop: Shop) -> None:
    began = threading.Event()
    cancelled = threading.Event()

    def handle(_: str, lease: Lease) -> None:
        lease.on_interrupt(cancelled.set)
        began.set()
        lease.wait(60)

    shop.start(Doing(handle))
    shop.add("a")
    assert began.wait(10)
    shop.stop()
    job = shop.job("a")
    assert cancelled.is_set()
    assert (job.state, job.faults, job.lost, job.holder) == (JobState.QUEUED, 0, 0, "")


def test_a_worker_that_lost_its_lease_hears_of_it_and_leaves_the_job_alone(shop: Shop) -> None:
    began = threading.Event()
    why: list[Interrupted] = []

    def handle(_: str, lease: Lease) -> None:
        began.set()
        try:
            lease.wait(60)
        except LeaseLost as error:
            why.append(error)
            raise

    handler = Doing(handle)
    worker = shop.start(handler)
    shop.add("a")
    assert began.wait(10)
    job = shop.job("a")
    with shop.database.transaction() as session:
        row = session.get_one(Job, job.id)
        row.fence, row.holder = row.fence + 1, "another"
    worker._beat()
    eventually("it heard", lambda: why)
    shop.stop()
    assert (shop.job("a").state, shop.job("a").holder, shop.job("a").faults) == (JobState.LEASED, "another", 0)
    assert handler.heard == []


def test_the_next_process_in_a_place_takes_over_at_once_what_the_dead_one_held(shop: Shop) -> None:
    shop.add("a")
    assert JobQueue(shop.database, {"do": Doing(lambda *_: None)}).claim("box/0/dead")
    shop.start(Doing(lambda *_: None), holder="box/0/alive")
    job = shop.until("a", JobState.DONE)
    assert (job.lost, job.fence) == (1, 2)


def test_the_last_slot_is_kept_for_those_who_wait_at_the_screen(shop: Shop) -> None:
    open_the_gate = threading.Event()
    begun: list[str] = []

    def handle(subject: str, lease: Lease) -> None:
        begun.append(subject)
        open_the_gate.wait(20)

    shop.start(Doing(handle), slots=2)
    for subject in ("slow 1", "slow 2"):
        shop.add(subject)
    eventually("one slow job runs", lambda: begun == ["slow 1"])
    shop.add("urgent", priority=URGENT)
    eventually("the urgent one has a slot", lambda: begun == ["slow 1", "urgent"])
    open_the_gate.set()
    shop.until("slow 2", JobState.DONE)


def test_a_routine_that_breaks_has_its_next_turn(shop: Shop) -> None:
    turns: list[int] = []

    def turn() -> None:
        turns.append(1)
        raise ZeroDivisionError

    shop.start(Doing(lambda *_: None), routines=(Routine("clumsy", 0.01, turn),))
    eventually("three turns", lambda: len(turns) >= 3)


def test_a_place_holds_one_process_and_tells_it_apart_from_its_predecessors(tmp_path: Path) -> None:
    with taken_place(tmp_path, 0) as first:
        with pytest.raises(PlaceTaken), taken_place(tmp_path, 0):
            pass
        with taken_place(tmp_path, 1) as other:
            assert other.prefix != first.prefix
    with taken_place(tmp_path, 0) as second:
        assert second.prefix == first.prefix
        assert second.holder != first.holder
        assert len(second.holder) <= 64


def test_the_first_interruption_stays_and_late_callbacks_run_at_once() -> None:
    lease = Lease("j", "do", "s", 1, now(), now())
    lease.interrupt(Stopping("first"))
    lease.interrupt(LeaseLost("second"))
    called: list[int] = []
    lease.on_interrupt(lambda: called.append(1))
    assert called == [1]
    with pytest.raises(Stopping):
        lease.check()


def test_who_queues_in_another_process_wakes_every_worker_at_once(tmp_path: Path) -> None:
    ringer = LocalDoorbell(tmp_path)
    ringer.ring()  # nobody is there yet
    bells = [LocalDoorbell(tmp_path, slot) for slot in (0, 1)]
    woken: list[float] = []

    def listen(bell: LocalDoorbell) -> None:
        bell.wait(30)
        woken.append(time.monotonic())

    threads = [threading.Thread(target=listen, args=(bell,)) for bell in bells]
    for thread in threads:
        thread.start()
    rung = time.monotonic()
    for _ in range(100):  # more than a socket keeps
        ringer.ring()
    for thread in threads:
        thread.join(10)
    assert [moment - rung < 5 for moment in woken] == [True, True]


def test_a_bell_is_heard_once_and_by_who_comes_after_a_worker_that_was_killed(tmp_path: Path) -> None:
    killed, ringer = LocalDoorbell(tmp_path, 0), LocalDoorbell(tmp_path)
    ringer.ring()
    killed.wait(30)
    began = time.monotonic()
    killed.wait(0.1)
    assert time.monotonic() - began > 0.05, "it had been heard already"
    successor = LocalDoorbell(tmp_path, 0)
    ringer.ring()
    successor.wait(30)
    successor.close()
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - began < 10
