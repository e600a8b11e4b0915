"""Answers to the quizzes in lessons: judged here, from the catalog, never by the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.content.library import Library
from app.content.quiz import Judgement, Quiz
from app.db import Database, now
from app.errors import InvalidInput, NotFound
from app.learning.model import QuizAnswer

Answer = list[int] | float  #: shown option numbers from 0, or the number typed
LONGEST_ANSWER = 20  #: option numbers
MAX_IMPORTED = 500  #: answers that a guest may bring along


@dataclass(frozen=True, slots=True)
class Answered:
    """The stored state of one quiz."""

    quiz_id: str
    lesson_id: str
    answer: Answer
    correct: bool
    first_correct: bool
    tries: int


class QuizAnswers:
    """Answer, look back, and bring a guest's answers along."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

    def judge(self, quiz_id: str, answer: object, lang: str = "en") -> Judgement:
        """Judge without storing: for guests, whose browser keeps the answer.

        Args:
            answer: JSON as it came from outside.
            lang: language of the reasons.

        Raises:
            NotFound: no such quiz.
            InvalidInput: the answer does not fit.
        """
        return self._find(quiz_id, lang).judge(checked_answer(answer))

    def answer(self, user_id: str, quiz_id: str, answer: object, lang: str = "en") -> Judgement:
        """Judge and store; the newest answer counts, the first one's outcome is kept beside it.

        Raises:
            NotFound, InvalidInput: as `judge`.
        """
        value = checked_answer(answer)
        judgement = self._find(quiz_id, lang).judge(value)
        with self._database.transaction() as session:
            _store(session, user_id, quiz_id, value, correct=judgement.correct)
        return judgement

    def answers(self, user_id: str, lesson_id: str) -> dict[str, Answered]:
        """A learner's answers in one lesson, by quiz id."""
        mine = select(QuizAnswer).where(QuizAnswer.user_id == user_id, QuizAnswer.lesson_id == lesson_id)
        with self._database.read() as session:
            return {row.quiz_id: _answered(row) for row in session.scalars(mine)}

    def import_answers(self, user_id: str, answers: Mapping[str, object]) -> int:
        """Store what a guest's browser kept, at sign-up or sign-in; what is stored already stays.

        Answers that no longer fit are left out. Returns how many were stored.
        """
        judged: dict[str, tuple[Answer, bool]] = {}
        for quiz_id, answer in list(answers.items())[:MAX_IMPORTED]:
            try:
                value = checked_answer(answer)
                judged[quiz_id] = value, self.judge(quiz_id, value).correct
            except (InvalidInput, NotFound):
                continue
        with self._database.transaction() as session:
            known = set(session.scalars(select(QuizAnswer.quiz_id).where(QuizAnswer.user_id == user_id)))
            new = {quiz_id: outcome for quiz_id, outcome in judged.items() if quiz_id not in known}
            for quiz_id, (value, correct) in new.items():
                _store(session, user_id, quiz_id, value, correct=correct)
        return len(new)

    def _find(self, quiz_id: str, lang: str) -> Quiz:
        found = self._library.catalog.quiz(quiz_id, lang)
        if found is None:
            raise NotFound("There is no such quiz.", code="no-such-quiz")
        return found[1]


def lesson_of(quiz_id: str) -> str:
    """`m01-l01` of `m01-l01-q2`: a quiz's id begins with its lesson's."""
    return quiz_id.rpartition("-")[0]


def checked_answer(answer: object) -> Answer:
    """JSON from outside as an answer.

    Raises:
        InvalidInput: neither a finite number nor a short list of option numbers.
    """
    if isinstance(answer, (int, float)) and not isinstance(answer, bool):
        if abs(answer) < 1e15 and math.isfinite(answer):
            return float(answer)
    elif isinstance(answer, Sequence) and not isinstance(answer, str) and 0 < len(answer) <= LONGEST_ANSWER:
        options = [
            item for item in answer if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < LONGEST_ANSWER
        ]
        if len(options) == len(answer) == len(set(options)):
            return options
    raise InvalidInput("An answer is a number or a list of option numbers.", code="bad-answer")


def _store(session: Session, user_id: str, quiz_id: str, answer: Answer, *, correct: bool) -> None:
    row = session.get(QuizAnswer, (user_id, quiz_id), with_for_update=True)
    text = json.dumps(answer)
    if row is None:
        row = QuizAnswer(user_id=user_id, quiz_id=quiz_id, lesson_id=lesson_of(quiz_id), first_correct=correct, tries=0)
        session.add(row)
    row.answer, row.correct, row.tries, row.answered_at = text, correct, row.tries + 1, now()


def _answered(row: QuizAnswer) -> Answered:
    return Answered(row.quiz_id, row.lesson_id, json.loads(row.answer), row.correct, row.first_correct, row.tries)
