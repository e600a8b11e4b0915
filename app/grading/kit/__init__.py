"""The library that checks are written with; docs/authors.md teaches it.

Inside the prober it is imported as `kit`: `from kit import Kit, Text, check, equal`.
"""

from . import frame, phrases
from .baseline import Baseline, at_least_times, at_most_times, seconds_of
from .draw import Draw
from .edges import SENDER, Edge, Rule, Sight
from .frame import Frame, any_of, contains
from .history import History, Operation
from .match import Matcher, at_least, at_most, equal, has_all, includes, that
from .observing import Mark
from .phrases import EVENTS, MESSAGES, OPERATIONS, ORDERS, REQUESTS, TASKS, Noun
from .registry import check
from .services import Exit, Replica, Service
from .trace import Event, Trace
from .trial import Kit
from .words import Failed, Fault, Text, plural

__all__ = [
    "EVENTS",
    "MESSAGES",
    "OPERATIONS",
    "ORDERS",
    "REQUESTS",
    "SENDER",
    "TASKS",
    "Baseline",
    "Draw",
    "Edge",
    "Event",
    "Exit",
    "Failed",
    "Fault",
    "Frame",
    "History",
    "Kit",
    "Mark",
    "Matcher",
    "Noun",
    "Operation",
    "Replica",
    "Rule",
    "Service",
    "Sight",
    "Text",
    "Trace",
    "any_of",
    "at_least",
    "at_least_times",
    "at_most",
    "at_most_times",
    "check",
    "contains",
    "equal",
    "frame",
    "has_all",
    "includes",
    "phrases",
    "plural",
    "seconds_of",
    "that",
]
