"""Quizzes: what the author wrote, what the page shows, and the judgement of an answer.

An answer is a list of *shown* option numbers (from 0), or a number. For `order` the shown order is a fixed shuffle that
depends on the quiz's id alone, so nothing that leaves the server before answering tells the right order, and an answer
stays valid across languages and reloads.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.content.text import Strict
from app.errors import InvalidInput

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1200, strip_whitespace=True)]
QuizId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+-l[0-9]{2}-q[0-9]{1,2}$", max_length=40)]
QuizType = Literal["single", "multiple", "order", "number"]
Answer = Sequence[int] | float

MAX_OPTIONS = 8


class OptionDef(Strict):
    """One option; `why` is shown to everybody who has answered."""

    text: Sentence
    why: Sentence
    correct: bool = False


@dataclass(frozen=True, slots=True)
class OptionResult:
    """One option after answering. `place` and `given` are positions from 1 (for `order` only)."""

    text: str
    why: str
    correct: bool
    chosen: bool
    place: int = 0
    given: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of an answer: `correct`, every option with its reason, and the closing remark."""

    quiz_id: str
    correct: bool
    answer: tuple[int, ...] | float
    options: tuple[OptionResult, ...] = ()
    expected: float | None = None
    why: str = ""
    explain: str = ""


class Quiz(Strict):
    """A quiz as written between `:::quiz` and `:::`."""

    id: QuizId
    type: QuizType
    question: Sentence
    options: list[OptionDef] = Field(default=[], max_length=MAX_OPTIONS)
    answer: float | None = Field(default=None, allow_inf_nan=False)
    tolerance: float = Field(default=0, ge=0, allow_inf_nan=False)
    unit: Annotated[str, StringConstraints(max_length=24, strip_whitespace=True)] = ""
    why: Sentence | None = None
    explain: Sentence | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        right = sum(option.correct for option in self.options)
        if self.type == "number":
            if self.answer is None or self.why is None:
                raise ValueError("a number quiz needs `answer` and `why`")
            if self.options:
                raise ValueError("a number quiz has no options")
            return self
        if self.answer is not None or self.tolerance or self.unit:
            raise ValueError(f"`answer`, `tolerance` and `unit` do not belong to a quiz of type `{self.type}`")
        if len(self.options) < 2:
            raise ValueError("at least two options are needed")
        if len({option.text for option in self.options}) != len(self.options):
            raise ValueError("two options say the same")
        if self.type == "single" and right != 1:
            raise ValueError(f"exactly one option must be correct, {right} are")
        if self.type == "multiple" and right < 2:
            raise ValueError(f"two or more options must be correct, {right} are")
        if self.type == "order" and right:
            raise ValueError("options of an order quiz stand in the right order and carry no `correct`")
        return self

    @property
    def shape(self) -> tuple[object, ...]:
        """What must be equal in all languages."""
        return (self.id, self.type, tuple(option.correct for option in self.options), self.answer, self.tolerance)

    @property
    def shown(self) -> tuple[int, ...]:
        """Author's option number for each shown position; for `order` a shuffle that is never the right order."""
        numbers = list(range(len(self.options)))
        if self.type != "order":
            return tuple(numbers)
        shuffled = sorted(numbers, key=lambda n: hashlib.sha256(f"{self.id}/{n}".encode()).digest())
        return tuple(shuffled if shuffled != numbers else [*shuffled[1:], shuffled[0]])

    @property
    def shown_texts(self) -> tuple[str, ...]:
        """Texts of the options as a page shows them."""
        return tuple(self.options[number].text for number in self.shown)

    def judge(self, answer: Answer) -> Judgement:
        """Judge an answer.

        Args:
            answer: shown option numbers (`single`: one; `multiple`: one or more; `order`: all, in the learner's order),
                or a number.

        Raises:
            InvalidInput: the answer does not fit the quiz.
        """
        if self.type == "number":
            return self._judge_number(answer)
        if isinstance(answer, (int, float, str)):
            raise _misfit("option numbers are expected")
        given = tuple(answer)
        if any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n < len(self.options) for n in given):
            raise _misfit("there is no such option")
        if len(set(given)) != len(given):
            raise _misfit("an option is named twice")
        if self.type == "order":
            return self._judge_order(given)
        if not given or (self.type == "single" and len(given) != 1):
            raise _misfit("choose an option" if not given else "choose one option")
        options = tuple(
            OptionResult(option.text, option.why, option.correct, number in given) for number, option in enumerate(self.options)
        )
        correct = all(option.correct == option.chosen for option in options)
        return Judgement(self.id, correct, given, options, explain=self.explain or "")

    def _judge_number(self, answer: Answer) -> Judgement:
        if isinstance(answer, bool) or not isinstance(answer, (int, float)) or not math.isfinite(answer):
            raise _misfit("a number is expected")
        assert self.answer is not None
        correct = abs(float(answer) - self.answer) <= self.tolerance + 1e-9
        return Judgement(self.id, correct, float(answer), expected=self.answer, why=self.why or "", explain=self.explain or "")

    def _judge_order(self, given: tuple[int, ...]) -> Judgement:
        if len(given) != len(self.options):
            raise _misfit("put all options in order")
        mine = [self.shown[number] for number in given]
        options = tuple(
            OptionResult(option.text, option.why, mine[number] == number, True, number + 1, mine.index(number) + 1)
            for number, option in enumerate(self.options)
        )
        return Judgement(self.id, mine == sorted(mine), given, options, explain=self.explain or "")


def _misfit(what: str) -> InvalidInput:
    return InvalidInput(f"This answer does not fit the question: {what}.", code="quiz-answer")
