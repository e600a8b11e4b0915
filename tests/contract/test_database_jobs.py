"""The job rows as a queue: who gets what, and what a dead, slow or mistaken worker cannot do. On both databases."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import Database, new_id, now
from app.jobs.lease import Lease, LeaseLost
from app.jobs.model import Job, JobState
from app.jobs.queue import MAX_FAULTS, MAX_LOST, URGENT, JobQueue, enqueue
from app.jobs.sweeper import DEAD_AFTER, Sweeper


@dataclass
class Listener:
    """A handler that only listens."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)

    def handle(self, subject_id: str, lease: Lease) -> None: ...

    def requeued(self, session: Session, subject_id: str, reason: str) -> None:
        self.heard.append(("requeued", subject_id, reason))

    def gave_up(self, session: Session, subject_id: str, reason: str) -> None:
        self.heard.append(("gave up", subject_id, reason))


@dataclass
class Office:
    """A queue, who listens to it, and shorthands."""

    database: Database
    listener: Listener
    queue: JobQueue

    def add(self, *subjects: str, learner: str = "", priority: int = 0) -> None:
        for subject in subjects:
            with self.database.transaction() as session:
                enqueue(session, "grade", subject, fair_key=learner, priority=priority)

    def claim(self, holder: str = "w", **how: int) -> Lease:
        lease = self.queue.claim(holder, **how)
        assert lease is not None
        return lease

    def job(self, subject: str) -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.subject_id == subject)).one()

    def write_result(self, lease: Lease, result: str) -> None:
        """What a handler does at its end: the result and the end of the job together."""
        with self.database.transaction() as session:
            session.execute(update(Job).where(Job.id == lease.job_id).values(subject_id=result[:20]))
            lease.finish(session)

    def due(self) -> None:
        """Let every waiting job be due now."""
        with self.database.transaction() as session:
            session.execute(update(Job).values(run_at=now()))


@pytest.fixture
def office(database: Database) -> Office:
    listener = Listener()
    return Office(database, listener, JobQueue(database, {"grade": listener}))


class TestClaiming:
    def test_jobs_go_in_the_order_they_came(self, office: Office) -> None:
        office.add("a", "b", "c")
        assert [office.claim().subject_id for _ in range(3)] == ["a", "b", "c"]
        assert office.queue.claim("w") is None

    def test_a_learner_with_nothing_running_goes_before_one_who_has(self, office: Office) -> None:
        office.add("a1", "a2", "a3", learner="anna")
        office.add("b1", learner="boris")
        assert [office.claim().subject_id for _ in range(4)] == ["a1", "b1", "a2", "a3"]

    def test_what_somebody_waits_for_at_the_screen_goes_first_and_may_be_all_that_is_asked_for(self, office: Office) -> None:
        office.add("slow")
        office.add("urgent", priority=URGENT)
        assert office.claim().subject_id == "urgent"
        assert office.queue.claim("w", least_priority=URGENT) is None

    def test_a_job_is_not_claimed_before_its_time_or_by_a_worker_without_its_handler(self, office: Office) -> None:
        office.add("a")
        assert JobQueue(office.database, {"mail": office.listener}).claim("w") is None
        office.queue.postpone(office.claim(), "image-not-ready: soon", 60)
        assert office.queue.claim("w") is None

    def test_many_workers_at_once_share_the_jobs_without_doubles(self, office: Office) -> None:
        office.add(*(f"s{number}" for number in range(30)))
        got: list[str] = []

        def work(name: str) -> None:
            while lease := office.queue.claim(name):
                got.append(lease.subject_id)
                office.queue.done(lease)

        workers = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert Counter(got) == {f"s{number}": 1 for number in range(30)}


class TestFence:
    def test_a_newer_claim_makes_the_older_one_worthless(self, office: Office) -> None:
        """A worker is stopped for a minute, somebody else takes the job, and then the first one wakes up (K12)."""
        office.add("a")
        zombie = office.claim("zombie")
        office.queue.lose(office.job("a"), "silent")
        winner = office.claim("winner")
        assert winner.fence > zombie.fence
        assert winner.key != zombie.key

        with pytest.raises(LeaseLost):
            office.write_result(zombie, "zombie's")
        assert office.job("a").last_error == "silent"
        with pytest.raises(LeaseLost):
            zombie.check()
        for late_word in (office.queue.done, office.queue.release, lambda lease: office.queue.fault(lease, "late")):
            assert late_word(zombie) is False

        office.write_result(winner, "winner's")
        assert office.job("winner's").state is JobState.DONE
        assert office.queue.done(winner) is False

    def test_a_heartbeat_tells_which_leases_are_still_held(self, office: Office) -> None:
        office.add("a", "b")
        kept, taken = office.claim(), office.claim()
        office.queue.lose(office.job("b"), "silent")
        assert office.queue.beat([kept, taken]) == {kept.job_id}
        assert office.queue.beat([]) == set()

    def test_a_holder_that_hears_no_confirmation_stops_by_itself(self) -> None:
        lease = Lease(new_id(), "grade", "a", 1, now(), now())
        lease.check()
        lease._beat_at -= 16
        with pytest.raises(LeaseLost):
            lease.check()


class TestEnds:
    def test_three_platform_faults_and_the_job_is_given_up_in_the_same_transaction(self, office: Office) -> None:
        office.add("a")
        for count in range(1, MAX_FAULTS + 1):
            assert office.queue.fault(office.claim(), f"engine-error: no {count}")
            assert office.job("a").faults == count
            assert office.queue.claim("w") is None  # it rests
            office.due()
        job = office.job("a")
        assert (job.state, job.last_error) == (JobState.DEAD, "engine-error: no 3")
        assert [kind for kind, *_ in office.listener.heard] == ["requeued", "requeued", "gave up"]

    def test_release_and_postpone_count_nothing(self, office: Office) -> None:
        office.add("a")
        for _ in range(MAX_LOST + 2):
            office.queue.release(office.claim())
            office.queue.postpone(office.claim(), "image-not-ready: building", 0)
        job = office.job("a")
        assert (job.state, job.faults, job.lost) == (JobState.QUEUED, 0, 0)

    def test_a_job_that_kills_every_worker_is_given_up_after_ten_lost_leases(self, office: Office) -> None:
        office.add("poison")
        for _ in range(MAX_LOST):
            office.claim()
            assert office.queue.lose(office.job("poison"), "the worker is gone")
            office.due()
        assert office.job("poison").state is JobState.DEAD
        assert office.listener.heard[-1] == ("gave up", "poison", "the worker is gone")

    def test_a_restarted_worker_frees_only_what_its_own_predecessor_held(self, office: Office) -> None:
        office.add("mine", "other", "wild")
        for holder in ("box/0/11-1", "box/1/12-1", "box_0/11-1"):
            office.claim(holder)
        assert [job.subject_id for job in office.queue.leased("box/0/")] == ["mine"]
        assert office.queue.leased("box_0/")[0].subject_id == "wild"  # an underscore is a letter here, not a wildcard


class TestSweeper:
    def test_a_lease_is_taken_back_when_its_heartbeat_stands_still_by_the_sweepers_own_clock(self, office: Office) -> None:
        office.add("silent", "alive")
        clock = [1000.0]
        sweeper = Sweeper(office.queue, office.database, clock=lambda: clock[0])
        office.claim()
        alive = office.claim()
        assert sweeper.sweep() == 0
        for _ in range(3):
            clock[0] += DEAD_AFTER / 2
            office.queue.beat([alive])
            sweeper.sweep()
        assert (office.job("silent").state, office.job("silent").lost) == (JobState.QUEUED, 1)
        assert office.job("alive").state is JobState.LEASED

    def test_clocks_of_other_machines_do_not_matter(self, office: Office) -> None:
        office.add("a")
        office.claim()
        with office.database.transaction() as session:
            session.execute(update(Job).values(claimed_at=now() - timedelta(days=1)))
        assert Sweeper(office.queue, office.database).sweep() == 0

    def test_a_beat_between_the_look_and_the_act_saves_the_lease(self, office: Office) -> None:
        office.add("a")
        lease = office.claim()
        seen = office.job("a")
        office.queue.beat([lease])
        assert office.queue.lose(seen, "silent") is False
        assert office.job("a").state is JobState.LEASED

    def test_old_done_jobs_are_forgotten_and_dead_ones_kept(self, office: Office) -> None:
        office.add("old", "fresh")
        office.queue.done(office.claim())
        with office.database.transaction() as session:
            session.execute(update(Job).where(Job.subject_id == "old").values(done_at=now() - timedelta(days=8)))
        assert Sweeper(office.queue, office.database).forget_old() == 1
        assert office.job("fresh").state is JobState.QUEUED
