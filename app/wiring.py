"""Composition root: builds the use-case objects of each process. The only place that picks concrete parts.

Each function imports what its process needs, and nothing else is imported with this module: `sandboxd` and `live` never
meet SQLAlchemy, `worker` never meets Flask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.settings import Settings, SettingsInvalid

if TYPE_CHECKING:
    from app.accounts.audit import Audit
    from app.accounts.door import Door
    from app.accounts.limits import Limits
    from app.accounts.sign_ins import SignIns
    from app.accounts.tokens import Tokens
    from app.accounts.users import Users
    from app.content.catalog import Catalog, Library
    from app.content.exercise import Exercise
    from app.db import Database
    from app.grading.report import Report
    from app.grading.retry import Retry
    from app.grading.runs import Runs
    from app.grading.series import SeriesRuns
    from app.grading.submissions import Submissions
    from app.jobs.worker import Worker
    from app.learning.classroom import Classroom
    from app.learning.drafts import Drafts
    from app.learning.hints import Hints
    from app.learning.home import Homes
    from app.learning.image_waits import ImageWaits
    from app.learning.lesson_page import LessonPages
    from app.learning.objections import Objections
    from app.learning.progress import LessonReading
    from app.learning.quizzes import QuizAnswers
    from app.learning.sandboxes import PracticeSandboxes
    from app.learning.standing import Standings
    from app.learning.stream_tickets import StreamTickets
    from app.learning.workbench import Workbenches
    from app.sandbox.client import SandboxdClient
    from app.sandbox.daemon.preparation import Images
    from app.sandbox.engine import Engine
    from app.sandbox.model import DoctorReport
    from app.trainer.diagnosis import Diagnosis


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who people are and what they may do how often."""

    users: Users
    door: Door
    sign_ins: SignIns
    tokens: Tokens
    limits: Limits
    audit: Audit


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that pages, the API and the command line may ask for."""

    settings: Settings
    database: Database
    accounts: Accounts
    library: Library
    submissions: Submissions
    retry: Retry
    runs: Runs
    series: SeriesRuns
    drafts: Drafts
    hints: Hints
    objections: Objections
    quizzes: QuizAnswers
    reading: LessonReading
    pages: LessonPages
    sandboxes: PracticeSandboxes
    images: ImageWaits
    tickets: StreamTickets
    workbenches: Workbenches
    standings: Standings
    homes: Homes
    classroom: Classroom
    sandboxd: SandboxdClient

    @property
    def catalog(self) -> Catalog:
        """The course as it is now; take it once per request."""
        return self.library.catalog

    def diagnose(self, report: Report, exercise: Exercise) -> Diagnosis | None:
        """What a report says about the work; a proof of other files explains nothing."""
        from app.grading.proof import proof_state
        from app.trainer.diagnosis import diagnose

        found = proof_state(exercise, self.settings.images_dir)
        return diagnose(report, exercise.definition, found.proof if found.state != "unproven" else None)


def use_cases(settings: Settings, database: Database, library: Library | None = None) -> UseCases:
    """The use cases over one database; made after the fork, since gRPC does not survive one.

    Args:
        library: the loaded course, where the caller has one already (tests).
    """
    from app.content.catalog import Library as CourseLibrary
    from app.grading.retry import Retry
    from app.grading.runs import Runs
    from app.grading.series import SeriesRuns
    from app.grading.submissions import Submissions
    from app.jobs.doorbells.polling import PollingDoorbell
    from app.learning.classroom import Classroom
    from app.learning.drafts import Drafts, keep_submitted
    from app.learning.hints import Hints
    from app.learning.home import Homes
    from app.learning.image_waits import ImageWaits
    from app.learning.lesson_page import LessonPages
    from app.learning.objections import Objections
    from app.learning.progress import LessonReading
    from app.learning.quizzes import QuizAnswers
    from app.learning.sandboxes import PracticeSandboxes
    from app.learning.standing import Standings
    from app.learning.stream_tickets import StreamTickets
    from app.learning.workbench import Workbenches
    from app.sandbox.client import SandboxdClient
    from app.sandbox.grants import TicketMint

    library, doorbell = library or CourseLibrary(settings), PollingDoorbell()
    exercises = _ExercisesOf(library)
    sandboxd = SandboxdClient(settings.sandboxd_dir / "control.sock")
    drafts, hints = Drafts(database, exercises), Hints(database, exercises)
    return UseCases(
        settings=settings,
        database=database,
        accounts=accounts(database),
        library=library,
        submissions=Submissions(database, exercises, doorbell, keep_submitted),
        retry=Retry(database, doorbell),
        runs=Runs(database, exercises, doorbell),
        series=SeriesRuns(database, exercises, doorbell),
        drafts=drafts,
        hints=hints,
        objections=Objections(database),
        quizzes=QuizAnswers(database, library),
        reading=LessonReading(database),
        pages=LessonPages(database),
        sandboxes=PracticeSandboxes(database, exercises, drafts, sandboxd),
        images=ImageWaits(sandboxd),
        tickets=StreamTickets(database, TicketMint.open(settings.home), settings.live_base_url),
        workbenches=Workbenches(database, drafts, hints),
        standings=Standings(database),
        homes=Homes(database, library),
        classroom=Classroom(database),
        sandboxd=sandboxd,
    )


class _ExercisesOf:
    """The exercises of the newest catalog, as `app.grading.exercises.Exercises`."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def get(self, exercise_id: str) -> Exercise | None:
        return self._library.catalog.exercise(exercise_id)


def accounts(database: Database) -> Accounts:
    """The accounts room."""
    from app.accounts.audit import Audit
    from app.accounts.door import Door
    from app.accounts.limits import Limits
    from app.accounts.lockout import Lockout
    from app.accounts.sign_ins import SignIns
    from app.accounts.tokens import Tokens
    from app.accounts.users import Users

    users, limits = Users(database), Limits(database)
    return Accounts(
        users=users, door=Door(users, limits, Lockout(database)), sign_ins=SignIns(database), tokens=Tokens(database),
        limits=limits, audit=Audit(database),
    )  # fmt: skip


def prepare(settings: Settings) -> str:
    """Before the first process starts: the newest schema, the secret key, lessons rendered into the cache and, where nobody
    is there yet, an administrator.

    Returns:
        The one-time password of a new `admin`, else an empty string.
    """
    from app import migrate
    from app.accounts.users import Users
    from app.content.catalog import load_catalog
    from app.db import Database, make_engine

    engine = make_engine(settings.database)
    migrate.upgrade(engine)
    _ = settings.secret
    for old in (settings.home / "metrics").glob("*.db"):
        old.unlink()
    load_catalog(settings.lessons_dir, settings.exercises_dir, settings.cache_dir)
    try:
        return Users(Database(engine)).ensure_admin() or ""
    finally:
        engine.dispose()


def sandboxd(settings: Settings) -> None:
    """Run `sandboxd` until it is told to stop.

    Raises:
        PlatformError: it cannot start: another one runs, or the engine refuses its configuration.
    """
    from app import log
    from app.sandbox.daemon.ownership import owned

    log.configure("sandboxd", settings.log_level)
    with owned(settings.sandboxd_dir):
        if settings.engine == "fake":
            _run_sandboxd(settings, *_fake_engine(settings))
        else:
            _run_sandboxd(settings, *_embedded_engine(settings))


def examine_engine(settings: Settings) -> DoctorReport:
    """What the engine says of this machine, where no `sandboxd` runs that could be asked."""
    import asyncio

    engine, _images = _embedded_engine(settings)
    return asyncio.run(engine.doctor())


def _embedded_engine(settings: Settings) -> tuple[Engine, Images]:
    from app.sandbox.engines.embedded import EmbeddedEngine, start_spawner

    if settings.engine not in ("auto", "embedded"):
        raise SettingsInvalid(f"SOTY_ENGINE={settings.engine}: this engine is not built yet.", cure="Set SOTY_ENGINE=embedded.")
    # First of all: the spawner must be a child of a process without threads.
    spawner = start_spawner(settings.home)
    from app.sandbox.images.store import ImageStore

    images = ImageStore(settings.home / "images", settings.images_dir, settings.apt_mirror)
    return EmbeddedEngine(settings.home, images, spawner), images


def _fake_engine(settings: Settings) -> tuple[Engine, Images]:
    if not settings.testing:
        raise SettingsInvalid("SOTY_ENGINE=fake runs nothing and is for tests.", cure="Set SOTY_ENGINE=auto.")
    from app.sandbox.daemon.preparation import NoTrees
    from app.sandbox.engines.fake import FakeEngine

    return FakeEngine(), NoTrees(settings.images_dir)


def _run_sandboxd(settings: Settings, engine: Engine, images: Images) -> None:
    import asyncio

    from app.grading.prober.bundle import prober_files
    from app.sandbox.admission import Admission, capacity
    from app.sandbox.daemon.exercises import Exercises
    from app.sandbox.daemon.preparation import Preparation
    from app.sandbox.daemon.sandboxes import Sandboxes
    from app.sandbox.daemon.server import serve
    from app.sandbox.daemon.usual import UsualTimes
    from app.sandbox.grants import TicketVerifier, public_key_path
    from app.sandbox.journal import Journal
    from app.sandbox.taps.bundle import tap_files

    folder = settings.sandboxd_dir
    exercises = Exercises(settings.exercises_dir, prober_files)
    exercises.reload()

    async def run() -> None:
        preparation = Preparation(images, always=("agent", "prober") if settings.engine != "fake" else ())
        sandboxes = Sandboxes(
            engine,
            exercises,
            preparation,
            Journal(folder / "journal"),
            Admission(capacity(settings.sandbox_memory_mb, settings.sandbox_slots)),
            UsualTimes(folder / "usual.json"),
            tap_files(),
            instance=str(settings.home),
        )
        verifier = TicketVerifier(public_key_path(settings.home), settings.live_base_url)
        await serve(sandboxes, preparation, verifier, folder, debug=settings.log_level == "debug")

    asyncio.run(run())


@contextmanager
def worker(settings: Settings, slot: int = 0) -> Iterator[Worker]:
    """The worker process, ready to run.

    Args:
        slot: number of this process on this machine, from 0.

    Raises:
        PlaceTaken: another process runs in this slot.
    """
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
    from app.jobs.doorbells.polling import PollingDoorbell
    from app.jobs.handler import Handler
    from app.jobs.place import taken_place
    from app.jobs.queue import JobQueue
    from app.jobs.sweeper import Sweeper
    from app.jobs.worker import Routine, Worker
    from app.learning.reconciler import EVERY, Reconciler
    from app.sandbox.client import SandboxdClient

    database, doorbell = Database(make_engine(settings.database)), PollingDoorbell()
    exercises, version = NewestExercises(settings), grader_version(settings.images_dir)
    control = settings.sandboxd_dir / "control.sock"
    with taken_place(settings.home / "worker", slot) as place, SandboxdClient(control) as sandboxd:
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


def live(settings: Settings) -> None:
    """Run `live` until it is told to stop."""
    from app import log
    from app.live.server import Live
    from app.live.watching import Watching
    from app.sandbox.grants import TicketVerifier, public_key_path

    log.configure("live", settings.log_level)
    verifier = TicketVerifier(public_key_path(settings.home), settings.live_base_url)
    sockets = settings.sandboxd_dir
    watching = Watching(sockets / "watch.sock")
    Live(settings.base_url, verifier, watching, sockets / "bytes.sock").run(settings.host, settings.live_port)
