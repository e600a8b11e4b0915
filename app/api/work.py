"""Drafts, hints, quizzes, trials and submissions."""

from __future__ import annotations

from flask import request

from app.accounts.limits import SUBMIT
from app.accounts.model import Role
from app.api import present
from app.api import schemas as s
from app.api.context import cases, language, viewer
from app.api.operations import operation, place
from app.errors import Conflict
from app.grading.model import SubmissionState, Verdict
from app.grading.runs import RunView
from app.grading.submissions import SubmissionLine, SubmissionView
from app.learning.classroom import SubmissionFilter
from app.trainer.diagnosis import Diagnosis

Accepted = tuple[s.SubmissionAccepted, str]


@operation(
    "POST", "/exercises/<exercise_id>/submissions", status=202, body=s.SubmissionIn, reply=s.SubmissionAccepted, rate=SUBMIT,
    headers={"Idempotency-Key": "repeating a request with the same key and files is the same as sending it once"},
)  # fmt: skip
def submit(exercise_id: str, body: s.SubmissionIn) -> Accepted:
    """Hand in files; they are graded in a fresh sandbox. A file left out is handed in as the starter has it."""
    try:
        view = cases().submissions.submit(viewer().user_id, exercise_id, body.files, request.headers.get("Idempotency-Key"))
    except Conflict as error:
        if error.code == "idempotency-key-reused":
            error.details["status"] = 422
        raise
    return s.SubmissionAccepted(id=view.id, status=view.state.value), place("submission", submission_id=view.id)


@operation("GET", "/exercises/<exercise_id>/submissions", reply=s.History)
def history(exercise_id: str) -> s.History:
    """Your last twenty submissions of an exercise, newest first."""
    return s.History(submissions=[_line(line) for line in cases().submissions.history(viewer().user_id, exercise_id)])


@operation("GET", "/submissions/<submission_id>", query=s.LangQuery, reply=s.SubmissionOut)
def submission(submission_id: str, query: s.LangQuery) -> s.SubmissionOut:
    """One submission with its progress, or its verdict and report."""
    view = cases().submissions.view(viewer(), submission_id)
    return present.submission(view, _diagnosis(view), language(query.lang))


@operation("POST", "/submissions/<submission_id>/seen", status=204)
def submission_seen(submission_id: str) -> None:
    """Say that you have looked at the verdict."""
    cases().submissions.seen(viewer().user_id, submission_id)


@operation("GET", "/submissions", access="mentor", query=s.SubmissionsQuery, reply=s.SubmissionPage)
def submissions(query: s.SubmissionsQuery) -> s.SubmissionPage:
    """Everybody's submissions, newest first."""
    viewer(Role.MENTOR)
    wanted = SubmissionFilter(
        exercise_id=query.exercise,
        user_id=query.user,
        state=SubmissionState(query.state) if query.state else None,
        verdict=Verdict(query.verdict) if query.verdict else None,
    )
    page = cases().classroom.submissions(wanted, page=query.page, size=query.size)
    rows = [
        s.SubmissionRowOut(
            id=row.id, exercise=row.exercise_id, status=row.state.value, verdict=row.verdict and row.verdict.value,
            score=row.score, created_at=row.created_at, finished_at=row.finished_at, user=row.user_id, user_name=row.user_name,
        )
        for row in page.rows
    ]  # fmt: skip
    return s.SubmissionPage(submissions=rows, total=page.total, page=page.page, pages=page.pages)


@operation("POST", "/submissions/<submission_id>/retry", access="instructor", status=204)
def retry(submission_id: str) -> None:
    """Grade an errored submission again now."""
    viewer(Role.INSTRUCTOR)
    cases().retry.now(submission_id)


@operation("GET", "/learners", access="mentor", query=s.LearnersQuery, reply=s.LearnerPage)
def learners(query: s.LearnersQuery) -> s.LearnerPage:
    """Learners and how far they are."""
    viewer(Role.MENTOR)
    page = cases().classroom.learners(search=query.search, page=query.page, size=query.size)
    rows = [s.Learner.model_validate(row) for row in page.rows]
    return s.LearnerPage(learners=rows, total=page.total, page=page.page, pages=page.pages)


@operation("POST", "/exercises/<exercise_id>/runs", status=202, body=s.RunIn, query=s.LangQuery, reply=s.RunOut, rate=SUBMIT)
def start_run(exercise_id: str, body: s.RunIn, query: s.LangQuery) -> tuple[s.RunOut, str]:
    """Run checks on your sandbox with your saved draft; it does not count."""
    user_id = viewer().user_id
    files = cases().drafts.open(user_id, exercise_id).files
    view = cases().runs.start(user_id, exercise_id, files, body.only, body.seed)
    return present.run(view, None, language(query.lang)), place("run", run_id=view.id)


@operation("GET", "/runs/<run_id>", query=s.LangQuery, reply=s.RunOut)
def run(run_id: str, query: s.LangQuery) -> s.RunOut:
    """One trial with its progress or report."""
    view = cases().runs.view(viewer(), run_id)
    return present.run(view, _diagnosis(view), language(query.lang))


@operation("POST", "/exercises/<exercise_id>/series", status=202, body=s.SeriesIn, reply=s.SeriesOut, rate=SUBMIT)
def start_series(exercise_id: str, body: s.SeriesIn) -> tuple[s.SeriesOut, str]:
    """Run the checks up to ten times with other draws, to find failures that come now and then; it does not count."""
    user_id = viewer().user_id
    files = cases().drafts.open(user_id, exercise_id).files
    view = cases().series.start(
        user_id, exercise_id, files, only=body.only, times=body.times, stop_at_failure=body.stop_at_failure
    )
    return s.SeriesOut.model_validate(view), place("series", series_id=view.id)


@operation("GET", "/series/<series_id>", reply=s.SeriesOut)
def series(series_id: str) -> s.SeriesOut:
    """One series and its runs so far."""
    return s.SeriesOut.model_validate(cases().series.view(viewer(), series_id))


@operation("POST", "/series/<series_id>/stop", status=204)
def stop_series(series_id: str) -> None:
    """Begin no further run; the one that goes on is finished."""
    cases().series.stop(viewer().user_id, series_id)


@operation("GET", "/exercises/<exercise_id>/draft", reply=s.DraftOut)
def draft(exercise_id: str) -> s.DraftOut:
    """Your saved files, or the starter with revision 0."""
    return s.DraftOut.model_validate(cases().drafts.open(viewer().user_id, exercise_id))


@operation("PUT", "/exercises/<exercise_id>/draft", body=s.DraftIn, reply=s.DraftOut)
def save_draft(exercise_id: str, body: s.DraftIn) -> s.DraftOut:
    """Save files. On an older revision: 409 `draft-changed` with both versions in `details`."""
    saved = cases().drafts.save(viewer().user_id, exercise_id, body.files, body.revision, overwrite=body.overwrite)
    return s.DraftOut.model_validate(saved)


@operation("POST", "/exercises/<exercise_id>/draft/reset", reply=s.DraftOut)
def reset_draft(exercise_id: str) -> s.DraftOut:
    """Put the starter back; your files become a restore point."""
    return s.DraftOut.model_validate(cases().drafts.reset(viewer().user_id, exercise_id))


@operation("GET", "/exercises/<exercise_id>/restore-points", reply=s.RestorePoints)
def restore_points(exercise_id: str) -> s.RestorePoints:
    """Your last thirty restore points, newest first."""
    points = cases().drafts.restore_points(viewer().user_id, exercise_id)
    return s.RestorePoints(restore_points=[s.RestorePointOut.model_validate(point) for point in points])


@operation("POST", "/exercises/<exercise_id>/restore-points/<point_id>/restore", reply=s.DraftOut)
def restore(exercise_id: str, point_id: str) -> s.DraftOut:
    """Bring a restore point back; your present files become one."""
    return s.DraftOut.model_validate(cases().drafts.restore(viewer().user_id, exercise_id, point_id))


@operation("GET", "/exercises/<exercise_id>/hints", query=s.LangQuery, reply=s.Hints)
def hints(exercise_id: str, query: s.LangQuery) -> s.Hints:
    """Hints that you have opened."""
    return _hints(viewer().user_id, exercise_id, query)


@operation("POST", "/exercises/<exercise_id>/hints/<int:number>", query=s.LangQuery, reply=s.Hints)
def open_hint(exercise_id: str, number: int, query: s.LangQuery) -> s.Hints:
    """Open the next hint; it costs nothing and is recorded."""
    user_id = viewer().user_id
    cases().hints.open(user_id, exercise_id, number)
    return _hints(user_id, exercise_id, query)


@operation("POST", "/exercises/<exercise_id>/objections", status=201, body=s.ObjectionIn, reply=s.ObjectionOut)
def make_objection(exercise_id: str, body: s.ObjectionIn) -> s.ObjectionOut:
    """Say that a check judged your attempt wrongly; the instructors get its report, seed and files."""
    made = cases().objections.make(viewer().user_id, body.kind, body.attempt, body.check, body.message)
    return s.ObjectionOut.model_validate(cases().objections.get(made))


@operation("GET", "/exercises/<exercise_id>/objections", reply=s.Objections)
def objections(exercise_id: str) -> s.Objections:
    """Your objections in an exercise, newest first, with their answers."""
    mine = cases().objections.of(viewer().user_id, exercise_id)
    return s.Objections(objections=[s.ObjectionOut.model_validate(one) for one in mine])


@operation("POST", "/quizzes/<quiz_id>/answer", body=s.AnswerIn, query=s.LangQuery, reply=s.JudgementOut)
def answer_quiz(quiz_id: str, body: s.AnswerIn, query: s.LangQuery) -> s.JudgementOut:
    """Answer a quiz; the answer is stored and the reasons come back."""
    judgement = cases().quizzes.answer(viewer().user_id, quiz_id, body.answer, language(query.lang))
    return s.JudgementOut.model_validate(judgement)


def _diagnosis(view: SubmissionView | RunView) -> Diagnosis | None:
    exercise = cases().catalog.exercise(view.exercise_id)
    return cases().diagnose(view.report, exercise) if view.report and exercise else None


def _hints(user_id: str, exercise_id: str, query: s.LangQuery) -> s.Hints:
    opened = cases().hints.opened(user_id, exercise_id)
    exercise = cases().catalog.exercise(exercise_id)
    total = len(exercise.definition.hints) if exercise else 0
    return s.Hints(total=total, opened=[hint.get(language(query.lang)) for hint in opened])


def _line(line: SubmissionLine) -> s.SubmissionLineOut:
    return s.SubmissionLineOut(
        id=line.id, exercise=line.exercise_id, status=line.state.value, verdict=line.verdict and line.verdict.value,
        score=line.score, created_at=line.created_at, finished_at=line.finished_at,
    )  # fmt: skip
