"""What was unusual about a grading, for instructors to look at: observations, no judgement, no effect on the score.

Each kind can have an honest cause; see docs/instructors.md. Nothing is guessed: what was not observed is not written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from app.accounts import audit
from app.grading.trace import Trace

ACTION = "submission.suspicious"
#: Names that only the checks' own machinery has; a solution has no reason to know them.
_INSIDE = re.compile(
    r"/member/|check_finished|prober_password|control_token|/results/results\.json|\bprobe\.[a-z*#]|\bprober\b"
)


def unusual(signals: Mapping[str, int], traces: Iterable[Trace], files: Mapping[str, str]) -> dict[str, int]:
    """Kind -> count of everything unusual about one grading.

    Args:
        signals: what `sandboxd` observed.
        traces: of the taps: connections that the exercise does not have were refused there.
        files: what was handed in.
    """
    found = Counter(signals)
    found["refused-connections"] += sum(event.get("kind") == "refused" for trace in traces for event in trace.events)
    found["names-checker"] += sum(len(_INSIDE.findall(text)) for text in files.values())
    return {kind: count for kind, count in sorted(found.items()) if count}


def note(session: Session, submission_id: str, exercise_id: str, found: Mapping[str, int]) -> None:
    """Write it to the audit log, if there is anything; in the transaction of the verdict."""
    if found:
        audit.record(session, None, ACTION, "submission", submission_id, exercise=exercise_id, **found)
