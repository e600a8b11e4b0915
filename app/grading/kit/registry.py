"""`@check("id")` remembers the functions that the prober runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .words import Fault

if TYPE_CHECKING:
    from .trial import Kit

CheckFunction = Callable[["Kit"], None]
_checks: dict[str, CheckFunction] = {}


def check(check_id: str) -> Callable[[CheckFunction], CheckFunction]:
    """Declare the function of one check; its title, points, needs and cap stand in `exercise.yaml`.

    Raises:
        Fault: two functions claim the same id.
    """

    def register(function: CheckFunction) -> CheckFunction:
        if check_id in _checks:
            raise Fault(f"two functions are declared as check `{check_id}`")
        _checks[check_id] = function
        return function

    return register


def declared() -> dict[str, CheckFunction]:
    """The functions declared so far, by check id."""
    return dict(_checks)
