"""From the outcomes of checks to points, score and verdict. The exercise says what there is to earn, not the prober.

`passed` when every check passed; `failed` when one failed, even beside an errored one: a fault that was shown stands,
whatever else we could not try. Otherwise `errored`: a check that is errored, missing, or skipped without a failed one
is ours to explain and never costs the learner anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.content.exercise_def import CheckDef
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.prober.frames import CheckFinished, ProberFault


class Tally:
    """Outcomes of one run.

    Args:
        checks: of the exercise, in order.
        only: ids that are tried; empty: all.
    """

    def __init__(self, checks: Sequence[CheckDef], only: Sequence[str] = ()) -> None:
        self._checks = {check.id: check for check in checks if not only or check.id in only}
        self._started: set[str] = set()
        self._results: dict[str, pb.CheckResult] = {}

    def start(self, check_id: str) -> None:
        """A check begins.

        Raises:
            ProberFault: unknown, or begun before.
        """
        if check_id not in self._checks or check_id in self._started or check_id in self._results:
            raise ProberFault(f"The prober began the check `{check_id}`, which is unknown or was begun before.")
        self._started.add(check_id)

    def finish(self, frame: CheckFinished) -> pb.CheckResult:
        """A check ends; a skipped one need not have begun.

        Raises:
            ProberFault: unknown, never begun, or a second result.
        """
        check = self._checks.get(frame.id)
        if check is None or frame.id in self._results or (frame.id not in self._started and frame.status != "skipped"):
            raise ProberFault(f"The prober finished the check `{frame.id}`, which is unknown, not begun or finished before.")
        result = pb.CheckResult(
            id=check.id,
            status=frame.status,
            points=check.points if frame.status == "passed" else 0,
            max_points=check.points,
            seconds=frame.seconds,
            message_json=frame.message.model_dump_json() if frame.message and frame.status != "passed" else "",
        )
        self._results[check.id] = result
        return result

    def results(self) -> list[pb.CheckResult]:
        """One result per check, in the order of the exercise; a missing one is errored."""
        return [
            self._results.get(check.id) or pb.CheckResult(id=check.id, status="errored", max_points=check.points)
            for check in self._checks.values()
        ]

    @property
    def missing(self) -> list[str]:
        """Ids of the checks without a result."""
        return [check_id for check_id in self._checks if check_id not in self._results]

    @property
    def score(self) -> int:
        """Points earned."""
        return sum(result.points for result in self._results.values())

    @property
    def verdict(self) -> str:
        """passed, failed or errored."""
        statuses = {result.status for result in self.results()}
        if "failed" in statuses:
            return "failed"
        return "passed" if statuses == {"passed"} else "errored"
