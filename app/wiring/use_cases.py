"""The use cases of `web`: what pages and the API may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from app.content.catalog import Catalog
from app.content.exercise import Exercise
from app.content.library import Library
from app.db import Database
from app.grading.proof import proof_state
from app.grading.report import Report
from app.grading.retry import Retry
from app.grading.runs import Runs
from app.grading.series import SeriesRuns
from app.grading.submissions import Submissions
from app.jobs.doorbells.local import LocalDoorbell
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
from app.settings import Settings
from app.trainer.diagnosis import Diagnosis, diagnose
from app.wiring.accounts import Accounts, accounts


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that pages and the API may ask for."""

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
        found = proof_state(exercise, self.settings.images_dir)
        return diagnose(report, exercise.definition, found.proof if found.state != "unproven" else None)


def use_cases(settings: Settings, database: Database, library: Library | None = None) -> UseCases:
    """The use cases over one database; made after the fork, since gRPC does not survive one.

    Args:
        library: the loaded course, where the caller has one already (tests).
    """
    library, doorbell = library or Library(settings), LocalDoorbell(settings.home / "worker")
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
