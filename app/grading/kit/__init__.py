"""The library that checks are written with; docs/authors.md teaches it.

Inside the prober it is imported as `kit`: `from kit import Kit, Text, check, equal`.
"""

from .draw import Draw
from .match import Matcher, at_least, at_most, equal, has_all, includes, that
from .registry import check
from .services import Exit, Replica, Service
from .trial import Kit
from .words import Failed, Fault, Text

__all__ = [
    "Draw",
    "Exit",
    "Failed",
    "Fault",
    "Kit",
    "Matcher",
    "Replica",
    "Service",
    "Text",
    "at_least",
    "at_most",
    "check",
    "equal",
    "has_all",
    "includes",
    "that",
]
