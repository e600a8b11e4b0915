"""Quizzes: what an author may write, what a page may show, and how an answer fares."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.content.quiz import Quiz
from app.errors import InvalidInput


def option(text: str, correct: bool = False) -> dict[str, Any]:
    return {"text": text, "why": f"because {text}", "correct": correct}


def quiz(kind: str = "single", **more: Any) -> Quiz:
    return Quiz.model_validate({"id": "m01-l01-q1", "type": kind, "question": "?", **more})


SINGLE = quiz(options=[option("a"), option("b", True), option("c")])
MULTIPLE = quiz("multiple", options=[option("a", True), option("b"), option("c", True)])
ORDER = quiz("order", options=[option(text) for text in "abcde"])
NUMBER = quiz("number", answer=120, tolerance=2, unit="ms", why="40 × 3")


def test_every_option_tells_its_reason_after_an_answer() -> None:
    judgement = SINGLE.judge([0])
    assert not judgement.correct
    assert [(o.why, o.correct, o.chosen) for o in judgement.options] == [
        ("because a", False, True),
        ("because b", True, False),
        ("because c", False, False),
    ]
    assert SINGLE.judge([1]).correct


@pytest.mark.parametrize(("answer", "correct"), [([0, 2], True), ([2, 0], True), ([0], False), ([0, 1, 2], False)])
def test_several_answers_must_all_be_found_and_no_other(answer: list[int], correct: bool) -> None:
    assert MULTIPLE.judge(answer).correct is correct


@pytest.mark.parametrize(("answer", "correct"), [(120, True), (118.0, True), (122, True), (122.5, False), (-120, False)])
def test_a_number_may_be_off_by_its_tolerance(answer: float, correct: bool) -> None:
    assert NUMBER.judge(answer).correct is correct
    assert NUMBER.judge(answer).expected == 120


def test_an_order_is_shown_shuffled_and_never_in_the_right_order() -> None:
    for count in range(2, 9):
        for number in range(1, 30):
            asked = Quiz.model_validate(
                {
                    "id": f"m01-l01-q{number}",
                    "type": "order",
                    "question": "?",
                    "options": [option(str(n)) for n in range(count)],
                }
            )
            assert sorted(asked.shown) == list(range(count))
            assert asked.shown != tuple(range(count))


def test_an_order_is_judged_by_the_numbers_that_the_page_showed() -> None:
    right = [ORDER.shown.index(number) for number in range(5)]
    assert ORDER.judge(right).correct
    judgement = ORDER.judge(right[::-1])
    assert not judgement.correct
    assert [o.text for o in judgement.options] == list("abcde")
    assert [o.given for o in judgement.options] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (SINGLE, []),
        (SINGLE, [0, 1]),
        (SINGLE, [3]),
        (SINGLE, [-1]),
        (SINGLE, [True]),
        (SINGLE, "1"),
        (SINGLE, 1),
        (MULTIPLE, []),
        (MULTIPLE, [0, 0]),
        (ORDER, [0, 1, 2, 3]),
        (ORDER, [0, 0, 1, 2, 3]),
        (NUMBER, [120]),
        (NUMBER, float("nan")),
        (NUMBER, float("inf")),
        (NUMBER, True),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(asked: Quiz, answer: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked.judge(answer)
    assert caught.value.code == "quiz-answer"


@pytest.mark.parametrize(
    ("kind", "more", "what"),
    [
        ("single", {"options": [option("a"), option("b")]}, "exactly one option must be correct, 0 are"),
        ("single", {"options": [option("a", True), option("b", True)]}, "2 are"),
        ("single", {"options": [option("a", True)]}, "at least two"),
        ("single", {"options": [option("a", True), option("a")]}, "say the same"),
        ("multiple", {"options": [option("a", True), option("b")]}, "two or more"),
        ("order", {"options": [option("a", True), option("b")]}, "carry no `correct`"),
        ("number", {"answer": 1}, "needs `answer` and `why`"),
        ("number", {"answer": 1, "why": "x", "options": [option("a")]}, "has no options"),
        ("single", {"answer": 1, "options": [option("a", True), option("b")]}, "do not belong"),
        ("single", {"options": [{"text": "a", "correct": True}, option("b")]}, "why"),
    ],
)
def test_a_quiz_that_makes_no_sense_is_refused(kind: str, more: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        quiz(kind, **more)
