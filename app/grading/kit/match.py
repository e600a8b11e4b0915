"""Matchers: what `kit.expect` and `kit.eventually` compare a value with. Each says in both languages what it wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .words import Text, brief

T = TypeVar("T")


def _as_it_is(value: object) -> Text:
    return Text.same(brief(value))


@dataclass(frozen=True)
class Matcher(Generic[T]):
    """Something that a value either is or is not.

    Attributes:
        accepts: the judgement.
        wanted: what it wants, to stand after "expected: ".
        found: how to tell a value that was not accepted.
    """

    accepts: Callable[[T], bool]
    wanted: Text
    found: Callable[[T], Text] = _as_it_is


def equal(wanted: T) -> Matcher[T]:
    """The same value; of two lists the first difference is told."""

    def found(value: T) -> Text:
        if isinstance(wanted, list) and isinstance(value, list):
            return _difference(wanted, value)
        return _as_it_is(value)

    return Matcher(lambda value: value == wanted, _as_it_is(wanted), found)


def at_least(least: float) -> Matcher[float]:
    """A number not below `least`."""
    return Matcher(lambda value: value >= least, Text(f"не меньше {least}", f"at least {least}"))


def at_most(most: float) -> Matcher[float]:
    """A number not above `most`."""
    return Matcher(lambda value: value <= most, Text(f"не больше {most}", f"at most {most}"))


def includes(item: Any) -> Matcher[Any]:
    """A text or a collection that has `item` in it."""
    return Matcher(lambda value: item in value, Text(f"есть {brief(item)}", f"{brief(item)} is there"))


def has_all(items: Sequence[Any]) -> Matcher[Any]:
    """A collection that has every one of `items` in it, in any order and any number; what is missing is told."""

    def found(value: Any) -> Text:
        missing = brief([item for item in items if item not in value])
        return Text(f"{brief(list(value))}; не хватает {missing}", f"{brief(list(value))}; missing {missing}")

    return Matcher(lambda value: all(item in value for item in items), _as_it_is(list(items)), found)


def that(accepts: Callable[[T], bool], ru: str, en: str, found: Callable[[T], Text] = _as_it_is) -> Matcher[T]:
    """Anything else: a judgement and its words."""
    return Matcher(accepts, Text(ru, en), found)


def _difference(wanted: Sequence[object], value: Sequence[object]) -> Text:
    for place, (left, right) in enumerate(zip(wanted, value, strict=False), start=1):
        if left != right:
            return Text(
                f"{brief(list(value))}; на месте {place} стоит {brief(right)} вместо {brief(left)}",
                f"{brief(list(value))}; place {place} holds {brief(right)} instead of {brief(left)}",
            )
    if len(value) < len(wanted):
        gone = brief(list(wanted[len(value) :]))
        return Text(f"{brief(list(value))}; не хватает {gone}", f"{brief(list(value))}; missing {gone}")
    extra = brief(list(value[len(wanted) :]))
    return Text(f"{brief(list(value))}; лишнее {extra}", f"{brief(list(value))}; too many: {extra}")
