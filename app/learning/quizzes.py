"""Answers to the quizzes in lessons: judged here, from the catalog, never by the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Database, now
from app.errors import InvalidInput, NotFound
from app.learning.model import QuizAnswer

Answer = list[int] | float  #: option numbers (from 0; for `order` in the chosen order), or the number typed
MAX_OPTIONS = 20  #: longest answer that is stored
MAX_IMPORTED = 500  #: answers that a guest may bring along


class Quiz(Protocol):
    """What the catalog knows of a quiz. Option numbers are the file's order, the same in both languages."""

    @property
    def id(self) -> str: ...

    @property
    def lesson_id(self) -> str: ...

    def judge(self, answer: Answer) -> bool:
        """Whether the answer is right.

        Raises:
            InvalidInput: the answer does not fit the quiz's type or options.
        """


class Quizzes(Protocol):
    """The catalog, as seen from here."""

    def quiz(self, quiz_id: str) -> Quiz | None: ...


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

    def __init__(self, database: Database, quizzes: Quizzes) -> None:
        self._database = database
        self._quizzes = quizzes

    def judge(self, quiz_id: str, answer: object) -> bool:
        """Judge without storing: for guests, whose browser keeps the answer.

        Raises:
            NotFound: no such quiz.
            InvalidInput: the answer does not fit.
        """
        return self._find(quiz_id).judge(checked_answer(answer))

    def answer(self, user_id: str, quiz_id: str, answer: object) -> Answered:
        """Judge and store; the newest answer counts, the first one's outcome is kept beside it.

        Raises:
            NotFound, InvalidInput: as `judge`.
        """
        quiz, value = self._find(quiz_id), checked_answer(answer)
        correct = quiz.judge(value)
        with self._database.transaction() as session:
            return _store(session, user_id, quiz, value, correct)

    def answers(self, user_id: str, lesson_id: str) -> dict[str, Answered]:
        """A learner's answers in one lesson, by quiz id."""
        mine = select(QuizAnswer).where(QuizAnswer.user_id == user_id, QuizAnswer.lesson_id == lesson_id)
        with self._database.read() as session:
            return {row.quiz_id: _answered(row) for row in session.scalars(mine)}

    def import_answers(self, user_id: str, answers: Mapping[str, object]) -> int:
        """Store what a guest's browser kept, at sign-up or sign-in; what is stored already stays.

        Answers that no longer fit are left out. Returns how many were stored.
        """
        judged: list[tuple[Quiz, Answer, bool]] = []
        for quiz_id, answer in list(answers.items())[:MAX_IMPORTED]:
            quiz = self._quizzes.quiz(quiz_id)
            if quiz is None:
                continue
            try:
                value = checked_answer(answer)
                judged.append((quiz, value, quiz.judge(value)))
            except InvalidInput:
                continue
        with self._database.transaction() as session:
            known = set(session.scalars(select(QuizAnswer.quiz_id).where(QuizAnswer.user_id == user_id)))
            new = [item for item in judged if item[0].id not in known]
            for quiz, value, correct in new:
                _store(session, user_id, quiz, value, correct)
        return len(new)

    def _find(self, quiz_id: str) -> Quiz:
        quiz = self._quizzes.quiz(quiz_id)
        if quiz is None:
            raise NotFound("There is no such quiz.", code="no-such-quiz")
        return quiz


def checked_answer(answer: object) -> Answer:
    """JSON from outside as an answer.

    Raises:
        InvalidInput: neither a finite number nor a short list of option numbers.
    """
    if isinstance(answer, (int, float)) and not isinstance(answer, bool):
        if abs(answer) < 1e15 and math.isfinite(answer):
            return float(answer)
    elif isinstance(answer, Sequence) and not isinstance(answer, str) and 0 < len(answer) <= MAX_OPTIONS:
        options = [item for item in answer if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < MAX_OPTIONS]
        if len(options) == len(answer) == len(set(options)):
            return options
    raise InvalidInput("An answer is a number or a list of option numbers.", code="bad-answer")


def _store(session: Session, user_id: str, quiz: Quiz, answer: Answer, correct: bool) -> Answered:
    row = session.get(QuizAnswer, (user_id, quiz.id), with_for_update=True)
    text = json.dumps(answer)
    if row is None:
        row = QuizAnswer(
            user_id=user_id, quiz_id=quiz.id, lesson_id=quiz.lesson_id, answer=text, correct=correct, first_correct=correct
        )
        session.add(row)
    else:
        row.answer, row.correct, row.tries, row.answered_at = text, correct, row.tries + 1, now()
    session.flush()
    return _answered(row)


def _answered(row: QuizAnswer) -> Answered:
    return Answered(row.quiz_id, row.lesson_id, json.loads(row.answer), row.correct, row.first_correct, row.tries)
