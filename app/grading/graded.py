"""Every verdict of a submission as a line of the audit log, so that what was judged how can be told even of what is gone."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.accounts import audit
from app.accounts.model import EVERYDAY
from app.grading.model import Verdict

ACTION = EVERYDAY


def note(
    session: Session, user_id: str, submission_id: str, exercise_id: str, verdict: Verdict, score: int | None, grader: str
) -> None:
    """Write it, in the transaction of the verdict. Nothing that a learner wrote is in it.

    Args:
        score: 0..100; None where there is none, since the platform broke.
        grader: version of what judged.
    """
    earned = {} if score is None else {"score": score}
    facts = {"exercise": exercise_id, "verdict": verdict.value, **earned, "grader": grader}
    audit.record(session, user_id, ACTION, "submission", submission_id, **facts)
