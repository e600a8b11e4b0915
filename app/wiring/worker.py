"""The process `worker`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from app.accounts.limits import Limits
from app.accounts.sign_ins import SignIns
from app.db import Database, make_engine
from app.grading.exercises import NewestExercises
from app.grading.grader import Grader
from app.grading.repeats import Repeats
from app.grading.retry import Retry
from app.grading.runs import TRIAL
from app.grading.series import SERIES
from app.grading.submissions import GRADE
from app.grading.trials import TrialRuns, Trials
from app.grading.version import grader_version
from app.jobs.doorbells.local import LocalDoorbell
from app.jobs.handler import Handler
from app.jobs.place import taken_place
from app.jobs.queue import JobQueue
from app.jobs.sweeper import Sweeper
from app.jobs.worker import Routine, Worker
from app.learning.reconciler import EVERY, Reconciler
from app.sandbox.client import SandboxdClient
from app.settings import Settings


@contextmanager
def worker(settings: Settings, slot: int = 0) -> Iterator[Worker]:
    """The worker process, ready to run.

    Args:
        slot: number of this process on this machine, from 0.

    Raises:
        PlaceTaken: another process runs in this slot.
    """
    database, folder = Database(make_engine(settings.database)), settings.home / "worker"
    exercises, version = NewestExercises(settings), grader_version(settings.images_dir)
    control = settings.sandboxd_dir / "control.sock"
    with (
        taken_place(folder, slot) as place,
        closing(LocalDoorbell(folder, slot)) as doorbell,
        SandboxdClient(control) as sandboxd,
    ):
        trial_runs = TrialRuns(database, exercises, sandboxd, version)
        handlers: dict[str, Handler] = {
            GRADE: Grader(database, exercises, sandboxd, version),
            TRIAL: Trials(database, trial_runs),
            SERIES: Repeats(database, trial_runs),
        }
        queue = JobQueue(database, handlers)
        sweeper, retry = Sweeper(queue, database), Retry(database, doorbell)
        routines = (
            Routine("reconciler", EVERY, Reconciler(database, sandboxd).turn),
            Routine("sweeper", 5.0, sweeper.sweep),
            Routine("retry", 15.0, lambda: retry.sweep(lambda: sandboxd.doctor().usable)),
            Routine("forget-jobs", 3600.0, sweeper.forget_old),
            Routine("forget-limits", 3600.0, Limits(database).sweep),
            Routine("forget-sign-ins", 3600.0, SignIns(database).sweep),
        )
        try:
            yield Worker(
                queue, doorbell, holder=place.holder, predecessors=place.prefix, slots=settings.worker_slots, routines=routines
            )
        finally:
            database.dispose()
